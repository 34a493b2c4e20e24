"""Responses through the official client: its accumulator, and its helper's snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from guardstream import Guard, Policy
from tests.formats.responses import call, stream, text, thinking
from tests.formats.served import Body, openai_client, sse, transport
from tests.laws.asked import STARS as GUARD
from tests.laws.asked import STARS_POLICY as POLICY
from tests.laws.asked import has_word
from tests.support.chunking import one_by_one
from tests.support.optional import optional

openai = optional("openai")
omit = optional("openai", "omit")
ResponseStreamState = optional("openai.lib.streaming.responses", "ResponseStreamState")

pytestmark = [
    # The SDK leaves generators of its own to the garbage collector, which trio reports.
    pytest.mark.filterwarnings("ignore:Async generator 'openai:ResourceWarning"),
]

JSON = '{"who": "a secret", "age": 4}'


class Person(BaseModel):
    who: str
    age: int
    nick: str = "none"


def state() -> ResponseStreamState[Any]:
    return ResponseStreamState(text_format=omit, input_tools=omit)


def body(source: list[dict[str, Any]]) -> Body:
    return Body(*(sse([event], named=True) for event in source))


@pytest.mark.parametrize(
    "parts", [["my secret is"], ["my sec", "ret is"], one_by_one("my secret is")]
)
def test_the_accumulator_gives_the_guarded_response(parts: list[str]) -> None:
    source = stream(thinking("a secret"), call("find", '{"q": "sec', 'ret"}'), text(*parts))
    sent = body(source)
    with openai_client(sent) as client:
        events = client.responses.create(model="m", input="x", stream=True)
        accumulated = state()
        for event in GUARD.wrap_sync(events):
            accumulated.handle_event(event)
    final = accumulated._completed_response
    assert final is not None
    assert final.output_text == "my ****** is"
    assert final.output[1].arguments == '{"q": "******"}'  # type: ignore[union-attr]
    assert not has_word("secret", final)
    assert sent.closed


def test_the_accumulator_accepts_a_blocked_stream() -> None:
    source = stream(thinking("hm"), text("so ", "forbidden", " unread", *["more "] * 50))
    sent = body(source)
    with openai_client(sent) as client:
        created = client.responses.create(model="m", input="x", stream=True)
        accumulated = state()
        events = [each for e in GUARD.wrap_sync(created) for each in accumulated.handle_event(e)]
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.output_text == "so "
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "content_filter"
    assert sent.closed
    assert sent.sent < 20


def test_the_accumulator_accepts_a_stop() -> None:
    with openai_client(body(stream(text("that is enough", " more")))) as client:
        created = client.responses.create(model="m", input="x", stream=True)
        accumulated = state()
        for event in GUARD.wrap_sync(created):
            accumulated.handle_event(event)
    assert accumulated._completed_response is not None
    assert accumulated._completed_response.output_text == "that is "


def helped(source: list[dict[str, Any]], guard: Guard = GUARD, **options: Any) -> list[Any]:
    """The guarded events of the client's helper."""
    with (
        openai_client(body(source)) as client,
        client.responses.stream(model="m", input="x", **options) as events,
    ):
        return list(guard.wrap_sync(events))


def test_what_no_rule_touches_passes_as_it_is() -> None:
    source = stream(thinking("hm"), call("find", '{"q"', ": 1}"), text("a ", "b"))
    with (
        openai_client(body(source)) as client,
        client.responses.stream(model="m", input="x") as events,
    ):
        seen: list[Any] = []
        out = list(GUARD.wrap_sync(seen.append(event) or event for event in events))  # type: ignore[func-returns-value]
    assert len(out) == len(seen)
    assert all(a is b for a, b in zip(out, seen, strict=True))


@pytest.mark.parametrize("parts", [[JSON], [JSON[:14], JSON[14:]], one_by_one(JSON)])
def test_snapshots_and_what_was_parsed_are_guarded(parts: list[str]) -> None:
    source = stream(call("find", *parts), text(*parts))
    out = helped(source, text_format=Person)
    assert not any(has_word("secret", event) for event in out)
    whole = ""
    for event in out:
        if event.type == "response.output_text.delta":
            whole += event.delta
            assert event.snapshot == whole
    assert whole == GUARD.check(JSON).text
    (done,) = [event for event in out if event.type == "response.output_text.done"]
    assert done.parsed == Person(who="a ******", age=4)
    assert out[-1].response.output_parsed == Person(who="a ******", age=4)


def test_a_parsed_value_is_no_second_finding() -> None:
    with (
        openai_client(body(stream(text(JSON)))) as client,
        client.responses.stream(model="m", input="x", text_format=Person) as events,
        GUARD.wrap_sync(events) as guarded,
    ):
        assert guarded.text() == GUARD.check(JSON).text
    assert len(guarded.findings) == 1


def test_a_blocked_helper_stream_ends_with_the_guarded_response() -> None:
    out = helped(stream(text("so ", "forbidden", " unread")))
    assert out[-1].type == "response.incomplete"
    assert out[-1].response.output_text == "so "
    assert [event.type for event in out][-4:-1] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]


def test_a_stopped_helper_stream_ends_with_a_parsed_response() -> None:
    out = helped(stream(text("that is enough", " more")))
    assert out[-1].type == "response.completed"
    assert out[-1].response.output_text == "that is "
    assert out[-1].response.output_parsed is None


def test_the_block_message_has_a_snapshot_too() -> None:
    guard = Guard(Policy.parse(f"block_message: sorry\n{POLICY}"))
    out = helped(stream(text("no: ", "forbidden", " unread")), guard)
    deltas = [event for event in out if event.type == "response.output_text.delta"]
    assert [event.snapshot for event in deltas] == ["no: ", "no: sorry"]
    assert out[-1].response.output_text == "no: sorry"


@pytest.mark.anyio
async def test_an_asynchronous_helper_is_guarded_and_closed() -> None:
    sent = body(stream(text("my sec", "ret, so ", "forbidden", *[" unread"] * 200)))
    http = openai.DefaultAsyncHttpxClient(transport=transport(sent))
    async with openai.AsyncOpenAI(api_key="none", http_client=http, max_retries=0) as api:
        manager = api.responses.stream(model="m", input="x")
        async with manager as events, GUARD.wrap(events) as guarded:
            out = [event async for event in guarded]
    assert out[-1].response.output_text == "my ******, so "  # type: ignore[union-attr]
    assert sent.closed
    assert sent.sent < 20
