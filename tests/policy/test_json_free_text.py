"""What is asked in free text is not judged as JSON, whatever the section says of tools."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import Guard
from guardstream.policy import Policy

RULES = "rules: [{id: w, words: [secret]}]\n"
OBJECT = "{type: object}"
NAMED = ("code_interpreter", "apply_patch", "shell", "local_shell", "sql")
SETTINGS = {
    "any": 'json: {tools: {"*": {}}}\n',
    "any of a schema": f'json: {{tools: {{"*": {{schema: {OBJECT}}}}}}}\n',
    "named": f"json: {{tools: {{{', '.join(f'{name}: {{}}' for name in NAMED)}}}}}\n",
    "channel": "json: {channels: [tool_args]}\n",
    "schema of a channel": f"json: {{channels: [tool_args], schema: {OBJECT}}}\n",
}
every_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


def cuts(text: str) -> list[list[str]]:
    return [[text], list(text), [text[:4], text[4:]]]


def item_of(kind: str, said: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "web_search_call": {"action": {"type": "search", "query": said}},
        "file_search_call": {"queries": [said]},
        "code_interpreter_call": {"code": said},
        "local_shell_call": {"action": {"type": "exec", "command": [said]}},
        "shell_call": {"action": {"commands": [said]}},
        "apply_patch_call": {"operation": {"type": "update_file", "path": "a.py", "diff": said}},
        "custom_tool_call": {"name": "sql", "input": said},
    }[kind]
    return {"id": "i", "type": kind, "status": "completed", **fields}


KINDS = [
    *("web_search_call", "file_search_call", "code_interpreter_call", "local_shell_call"),
    *("shell_call", "apply_patch_call", "custom_tool_call"),
]
STREAMED = {
    "code_interpreter_call": "code_interpreter_call_code",
    "apply_patch_call": "apply_patch_call_operation_diff",
    "custom_tool_call": "custom_tool_call_input",
}


def response(kind: str, pieces: list[str]) -> list[dict[str, Any]]:
    """A response with one call, streamed in these pieces if its text is streamed at all."""
    item = item_of(kind, "".join(pieces))
    whole = {"id": "r", "object": "response", "status": "completed", "output": [item]}
    begun = item_of(kind, "") if kind in STREAMED else item
    place = {"output_index": 0, "item_id": "i"}
    name = f"response.{STREAMED.get(kind)}.delta"
    deltas = [{"type": name, **place, "delta": piece} for piece in pieces]
    return [
        {"type": "response.created", "response": {**whole, "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        *(deltas if kind in STREAMED else ()),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]


def run(policy: str, chunks: list[dict[str, Any]]) -> tuple[list[Any], str | None]:
    with Guard(Policy.parse(policy)).wrap_sync(chunks) as stream:
        return [*stream], stream.blocked_by


@every_setting
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rules", ["", RULES], ids=["plain", "rules"])
def test_openais_own_and_custom_tools_are_asked_in_text(
    rules: str, kind: str, setting: str
) -> None:
    for pieces in cuts("the price of tea"):
        sent, blocked_by = run(rules + setting, response(kind, pieces))
        assert blocked_by is None
        assert sent[-1]["response"]["output"] == [item_of(kind, "the price of tea")]
