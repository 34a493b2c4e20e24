"""Events read by comparing them with the one before say what they say by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.formats.anthropic.messages import Anthropic
from guardstream.formats.generic.json_format import JSONFormat
from guardstream.formats.openai.chat import OpenAIChat
from guardstream.formats.openai.responses import OpenAIResponses
from guardstream.formats.spec import SpecAdapter
from tests.support.optional import optional

ChatCompletionChunk = optional("openai.types.chat", "ChatCompletionChunk")


def chat(text: str, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    return {
        **{"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"},
        **{"choices": [choice], "obfuscation": "x2" * len(text), **fields},
    }


def block(text: str, index: int = 0) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def part(text: str, number: int = 1) -> dict[str, Any]:
    return {
        **{"type": "response.output_text.delta", "item_id": "m_1", "output_index": 0},
        **{
            "content_index": 0,
            "delta": text,
            "sequence_number": number,
            "obfuscation": f"xY{number}",
        },
    }


def own() -> SpecAdapter:
    return JSONFormat("mine", text="$.said.text", thinking="$.thought")


def changed(event: Any, random: Random) -> Any:
    """Return an event with something else in one place, chosen at random."""
    event = deepcopy(event)
    node = event
    while True:
        inner = list(node) if isinstance(node, dict) else range(len(node))
        key = random.choice(list(inner))
        if isinstance(node[key], (dict, list)) and node[key] and random.random() < 0.8:
            node = node[key]
            continue
        news: list[Any] = [None, "", "other", 1, 0, True, [], ["t"], {}, {"text": "t"}, node[key]]
        if isinstance(node, dict) and random.random() < 0.3:
            node[random.choice(["new", "delta", "text", "index", "content"])] = random.choice(news)
        elif isinstance(node, dict) and random.random() < 0.2:
            del node[key]
        elif isinstance(node, list) and random.random() < 0.3:
            node.append(deepcopy(node[0]))
        else:
            node[key] = random.choice(news)
        return event


STREAMS: list[tuple[Callable[[], SpecAdapter], list[Any]]] = [
    (OpenAIChat, [chat("one"), chat("two"), chat("three")]),
    (Anthropic, [block("one"), block("two"), block("three")]),
    (OpenAIResponses, [part("one", 1), part("two", 2), part("three", 3)]),
    (own, [{"said": {"text": text}, "thought": ""} for text in ("one", "two", "three")]),
]


@pytest.mark.parametrize(("make", "events"), STREAMS)
def test_likely_events_are_compared(
    make: Callable[[], SpecAdapter], events: Sequence[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = make()
    readings = [adapter.read(event) for event in events[:2]]
    monkeypatch.setattr(adapter, "_read", None)
    reading = adapter.read(events[2])
    assert [piece.text for piece in reading.pieces] == ["three"]
    assert reading.pieces[0].slot == readings[-1].pieces[0].slot
    written = adapter.write(events[2], ["new"])
    monkeypatch.undo()
    assert [piece.text for piece in make().read(written).pieces] == ["new"]


@pytest.mark.parametrize(("make", "events"), STREAMS)
def test_other_events_are_read_in_full(
    make: Callable[[], SpecAdapter], events: Sequence[Any]
) -> None:
    random = Random(7)
    for _ in range(1500):
        event = changed(events[2], random)
        compared, whole = make(), make()
        whole._patience = 0
        for each in events[:2]:
            compared.read(each)
            whole.read(each)
        outcomes = []
        for adapter in (compared, whole):
            try:
                reading = adapter.read(event)
                outcomes.append((list(reading.pieces), list(reading.choices), reading.finished))
            except Exception as error:
                outcomes.append((type(error), str(error)))  # type: ignore[arg-type]
        assert outcomes[0] == outcomes[1], event


def test_streams_whose_events_always_differ_are_not_compared_for_ever() -> None:
    adapter = OpenAIChat()
    for number in range(40):
        adapter.read(chat("a", id=str(number)))
    assert adapter._patience == 0


MASK = Guard(Policy.parse("rules: [{id: r, words: [bluebird], replacement: '#'}]"))

MEASURED: list[Callable[[int], Any]] = [
    lambda number: number,
    lambda number: number * 1.25,
    lambda number: {"n": number, "of": {"ms": number / 7, "ok": number % 2 == 0, "at": None}},
    lambda number: [None, True, False, number, 1e300, -number / 3][number % 6],
]
"""What a field may hold that no spec names, and that is not text: other in each event."""

PLACES: list[Callable[[Any], Any]] = [
    lambda event: event,
    lambda event: event["choices"][0],
    lambda event: event["choices"][0]["delta"],
]


def measured(
    texts: Sequence[str], value: Callable[[int], Any], place: Callable[[Any], Any]
) -> list[dict[str, Any]]:
    events = [chat(text, obfuscation="aB") for text in texts]
    for number, event in enumerate(events):
        place(event)["x_seq"] = value(number)
    return events


def said(events: Sequence[Any]) -> str:
    return "".join(event["choices"][0]["delta"]["content"] for event in events)


@pytest.mark.parametrize("value", MEASURED)
@pytest.mark.parametrize("place", PLACES)
def test_events_with_such_numbers_are_compared(
    value: Callable[[int], Any], place: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = measured(["one"] * 9, value, place)
    for source in (events, [ChatCompletionChunk.model_validate(event) for event in events]):
        adapter = OpenAIChat()
        adapter.judge_keys(lambda name: name == "x_seq" or len(name) == 2 or name == "n")
        adapter.read(source[0])
        monkeypatch.setattr(adapter, "_read", None)
        assert [adapter.alike(event) for event in source[1:]] == ["one"] * 8
        monkeypatch.undo()


@pytest.mark.parametrize("other", ["a bluebird", {"n": "bluebird"}, {"bluebird": 1}, ["bluebird"]])
@pytest.mark.parametrize("place", PLACES)
def test_text_where_numbers_were_is_guarded(other: Any, place: Callable[[Any], Any]) -> None:
    before: tuple[Callable[[int], Any], ...] = (int, MEASURED[2])
    for value in before:
        events = measured(list("abcdef"), value, place)
        place(events[4])["x_seq"] = other
        models = [ChatCompletionChunk.model_validate(event) for event in events]
        raw = [b"data: %b\n\n" % json.dumps(event).encode() for event in events]
        for source in (events, models, raw):
            stream = MASK.wrap_sync(iter(source))
            assert "bluebird" not in "".join(map(str, stream))
            assert [finding.rule for finding in stream.findings] == ["r"]
