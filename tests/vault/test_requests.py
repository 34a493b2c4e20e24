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


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _said(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


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


PART, REST = VALUE[:9], VALUE[9:] + " now"

SPLIT: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": (
        "openai_chat",
        {"messages": [{"role": "user", "content": [_text(PART), _text(REST)]}]},
    ),
    "texts without types": (
        "openai_chat",
        {"messages": [{"role": "user", "content": [VALUE[:3], VALUE[3:9], REST]}]},
    ),
    "a system prompt": ("anthropic", {"messages": TURN, "system": [_text(PART), _text(REST)]}),
    "a tool's result": (
        "anthropic",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "1",
                            "content": [_text(PART), _text(REST)],
                        }
                    ],
                }
            ]
        },
    ),
    "Gemini's parts": (
        "gemini",
        {"contents": [{"role": "user", "parts": [{"text": PART}, {"text": REST}]}]},
    ),
    "Bedrock's blocks": (
        "bedrock",
        {"messages": [{"role": "user", "content": [{"text": PART}, {"text": REST}]}]},
    ),
    "Gemini's instruction": (
        "gemini",
        {"contents": [], "systemInstruction": {"parts": [{"text": PART}, {"text": REST}]}},
    ),
    "a request of Gemini's that is counted": (
        "gemini_counting",
        {"generateContentRequest": {"contents": [{"parts": [{"text": PART}, {"text": REST}]}]}},
    ),
    "Bedrock's system prompt": (
        "bedrock",
        {"messages": [], "system": [{"text": PART}, {"text": REST}]},
    ),
}


@pytest.mark.parametrize(("provider", "request_"), SPLIT.values(), ids=SPLIT)
def test_texts_that_hold_a_value_together_become_one(provider: str, request_: Any) -> None:
    here = Vault(b"k" * 16)
    sent = checked_request(GUARD.with_vault(here), provider, json.dumps(request_).encode())
    assert PART not in sent.decode()
    assert [entry.value for entry in here.entries] == [VALUE]
    assert checked_request(GUARD.with_vault(here), provider, sent) == sent


def test_a_thought_of_geminis_is_no_part_of_what_is_said() -> None:
    parts = [{"text": PART, "thought": True}, {"text": REST}]
    body = json.dumps({"contents": [{"role": "model", "parts": parts}]}).encode()
    assert checked_request(GUARD.with_vault(Vault(b"k" * 16)), "gemini", body) == body


def test_texts_that_hold_a_value_each_stay_apart() -> None:
    content = [_text(VALUE), _text("ual"), _text("x")]
    here = Vault(b"k" * 16)
    [message] = GUARD.check_messages([{"role": "user", "content": content}], vault=here).messages
    assert [part["text"] for part in message["content"][1:]] == ["ual", "x"]
    assert len(message["content"]) == 3


def test_a_value_over_two_texts_is_one_though_half_of_it_is_known() -> None:
    policy = """
input:
  rules:
    - {id: passport, pattern: 'E\\d{8}', reversible: true}
    - {id: chat, pattern: '(?<=QQ )\\d{8}', reversible: true}
"""
    guard = Guard(Policy.parse(policy))
    first = {"role": "user", "content": [_text("it is E"), _text("12345678.")]}
    later = {"role": "user", "content": "call QQ 12345678"}
    [alone] = guard.check_messages([first], vault=Vault(b"k" * 16)).messages
    here = Vault(b"k" * 16)
    told, more = guard.check_messages([first, later], vault=here).messages
    assert told == alone
    assert "12345678" not in str(told) + str(more)
    assert guard.check_messages([told, more], vault=here).messages == [told, more]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"mail": VALUE}).replace("@", "\\u0040"),
        json.dumps([json.dumps({VALUE: 1}).replace("@", "\\u0040"), 4]),
        'prose " and {"tel": "+49 30\\/901820 \\u4e00", "mail": "mia.wolf\\u0040example.org"}',
        '5\\" and "a' + '\\"' * 1000 + '": "mia.wolf\\u0040example.org"',
    ],
)
def test_values_that_are_escaped_in_json_are_hidden(text: str) -> None:
    here = Vault(b"k" * 16)
    tool = {"role": "tool", "tool_call_id": "1", "content": text}
    [message] = GUARD.check_messages([tool], vault=here).messages
    assert VALUE in {entry.value for entry in here.entries}
    assert "wolf" not in message["content"]
    assert GUARD.check_messages([message], vault=here).messages == [message]
    if text[0] in "{[":
        json.loads(message["content"])


