"""A word in any place of what agents stream comes out of none, whatever the place is."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from tests.formats.changes import CHANGES, Event, at, leaves, planted, put, said, ways
from tests.laws.samples import samples

WORD = "quizzaciously"
GUARD = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, replacement: '[#]'}}]"))


def dumped(value: Any) -> Any:
    """An object as plain data, without what is the application's own."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, (list, tuple)):
        return [dumped(each) for each in value]
    fields = value if isinstance(value, dict) else getattr(value, "__dict__", None)
    if fields is None:
        return getattr(value, "value", value)
    own = ("agent", "request_state")
    return {name: dumped(each) for name, each in fields.items() if name not in own}


SOURCES = samples("agents")


def comes_out(source: list[Event], place: int, event: Event, name: str) -> bool:
    """Tell whether the word comes out where one event has it; a stream may be refused for it."""
    chunks = [*source[:place], event, *source[place + 1 :]]
    try:
        out = list(GUARD.wrap_sync(chunks, format=name.split(",")[0]))
    except AdapterError:
        return False
    return bool(said(dumped(out), (WORD,)))


@pytest.mark.parametrize("name", SOURCES)
def test_a_word_in_place_of_a_value_does_not_come_out(name: str) -> None:
    source = SOURCES[name]
    for place, event in enumerate(source):
        for way in leaves(event):
            if isinstance(at(event, way), str):
                assert not comes_out(source, place, put(event, way, f"a {WORD} b"), name), way


LONG = "microsoft_agents, in a workflow"
"""Has the events of `microsoft_agents` in others: a minute, for what the two apart say nearly."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.weekly] * (each == LONG)) for each in SOURCES]
)
def test_a_word_that_is_new_somewhere_does_not_come_out(name: str) -> None:
    source = SOURCES[name]
    for place, event in enumerate(source):
        for way in ways(event):
            for kind, change in CHANGES.items():
                made = planted(event, way, change, WORD)
                if made is not None:
                    assert not comes_out(source, place, made, name), (way, kind)
