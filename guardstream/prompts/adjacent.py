"""Adjacent texts in a message: with a vault, a value may begin in one and end in the next.

Such texts become one part, as a stand-in cannot be divided between two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, groupby
from typing import Any, TypeAlias

from guardstream.prompts.objects import is_signed, mapping_of
from guardstream.prompts.texts import Place, Texts, findings_in

_TEXTS = ("text", "input_text", "output_text")
"""The types of parts that are texts."""

_Join: TypeAlias = Callable[[int, list[str]], str | None]
"""Returns some texts as one, or None to leave them; the first of them has this index."""


def join_values(parts: Any, texts: Texts, role: str) -> Any:
    """Return `parts` with texts joined where a value spans the border between them.

    Before anything is masked: half of it may be a value that is known. A part in which a rule
    finds a value by itself stays as it is.
    """

    def join(_first: int, contents: list[str]) -> str | None:
        rules = texts.rules_for(role, alone=True)
        if rules is None:
            return None
        whole, borders = "".join(contents), [0, *accumulate(map(len, contents))]
        across = [
            found
            for found in findings_in(rules, whole)
            if any(found.start < border < found.end for border in borders)
        ]
        if not across:
            return None
        inside = [
            (start + found.start, start + found.end)
            for start, text in zip(borders, contents, strict=False)
            for found in findings_in(rules, text)
        ]
        free = (
            not any(found.start < end and start < found.end for start, end in inside)
            for found in across
        )
        return whole if any(free) else None

    return _joined(parts, join)


def join_stand_ins(parts: Any, texts: Texts, place: Place) -> Any:
    """Return `parts` with texts joined where only together they contain a stand-in."""

    def join(first: int, contents: list[str]) -> str | None:
        whole = "".join(contents)
        guarded = texts.guard(whole, "text", place.at(first))
        return None if guarded == whole else guarded

    return _joined(parts, join)


def _joined(parts: Any, join: _Join) -> Any:
    """Return `parts` with each run of texts joined, unless `join` returns None."""
    if not isinstance(parts, (list, tuple)) or len(parts) < 2:
        return parts
    made: list[Any] = []
    for is_text, run in groupby(enumerate(parts), lambda each: _text_of(each[1]) is not None):
        numbers, given = zip(*run, strict=True)
        contents = [_text_of(part) or "" for part in given]
        joined = join(numbers[0], contents) if is_text and len(contents) > 1 else None
        made += given if joined is None else [_as_one(given, joined)]
    return parts if len(made) == len(parts) else made


def _text_of(part: Any) -> str | None:
    """Return the text of a part that contains nothing else; None for any other part."""
    if isinstance(part, str):
        return part
    fields = mapping_of(part)
    if fields is None or fields.get("type", "text") not in _TEXTS or fields.get("thought"):
        return None
    text = fields.get("text")
    return text if isinstance(text, str) and not is_signed(fields) else None


def _as_one(parts: Sequence[Any], text: str) -> Any:
    """Return parts that are texts as one part with `text`."""
    if all(isinstance(part, str) for part in parts):
        return text
    made: dict[str, Any] = {}
    for part in parts:
        made |= mapping_of(part) or {"type": "text"}
    return {**made, "text": text}
