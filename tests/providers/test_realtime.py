"""OpenAI's realtime API: events of a session as dicts, and as the package gives them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.providers import detect
from guardstream.providers.openai.realtime import Realtime
from guardstream.serve.messages import messages_of
from guardstream.serve.routes import Route
from tests.extract.test_extract import collect
from tests.providers.laws import (
    ARGUMENTS,
    GUARD,
    MASKED,
    check_masked,
    cuttings,
    events,
    in_any_cut,
    left_raw,
    unchanged,
)
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
first = optional("openai.types.beta.realtime")
RealtimeServerEvent = optional("openai.types.realtime", "RealtimeServerEvent")

Event = dict[str, Any]
NAME = "openai_realtime"
BLOCKING = Guard(
    Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
)


def event(kind: str, **fields: Any) -> Event:
    return {"type": kind, "event_id": "event_Bq1", **fields}


def said(name: str, output: int, /, of: str = "resp_1", **fields: Any) -> Event:
    """An event about an output of a response."""
    place = {"response_id": of, "item_id": f"item_{output}_{of}", "output_index": output}
    return event(f"response.{name}", **place, **fields)


def item(output: int, /, of: str = "resp_1", **fields: Any) -> Event:
    return {"id": f"item_{output}_{of}", "object": "realtime.item", **fields}


def began(of: str = "resp_1") -> Event:
    made = {"id": of, "object": "realtime.response", "status": "in_progress", "output": []}
    return event("response.created", response=made)


def done(*output: Event, of: str = "resp_1", status: str = "completed", **fields: Any) -> Event:
    made = {"id": of, "object": "realtime.response", "status": status, "output": list(output)}
    return event("response.done", response={**made, "usage": {"total_tokens": 3}, **fields})


def _streamed(name: str, field: str, part: str) -> Any:
    def made(pieces: Sequence[str], output: int = 0, of: str = "resp_1") -> list[Event]:
        whole = "".join(pieces)
        about = {"type": "message", "role": "assistant"}
        begun = item(output, of, **about, status="in_progress", content=[])
        kind = f"output_{part}" if name.startswith("output") else part
        over = item(output, of, **about, status="completed", content=[{"type": kind, field: whole}])
        add = event("conversation.item.added", previous_item_id=None, item=begun)
        end = event("conversation.item.done", previous_item_id=None, item=over)
        place: Any = {"of": of, "content_index": 0}
        return [
            event("response.output_item.added", response_id=of, output_index=output, item=begun),
            add,
            said("content_part.added", output, **place, part={"type": part, field: ""}),
            *(said(f"{name}.delta", output, **place, delta=piece) for piece in pieces),
            said(f"{name}.done", output, **place, **{field: whole}),
            said("content_part.done", output, **place, part={"type": part, field: whole}),
            end,
            event("response.output_item.done", response_id=of, output_index=output, item=over),
        ]

    return made


text = _streamed("output_text", "text", "text")
speech = _streamed("output_audio_transcript", "transcript", "audio")
first_text = _streamed("text", "text", "text")
first_speech = _streamed("audio_transcript", "transcript", "audio")


def call(pieces: Sequence[str], output: int = 1, of: str = "resp_1") -> list[Event]:
    about = {"type": "function_call", "name": "find", "call_id": "call_1"}
    begun = item(output, of, **about, status="in_progress", arguments="")
    over = item(output, of, **about, status="completed", arguments="".join(pieces))
    name = "function_call_arguments"
    place: Any = {"of": of, "call_id": "call_1"}
    return [
        event("response.output_item.added", response_id=of, output_index=output, item=begun),
        *(said(f"{name}.delta", output, **place, delta=piece) for piece in pieces),
        said(f"{name}.done", output, **place, name="find", arguments="".join(pieces)),
        event("conversation.item.done", item=over),
        event("response.output_item.done", response_id=of, output_index=output, item=over),
    ]


def response(*outputs: list[Event], of: str = "resp_1") -> list[Event]:
    """A response with its outputs, and all of them once more at its end."""
    whole = [each["item"] for made in outputs for each in made[-1:]]
    return [began(of), *(each for made in outputs for each in made), done(*whole, of=of)]


def answer(pieces: Sequence[str]) -> list[Event]:
    return response(text(pieces))


def heard(kind: str, own: str = "item_u1", **fields: Any) -> Event:
    name = f"conversation.item.input_audio_transcription.{kind}"
    return event(name, item_id=own, content_index=0, **fields)


SESSION = event("session.created", session={"type": "realtime", "instructions": "Be kind."})


def objects(source: Sequence[Event]) -> list[Any]:
    """The events as the package gives them."""
    return [construct_type(type_=RealtimeServerEvent, value=each) for each in source]


def first_objects(source: Sequence[Event]) -> list[Any]:
    """The events as the package's first version of them."""
    return [construct_type(type_=first.RealtimeServerEvent, value=each) for each in source]


