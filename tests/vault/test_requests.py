"""Whole requests: no field of any format brings a value to the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard
from guardstream.http.request import checked_request
from guardstream.policy import Policy
from guardstream.vault import Vault

GUARD = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
VALUE = "mia.wolf@example.org"
CARD = 4111111111111111
TURN = [{"role": "user", "content": "Hello"}]


def _turn(role: str, **part: Any) -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": [part]}]}


REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a user's name": ("openai_chat", {"messages": TURN, "user": VALUE}),
    "notes": ("openai_responses", {"input": "Hello", "metadata": {"of": VALUE}}),
    "what stops": ("anthropic", {"messages": TURN, "stop_sequences": [VALUE]}),
    "a user's id": ("anthropic", {"messages": TURN, "metadata": {"user_id": VALUE}}),
    "a key of a schema": (
        "openai_chat",
        {"messages": TURN, "response_format": {"schema": {"properties": {VALUE: {}}}}},
    ),
    "a key of an argument": ("gemini", _turn("model", functionCall={"args": {VALUE: 1}})),
    "an argument that is called id": (
        "gemini",
        _turn("model", functionCall={"name": "f", "args": {"id": VALUE, "type": f"to {VALUE}"}}),
    ),
    "a result that is called data": (
        "gemini",
        _turn("user", functionResponse={"name": "f", "response": {"data": [{"raw": VALUE}]}}),
    ),
    "a number": ("gemini", _turn("user", functionResponse={"response": {"card": CARD}})),
    "a schema": ("gemini", {"contents": [], "generationConfig": {"schema": {"enum": [VALUE]}}}),
    "input of a tool": (
        "bedrock",
        {
            "messages": [
                {"role": "assistant", "content": [{"toolUse": {"input": {"id": VALUE}}}]},
                {"role": "user", "content": [{"toolResult": {"content": [{"json": [VALUE]}]}}]},
            ]
        },
    ),
    "variables": ("bedrock", {"messages": [], "promptVariables": {"who": {"text": VALUE}}}),
    "an older form": ("cohere", {"message": VALUE, "chat_history": [{"message": VALUE}]}),
    "a key of a document": ("cohere", {"messages": TURN, "documents": [{"data": {VALUE: ""}}]}),
    "a key of a call": ("mcp", {"params": {"arguments": {VALUE: 1}}}),
}


@pytest.mark.parametrize(("provider", "request_"), REQUESTS.values(), ids=REQUESTS)
def test_no_field_brings_a_value_to_the_provider(provider: str, request_: Any) -> None:
    here = Vault(b"k" * 16)
    sent = checked_request(GUARD.with_vault(here), provider, json.dumps(request_).encode())
    assert VALUE not in sent.decode()
    assert str(CARD) not in sent.decode()
    assert len(here)
    again = checked_request(GUARD.with_vault(here), provider, json.dumps(request_).encode())
    assert again == sent
    assert checked_request(GUARD.with_vault(here), provider, sent) == sent


def test_marks_and_files_stay() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": VALUE}, "thoughtSignature": VALUE}
    request = {"model": VALUE, "contents": [{"role": "model", "parts": [part]}]}
    body = json.dumps(request).encode()
    assert checked_request(GUARD.with_vault(Vault(b"k" * 16)), "gemini", body) == body
