"""Server-sent events as objects: what a client's own parser gives, and what servers send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.laws.asked import GUARD, cuttings, left_raw, unchanged
from tests.support.optional import optional
from tests.support.samples.sse_objects import ServerSentEvent, openai

fastapi = optional("fastapi")  # fastapi.sse
sse_starlette = optional("sse_starlette")

TEXT, MASKED = "a secret, no sec", "a ######, no sec"


class Hidden:
    """An event whose fields are private, as those of the clients' own parsers are."""

    def __init__(self, data: str, event: str | None = None) -> None:
        self._event, self._data, self._id, self._retry = event, data, None, None

    @property
    def data(self) -> str:
        return self._data


@pytest.mark.parametrize("write", [str, json.dumps])
def test_text_in_events_goes_on(write: Any) -> None:
    for pieces in cuttings(TEXT):
        for kind in (ServerSentEvent, Hidden):
            source = [kind(data=write(each)) for each in pieces]
            assert unchanged(source)
            stream = GUARD.wrap_sync(source)
            out = list(stream)
            told = [each.data if write is str else json.loads(each.data) for each in out]
            assert "".join(told) == stream.result.text == MASKED


def quoted(data: str) -> fastapi.sse.ServerSentEvent:
    return fastapi.sse.ServerSentEvent(data=data)


def unquoted(data: str) -> fastapi.sse.ServerSentEvent:
    return fastapi.sse.ServerSentEvent(raw_data=data)


def said(event: Any) -> Any:
    fields = event if isinstance(event, dict) else vars(event)
    return fields["data"] if fields.get("raw_data") is None else fields["raw_data"]


@pytest.mark.parametrize(
    "make",
    [
        quoted,
        unquoted,
        sse_starlette.ServerSentEvent,
        lambda data: {"data": data},
        lambda data: {"event": "token", "data": data, "id": "7"},
    ],
)
def test_events_to_be_sent_are_guarded_as_those_of_clients(make: Any) -> None:
    for pieces in cuttings(TEXT):
        source = [make(each) for each in pieces]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        assert "".join(map(said, stream)) == stream.result.text == MASKED
        written = GUARD.wrap_sync(make(json.dumps(each)) for each in openai(pieces))
        assert not left_raw([json.loads(said(each)) for each in written])
        assert written.result.text == MASKED
    hidden = [make('{"note": "a sec\\u0072et"}')]
    notes = [json.loads(said(each))["note"] for each in GUARD.wrap_sync(hidden)]
    assert notes == ["a ", "######"]


def test_an_event_may_have_its_data_in_two_fields() -> None:
    class Kept:
        def __init__(self, data: str) -> None:
            self.data = self._data = data
            self.event, self.id, self.retry = "message", "", None

    out = list(GUARD.wrap_sync([Kept("a secret.")]))
    assert [(each.data, each._data) for each in out] == [("a ######.", "a ######.")]
