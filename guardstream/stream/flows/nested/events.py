"""Server-sent events in a text: the strings and numbers in data that is JSON, or other data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from guardstream.framing.json import BOM
from guardstream.stream.flows.nested.reader import Reader
from guardstream.stream.flows.nested.values import KEPT, Nested, Strings, within

_EVENTS = re.compile(rf"(?:\A{BOM}?|[\r\n])(?:data|event):")
"""A text with such a line, of data or of an event's name, may be server-sent events."""

_EVENT_ENDS = tuple(word[:size] for word in ("data", "event") for size in range(1, len(word) + 1))
_EVENT_BEGINS = re.compile(rf"(?:\A{BOM}?|[\r\n])((?:d(?:a(?:ta?)?)?|e(?:v(?:e(?:nt?)?)?)?)\Z)")
"""The incomplete beginning of such a line at the end of a text."""

_LINE = re.compile(r"(?:(data|event)(?:: ?|(?=[\r\n]|\Z)))?([^\r\n]*)(?:\r\n?|\n|\Z)")
"""A line: its field, if that is data or event, and the rest without one space (section 9.2.6)."""

_NEXT_LINE = re.compile(r"(?:\r\n?|\n)(?:data: ?)?")
"""The text between two lines of data that follow each other."""


def begun_in(text: str) -> str:
    """Return the incomplete beginning of an event's line at the end of a text, or an empty text."""
    if text.endswith(_EVENT_ENDS) and (begins := _EVENT_BEGINS.search(text[-7:])):
        return begins[1]
    return ""


def may_be_events(text: str) -> bool:
    """Return whether a text has a line of an event."""
    return ("data:" in text or "event:" in text) and _EVENTS.search(text) is not None


def in_events(text: str) -> Strings:
    """Return what is in the data of server-sent events, the last of which may be cut."""
    found: list[Nested] = []
    lines: list[tuple[int, int]] = []  # of data: where they begin and end
    name = rest = ""
    for line in _LINE.finditer(text, len(BOM) * text.startswith(BOM)):
        is_cut = line.end() == len(text) and line.end() == line.end(2)
        if is_cut and not (line[1] == "data" and line[2]):
            rest = line[0][:KEPT]
            break
        if line[1] == "data":
            lines.append(line.span(2))
        elif line[1] == "event":
            name = line[2]
        elif not line[2]:
            found += _in_event(text, lines, name).values if lines else ()
            lines, name = [], ""
        if is_cut:
            break
    begun = f"event: {name[:KEPT]}\n" if name else ""
    if lines:
        last = _in_event(text, lines, name)
        found += last.values
        begun += f"data: {last.begun}" + "\n" * (lines[-1][1] < len(text))
    if begun.endswith("\n") and text.endswith("\r"):
        begun = f"{begun[:-1]}\r"  # a line feed that comes next belongs to it
    return Strings(found, begun + rest)


def _in_event(text: str, lines: Sequence[tuple[int, int]], name: str) -> Strings:
    """Return what is in an event's data: its strings and numbers, or all of it if it is no JSON.

    The lines keep their offsets in the text: spaces replace what is between them.

        data: {"a":        {"a":
        data: "b"}               "b"}
    """
    place = within("event:", name) if name else ""
    parts: list[str] = []
    start = at = lines[0][0]
    for begin, end in lines:
        parts += [" " * (begin - at), text[begin:end]]
        at = end
    data = "".join(parts)
    with suppress(ValueError):
        if data.lstrip().startswith(("{", "[", '"')):
            read = Reader().read(data, place)
            for value in read.values:
                value.start += start
                value.end += start
            return read
    return Strings(
        [
            Nested(
                *(None, None, None),
                path="(data)",
                place=place,
                value="\n".join(text[begin:end] for begin, end in run),
                start=run[0][0],
                end=run[-1][1],
                is_data=True,
            )
            for run in _runs(text, lines)
        ]
    )


def _runs(text: str, lines: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Group the lines of data that follow each other without another line between them."""
    runs = [[lines[0]]]
    for line in lines[1:]:
        between = text[runs[-1][-1][1] : line[0]]
        if _NEXT_LINE.fullmatch(between):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs
