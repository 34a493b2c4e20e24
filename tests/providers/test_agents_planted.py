"""A word in any place of what agents stream comes out of none, whatever the place is."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from tests.providers import test_ag2, test_agentscope
from tests.providers.changes import CHANGES, Event, at, leaves, planted, put, said, ways
from tests.providers.test_agents import (
    ARGUMENTS,
    StreamEvent,
    SystemMessage,
    adk,
    agno,
    as_line,
    kernel,
    message,
    strands,
)
from tests.providers.test_microsoft_agents import run, workflow

WORD = "quizzaciously"
GUARD = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, replacement: '[#]'}}]"))


def dumped(value: Any) -> Any:
    """An object as plain data, without what is the application's own."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, (list, tuple)):
        return [dumped(each) for each in value]
    fields = value if isinstance(value, dict) else getattr(value, "__dict__", None)
    if fields is None:
        return getattr(value, "value", value)
    own = ("agent", "request_state")
    return {name: dumped(each) for name, each in fields.items() if name not in own}


def claude_lines() -> list[Event]:
    events = message(("thinking", ["hm"]), ("text", ["one ", "two"]), ("tool_use", [ARGUMENTS]))
    chunks = [SystemMessage("init", {"cwd": "/home/me"}), *events]
    return [as_line(each) for each in chunks if isinstance(each, (StreamEvent, SystemMessage))]


STRANDS: list[Event] = dumped([*strands(["one ", "two"], ["{}"])])

SOURCES: dict[str, list[Event]] = {
    "claude_agents": claude_lines(),
    "adk": dumped(adk(["one ", "two"])),
    "strands": STRANDS,
    "strands, in a graph": [
        {"type": "multiagent_node_stream", "node_id": "n-1", "event": each} for each in STRANDS[:6]
    ],
    "agno": dumped(agno(["one ", "two"])),
    "agentscope": [*test_agentscope.reply(["{}"]), test_agentscope.message(["{}"])],
    "agentscope_messages": test_agentscope.responses(["{}"]),
    "agentscope_messages, so far": test_agentscope.so_far(["{}"]),
    "semantic_kernel": dumped([each for each in kernel(["one ", "two"]) if each.items]),
    "ag2": test_ag2.as_dicts([*test_ag2.run(["one ", "two"])]),
    "microsoft_agents": dumped([*run(["one ", "two"], ["{}"])]),
    "microsoft_agents, in a workflow": dumped([*workflow(["one ", "two"])]),
}


def comes_out(source: list[Event], place: int, event: Event, name: str) -> bool:
    """Tell whether the word comes out where one event has it; a stream may be refused for it."""
    chunks = [*source[:place], event, *source[place + 1 :]]
    try:
        out = list(GUARD.wrap_sync(chunks, provider=name.split(",")[0]))
    except AdapterError:
        return False
    return bool(said(dumped(out), (WORD,)))


@pytest.mark.parametrize("name", SOURCES)
def test_a_word_in_place_of_a_value_does_not_come_out(name: str) -> None:
    source = SOURCES[name]
    for place, event in enumerate(source):
        for way in leaves(event):
            if isinstance(at(event, way), str):
                assert not comes_out(source, place, put(event, way, f"a {WORD} b"), name), way


LONG = "microsoft_agents, in a workflow"
"""Has the events of `microsoft_agents` in others: a minute, for what the two apart say nearly."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.weekly] * (each == LONG)) for each in SOURCES]
)
def test_a_word_that_is_new_somewhere_does_not_come_out(name: str) -> None:
    source = SOURCES[name]
    for place, event in enumerate(source):
        for way in ways(event):
            for kind, change in CHANGES.items():
                made = planted(event, way, change, WORD)
                if made is not None:
                    assert not comes_out(source, place, made, name), (way, kind)
