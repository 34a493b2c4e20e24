"""OpenAI's realtime API: events of a session as dicts, and as the package gives them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats.openai.realtime import Realtime
from guardstream.serve.messages import messages_of
from guardstream.serve.routes import Route
from tests.laws.asked import ARGUMENTS, GUARD, MASKED, check_masked, cuttings, left_raw
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
first = optional("openai.types.beta.realtime")
RealtimeServerEvent = optional("openai.types.realtime", "RealtimeServerEvent")

Event = dict[str, Any]


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


def test_messages_of_a_websocket_are_guarded_one_by_one() -> None:
    messages = messages_of(Route("/", guard=GUARD, websocket="json"))
    source = [SESSION, *answer(["a se", "cret", " so forbidden "])]
    out = [json.loads(each) for event in source for each in messages.feed(json.dumps(event))]
    out += map(json.loads, messages.finish())
    assert joined(out) == {("text", "item_0_resp_1"): "a ###### so "}
    assert kinds(out)[-1] == "done"
    assert messages.ended == "content_filter"


def test_what_is_not_known_is_guarded() -> None:
    new = event("response.hologram.delta", response_id="resp_1", delta="the secret")
    source = [began(), new, done()]
    for made in (source, objects(source)):
        out = list(GUARD.wrap_sync(made))
        assert not left_raw(out)
        assert len(out) == 3
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=Realtime(unknown="pass"))) == source


def test_what_a_client_joins_is_what_the_guard_makes_of_it() -> None:
    pieces = ["one ", "secret ", "word and ", "another ", "word of ", "words"]
    source = response(speech(pieces), call(("{", '"a": 1', "}")))
    check_masked(source, joined)
    check_masked(objects(source), joined)
