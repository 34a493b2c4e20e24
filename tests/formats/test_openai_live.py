"""OpenAI's live API: what is said and heard in a session, and the responses it delegates."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from guardstream.formats import detect
from tests.formats import responses
from tests.laws.asked import GUARD, lines, on_the_wire
from tests.support.samples.openai_live import Event, event, said, session


def delegated(pieces: Sequence[str], own: str = "del_1") -> list[Event]:
    """A response of another model: a text and a call."""
    inner = responses.stream(responses.text(*pieces), responses.call("find", *pieces))
    return [event("response.event", delegation_id=own, event=each) for each in inner]


def test_a_message_of_a_websocket_may_report_the_block_as_an_error() -> None:
    body = lines(*session(said(["it is for", "bidden now"])))
    *_, last = on_the_wire(body, GUARD.with_on_block("error")).splitlines()
    assert json.loads(last)["type"] == "error"
    assert json.loads(last)["error"]["code"] == "content_filter"


def test_a_session_of_the_realtime_api_is_another_format() -> None:
    for first in (
        event("session.updated", session={"type": "realtime"}),
        event("session.input_transcript.delta", delta="so", elapsed_ms=200),
        event("session.output_audio.delta", delta="UklGRg==", elapsed_ms=200),
    ):
        assert detect(first).name == "openai_realtime"  # type: ignore[attr-defined]


@pytest.mark.parametrize("first", session(said(["so"], "input"), said(["so"]), delegated(["{}"])))
def test_a_stream_may_begin_with_any_event_of_its_own(first: Event) -> None:
    known = first["type"] == "session.closed"
    name = "openai_realtime" if known else "openai_live"
    assert detect(first).name == name  # type: ignore[attr-defined]
