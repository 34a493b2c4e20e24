"""Server-sent events as objects: what a client's own parser gives, and what servers send."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, left_raw, unchanged
from tests.support.optional import optional

fastapi = optional("fastapi")  # fastapi.sse
sse_starlette = optional("sse_starlette")

TEXT, MASKED = "a secret, no sec", "a ######, no sec"


@dataclass(frozen=True)
class ServerSentEvent:
    event: str = "message"
    data: str = ""
    id: str = ""
    retry: int | None = None


class Hidden:
    """An event whose fields are private, as those of the clients' own parsers are."""

    def __init__(self, data: str, event: str | None = None) -> None:
        self._event, self._data, self._id, self._retry = event, data, None, None

    @property
    def data(self) -> str:
        return self._data


class Kind(Enum):
    OUTPUT = "output"
    LOGS = "logs"
    DONE = "done"


@dataclass
class Typed:
    event: Kind
    data: str
    id: str = "1690000000:0"
    retry: int | None = None


def openai(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]
        yield {"object": "chat.completion.chunk", "choices": choices}
    choices = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    yield {"object": "chat.completion.chunk", "choices": choices}


def anthropic(pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {"id": "m1", "role": "assistant", "content": []}}
    block = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for piece in pieces:
        delta = {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
    yield {"type": "message_stop"}


def events(chunks: Iterator[Any], *, named: bool = False) -> list[ServerSentEvent]:
    return [
        ServerSentEvent(each["type"] if named else "message", json.dumps(each)) for each in chunks
    ]


def contents(out: Sequence[Any]) -> str:
    chunks = [json.loads(each.data) for each in out if each.data.startswith("{")]
    return "".join(each["choices"][0]["delta"].get("content") or "" for each in chunks)


def test_json_in_events_is_read_as_the_format_that_it_shows() -> None:
    done = ServerSentEvent(data="[DONE]")
    status = [ServerSentEvent("status", "connected"), ServerSentEvent("status", '{"ok": true}')]
    for pieces in cuttings(TEXT):
        source = [*events(openai(pieces)), done]
        assert type(detect(source[0])).name == "sse_events"
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert contents(out) == stream.result.text == MASKED
        assert out[-1] is done
        assert not left_raw(out)
        late = GUARD.wrap_sync([*status, *source])
        assert contents(list(late)[2:]) == MASKED


def test_a_block_ends_the_format_inside_with_its_names() -> None:
    for pieces in cuttings("so forbidden"):
        out = list(GUARD.wrap_sync(events(anthropic(pieces), named=True)))
        assert [each.event for each in out[-3:]] == [
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
        assert all(json.loads(each.data)["type"] == each.event for each in out)
        *_, last, done = GUARD.wrap_sync(events(openai(pieces)))
        assert json.loads(last.data)["choices"][0]["finish_reason"] == "content_filter"
        assert done.data == "[DONE]"


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


def test_kinds_of_events_are_texts_of_their_own() -> None:
    source = [Typed(Kind.OUTPUT, "a sec"), Typed(Kind.LOGS, "my sec"), Typed(Kind.OUTPUT, "ret b")]
    source += [Typed(Kind.LOGS, "ond"), Typed(Kind.OUTPUT, " sec"), Typed(Kind.DONE, "{}")]
    assert unchanged(source)
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    told = {kind: "".join(each.data for each in out if each.event is kind) for kind in (*Kind,)}
    assert told == {Kind.OUTPUT: "a ###### b sec", Kind.LOGS: "my second", Kind.DONE: "{}"}
    assert out[-1] is source[-1]
    assert stream.result.text == "a ###### b sec"


def test_json_of_no_known_format_is_guarded_by_path() -> None:
    source = [ServerSentEvent(data=json.dumps({"tok": each})) for each in ("a sec", "ret", " b")]
    out = list(GUARD.wrap_sync(source))
    assert [json.loads(each.data)["tok"] for each in out] == ["a ", "######", " b"]
    listed = [ServerSentEvent(data=json.dumps([each])) for each in ("a sec", "ret")]
    assert [json.loads(each.data) for each in GUARD.wrap_sync(listed)] == [["a sec"], ["[word]"]]


def test_names_and_ids_of_events_are_guarded() -> None:
    source = [ServerSentEvent("a secret", "x", "my secret"), ServerSentEvent("status", "y", "e-1")]
    first, second = GUARD.wrap_sync(source)
    assert (first.event, first.data, first.id) == ("", "x", "")
    assert second is source[1]


def test_unknown_json_that_another_event_name_interrupts_is_masked() -> None:
    said = [("a", "one sec"), ("b", "searching"), ("a", "ret so")]
    source = [ServerSentEvent(name, json.dumps({"t": text})) for name, text in said]
    out = [json.loads(each.data)["t"] for each in GUARD.wrap_sync(source)]
    assert out == ["one ", "searching", "###### so"]


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


def test_values_of_which_events_make_json_are_guarded_in_their_format() -> None:
    for pieces in cuttings(TEXT):
        source = [fastapi.sse.ServerSentEvent(data=each) for each in openai(pieces)]
        assert unchanged(source)
        chunks = [each.data for each in GUARD.wrap_sync(source)]
        told = [each["choices"][0]["delta"].get("content") or "" for each in chunks]
        assert "".join(told) == MASKED
    source = [fastapi.sse.ServerSentEvent(data=each) for each in (None, 3, True, ["a secret"])]
    assert [each.data for each in GUARD.wrap_sync(source)] == [None, 3, True, ["a ######"]]


def test_what_else_an_event_has_is_guarded() -> None:
    first = {"data": "so"}
    for event, guarded in (
        ({"comment": "a secret"}, {"comment": ""}),
        ({"data": "x", "sep": "secret"}, {"data": "x", "sep": ""}),
        ({"data": " secret ", "raw_data": "x"}, {"data": " ###### ", "raw_data": "x"}),
        ({"data": "x", "note": ["a secret"]}, {"data": "x", "note": ["a ######"]}),
        ({"event": "end"}, {"event": "end"}),
        ({"data": "x", "comment": "ping", "sep": "\n"}, None),
    ):
        assert list(GUARD.wrap_sync([first, event])) == [first, guarded or event]
    for other in ("a secret", b"a secret", None):
        with pytest.raises(AdapterError, match="malformed"):
            list(GUARD.wrap_sync([first, other]))


@pytest.mark.parametrize("name", ["data", "event", "id", "retry", "comment", "raw_data"])
@pytest.mark.parametrize("other", ["_{}", "__{}"])
def test_fields_that_differ_by_underscores_alone_are_all_guarded(name: str, other: str) -> None:
    private = other.format(name)
    for said in ({name: "a secret", private: "so"}, {private: "a secret", name: "so"}):
        for event in (said, dict(reversed(said.items()))):
            for source in ([{"data": "so", **event}], [{"data": "so"}, {"data": "so", **event}]):
                assert not left_raw(list(GUARD.wrap_sync(source)))


def test_an_event_may_have_its_data_in_two_fields() -> None:
    class Kept:
        def __init__(self, data: str) -> None:
            self.data = self._data = data
            self.event, self.id, self.retry = "message", "", None

    out = list(GUARD.wrap_sync([Kept("a secret.")]))
    assert [(each.data, each._data) for each in out] == [("a ######.", "a ######.")]


def test_held_text_keeps_the_name_of_its_event() -> None:
    source = [{"event": "mine", "data": json.dumps({"text": "a sec"})}]
    names = [each["event"] for each in GUARD.wrap_sync(source)]
    assert names == ["mine", "mine"]
