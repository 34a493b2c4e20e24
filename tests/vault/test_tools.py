"""Tools that are renamed while they are called, and what tools are said to be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard
from guardstream.errors import AdapterError
from guardstream.http.request import checked_request
from guardstream.policy import Policy
from guardstream.vault import Vault

GUARD = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
VALUE = "mia.wolf@example.org"
KEY = b"k" * 16


def vault() -> tuple[Vault, str]:
    """A vault that gives `send_mail` all values, and a stand-in of it."""
    here = Vault(KEY, "tools", tools={"send_mail": ["*"]})
    [message] = GUARD.check_messages([{"role": "user", "content": VALUE}], vault=here).messages
    return here, message["content"]


def chunks(*deltas: tuple[str | None, str]) -> list[dict[str, Any]]:
    """A call in deltas, each with a name or none, and arguments."""
    calls: list[dict[str, Any] | None] = []
    for name, arguments in deltas:
        named = {} if name is None else {"name": name}
        calls.append({"index": 0, "function": {**named, "arguments": arguments}})
    calls[0] = {**(calls[0] or {}), "id": "c1"}
    return [
        {
            "object": "chat.completion.chunk",
            "choices": [
                {"index": 0, "delta": {"tool_calls": [call]} if call else {}, "finish_reason": end}
            ],
        }
        for call, end in [*((call, None) for call in calls), (None, "tool_calls")]
    ]


def arguments_of(given: list[dict[str, Any]], here: Vault) -> str:
    text = ""
    for chunk in GUARD.wrap_sync(given, vault=here):
        for call in chunk["choices"][0]["delta"].get("tool_calls") or ():
            text += call["function"]["arguments"]
    return text


@pytest.mark.parametrize(
    ("names", "restored"),
    [
        (["send_mail"], True),
        (["send_mail", "send_mail"], True),
        (["send_", "mail"], True),
        (["send_mail", "fetch"], False),
        (["send_mail", "_anywhere"], False),
        (["do_not_", "send_mail"], False),
        (["fetch", None], False),
    ],
)
def test_a_name_may_come_in_pieces_before_the_arguments(
    names: list[str | None], *, restored: bool
) -> None:
    here, mark = vault()
    given = chunks(*((name, "") for name in names), (None, json.dumps({"to": mark})))
    assert json.loads(arguments_of(given, here)) == {"to": VALUE if restored else mark}


def test_a_call_that_is_renamed_after_its_arguments_began_ends_the_stream() -> None:
    here, mark = vault()
    begun, rest = '{"to": "', mark + '"}'
    stream = GUARD.wrap_sync(chunks(("send_mail", begun), ("fetch", rest)), vault=here)
    assert VALUE not in json.dumps(next(stream))
    with pytest.raises(AdapterError, match="another name"):
        next(stream)


def test_a_call_without_a_name_gets_no_values() -> None:
    here, mark = vault()
    given = chunks((None, json.dumps({"to": mark})), ("send_mail", ""))
    assert json.loads(arguments_of(given, here)) == {"to": mark}


@pytest.mark.parametrize(
    ("provider", "request_"),
    {
        "chat": (
            "openai_chat",
            {
                "messages": [{"role": "system", "content": f"You are of {VALUE}."}],
                "tools": [{"type": "function", "function": {"description": f"asks {VALUE}"}}],
            },
        ),
        "anthropic": (
            "anthropic",
            {
                "system": [{"type": "text", "text": f"You are of {VALUE}."}],
                "tools": [{"name": "ask", "description": f"asks {VALUE}", "input_schema": {}}],
            },
        ),
        "gemini": (
            "gemini",
            {
                "systemInstruction": {"parts": [{"text": f"You are of {VALUE}."}]},
                "tools": [{"functionDeclarations": [{"description": f"asks {VALUE}"}]}],
            },
        ),
    }.values(),
)
def test_tools_and_system_prompts_are_alike_in_all_conversations(
    provider: str, request_: dict[str, Any]
) -> None:
    def sent(conversation: str, name: str) -> dict[str, Any]:
        here = GUARD.with_vault(Vault(KEY, conversation))
        said = {"role": "user", "content": f"I am {name}@example.net, or {VALUE}"}
        turn = {"messages": [*request_.get("messages", []), said]}
        if provider == "gemini":
            turn = {"contents": [{"role": "user", "parts": [{"text": said["content"]}]}]}
        body = json.dumps({**request_, **turn}).encode()
        whole = checked_request(here, provider, body)
        assert VALUE not in whole.decode()
        found: dict[str, Any] = json.loads(whole)
        return found

    one, two = sent("one", "ann"), sent("two", "bob")
    for field in request_.keys() - {"messages"}:
        assert json.dumps(one[field]) == json.dumps(two[field])
    if "messages" in request_:
        assert one["messages"][0] == two["messages"][0]
    assert one != two
