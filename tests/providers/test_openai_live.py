"""OpenAI's live API: what is said and heard in a session, and the responses it delegates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import count
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from tests.providers import responses
from tests.providers.laws import (
    ARGUMENTS,
    EMPTY,
    GUARD,
    MASKED,
    cuttings,
    events,
    in_any_cut,
    left_raw,
    lines,
    on_the_wire,
    unchanged,
)
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")

Event = dict[str, Any]

SESSION = {
    "id": "live_1",
    "expires_at": 1,
    "model": "gpt-live-1",
    "status": "active",
    "instructions": "Be kind.",
}


def event(kind: str, **fields: Any) -> Event:
    return {"type": kind, "event_id": "", **fields}


def said(pieces: Sequence[str], who: str = "output") -> list[Event]:
    times = {"start_ms": 200, "end_ms": 400}
    return [event(f"session.{who}_transcript.delta", delta=each, **times) for each in pieces]


def delegated(pieces: Sequence[str], own: str = "del_1") -> list[Event]:
    """A response of another model: a text and a call."""
    inner = responses.stream(responses.text(*pieces), responses.call("find", *pieces))
    return [event("response.event", delegation_id=own, event=each) for each in inner]


def session(*parts: Iterable[Event]) -> list[Event]:
    started = event("session.started", session=SESSION)
    usage = event("session.usage.updated", usage={"seconds": 1.5})
    audio = {"type": "session.output_audio.delta", "delta": "UklGRg==", "start_ms": 0}
    closed = event(
        "session.closed", reason="close_requested", session=SESSION, usage={"seconds": 2}
    )
    source = [started, audio, *(each for part in parts for each in part), usage, closed]
    return [
        {**each, "event_id": f"event_{number}"} if "event_id" in each else each
        for number, each in zip(count(), source, strict=False)
    ]


def objects(source: Sequence[Event]) -> list[Any]:
    """The events as the package gives them, if it has them."""
    live = pytest.importorskip("openai.types.live")
    return [construct_type(type_=live.ServerEvent, value=each) for each in source]


MAKES: list[Callable[[Sequence[Event]], list[Any]]] = [list, objects]


def plain(each: Any) -> Event:
    return each if isinstance(each, dict) else each.to_dict(warnings=False)


def joined(out: Sequence[Any]) -> dict[Any, str]:
    """What a client joins, by kind and delegation."""
    found: dict[Any, str] = {}
    for each in map(plain, out):
        inner = each.get("event", each)
        if inner["type"].endswith("delta") and "audio" not in inner["type"]:
            key = inner["type"].removesuffix(".delta").rpartition(".")[2], each.get("delegation_id")
            found[key] = found.get(key, "") + inner["delta"]
    return found


@pytest.mark.parametrize("make", MAKES)
def test_every_text_is_masked_in_any_cut(make: Callable[[Sequence[Event]], list[Any]]) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = make(session(said(pieces, "input"), said(pieces), delegated(pieces)))
        before = deepcopy(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert stream.state.flow is not None
        assert stream.state.flow.provider == "openai_live"
        assert not left_raw([plain(each) for each in out])
        assert {*joined(out).values()} == {MASKED}
        assert len(joined(out)) == 4
        assert stream.result.text == MASKED
        [call] = stream.result.tool_calls
        assert (call.name, call.arguments, call.complete) == ("find", MASKED, True)
        assert stream.finish == "stop"
        assert source == before
        assert {type(each) for each in out} == {type(each) for each in source}


@pytest.mark.parametrize("make", MAKES)
def test_an_empty_policy_changes_nothing(make: Callable[[Sequence[Event]], list[Any]]) -> None:
    assert unchanged(make(session(said(["so"], "input"), said(["so"]), delegated(['{"q"', "}"]))))


def test_over_the_wire_the_bytes_may_be_cut_anywhere() -> None:
    body = events(*session(said(["a sec", "ret"]), delegated(["a sec", "ret"])))
    assert in_any_cut(body, EMPTY) == body
    assert b"secret" not in in_any_cut(body, GUARD)


def test_what_the_model_says_goes_on_around_other_events() -> None:
    source = session(said(["a sec"]), said(["it ", "is"], "input"), said(["ret it is"]))
    assert joined(list(GUARD.wrap_sync(source))) == {
        ("output_transcript", None): "a ###### it is",
        ("input_transcript", None): "it is",
    }


def test_delegations_at_the_same_time_are_texts_of_their_own() -> None:
    one, two = delegated(["a sec", "ret"], "del_1"), delegated(["no sec", "ret"], "del_2")
    source = session(each for pair in zip(one, two, strict=True) for each in pair)
    found = joined(list(GUARD.wrap_sync(source)))
    assert found["output_text", "del_1"] == "a ######"
    assert found["output_text", "del_2"] == "no ######"


def test_a_delegation_may_have_several_responses() -> None:
    source = session(delegated(["a sec", "ret"]), delegated(["no sec", "ret"]))
    assert joined(list(GUARD.wrap_sync(source)))["output_text", "del_1"] == "a ######no ######"


@pytest.mark.parametrize("make", MAKES)
def test_a_block_ends_the_delegated_response(
    make: Callable[[Sequence[Event]], list[Any]],
) -> None:
    source = make(session(said(["so"]), delegated(["it is for", "bidden now"])))
    stream = GUARD.wrap_sync(source)
    out = [plain(each) for each in stream]
    assert stream.finish == "content_filter"
    assert joined(out)["output_text", "del_1"] == "it is "
    kinds = [each["event"]["type"] for each in out if "event" in each]
    assert kinds[-1] == "response.incomplete"
    assert out[-1]["event"]["response"]["incomplete_details"] == {"reason": "content_filter"}
    own = [each["event_id"] for each in out if "event_id" in each]
    assert len({*own}) == len(own)


@pytest.mark.parametrize("make", MAKES)
def test_a_block_in_what_is_said_ends_the_stream(
    make: Callable[[Sequence[Event]], list[Any]],
) -> None:
    policy = "rules: [{id: w, words: [forbidden], action: block}]\nblock_message: No."
    source = make(session(said(["hm"], "input"), said(["it is for", "bidden now"])))
    stream = Guard(Policy.parse(policy)).wrap_sync(source)
    out = list(stream)
    assert stream.finish == "content_filter"
    assert joined(out) == {
        ("input_transcript", None): "hm",
        ("output_transcript", None): "it is No.",
    }


def test_a_message_of_a_websocket_may_report_the_block_as_an_error() -> None:
    body = lines(*session(said(["it is for", "bidden now"])))
    *_, last = on_the_wire(body, GUARD.with_on_block("error")).splitlines()
    assert json.loads(last)["type"] == "error"
    assert json.loads(last)["error"]["code"] == "content_filter"


def test_errors_and_decisions_are_masked() -> None:
    answers = [{"type": "choice", "choice": "a secret", "confidence": 0.5, "probabilities": []}]
    decision = {"answers": answers, "model": "gpt-5", "usage": {"total_tokens": 3}}
    error = {"type": "server_error", "code": "x_1", "message": "no secret"}
    item = {"id": "item_1", "type": "function_call_output", "call_id": "c_1", "output": "a secret"}
    source = session(
        [
            event("decision.event", event={"type": "decision.completed", "decision": decision}),
            event("decision.item.created", item=item),
            event("error", error=error),
            event("info", code="x_2", message="a secret"),
            event("transport.failed", session_id="live_1", error=error),
            event("session.invented", told="a secret"),
        ]
    )
    out = list(GUARD.wrap_sync(source))
    assert len(out) == len(source)
    assert not left_raw(out)


def test_ids_that_a_rule_matches_come_out_of_no_event() -> None:
    source = session(delegated(["it is for", "bidden now"], "a secret"))
    out = list(GUARD.wrap_sync(source))
    assert joined(out) == {("output_text", ""): "it is "}
    assert "secret" not in json.dumps(out)


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
