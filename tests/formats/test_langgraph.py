"""LangGraph's streams in every mode, in the process and over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.laws.asked import left_raw, unchanged
from tests.support.samples.langgraph import RUN_ID, AIMessage, HumanMessage, told


def state(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage("of a secret?"), AIMessage(text, id="run-1")]}


# The server's events


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: ("values", state),
        lambda state: ("updates", {"node": state}),
        lambda state: ("tasks", {"id": "87654321", "name": "n", "triggers": [], "input": state}),
        lambda state: {"type": "values", "ns": (), "data": state},
        lambda state: {"event": "on_chain_end", "run_id": RUN_ID, "data": {"output": state}},
        lambda state: {"event": "on_tool_start", "run_id": RUN_ID, "data": {"input": state}},
        lambda state: {"event": "on_custom_event", "run_id": RUN_ID, "data": state},
    ],
)
def test_fields_that_tools_and_nodes_name_do_not_pass(wrap: Any, as_json: bool) -> None:
    guard = Guard(Policy.parse("rules: [{id: number, pattern: '1[0-9]{7}', replacement: '#'}]"))
    source = [wrap(told(as_json))]
    if "event" in source[0]:
        source[0]["parent_ids"] = ["run-1"]
    assert unchanged(source)
    (out,) = guard.wrap_sync(source)
    assert not left_raw(out, "12345678")
    assert str(out).count("########") == str(source).count("12345678")