def plain(each: Any) -> Event:
    return each if isinstance(each, dict) else each.to_dict(warnings=False)


def joined(source: Any) -> dict[Any, str]:
    """What a client joins, by channel and item."""
    found: dict[Any, str] = {}
    for each in map(plain, source):
        name = each["type"].removesuffix(".delta")
        if name != each["type"] and "audio.delta" not in each["type"]:
            key = "tool_args" if "arguments" in name else "text", each.get("item_id")
            found[key] = found.get(key, "") + each["delta"]
    return {key: piece for key, piece in found.items() if piece}


def kinds(source: Any) -> list[str]:
    return [plain(each)["type"].removeprefix("response.") for each in source]


MAKE = pytest.mark.parametrize("make", [list, objects], ids=["dict", "object"])
WAYS = [
    (list, text), (objects, text), (list, speech), (objects, speech),
    (list, first_text), (first_objects, first_text),
    (list, first_speech), (first_objects, first_speech),
]  # fmt: skip
SAY = pytest.mark.parametrize(("make", "say"), WAYS)


@SAY
def test_text_and_calls_are_masked_in_any_cut_and_where_they_are_repeated(
    make: Any, say: Any
) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = make([SESSION, *response(say(pieces), call(pieces))])
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(out)
        result = stream.result
        assert (result.text, stream.finish) == (MASKED, "tool_calls")
        found = result.tool_calls[0]
        assert (found.name, found.id, found.arguments) == ("find", "call_1", MASKED)
        assert found.complete
        assert result.usage is not None
        assert joined(out) == {
            ("text", "item_0_resp_1"): MASKED,
            ("tool_args", "item_1_resp_1"): MASKED,
        }
        repeats = [MASKED in json.dumps(plain(each)).replace('\\"', '"') for each in out]
        assert sum(repeats) >= 8
        assert len(stream.findings) == 2


def test_over_the_wire_the_bytes_may_be_cut_anywhere() -> None:
    source = response(text(("a se", "cret, no sec")), call(('{"q": "sec', 'ret"}')))
    assert in_any_cut(events(*source)) == events(*source)
    out = in_any_cut(events(*source), GUARD)
    assert b"secret" not in out.replace(b'", "', b"")


def test_messages_of_a_websocket_are_guarded_one_by_one() -> None:
    messages = messages_of(Route("/", guard=GUARD, websocket="json"))
    source = [SESSION, *answer(["a se", "cret", " so forbidden "])]
    out = [json.loads(each) for event in source for each in messages.feed(json.dumps(event))]
    out += map(json.loads, messages.finish())
    assert joined(out) == {("text", "item_0_resp_1"): "a ###### so "}
    assert kinds(out)[-1] == "done"
    assert messages.ended == "content_filter"


SETTING = [
    SESSION,
    event("session.updated", session={"type": "realtime", "tools": [{"name": "find"}]}),
    event("conversation.created", conversation={"id": "c_1", "object": "realtime.conversation"}),
    event("input_audio_buffer.speech_started", item_id="item_u1", audio_start_ms=3),
    event("input_audio_buffer.committed", item_id="item_u1", previous_item_id=None),
    event("conversation.item.added", item={"id": "item_u1", "type": "message", "role": "user",
          "content": [{"type": "input_audio", "transcript": None}]}),
    heard("delta", delta="so "), heard("delta", delta="so"),
    heard("completed", transcript="so so", usage={"type": "tokens", "total_tokens": 3}),
    event("conversation.item.done", item={"id": "item_u1", "type": "message", "role": "user",
          "content": [{"type": "input_audio", "transcript": "so so"}]}),
    event("rate_limits.updated", rate_limits=[{"name": "requests", "limit": 5, "remaining": 4}]),
    event("output_audio_buffer.started", response_id="resp_1"),
    event("error", error={"type": "invalid_request_error", "code": "no_such_item",
          "message": "There is no such item.", "event_id": "event_2"}),
]  # fmt: skip


