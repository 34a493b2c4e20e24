"""Recorded events with a word in place of each of their values: it comes out of none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.formats import detect
from tests.formats.changes import at, leaves, put, said
from tests.formats.recordings import BROKEN, FOLDER, events

WORD = "quizzaciously"
GUARD = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, replacement: '[#]'}}]"))

FOLDERS = sorted(
    path
    for folder in (FOLDER, FOLDER.with_name("streams_more"))
    for path in folder.glob("*")
    if path.is_dir()
)

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FOLDERS, reason="the corpora do not stand beside the checkout"),
]


def payloads(path: Path) -> Sequence[Any]:
    if path.suffix == ".json":
        whole = json.loads(path.read_bytes())
        return whole if isinstance(whole, list) else [whole]
    return events(path)


def kind(event: dict[str, Any]) -> Hashable:
    found = [event.get(name) for name in ("type", "event_type", "object", "kind")]
    return tuple(each for each in found if isinstance(each, str))


def shape(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple((name, shape(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(dict.fromkeys(map(shape, value)))
    return type(value), bool(value)


def squeezed(source: Sequence[Any]) -> list[Any]:
    """A stream without events of a shape that has come three times."""
    seen: Counter[Hashable] = Counter()
    kept = []
    for event in source:
        key = kind(event), shape(event)
        seen[key] += 1
        if seen[key] <= 3:
            kept.append(event)
    return kept


def planted(folder: Path) -> Iterator[tuple[str, str, list[Any]]]:
    """Streams with the word in place of a value, once for each path of each kind of event."""
    seen: set[Hashable] = set()
    for path in sorted(folder.glob("*")):
        if path.stem in BROKEN or path.suffix not in (".sse", ".txt", ".json", ".ndjson"):
            continue
        source = squeezed(payloads(path))
        name = getattr(detect(source[0]), "name", "") if source else ""
        for place, event in enumerate(source):
            for way in leaves(event):
                steps = tuple("*" if isinstance(step, int) else step for step in way)
                key = (name, kind(event), steps, type(at(event, way)))
                if key not in seen:
                    seen.add(key)
                    changed = put(event, way, WORD)
                    yield path.name, name, [*source[:place], changed, *source[place + 1 :]]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_word_in_place_of_any_recorded_value_passes(folder: Path) -> None:
    found = 0
    for path, name, source in planted(folder):
        found += 1
        out: list[Any] = []
        with suppress(AdapterError):  # a kind of event is no longer known, and others repeat it
            out.extend(GUARD.wrap_sync(source, format=name))
        assert not said(out, (WORD,)), (path, source)
    assert found
