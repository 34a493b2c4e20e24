"""The official client's streams: raw events and its helper's, with blocks and messages in them."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.messages import message, text, thinking, tool, whole
from tests.formats.served import Body, sse, transport
from tests.laws.asked import EMPTY, has_word
from tests.laws.asked import STARS as GUARD
from tests.laws.asked import STARS_POLICY as POLICY
from tests.support.chunking import one_by_one
from tests.support.optional import optional

anthropic = optional("anthropic")
accumulate_event = optional("anthropic.lib.streaming._messages", "accumulate_event")

pytestmark = [
    # The SDK leaves generators of its own to the garbage collector, which trio reports.
    pytest.mark.filterwarnings("ignore:Async generator 'anthropic:ResourceWarning"),
]

CALL: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "x"}],
}
JSON = '{"q": ["a secret"]}'


def body(source: list[dict[str, Any]]) -> Body:
    return Body(*(sse([event], named=True) for event in source))


def client(sent: Body) -> anthropic.Anthropic:
    http = anthropic.DefaultHttpxClient(transport=transport(sent, anthropic))
    return anthropic.Anthropic(api_key="none", http_client=http, max_retries=0)


def accumulated(events: Any) -> Any:
    """The message that the SDK makes of raw events."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in events:
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot


def raw(source: list[dict[str, Any]], guard: Guard = GUARD) -> Any:
    with client(body(source)) as api:
        return accumulated(guard.wrap_sync(api.messages.create(**CALL, stream=True)))


@pytest.fixture(params=["messages", "beta"])
def helped(request: pytest.FixtureRequest) -> Any:
    """A function that returns the guarded events of the helper."""

    def run(source: list[dict[str, Any]], guard: Guard = GUARD) -> Any:
        with client(body(source)) as api:
            owner = api.beta.messages if request.param == "beta" else api.messages
            with owner.stream(**CALL) as events, guard.wrap_sync(events) as guarded:
                return guarded, list(guarded)

    return run


@pytest.mark.parametrize("cut", [lambda value: [value], one_by_one])
def test_the_accumulator_gives_the_guarded_message(cut: Any) -> None:
    source = message(
        thinking(*cut("a secret")),
        text(*cut("my secret is")),
        tool("f", *cut(JSON)),
        stop="tool_use",
    )
    found = raw(source)
    assert found.content[0].thinking == "a ******"
    assert found.content[1].text == "my ****** is"
    assert found.content[2].input == {"q": ["a ******"]}
    assert (found.stop_reason, found.usage.output_tokens) == ("tool_use", 9)
    assert not has_word("secret", found)


def test_the_accumulator_accepts_a_blocked_message() -> None:
    sent = body(message(text("so ", "forbidden", " unread", *["more "] * 50)))
    with client(sent) as api:
        created = api.messages.create(**CALL, stream=True)
        found = accumulated(GUARD.wrap_sync(created))
    assert (found.content[0].text, found.stop_reason) == ("so ", "refusal")
    assert sent.closed
    assert sent.sent < 12


def test_a_blocked_tool_call_is_valid_json_so_far() -> None:
    found = raw(message(tool("f", '{"q": "so ', "forbidden", '"}')))
    assert found.content[0].input == {}
    assert found.stop_reason == "refusal"


def test_what_no_rule_touches_passes_as_it_is(helped: Any) -> None:
    source = message(thinking("hm"), text("a ", "b"), tool("f", '{"q"', ": 1}"))
    with client(body(source)) as api, api.messages.stream(**CALL) as events:
        seen = list(events)
    assert [plain.type for plain in helped(source, EMPTY)[1]] == [event.type for event in seen]
    out = list(EMPTY.wrap_sync(seen))
    assert all(a is b for a, b in zip(out, seen, strict=True))


