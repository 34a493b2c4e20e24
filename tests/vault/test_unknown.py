"""Values in what the reader of messages does not know: refused, or hidden, never sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault

GUARD = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
VALUE = "mia.wolf@example.org"

MESSAGES: dict[str, Any] = {
    "a call of a server's tool": {
        "role": "assistant",
        "content": [
            {"type": "mcp_tool_use", "id": "1", "name": "find", "input": {"id": VALUE, VALUE: 1}},
            {"type": "mcp_tool_result", "tool_use_id": "1", "content": [{"text": f"to {VALUE}"}]},
        ],
    },
    "a field of an answer": {"role": "assistant", "content": "x", "notes": {"deep": [VALUE]}},
    "a part of a system prompt": {"role": "system", "content": [{"type": "note", "says": VALUE}]},
    "the name of a file": {
        "role": "user",
        "content": [{"type": "file", "file": {"file_id": "f-1", "filename": VALUE}}],
    },
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_no_value_is_sent_in_what_is_not_known(message: Any) -> None:
    here = Vault(b"k" * 16)
    sent = GUARD.check_messages([message], vault=here).messages
    assert VALUE not in json.dumps(sent)
    assert VALUE in {entry.value for entry in here.entries}
    again = GUARD.check_messages(sent, vault=here).messages
    assert again == sent


def test_what_is_opaque_stays() -> None:
    given = {"type": "sealed", "id": VALUE, "tool_use_id": VALUE, "data": VALUE, "signature": "s"}
    message = {"role": "assistant", "content": [given]}
    assert GUARD.check_messages([message], vault=Vault(b"k" * 16)).messages == [message]


def test_what_a_policy_lets_through_unread_stays() -> None:
    guard = Guard(Policy.parse("input: {extends: guardstream/pii-en, unknown: pass}"))
    message = {"role": "assistant", "content": "x", "notes": VALUE}
    assert guard.check_messages([message], vault=Vault(b"k" * 16)).messages == [message]
