"""Kosong's message parts: merged as Kosong merges them, they give the guarded message."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats import named
from tests.laws.asked import GUARD
from tests.support.samples.kosong import (
    arguments,
    call,
    message,
)


def test_the_last_call_is_complete_at_a_clean_end_alone() -> None:
    for held in ("{}", '{"q": "sec'):
        told: list[Any] = []
        source = [call("find"), arguments(held)]
        stream = GUARD.wrap_sync(source, on_tool_call=told.append)
        assert message(list(stream))[0].function.arguments == held
        assert [(each.name, each.arguments, each.complete) for each in told] == [
            ("find", held, True)
        ]
        assert list(stream.result.tool_calls) == told

    def breaks() -> Any:
        yield from (call("find"), arguments("{}"))
        raise ConnectionError

    told = []
    broken = GUARD.wrap_sync(breaks(), on_tool_call=told.append)
    with pytest.raises(ConnectionError):
        list(broken)
    blocked = GUARD.wrap_sync([call("find"), arguments('"forbidden "')], on_tool_call=told.append)
    list(blocked)
    assert [each.complete for each in (*broken.result.tool_calls, *blocked.result.tool_calls)] == [
        False,
        False,
    ]
    assert not told


def test_what_is_not_known_is_refused() -> None:
    source = [{"type": "text", "text": "a"}, {"type": "hologram", "words": "b"}]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=named("kosong", unknown="pass"))) == source