@pytest.mark.parametrize("cut", [lambda value: [value], one_by_one])
def test_the_helpers_snapshots_are_guarded(helped: Any, cut: Any) -> None:
    source = message(
        thinking(*cut("a secret")),
        text(*cut("my secret is")),
        tool("f", *cut(JSON)),
        stop="tool_use",
    )
    guarded, out = helped(source)
    assert not any(has_word("secret", event) for event in out)
    whole_text = ""
    for event in out:
        if event.type == "text":
            whole_text += event.text
            assert event.snapshot == whole_text
    assert whole_text == "my ****** is"
    stops = [event.content_block for event in out if event.type == "content_block_stop"]
    assert (stops[0].thinking, stops[1].text) == ("a ******", "my ****** is")
    assert stops[2].input == {"q": ["a ******"]}
    final = out[-1].message
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use"]
    assert final.content[1].text == "my ****** is"
    assert len(guarded.findings) == 3
    assert guarded.finish == "tool_calls"  # the message that ends it says it all once more


def test_raw_deltas_and_the_helpers_events_alternate(helped: Any) -> None:
    _, out = helped(message(text("a sec", "ond")))
    kinds = [event.type for event in out]
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta", "text"] * 2,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_blocked_message_has_its_blocks(helped: Any) -> None:
    source = message(thinking("hm"), tool("f", '{"q": 1}'), text("so ", "forbidden", " unread"))
    _, out = helped(source)
    assert [event.type for event in out][-3:] == [
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert out[-3].content_block.text == "so "
    final = out[-1].message
    assert final.stop_reason == "refusal"
    assert (final.content[0].thinking, final.content[1].input) == ("hm", {"q": 1})
    assert final.content[2].text == "so "


def test_a_block_in_the_first_delta_still_gives_whole_blocks(helped: Any) -> None:
    _, out = helped(message(text("forbidden thing")))
    assert out[-3].content_block.text == ""
    assert out[-1].message.content[0].text == ""


def test_the_block_message_has_the_helpers_event_too(helped: Any) -> None:
    guard = Guard(Policy.parse(f"block_message: sorry\n{POLICY}"))
    _, out = helped(message(text("a"), tool("f", '{"q": "so', ' forbidden"}')), guard)
    assert [event.text for event in out if event.type == "text"] == ["a", " sorry"]
    final = out[-1].message
    assert [block.type for block in final.content] == ["text", "tool_use", "text"]
    assert final.content[2].text == " sorry"


def test_citations_are_kept_and_guarded(helped: Any) -> None:
    cited = {"type": "char_location", "cited_text": "a secret", "document_index": 0}
    cited |= {"document_title": "t", "start_char_index": 0, "end_char_index": 3, "file_id": None}
    begun, deltas = text("so ", "it is")
    deltas[1:1] = [{"type": "citations_delta", "citation": cited}] * 2
    guarded, out = helped(message((begun, deltas)))
    assert not any(has_word("secret", event) for event in out)
    snapshots = [len(event.snapshot) for event in out if event.type == "citation"]
    assert snapshots == [1, 2]
    assert [each.cited_text for each in out[-1].message.content[0].citations] == ["a ******"] * 2
    assert len(guarded.findings) == 1


def test_what_a_server_tool_gave_is_found_once(helped: Any) -> None:
    found = {"type": "web_search_result", "title": "the secret", "url": "u", "page_age": None}
    found["encrypted_content"] = "x"
    block = {"type": "web_search_tool_result", "tool_use_id": "t", "content": [found]}
    guarded, out = helped(message(whole(block), text("so")))
    assert not any(has_word("secret", event) for event in out)
    assert len(guarded.findings) == 1


@pytest.mark.anyio
async def test_an_asynchronous_helper_is_guarded_and_closed() -> None:
    sent = body(message(text("my sec", "ret, so ", "forbidden", *[" unread"] * 200)))
    http = anthropic.DefaultAsyncHttpxClient(transport=transport(sent, anthropic))
    async with (
        anthropic.AsyncAnthropic(api_key="none", http_client=http, max_retries=0) as api,
        api.messages.stream(**CALL) as events,
        GUARD.wrap(events) as guarded,
    ):
        out: list[Any] = [event async for event in guarded]
    assert out[-1].message.content[0].text == "my ******, so "
    assert sent.closed
    assert sent.sent < 20
