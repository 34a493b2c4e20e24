"""Events read by comparing them with the one before say what they say by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from guardstream import Guard, Policy
from guardstream.providers.anthropic.messages import Anthropic
from guardstream.providers.openai.chat import OpenAIChat
from guardstream.providers.openai.responses import OpenAIResponses
from guardstream.providers.own import JSONFormat
from guardstream.providers.spec import SpecAdapter


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


def test_objects_of_a_package_are_compared_too() -> None:
    chunks = [ChatCompletionChunk.model_validate(chat(text)) for text in ("blue", "bi", "rd", " s")]
    guard = Guard(Policy.parse("rules: [{id: r, words: [bluebird], replacement: '#'}]"))
    sent = list(guard.wrap_sync(iter(chunks)))
    assert [chunk.choices[0].delta.content for chunk in sent] == ["######## s"]
    assert all(isinstance(chunk, ChatCompletionChunk) for chunk in sent)
    assert chunks[0].choices[0].delta.content == "blue"


def test_padding_that_holds_something_is_not_passed_over() -> None:
    guard = Guard(Policy.parse("rules: [{id: r, words: [bluebird]}]"))
    events = [chat("a"), chat("b"), chat("c", obfuscation={"x": ["bluebird"]}), chat("d")]
    said = "".join(map(str, guard.wrap_sync(iter(events))))
    alone = "".join(map(str, guard.wrap_sync(iter([events[2]]))))
    assert ("bluebird" in said) == ("bluebird" in alone)


def test_streams_whose_events_always_differ_are_not_compared_for_ever() -> None:
    adapter = OpenAIChat()
    for number in range(40):
        adapter.read(chat("a", id=str(number)))
    assert adapter._patience == 0
