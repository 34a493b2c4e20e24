"""Cohere's chat events: dicts, the package's objects, and events on the wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.providers.cohere import Cohere
from tests.extract.test_extract import collect
from tests.providers.laws import (
    GUARD,
    check_masked,
    cuttings,
    in_any_cut,
    left_raw,
    recorded,
    unchanged,
)
from tests.support.optional import optional

cohere = optional("cohere")

RECORDINGS = recorded("vercel*/cohere__*", "other/*cohere*", "other/*test_chains*")


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    delta = {"delta": {"message": message}} if message else {}
    return {"type": kind, **place, **delta}


def text(said: str, index: int = 0) -> dict[str, Any]:
    return event("content-delta", index, content={"text": said})


def starts(index: int = 0, kind: str = "text") -> dict[str, Any]:
    return event("content-start", index, content={"type": kind, kind: ""})


def ends(index: int = 0) -> dict[str, Any]:
    return event("content-end", index)


def calls(index: int, arguments: str = "", name: str = "find") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return event(
        "tool-call-start",
        index,
        tool_calls={"id": f"t{index}", "type": "function", "function": function},
    )


def arguments(said: str, index: int = 0) -> dict[str, Any]:
    return event("tool-call-delta", index, tool_calls={"function": {"arguments": said}})


def finish(reason: str = "COMPLETE") -> dict[str, Any]:
    usage = {"tokens": {"output_tokens": 3.0}}
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}


START = event(
    "message-start", role="assistant", content=[], tool_plan="", tool_calls=[], citations=[]
)


def body(*source: dict[str, Any]) -> bytes:
    named = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in source]
    return "".join([*named, "data: [DONE]\n\n"]).encode()


def objects(*source: dict[str, Any]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, content=body(*source), headers={"content-type": "text/event-stream"}
        )

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = cohere.ClientV2(api_key="none", httpx_client=http)
    return list(client.chat_stream(model="m", messages=[]))


MAKE = pytest.mark.parametrize(
    "make", [list, lambda source: objects(*source)], ids=["dict", "object"]
)


def joined(source: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for each in source:
        plain = each if isinstance(each, dict) else each.model_dump()
        message = (plain.get("delta") or {}).get("message") or {}
        content = message.get("content") or {}
        call = message.get("tool_calls") or {}
        said = {
            "text": content.get("text") if content else "",
            (plain.get("index"), "thinking"): content.get("thinking") if content else "",
            (plain.get("index"), "tool_args"): (call.get("function") or {}).get("arguments")
            if call
            else "",
            "plan": message.get("tool_plan"),
        }
        for key, value in said.items():
            if value:
                found[key] = found.get(key, "") + value
    return found


@MAKE
def test_every_kind_of_block_is_masked_in_any_cut(make: Any) -> None:
    for pieces in cuttings('{"q": "a secret, no sec"}'):
        source = [START, *(event("tool-plan-delta", tool_plan=piece) for piece in pieces)]
        source += [starts(0, "thinking")]
        source += [event("content-delta", 0, content={"thinking": piece}) for piece in pieces]
        source += [ends(0), starts(1), *(text(piece, 1) for piece in pieces), ends(1)]
        source += [calls(0), *(arguments(piece) for piece in pieces), event("tool-call-end", 0)]
        source += [finish("TOOL_CALL")]
        stream = GUARD.wrap_sync(make(source))
        out = list(stream)
        masked = '{"q": "a ######, no sec"}'
        expected = dict.fromkeys(("plan", (0, "thinking"), "text", (0, "tool_args")), masked)
        assert joined(out) == expected
        assert not left_raw(out)
        call = stream.result.tool_calls[0]
        assert (call.name, call.id, call.arguments, call.complete) == ("find", "t0", masked, True)
        assert stream.finish == "tool_calls"
        assert stream.result.usage is not None


def test_consecutive_text_blocks_are_one_text() -> None:
    source = [
        START,
        starts(0),
        text("a sec"),
        ends(0),
        starts(1),
        text("ret", 1),
        ends(1),
        finish(),
    ]
    assert joined(GUARD.wrap_sync(source))["text"] == "a ######"


def test_held_text_goes_out_before_what_ends_it() -> None:
    source = [
        START, event("tool-plan-delta", tool_plan="sec"), starts(0), text("a sec"), ends(0),
        calls(0), arguments("sec"), event("tool-call-end", 0), finish(),
    ]  # fmt: skip
    assert [each["type"] for each in GUARD.wrap_sync(source)] == [
        "message-start", "tool-plan-delta", "content-start", "content-delta", "content-delta",
        "content-end", "tool-call-start", "tool-call-delta", "tool-call-end", "message-end",
    ]  # fmt: skip


def test_what_no_rule_touches_passes_as_it_is() -> None:
    source = [START, starts(), text("plain"), ends(), finish()]
    assert unchanged(source)
    assert unchanged(objects(*source))
    assert in_any_cut(body(*source)) == body(*source)


def test_log_probabilities_of_text_after_a_match_stay() -> None:
    pieces = ["a", " sec", "ret", " and", " more"]
    source = [START, starts(), *(text(each) | {"logprobs": {"text": each}} for each in pieces)]
    out = list(GUARD.wrap_sync([*source, ends(), finish()]))
    told = [(each.get("logprobs") or {}).get("text") for each in out if "content" in str(each)]
    assert [each for each in told if each] == ["a", " more"]


def test_citations_and_log_probabilities_are_masked() -> None:
    cited = {
        "start": 0,
        "end": 6,
        "text": "secret",
        "sources": [{"type": "document", "id": "d", "document": {"t": "secret"}}],
    }
    source = [
        START, starts(),
        text("secret") | {"logprobs": {"text": "secret", "token_ids": [1]}}, text("; a sec"),
        event("citation-start", 0, citations=cited), event("citation-end", 0),
        text("ret"), ends(), finish(),
    ]  # fmt: skip
    for made in (source, objects(*source)):
        out = list(GUARD.wrap_sync(made))
        assert joined(out)["text"] == "######; a ######"
        assert not left_raw(out)


@MAKE
def test_a_block_closes_the_open_block_and_ends_the_message(make: Any) -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    stream = guard.wrap_sync(
        make([START, starts(), text("so "), text("forbidden "), text("unread")])
    )
    out = list(stream)
    assert joined(out)["text"] == "so no"
    assert [dict(each)["type"] for each in out][-2:] == ["content-end", "message-end"]
    assert stream.finish == "content_filter"
    stream = guard.wrap_sync(make([START, calls(0), arguments('{"q": "forbidden"}')]))
    kinds = [dict(each)["type"] for each in stream]
    assert "tool-call-end" not in kinds  # a client would make the call
    assert kinds[-4:] == [
        "content-start",
        "content-delta",
        "content-end",
        "message-end",
    ]


def test_a_blocked_body_ends_as_such_bodies_do() -> None:
    blocked = in_any_cut(body(START, starts(), text("so forbidden "), text("x"), finish()), GUARD)
    assert blocked.endswith(
        b'event: message-end\ndata: {"type":"message-end",'
        b'"delta":{"finish_reason":"ERROR_TOXIC"}}\n\ndata: [DONE]\n\n'
    )


@MAKE
def test_a_stop_ends_the_message(make: Any) -> None:
    out = list(GUARD.wrap_sync(make([START, starts(), text("so enough "), text("x"), finish()])))
    assert joined(out) == {"text": "so "}
    last = out[-1] if isinstance(out[-1], dict) else out[-1].model_dump()
    assert last["delta"]["finish_reason"] == "COMPLETE"


def test_what_is_not_known_is_refused() -> None:
    for source in ([START, event("hologram", words="a")], [START, starts() | {"aside": "a"}]):
        with pytest.raises(AdapterError, match="is not known"):
            list(GUARD.wrap_sync(source, unknown="refuse"))
        assert list(GUARD.wrap_sync(source, provider=Cohere(unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = [START, calls(0), arguments('{"rows": [1,'), arguments("2]}"), finish()]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    data = path.read_bytes()
    rows = [row.removeprefix("data:").strip() for row in data.decode().splitlines()]
    source = [json.loads(row) for row in rows if row.startswith("{")]
    assert unchanged(source)
    made = objects(*source)
    assert unchanged(made)
    check_masked(source, joined)
    check_masked(made, joined)
    if path.suffix == ".sse":
        assert in_any_cut(data) == data


@pytest.mark.parametrize("name", ["document", "tool_output"])
def test_no_field_of_a_source_is_taken_for_a_mark(name: str) -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    guard = Guard(Policy.parse("rules: [{id: key, pattern: 'AKIA[A-Z0-9]{16}'}]"))
    source = {"type": name, "id": "d", name: {"id": key, "type": key}}
    cited = {"start": 0, "end": 1, "text": "a", "sources": [source]}
    events = [START, starts(), text("a"), event("citation-start", 0, citations=cited)]
    assert key not in str(list(guard.wrap_sync(events)))
