"""Datasets for the commands `eval` and `diff`: JSON lines, one text each.

A line is an object with `text`, and either `label` (1 or true if something should be found,
otherwise 0 or false) or `spans`, a list of `[start, end]` or `{"start": …, "end": …}` in code
points. `source` names the origin of the text; results are reported by source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardstream.errors import GuardstreamError
from guardstream.framing.json import BOM


class DatasetError(GuardstreamError):
    """A dataset cannot be read; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text, and the spans or the label that the dataset gives it."""

    line: int
    text: str
    label: bool | None
    spans: tuple[tuple[int, int], ...] | None
    source: str = ""


def read(path: Path) -> Iterator[Example]:
    """Yield the examples of a dataset. DatasetError names the file and the line of an error."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _example(path, number, line)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not valid UTF-8: save it as UTF-8") from error


def _example(path: Path, number: int, line: str) -> Example:
    try:
        value = json.loads(line.removeprefix(BOM) if number == 1 else line)
        if not isinstance(value, dict) or not isinstance(value.get("text"), str):
            raise ValueError("a line needs an object with a 'text'")
        return Example(number, value["text"], _label(value), _spans(value), _source(value))
    except json.JSONDecodeError as error:
        place = f"{path}:{number}:{error.colno}"
        raise DatasetError(f"{place}: not JSON, each line needs an object with a 'text'") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}:{number}:1: {error}") from error


def _label(value: dict[str, Any]) -> bool | None:
    label = value.get("label")
    if label not in (None, 0, 1):
        raise ValueError("'label' must be 0 or 1")
    if value.get("spans") is None:
        return None if label is None else bool(label)
    spans = bool(value["spans"])
    if label not in (None, spans):
        raise ValueError("'label' and 'spans' contradict each other: leave the label out")
    return spans


def _source(value: dict[str, Any]) -> str:
    source = value.get("source", "")
    if not isinstance(source, str):
        raise ValueError("'source' must be a string")
    return source


def _spans(value: dict[str, Any]) -> tuple[tuple[int, int], ...] | None:
    if value.get("spans") is None:
        return None
    return tuple(_span(span, len(value["text"])) for span in _list(value["spans"]))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("'spans' must be a list")
    return value


def _span(span: Any, size: int) -> tuple[int, int]:
    pair = [span.get("start"), span.get("end")] if isinstance(span, dict) else span
    if not isinstance(pair, list) or len(pair) < 2 or not all(type(n) is int for n in pair[:2]):
        raise ValueError("a span is [start, end] or an object with 'start' and 'end'")
    if not 0 <= pair[0] < pair[1] <= size:
        raise ValueError(f"the span {pair[0]}–{pair[1]} is empty or not within the text")
    return pair[0], pair[1]