@MAKE
def test_what_no_rule_touches_passes_as_it_is(make: Any) -> None:
    sound = said("output_audio.delta", 0, content_index=0, delta="UklGRiQAAAA1")
    spoken = speech(("so ", "it is"))
    source = [*SETTING, *response([*spoken[:4], sound, *spoken[4:]], call(('{"q": ', "1}")))]
    made = make(source)
    assert isinstance(detect(made[0]), Realtime)
    assert unchanged(made)


@MAKE
def test_held_text_goes_out_before_its_part_ends(make: Any) -> None:
    out = list(GUARD.wrap_sync(make(answer(["a sec"]))))
    assert joined(out) == {("text", "item_0_resp_1"): "a sec"}
    names = kinds(out)
    assert names[4:8] == [
        "output_text.delta", "output_text.delta", "output_text.done", "content_part.done"
    ]  # fmt: skip
    assert plain(out[6])["text"] == "a sec"
    out = list(GUARD.wrap_sync(make(response(text(["a sec"]), call(["{}"])))))
    assert kinds(out)[5:7] == ["output_text.delta", "output_text.done"]
    assert kinds(out)[5:].index("output_item.added") > kinds(out)[5:].index("output_item.done")


@MAKE
def test_a_block_ends_the_parts_and_the_response(make: Any) -> None:
    for say, pieces in ((text, "output_text"), (speech, "output_audio_transcript")):
        source = make([SESSION, *response(say(["so for", "bidden", " unread"]))])
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(out, "forbidden")
        assert kinds(out)[-4:] == [
            f"{pieces}.done", "content_part.done", "output_item.done", "done"
        ]  # fmt: skip
        last = plain(out[-1])["response"]
        assert (last["id"], last["status"]) == ("resp_1", "incomplete")
        assert last["status_details"] == {"type": "incomplete", "reason": "content_filter"}
        part = last["output"][0]["content"][0]
        assert "so " in part.values()
        assert stream.finish == "content_filter"
        if make is objects:
            names = [type(each).__name__ for each in out[-4:]]
            assert names[1:] == [
                "ResponseContentPartDoneEvent", "ResponseOutputItemDoneEvent", "ResponseDoneEvent"
            ]  # fmt: skip
        again = GUARD.wrap_sync(out)
        assert kinds(list(again)) == kinds(out)
        assert (again.result.text, again.finish) == ("so ", "content_filter")


def test_a_block_in_the_first_version_ends_in_its_terms() -> None:
    for make in (list, first_objects):
        out = list(GUARD.wrap_sync(make(response(first_text(["so ", "forbidden "])))))
        assert kinds(out)[-4:] == ["text.done", "content_part.done", "output_item.done", "done"]
        assert plain(out[-1])["response"]["output"][0]["content"][0]["type"] == "text"


@MAKE
def test_a_block_in_a_call_ends_it_incomplete(make: Any) -> None:
    stream = GUARD.wrap_sync(make(response(text(["so"]), call(['{"q": "', 'forbidden"}']))))
    out = list(stream)
    assert kinds(out)[-3:] == ["function_call_arguments.done", "output_item.done", "done"]
    items = plain(out[-1])["response"]["output"]
    assert [each["status"] for each in items] == ["completed", "incomplete"]
    assert not stream.result.tool_calls[0].complete


@MAKE
def test_a_block_message_is_said_in_the_part_or_in_a_message_of_its_own(make: Any) -> None:
    out = list(BLOCKING.wrap_sync(make(answer(["so ", "forbidden "]))))
    assert joined(out) == {("text", "item_0_resp_1"): "so no"}
    out = list(BLOCKING.wrap_sync(make(response(text(["so"]), call(['{"q": "forbidden"}'])))))
    last = plain(out[-1])["response"]["output"]
    assert [each["type"] for each in last] == ["message", "function_call", "message"]
    assert last[2]["content"][0]["text"] == " no"
    out = list(BLOCKING.wrap_sync(make(response(call(['{"q": "forbidden"}'], 0)))))
    assert plain(out[-1])["response"]["output"][-1]["content"][0]["text"] == "no"
    source = [began(), *text(["so"])[:-2], *call(['{"q": "forbidden"}'])]
    last = plain([*BLOCKING.wrap_sync(make(source))][-1])["response"]["output"]
    texts = [each["content"][0]["text"] for each in last if each["type"] == "message"]
    assert texts == ["so", " no"]


