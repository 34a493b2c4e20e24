"""What is asked in free text is not judged as JSON, whatever the section says of tools."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard
from guardstream.http.body import guard_body
from guardstream.policy import Policy
from tests.providers.chunks import chunk

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


@every_setting
@pytest.mark.parametrize("kind", KINDS)
def test_rules_apply_to_what_is_asked(kind: str, setting: str) -> None:
    for pieces in cuts("a secret thing"):
        sent, blocked_by = run(RULES + setting, response(kind, pieces))
        assert blocked_by is None
        assert sent[-1]["response"]["output"] == [item_of(kind, "a [w] thing")]
        assert "secret" not in "".join(str(each.get("delta", "")) for each in sent)


@every_setting
def test_a_custom_tool_of_a_chat_is_asked_in_text(setting: str) -> None:
    for pieces in cuts("select secret"):
        custom = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": ""}}
        said = [{"tool_calls": [{"index": 0, "custom": {"input": piece}}]} for piece in pieces]
        source = map(chunk, [{"role": "assistant", "tool_calls": [custom]}, *said])
        sent, blocked_by = run(RULES + setting, [*source, chunk({}, finish="tool_calls")])
        deltas = [each["choices"][0]["delta"] for each in sent]
        calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
        said = "".join(call["custom"].get("input", "") for call in calls)
        assert (said, blocked_by) == ("select [w]", None)


@every_setting
def test_custom_tools_of_whole_answers_are_asked_in_text(setting: str) -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select secret"}}
    message = {"role": "assistant", "content": None, "tool_calls": [custom]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    chat = {"id": "c", "object": "chat.completion", "choices": [choice]}
    item = item_of("custom_tool_call", "select secret")
    response = {"id": "r", "object": "response", "status": "completed", "output": [item]}
    for provider, body in (("openai_chat", chat), ("openai_responses", response)):
        guarded, result = guard_body(Guard(Policy.parse(RULES + setting)), provider, body)
        assert '"select [w]"' in json.dumps(guarded)
        assert result.finish != "content_filter"


def acp(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": {"sessionId": "s", **params}}


def agent_call(value: str) -> dict[str, Any]:
    parameters = [{"name": "q", "type": "string", "value": value}]
    called = {"actionGroup": "g", "function": "f", "parameters": parameters}
    return {
        "returnControl": {
            "invocationId": "i",
            "invocationInputs": [{"functionInvocationInput": called}],
        }
    }


def google_search(query: str) -> dict[str, Any]:
    part = {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": [query]}}}
    return {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]}


def searched_with(arguments: str) -> dict[str, Any]:
    item = {"id": "i", "type": "web_search_call", "arguments": arguments}
    return {"type": "response.output_item.done", "output_index": 0, "item": item}


STRINGS = {
    "acp arguments": lambda text: acp(
        "session/update",
        update={
            "sessionUpdate": "tool_call",
            "toolCallId": "t",
            "title": "run",
            "rawInput": {"command": text},
        },
    ),
    "acp file": lambda text: acp("fs/write_text_file", path="/a", content=text),
    "acp terminal": lambda text: acp("terminal/create", command="ls", args=[text]),
    "bedrock agent": agent_call,
    "gemini's own tool": google_search,
    "arguments of a web search": searched_with,
}


@every_setting
@pytest.mark.parametrize("kind", STRINGS)
def test_single_strings_of_arguments_are_no_documents(kind: str, setting: str) -> None:
    sent, blocked_by = run(RULES + setting, [STRINGS[kind]("a secret thing")])
    assert (sent, blocked_by) == ([STRINGS[kind]("a [w] thing")], None)


def test_a_call_of_json_is_still_judged() -> None:
    for setting in SETTINGS.values():
        item = {"id": "i", "type": "function_call", "name": "sql", "arguments": "the price"}
        whole = {"id": "r", "object": "response", "status": "completed", "output": [item]}
        source = [
            {"type": "response.created", "response": {**whole, "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.completed", "response": whole},
        ]
        assert run(setting, source)[1] == "json"


def test_a_tool_with_a_name_that_is_not_listed_is_refused() -> None:
    listed = "json: {tools: {weather: {}}}\n"
    for kind in KINDS:
        named = kind not in ("web_search_call", "file_search_call")
        assert run(listed, response(kind, ["tea"]))[1] == ("json" if named else None)


def test_a_schema_of_a_tools_own_judges_its_text() -> None:
    own = f"json: {{tools: {{sql: {{schema: {OBJECT}}}}}}}\n"
    assert run(own, response("custom_tool_call", ["select 1"]))[1] == "json"


def vertex(pieces: list[str]) -> list[dict[str, Any]]:
    """A call of `find` whose only argument is streamed in these pieces."""

    def event(call: dict[str, Any], **fields: Any) -> dict[str, Any]:
        content = {"parts": [{"functionCall": call}], "role": "model"}
        return {"candidates": [{"content": content, "index": 0, **fields}]}

    values = [{"jsonPath": "$.q", "stringValue": each, "willContinue": True} for each in pieces]
    return [
        event({"name": "find", "willContinue": True}),
        *(event({"partialArgs": [value], "willContinue": True}) for value in values),
        event({"partialArgs": [{"jsonPath": "$.q", "stringValue": ""}], "willContinue": True}),
        event({}, finishReason="STOP"),
    ]


def values_of(sent: list[Any]) -> str:
    parts = [part for each in sent for part in each["candidates"][0]["content"]["parts"]]
    calls = [part.get("functionCall", {}) for part in parts]
    found = [value for call in calls for value in call.get("partialArgs", ())]
    return "".join(value.get("stringValue", "") for value in found)


@pytest.mark.parametrize(
    "setting", ['tools: {"*": {}}', "tools: {find: {}}", "channels: [tool_args]"]
)
def test_the_strings_of_streamed_arguments_are_no_documents(setting: str) -> None:
    for pieces in cuts("a secret thing"):
        sent, blocked_by = run(f"{RULES}json: {{{setting}}}\n", vertex(pieces))
        assert (values_of(sent), blocked_by) == ("a [w] thing", None)


@pytest.mark.parametrize(
    "setting",
    [f"tools: {{find: {{schema: {OBJECT}}}}}", f"channels: [tool_args], schema: {OBJECT}",
     "tools: {other: {}}"],
)  # fmt: skip
def test_streamed_arguments_that_a_schema_should_judge_are_refused(setting: str) -> None:
    for pieces in cuts("a thing"):
        sent, blocked_by = run(f"json: {{{setting}}}\n", vertex(pieces))
        assert (values_of(sent), blocked_by) == ("", "json")
