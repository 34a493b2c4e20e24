"""The events of a ChatKit server, as dicts and as objects of classes that have their fields."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from types import ModuleType
from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model

from guardstream import Guard, Policy
from guardstream.formats import detect
from tests.laws.asked import GUARD, cuttings, events, in_any_cut, left_raw

Event = dict[str, Any]

PART = "assistant_message.content_part"
STAMPS = {"thread_id": "thr_1", "created_at": "2026-01-02T03:04:05"}
TEXT = "it is a secret, no sec"
MASKED = "it is a ######, no sec"


class Content(BaseModel):
    type: str = "output_text"
    text: str
    annotations: list[Any] = []


def kind(name: str, of: str, **fields: Any) -> type[BaseModel]:
    return create_model(name, type=(Literal[of], of), **fields)  # type: ignore[no-any-return, call-overload]


Item = kind(
    "AssistantMessageItem", "assistant_message", id=str, content=list[Content], thread_id=str
)
Added = kind(
    "AssistantMessageContentPartAdded", f"{PART}.added", content_index=int, content=Content
)
Delta = kind(
    "AssistantMessageContentPartTextDelta", f"{PART}.text_delta", content_index=int, delta=str
)
Done = kind("AssistantMessageContentPartDone", f"{PART}.done", content_index=int, content=Content)
ItemAdded = kind("ThreadItemAddedEvent", "thread.item.added", item=Item)
ItemDone = kind("ThreadItemDoneEvent", "thread.item.done", item=Item)
Updated = kind(
    "ThreadItemUpdatedEvent", "thread.item.updated", item_id=str, update=Added | Delta | Done
)


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("chatkit.types")
    for each in (Item, Added, Delta, Done, ItemAdded, ItemDone, Updated):
        setattr(module, each.__name__, each)
    module.AssistantMessageContent = Content  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chatkit.types", module)


def content(text: str) -> Event:
    return {"type": "output_text", "text": text, "annotations": []}


def item(own: str, *texts: str) -> Event:
    parts = [content(each) for each in texts]
    return {"type": "assistant_message", "id": own, "content": parts, "thread_id": "thr_1"}


def update(own: str, of: str, **fields: Any) -> Event:
    return {"type": "thread.item.updated", "item_id": own, "update": {"type": of, **fields}}


def part(own: str, pieces: Sequence[str], at: int = 0) -> list[Event]:
    where = {"content_index": at}
    return [
        update(own, f"{PART}.added", **where, content=content("")),
        *(update(own, f"{PART}.text_delta", **where, delta=piece) for piece in pieces),
        update(own, f"{PART}.done", **where, content=content("".join(pieces))),
    ]


def message(*parts: Sequence[str], own: str = "msg_1") -> list[Event]:
    return [
        {"type": "thread.item.added", "item": item(own)},
        *(each for at, pieces in enumerate(parts) for each in part(own, pieces, at)),
        {"type": "thread.item.done", "item": item(own, *map("".join, parts))},
    ]


def objects(source: Sequence[Event]) -> list[Any]:
    classes = {"thread.item.added": ItemAdded, "thread.item.done": ItemDone}
    return [classes.get(each["type"], Updated).model_validate(each) for each in source]


MAKES: list[Callable[[Sequence[Event]], list[Any]]] = [list, objects]


def plain(out: Sequence[Any]) -> list[Event]:
    return [each if isinstance(each, dict) else each.model_dump() for each in out]


def said(out: Sequence[Any], own: str = "msg_1") -> str:
    """What a client joins."""
    found = [each for each in plain(out) if each.get("item_id") == own]
    return "".join(each["update"].get("delta", "") for each in found)


def told(out: Sequence[Any]) -> list[str]:
    """The texts of the messages that are done."""
    ended = [each["item"] for each in plain(out) if each["type"] == "thread.item.done"]
    return [each["text"] for item in ended for each in item["content"]]


@pytest.mark.parametrize("make", MAKES)
def test_a_message_is_masked_in_any_cut(make: Callable[[Sequence[Event]], list[Any]]) -> None:
    for pieces in cuttings(TEXT):
        source = make(message(pieces))
        before = deepcopy(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert stream.state.flow is not None
        assert stream.state.flow.format == "chatkit"
        assert said(out) == stream.result.text == MASKED
        assert told(out) == [MASKED]
        assert not left_raw(plain(out))
        assert source == before


def test_over_the_wire_the_bytes_may_be_cut_anywhere() -> None:
    assert b"secret" not in in_any_cut(events(*message(["a sec", "ret"])), GUARD)


def test_held_text_goes_out_before_its_part_is_done() -> None:
    out = list(GUARD.wrap_sync(message(["a sec"])))
    assert out == message(["a ", "sec"])[:-2] + message(["a sec"])[-2:]


def test_consecutive_parts_are_one_text() -> None:
    out = list(GUARD.wrap_sync(message(["a sec"], ["ret it is"])))
    assert said(out) == "a ###### it is"
    assert "".join(told(out)) == "a ###### it is"


def test_messages_are_texts_of_their_own() -> None:
    out = list(GUARD.wrap_sync([*message(["a sec"]), *message(["ret it"], own="msg_2")]))
    assert (said(out), said(out, "msg_2")) == ("a sec", "ret it")
    assert told(out) == ["a sec", "ret it"]


@pytest.mark.parametrize("make", MAKES)
def test_a_block_ends_the_part_and_the_message(
    make: Callable[[Sequence[Event]], list[Any]],
) -> None:
    stream = GUARD.wrap_sync(make(message(["it is for", "bidden now"])))
    assert list(stream) == make(message(["it is "]))
    assert stream.finish == "content_filter"
    two = list(GUARD.wrap_sync(make(message(["so"], ["it is for", "bidden now"]))))
    assert told(two) == ["so", "it is "]


def test_a_block_message_is_said_in_the_open_part() -> None:
    policy = "rules: [{id: w, words: [forbidden], action: block}]\nblock_message: No."
    guard = Guard(Policy.parse(policy))
    out = list(guard.wrap_sync(message(["it is for", "bidden now"])))
    assert told(out) == ["it is No."]


def test_a_widget_s_text_is_held_to_its_end() -> None:
    def value(delta: str, *, done: bool = False) -> Event:
        widget = {"component_id": "c_1", "delta": delta, "done": done}
        return update("wig_1", "widget.streaming_text.value_delta", **widget)

    out = list(GUARD.wrap_sync([value("a sec"), value("ret"), value(" no sec", done=True)]))
    assert said(out, "wig_1") == "a ###### no sec"
    assert [each["update"]["done"] for each in out][-1] is True
    open_one = list(GUARD.wrap_sync([value("a sec")]))
    assert said(open_one, "wig_1") == "a sec"


def test_what_comes_whole_is_masked() -> None:
    call = {"name": "find", "arguments": {"q": "a secret"}, "call_id": "call_1", "output": None}
    thread = {"id": "thr_1", "title": "a secret", "created_at": "2026-01-02", "status": {}}
    asked = {"type": "user_message", "content": [{"type": "input_text", "text": "a secret"}]}
    thought = {"type": "thought", "content": "a secret"}
    source: list[Event] = [
        {"type": "thread.created", "thread": thread},
        {"type": "thread.item.done", "item": {"id": "m_0", **STAMPS, **asked}},
        {"type": "progress_update", "icon": "bolt", "text": "a secret"},
        update("wf_1", "workflow.task.updated", task_index=0, task=thought),
        {"type": "thread.item.done", "item": {"id": "m_1", "type": "client_tool_call", **call}},
        {"type": "thread.item.done", "item": {"id": "m_2", "type": "task", "task": thought}},
        {"type": "thread.item.replaced", "item": item("m_3", "a secret")},
        {"type": "notice", "level": "info", "message": "a secret", "title": None},
        {"type": "error", "code": "custom", "message": "a secret", "allow_retry": False},
    ]
    out = list(GUARD.wrap_sync(source))
    assert len(out) == len(source)
    assert not left_raw(out)


def test_an_id_that_a_rule_matches_comes_out_of_no_event() -> None:
    for last in (None, 3):
        out = list(GUARD.wrap_sync(message(["a sec", "ret for", "bidden"], own="no secret")[:last]))
        assert not left_raw(out)


def test_events_of_assistants_are_another_format() -> None:
    first = {"event": "thread.created", "data": {"id": "thread_1", "object": "thread"}}
    assert detect(first).name == "assistants"  # type: ignore[attr-defined]
    for other in ({"type": "thread.created", "thread_id": "t"}, {"type": ["thread.created"]}):
        assert detect({**other, "thread_id": "t"}).name == "json"  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(20))
def test_messages_that_are_open_at_once_each_go_on_in_their_next_parts(seed: int) -> None:
    rng = random.Random(seed)
    borders = [sorted(rng.sample(range(len(TEXT)), 2)) for _ in range(3)]
    parts = [(TEXT[:first], TEXT[first:last], TEXT[last:]) for first, last in borders]
    names = [f"msg_{nr}" for nr in range(len(parts))]
    left = [message(*each, own=own) for own, each in zip(names, parts, strict=True)]
    source = []
    while any(left):
        source.append(rng.choice([each for each in left if each]).pop(0))
    out = list(GUARD.wrap_sync(source))
    for own in names:
        assert said(out, own) == MASKED
        (done,) = (
            each["item"]
            for each in out
            if each["type"] == "thread.item.done" and each["item"]["id"] == own
        )
        assert "".join(each["text"] for each in done["content"]) == MASKED