@MAKE
def test_a_call_that_is_cut_is_incomplete_however_its_response_ends(make: Any) -> None:
    for guard, word in ((GUARD, "forbidden"), (GUARD, "enough"), (BLOCKING, "forbidden")):
        out = list(guard.wrap_sync(make(response(call(['{"q": "', word, '"}'], 0)))))
        ended = [plain(each)["item"] for each in out if kinds([each]) == ["output_item.done"]]
        assert (ended[0]["type"], ended[0]["status"]) == ("function_call", "incomplete")
        assert plain(out[-1])["response"]["output"][0] == ended[0]


@MAKE
def test_a_stop_and_a_limit_end_the_response(make: Any) -> None:
    stream = GUARD.wrap_sync(make(answer(["so enough ", "unread"])))
    last = plain(list(stream)[-1])
    assert (last["type"], last["response"]["status"]) == ("response.done", "completed")
    assert (stream.result.text, stream.finish) == ("so ", "stop")
    guard = Guard(Policy.parse("limits: {max_chars: 4}"))
    stream = guard.wrap_sync(make(answer(["so far ", "unread"])))
    details = plain(list(stream)[-1])["response"]["status_details"]
    assert (details["reason"], stream.finish) == ("max_output_tokens", "length")


@MAKE
def test_how_a_response_ended_is_its_finish(make: Any) -> None:
    ends = {
        "completed": "stop", "cancelled": "cancelled", "failed": "error", "incomplete": "length",
    }  # fmt: skip
    for status, finish in ends.items():
        stream = GUARD.wrap_sync(make([*answer(["so"])[:-1], done(status=status)]))
        list(stream)
        assert stream.finish == finish
    details = {"type": "incomplete", "reason": "content_filter"}
    source = [*answer(["so"])[:-1], done(status="incomplete", status_details=details)]
    stream = GUARD.wrap_sync(make(source))
    list(stream)
    assert stream.finish == "content_filter"


@MAKE
def test_a_response_after_another_begins_anew(make: Any) -> None:
    source = [*answer(["a sec"]), *response(text(["ret so"], of="resp_2"), of="resp_2")]
    stream = GUARD.wrap_sync(make(source))
    out = list(stream)
    assert list(joined(out).values()) == ["a sec", "ret so"]
    assert stream.result.text == "a secret so"  # two answers, one after another
    assert stream.finish == "stop"


@MAKE
def test_responses_at_the_same_time_are_choices_of_their_own(make: Any) -> None:
    one, two = answer(["a sec", "ret"]), response(text(["no for", "mal"], of="b"), of="b")
    source = [*one[:5], *two[:5], *one[5:6], *two[5:], *one[6:]]
    stream = GUARD.wrap_sync(make(source))
    out = list(stream)
    assert list(joined(out).values()) == ["a ######", "no formal"]
    assert stream.result.text == "a ######"
    assert not left_raw(out)
    source[10] = {**source[10], "delta": "bidden"} if "delta" in source[10] else source[10]
    stream = BLOCKING.wrap_sync(make([*one[:5], *two[:5], {**two[5], "delta": "bidden"}]))
    ended = [
        plain(each)["response"]["id"] for each in stream if plain(each)["type"] == "response.done"
    ]
    assert sorted(ended) == ["b", "resp_1"]


@MAKE
def test_what_the_user_says_is_masked_beside_the_answer(make: Any) -> None:
    for pieces in cuttings("a secret, no sec"):
        first, *rest = answer(["so"])
        user = {"id": "item_u1", "type": "message", "role": "user",
                "content": [{"type": "input_audio", "transcript": "a secret, no sec"}]}  # fmt: skip
        source = [first, *(heard("delta", delta=piece) for piece in pieces[:-1]), *rest,
                  heard("delta", delta=pieces[-1]), heard("completed", transcript="".join(pieces)),
                  event("conversation.item.retrieved", item=user)]  # fmt: skip
        stream = GUARD.wrap_sync(make(source))
        out = list(stream)
        assert not left_raw(out)
        told = [plain(each) for each in out]
        assert told[-2]["transcript"] == "a ######, no sec"
        assert joined(told)["text", "item_u1"] == "a ######, no sec"
        assert stream.result.text == "so"
        assert len(stream.findings) == 1


@MAKE
def test_what_the_caller_sent_ends_nothing(make: Any) -> None:
    asked = {"id": "item_u1", "type": "message", "role": "user",
             "content": [{"type": "input_text", "text": "a forbidden secret"}]}  # fmt: skip
    given = {"id": "item_u2", "type": "function_call_output", "call_id": "c", "output": "forbidden"}
    source = [
        event("session.created", session={"instructions": "Say nothing forbidden."}),
        event("conversation.item.added", item=asked), event("conversation.item.done", item=given),
        *answer(["so"]),
    ]  # fmt: skip
    stream = GUARD.wrap_sync(make(source))
    out = list(stream)
    assert not left_raw(out, "forbidden")
    assert len(out) == len(source)
    assert (stream.finish, stream.findings) == ("stop", ())


