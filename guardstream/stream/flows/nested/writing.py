"""Replaces strings and numbers in a text, so that it stays JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from guardstream.stream.flows.nested.values import CUT, DECODER, Nested

_LINE_END = re.compile(r"\r\n?|\n")
_HIGH = re.compile("[\ud800-\udbff]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_ESCAPE = re.compile(
    r"""\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u[0-9a-fA-F]{4}|[^u])"""
)
"""An escape, or a pair of surrogates."""


def with_strings(text: str, changes: Mapping[Nested, str]) -> str:
    """Return the text with other JSON in place of some of its strings and numbers; all else stays
    as it is."""
    made, end = [], 0
    for nested, written in changes.items():
        made += [text[end : nested.start], written]
        end = nested.end
    return "".join([*made, text[end:]])


def written_in(text: str, nested: Nested, value: str) -> str:
    """Return `value` as it is written in place of a string or a number in a text.

    It becomes a string of JSON, without a quote that is in another text; for an event's data, lines
    of data. An escape that the text cuts stays, as its rest is in another text. The rest of a
    number becomes a digit.
    """
    if nested.is_number and nested.is_continued:
        return "0"
    if nested.is_data:
        return "\ndata: ".join(_LINE_END.split(value))
    begun = rest = '"'
    if nested.is_continued:
        begun, value = _after_cut(text[nested.start : nested.end], nested.cut, value)
    if nested.is_open:
        rest = _cut_end(text[nested.start : nested.end], nested.cut)
    escapes = text.isascii() or _SURROGATE.search(value) is not None
    return begun + json.dumps(value, ensure_ascii=escapes)[1:-1] + rest


def _after_cut(quoted: str, cut: str, value: str) -> tuple[str, str]:
    """Return the rest of an escape that an earlier text ended in, and the value after it.

    The escape stays if the value begins with its character; otherwise any character completes it.
    """
    escape = _ESCAPE.match(cut + quoted) if cut else None
    if escape is not None:
        meant = DECODER.decode(f'"{escape[0]}"')
        if value.startswith(meant):
            return quoted[: escape.end() - len(cut)], value[len(meant) :]
    return _completed(cut), value


def _cut_end(quoted: str, cut: str) -> str:
    """Return the beginning of an escape, or of a pair of surrogates, at the end of a string."""
    found = CUT.search(cut + quoted)
    return quoted[max(found.start(1) - len(cut), 0) :] if found is not None else ""


def _completed(cut: str) -> str:
    """Return the rest of an escape whose beginning is out: that of any valid character."""
    before, _, begun = cut.rpartition("\\")
    if not cut:
        return ""
    if len(begun) == 5:  # a high surrogate
        return "\\udcaa"
    escape = begun + ("udcaa" if before else "uaaaa")[len(begun) :]
    return escape[len(begun) :] + ("\\udcaa" if _HIGH.match(chr(int(escape[1:], 16))) else "")
