"""Which call a part belongs to, in formats that are described."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream.formats.toolkit.calls import Calls
from guardstream.formats.toolkit.notation import Notation
from guardstream.formats.toolkit.places import call_places


def _nothing(name: str) -> Notation:
    raise AssertionError(name)


PART = {"i": "call.index", "id": "call.id", "name": "call.name", "args": "tool_args"}
PLACES = call_places(Notation({}, _nothing).spec({"calls": [PART]}))


def _read(calls: Calls, *parts: dict[str, Any]) -> list[int]:
    """Return the numbers of the calls that the parts of a chunk belong to."""

    def block_of(event: Any, path: Any) -> Any:
        return event["calls"][path[0]].get("block")

    calls.read({"calls": parts}, lambda *_: 0, block_of)
    return [calls.number((place,)) for place in range(len(parts))]


@pytest.mark.parametrize("by", [{"i": 7}, {"id": "a"}, {"block": 3}])
def test_a_part_is_found_again_by_what_tells_it_apart(by: dict[str, Any]) -> None:
    calls = Calls("acme", PLACES)
    first, other = _read(calls, {**by, "name": "f", "args": "{"}, {"block": 9, "name": "g"})
    assert first != other
    said = {"index": by.get("i"), "id": by.get("id"), "by": by.get("block")}
    found = calls.known(said, 0)
    assert found is not None
    assert found.number == first
    assert _read(calls, {**by, "args": "}"}) == [first]


def test_a_part_that_says_nothing_belongs_to_the_last_call() -> None:
    calls = Calls("acme", PLACES)
    _, last = _read(calls, {"name": "f"}, {"name": "g"})
    assert _read(calls, {"args": "{}"}) == [last]


@pytest.mark.parametrize("said", [{"index": 1}, {"id": "a"}])
def test_a_call_that_never_began_is_not_known(said: dict[str, Any]) -> None:
    calls = Calls("acme", PLACES)
    _read(calls, {"name": "f"})
    assert calls.known(said, 0) is None
