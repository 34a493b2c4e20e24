"""Small streams of every format, as data: what each event looks like, with places for a text.

`data/samples.jsonl` has whole streams, `data/templates.jsonl` streams of an answer in any number of
pieces: in each event of `each`, `{piece}` stands for a piece and `{so far}` for the text up to it;
in all events `{all}` stands for the text and `{at}` for the event's number.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"

Event = dict[str, Any]

Make = Callable[[Sequence[str]], list[Any]]


def lines(name: str) -> Iterator[Any]:
    """The values of a file of JSON lines."""
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def samples(name: str = "samples") -> dict[str, list[Event]]:
    """A stream with an event of each kind, by format; those of frameworks are `agents`."""
    return {each["format"]: each["chunks"] for each in lines(f"{name}.jsonl")}


def templates() -> dict[str, Make]:
    """What makes a stream of pieces of an answer, by format."""
    return {each["format"]: _maker(each) for each in lines("templates.jsonl")}


def _maker(template: Mapping[str, list[Any]]) -> Make:
    def make(pieces: Sequence[str]) -> list[Any]:
        made: list[Any] = []
        whole = "".join(pieces)

        def add(events: Sequence[Any], **texts: str) -> None:
            for event in events:
                made.append(filled(event, {"all": whole, "at": len(made), **texts}))

        add(template["before"])
        for n, piece in enumerate(pieces):
            texts = {"piece": piece, "so far": "".join(pieces[: n + 1])}
            is_last = n == len(pieces) - 1
            add(template["last" if is_last and "last" in template else "each"], **texts)
        add(template["after"])
        return made

    return make


def filled(value: Any, texts: Mapping[str, Any]) -> Any:
    """A value with each of its places filled; a text that is a place alone may become a number."""
    if isinstance(value, dict):
        return {name: filled(inner, texts) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, texts) for inner in value]
    if not isinstance(value, str):
        return copy.copy(value)
    for name, text in texts.items():
        if value == f"{{{name}}}":
            return text
        value = value.replace(f"{{{name}}}", str(text))
    return value