@MAKE
def test_tools_of_mcp_and_errors_are_masked(make: Any) -> None:
    place: Any = {"response_id": "resp_1", "output_index": 0}
    about = {"type": "mcp_call", "name": "find", "server_label": "s"}
    begun, over = item(0, **about, arguments=""), item(
        0, **about, arguments='{"q": "secret"}', output="the secret",
        error={"type": "http_error", "code": 5, "message": "the secret"},
    )  # fmt: skip
    tools = [{"name": "find", "description": "the secret", "input_schema": {}}]
    listed = item(1, type="mcp_list_tools", server_label="s", tools=tools)
    source = [
        began(), event("response.output_item.added", **place, item=begun),
        said("mcp_call_arguments.delta", 0, delta='{"q": "sec', obfuscation="abc"),
        said("mcp_call_arguments.delta", 0, delta='ret"}', obfuscation="abcd"),
        said("mcp_call_arguments.done", 0, arguments='{"q": "secret"}'),
        said("mcp_call.completed", 0),
        event("response.output_item.done", **place, item=over),
        event("conversation.item.done", item=listed),
        event("error", error={"type": "server_error", "message": "the secret"}),
        done(over, listed),
    ]  # fmt: skip
    stream = GUARD.wrap_sync(make(source))
    assert not left_raw(list(stream))
    assert stream.finish == "stop"
    assert stream.result.tool_calls[0].arguments == '{"q": "######"}'


def test_translations_and_transcriptions_are_read() -> None:
    for pieces in cuttings("a secret, no sec"):
        source = [
            event("session.created", session={"model": "m"}),
            *(event("session.input_transcript.delta", delta=each, elapsed_ms=2) for each in pieces),
            *(event("session.output_transcript.delta", delta=each) for each in pieces),
            event("session.output_audio.delta", delta="UklGRiQAAAA1", sample_rate=24000),
            event("session.closed"),
        ]
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(joined(out))
        assert (stream.result.text, stream.finish) == ("a ######, no sec", "stop")
    out = list(GUARD.wrap_sync([event("session.output_transcript.delta", delta="so forbidden")]))
    assert [each["type"] for each in out] == ["session.output_transcript.delta", "session.closed"]
    spelled = [{"token": "secret", "logprob": -0.5, "bytes": [115]}]
    source = [heard("delta", delta="a secret", logprobs=spelled),
              heard("completed", transcript="a secret", logprobs=spelled),
              heard("segment", id="s", text="a secret", speaker="A")]  # fmt: skip
    for made in (source, objects(source)):
        assert not left_raw(list(GUARD.wrap_sync(made)))


@MAKE
def test_what_comes_without_deltas_is_masked(make: Any) -> None:
    for made in (text(["the secret"]), speech(["the secret"]), call(['{"q": "secret"}'])):
        source = [each for each in response(made) if not each["type"].endswith(".delta")]
        stream = GUARD.wrap_sync(make(source))
        out = list(stream)
        assert not left_raw(out)
        assert len(out) == len(source)
        assert len(stream.findings) == 1
    stream = GUARD.wrap_sync(make([heard("completed", transcript="the secret"), *answer(["so"])]))
    assert not left_raw(list(stream))
    assert stream.result.text == "so"


def test_what_is_not_known_is_guarded() -> None:
    new = event("response.hologram.delta", response_id="resp_1", delta="the secret")
    source = [began(), new, done()]
    for made in (source, objects(source)):
        out = list(GUARD.wrap_sync(made))
        assert not left_raw(out)
        assert len(out) == 3
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=Realtime(unknown="pass"))) == source


def test_a_stream_may_be_joined_in_the_middle() -> None:
    source = answer(["a ", "se", "cret ", "forbidden"])[5:]
    out = list(GUARD.wrap_sync(source))
    assert not left_raw(out)
    assert kinds(out)[-1] == "done"


def test_what_a_client_joins_is_what_the_guard_makes_of_it() -> None:
    pieces = ["one ", "secret ", "word and ", "another ", "word of ", "words"]
    source = response(speech(pieces), call(("{", '"a": 1', "}")))
    check_masked(source, joined)
    check_masked(objects(source), joined)


def test_a_calls_arguments_are_extracted() -> None:
    source = response(call(('{"rows": [1', ",2]}")))
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]
