"""The chat helper's events: snapshots, done events and parsed values follow what was released."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from guardstream import Guard, Policy
from tests.formats.chunks import call, chunk
from tests.formats.served import Body, openai_client, sse
from tests.laws.asked import STARS as GUARD
from tests.laws.asked import STARS_POLICY as POLICY
from tests.laws.asked import has_word
from tests.support.chunking import one_by_one
from tests.support.optional import optional
from tests.support.samples.openai_chat_events import answer

pydantic_function_tool = optional("openai", "pydantic_function_tool")

JSON = '{"who": "a secret", "age": 4}'


class Person(BaseModel):
    who: str
    age: int


def stream_of(chunks: list[dict[str, Any]], guard: Guard = GUARD, **options: Any) -> Any:
    """A guarded stream of the helper's events, read to its end, and the events."""
    body = Body(*(sse([item]) for item in chunks), b"data: [DONE]\n\n")
    with (
        openai_client(body) as client,
        client.chat.completions.stream(model="m", messages=[], **options) as events,
        guard.wrap_sync(events) as guarded,
    ):
        return guarded, list(guarded)


def events_of(chunks: list[dict[str, Any]], guard: Guard = GUARD, **options: Any) -> list[Any]:
    return stream_of(chunks, guard, **options)[1]  # type: ignore[no-any-return]


def snapshots(events: list[Any]) -> list[str]:
    return [
        event.snapshot.choices[0].message.content or "" for event in events if event.type == "chunk"
    ]


@pytest.mark.parametrize(
    "parts", [["my secret is"], ["my sec", "ret is"], one_by_one("my secret is")]
)
def test_deltas_and_snapshots_agree(parts: list[str]) -> None:
    events = events_of(answer(*parts))
    assert not any(has_word("secret", event) for event in events)
    whole_text = ""
    for event in events:
        if event.type == "content.delta":
            whole_text += event.delta
            assert event.snapshot == whole_text
    assert whole_text == "my ****** is"
    assert snapshots(events)[-1] == "my ****** is"
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.content == "my ****** is"


def test_an_event_that_was_kept_does_not_change_later() -> None:
    events = events_of(answer("my ", "sec", "ret is"))
    assert snapshots(events) == ["", "my ", "my ****** is", "my ****** is"]


@pytest.mark.parametrize("parts", [[JSON], [JSON[:14], JSON[14:]], one_by_one(JSON)])
def test_parsed_content_is_guarded(parts: list[str]) -> None:
    events = events_of(answer(*parts), response_format=Person)
    assert not any(has_word("secret", event) for event in events)
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.parsed == Person(who="a ******", age=4)
    assert events[-2].snapshot.choices[0].message.parsed == Person(who="a ******", age=4)


@pytest.mark.parametrize("parts", [[JSON], [JSON[:14], JSON[14:]], one_by_one(JSON)])
def test_tool_arguments_are_guarded_and_parsed(parts: list[str]) -> None:
    first, *rest = parts
    source = [
        chunk(call(0, first, id="a", type="function", name="Person")),
        *[chunk(call(0, part)) for part in rest],
        chunk(finish="tool_calls"),
    ]
    guarded, events = stream_of(source, tools=[pydantic_function_tool(Person)])
    assert not any(has_word("secret", event) for event in events)
    (done,) = [e for e in events if e.type == "tool_calls.function.arguments.done"]
    assert done.parsed_arguments == Person(who="a ******", age=4)
    joined = "".join(
        e.arguments_delta for e in events if e.type == "tool_calls.function.arguments.delta"
    )
    assert joined == done.arguments == GUARD.check(JSON, "tool_args").text
    (found,) = guarded.result.tool_calls
    assert (found.name, found.id, found.complete) == ("Person", "a", True)
    assert [finding.channel for finding in guarded.findings] == ["tool_args"]


def test_held_text_comes_before_done_events() -> None:
    source = [
        chunk({"role": "assistant", "content": "a sec"}),
        chunk(call(0, '{"q": "sec', id="a", type="function", name="f")),
        chunk(call(1, "{}", id="b", type="function", name="g")),
        chunk(finish="tool_calls"),
    ]
    events = events_of(source)
    kinds = [event.type for event in events if event.type != "chunk"]
    assert kinds.index("content.done") == 3
    assert [event.content for event in events if event.type == "content.done"] == ["a sec"]
    assert snapshots(events)[-1] == "a sec"
    (first, second) = [e for e in events if e.type == "tool_calls.function.arguments.done"]
    assert (first.arguments, second.arguments) == ('{"q": "sec', "{}")


def test_log_probabilities_go_out_while_they_repeat_what_was_said() -> None:
    def spelled(text: str, **fields: Any) -> dict[str, Any]:
        item = chunk({"content": text}, **fields)
        token = {"token": text, "logprob": -0.1, "bytes": None, "top_logprobs": []}
        item["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
        return item

    events = events_of([spelled("so "), spelled("a "), spelled("secret"), spelled("!")])
    assert not any(has_word("secret", event) for event in events)
    deltas = [event for event in events if event.type == "logprobs.content.delta"]
    assert [[token.token for token in event.snapshot] for event in deltas] == [
        ["so "],
        ["so ", "a "],
    ]


def test_a_block_ends_with_the_done_events() -> None:
    guarded, events = stream_of(answer("so ", "forbidden", ", unread", " more"))
    assert [event.type for event in events][-2:] == ["chunk", "content.done"]
    assert events[-1].content == "so "
    assert events[-2].chunk.choices[0].finish_reason == "content_filter"
    assert events[-2].snapshot.choices[0].finish_reason == "content_filter"
    assert guarded.finish == "content_filter"


def test_a_block_beside_a_smaller_event_ends_with_the_done_events() -> None:
    events = [each.model_dump(mode="json") for each in events_of(answer("so ", "it ", "is "))]
    place = [each.get("delta") for each in events].index("so ")
    events[place - 1]["note"], events[place]["note"] = "a secret", "forbidden"
    guarded = GUARD.wrap_sync(events)
    *_, ended, done = guarded
    assert [ended["type"], done["type"], done["content"]] == ["chunk", "content.done", "so "]
    assert ended["chunk"]["choices"][0]["finish_reason"] == "content_filter"
    assert not has_word("secret", ended)
    assert guarded.finish == "content_filter"


def test_a_block_in_the_first_chunk_leaves_an_empty_snapshot() -> None:
    events = events_of([chunk({"content": "forbidden thing"})])
    assert snapshots(events) == [""]
    assert not any(has_word("forbidden", event) for event in events)


def test_the_block_message_is_said_in_both_kinds_of_event() -> None:
    guard = Guard(Policy.parse(f"block_message: sorry\n{POLICY}"))
    events = events_of(answer("no: ", "forbidden", " x"), guard)
    assert [event.snapshot for event in events if event.type == "content.delta"][-1] == "no: sorry"
    assert snapshots(events)[-1] == "no: sorry"
    assert events[-1].content == "no: sorry"


def test_choices_are_told_apart_by_their_chunks() -> None:
    source = [
        chunk({"content": "my sec"}),
        chunk({"content": "a sec"}, choice=1),
        chunk({"content": "ret"}, choice=1),
        chunk({"content": "ond"}),
        chunk(finish="stop"),
        chunk(finish="stop", choice=1),
    ]
    events = events_of(source, n=2)
    last = [event for event in events if event.type == "chunk"][-1].snapshot
    assert [choice.message.content for choice in last.choices] == ["my second", "a ******"]
