"""JSON in a string: the strings in it, which are judged as if they were fields of the event."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

_BEGINS = re.compile(r"\s*[{\[]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_ITEM = "[*]"
_DEEP = 32
"""How many steps a path has at most; strings that stand deeper have that of the object around."""


class Nested(NamedTuple):
    """A string in a text of JSON: where it stands there with its quotes, its path, and what it
    says. The path of a key ends in `~`."""

    start: int
    end: int
    path: str
    value: str


def strings(text: str) -> Iterator[Nested]:
    """Yield the strings of a text that is an object or a list of JSON, the keys included; none if
    it is not. Of a text that nests too deep to be checked, those up to where it is no JSON."""
    with suppress(IndexError, ValueError):
        yield from _strings(text)


def _strings(text: str) -> Iterator[Nested]:
    if not _BEGINS.match(text) or not _is_json(text):
        return
    way: list[str] = []  # the key or the item that each open object or list is at
    awaits_key = False
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{":
                way.append("")
                awaits_key = True
            case "[":
                way.append(_ITEM)
            case "}" | "]":
                way.pop()
                awaits_key = False
            case ",":
                awaits_key = way[-1] != _ITEM
            case ":":
                awaits_key = False
            case quoted:
                value = json.loads(quoted, strict=False)
                if awaits_key:
                    way[-1] = f".{value}"
                path = "".join(way[:_DEEP]) + "~" * awaits_key
                yield Nested(*token.span(), path, value)


def with_values(text: str, changes: dict[Nested, str]) -> str:
    """Return the text with other values for some of its strings; all else stays as it is."""
    made, end = [], 0
    for nested, value in changes.items():
        escapes = text.isascii() or _SURROGATE.search(value) is not None
        made += [text[end : nested.start], json.dumps(value, ensure_ascii=escapes)]
        end = nested.end
    return "".join([*made, text[end:]])


def _is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except RecursionError:
        return True  # as far as one can tell
    except ValueError:
        return False
    return True