def test_letters_beside_an_escape_stay_as_they_are_written() -> None:
    text = f'"Straße\\n{VALUE}"'
    [sent] = GUARD.check_messages(
        [{"role": "user", "content": text}], vault=Vault(b"k" * 16)
    ).messages
    assert sent["content"].startswith('"Straße\\n[')


def test_findings_in_json_that_is_escaped_stand_at_its_strings() -> None:
    text = 'x {"mail": "mia.wolf\\u0040example.org"}'
    checked = GUARD.check_messages([{"role": "user", "content": text}], vault=Vault(b"k" * 16))
    spans = {text[found.finding.start : found.finding.end] for found in checked.findings}
    assert spans == {'"mia.wolf\\u0040example.org"'}


ADDRESS = f"https://files.example/{VALUE}/a.png?of={VALUE}&key=sk-ant-api03-abc"

ADDRESSES: dict[str, tuple[str, dict[str, Any]]] = {
    "an image": (
        "openai_chat",
        _said({"type": "image_url", "image_url": {"url": ADDRESS, "detail": "low"}}),
    ),
    "an image of a response": (
        "openai_responses",
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": ADDRESS}]}]},
    ),
    "a file of a response": (
        "openai_responses",
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": ADDRESS}]}]},
    ),
    "an image of Anthropic's": (
        "anthropic",
        _said({"type": "image", "source": {"type": "url", "url": ADDRESS}}),
    ),
    "a document of Anthropic's": (
        "anthropic",
        _said({"type": "document", "source": {"type": "url", "url": ADDRESS}}),
    ),
    "a file of Gemini's": ("gemini", _turn("user", fileData={"fileUri": ADDRESS})),
}


@pytest.mark.parametrize(("provider", "request_"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses_bring_no_value_to_the_provider(provider: str, request_: Any) -> None:
    here = Vault(b"k" * 16)
    sent = checked_request(GUARD.with_vault(here), provider, json.dumps(request_).encode())
    assert json.loads(sent) == json.loads(
        json.dumps(request_).replace(VALUE, str(next(iter(here.entries)).name))
    )
    assert checked_request(GUARD.with_vault(here), provider, sent) == sent
    alone = json.dumps(request_).encode()
    assert checked_request(GUARD.with_vault(None), provider, alone) == alone


def test_what_is_in_an_address_itself_stays() -> None:
    data = {"url": "data:image/png;base64,4111111111111111"}
    message = {"role": "user", "content": [{"type": "image_url", "image_url": data}]}
    assert GUARD.check_messages([message], vault=Vault(b"k" * 16)).messages == [message]


BETWEEN: dict[str, tuple[str, dict[str, Any]]] = {
    "an image": (
        "openai_chat",
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ),
    "audio": ("openai_chat", {"type": "input_audio", "input_audio": {"data": "AAAA"}}),
    "a file": ("openai_chat", {"type": "file", "file": {"file_id": "f1"}}),
    "an image of Anthropic's": (
        "anthropic",
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
    ),
    "an image of Gemini's": ("gemini", {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
}


@pytest.mark.parametrize(("provider", "part"), BETWEEN.values(), ids=BETWEEN)
def test_texts_around_what_is_no_text_stay_apart(provider: str, part: dict[str, Any]) -> None:
    def request_(*texts: str) -> dict[str, Any]:
        gemini = provider == "gemini"
        made: list[Any] = [{"text": text} if gemini else _text(text) for text in texts]
        made[1:1] = [part]
        turn = {"role": "user", "parts" if gemini else "content": made}
        return {"contents" if gemini else "messages": [turn]}

    halves = json.dumps(request_(PART, REST)).encode()
    here = Vault(b"k" * 16)
    assert checked_request(GUARD.with_vault(here), provider, halves) == halves
    whole = json.dumps(request_(f"of {VALUE}", f"and {VALUE}")).encode()
    sent = checked_request(GUARD.with_vault(here), provider, whole)
    mark = str(next(iter(here.entries)).name)
    assert json.loads(sent) == request_(f"of {mark}", f"and {mark}")
