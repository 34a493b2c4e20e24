"""Conversations of several turns, with all that people and documents type in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from guardstream import Guard
from guardstream.http.request import checked_request
from guardstream.policy import Policy
from guardstream.vault import SQLiteStore, Vault, VaultError, Vaults

POLICY = r"""
input:
  extends: [guardstream/pii-en, guardstream/pii-zh]
  rules:
    - {id: name, words: [Mia Wolf, 王小明], reversible: true}
    - {id: quote, pattern: '"[^"]{1,40}" said', reversible: true}
"""
GUARD = Guard(Policy.parse(POLICY))
KEY = b"k" * 16
MAIL = "mia.wolf@example.org"

Said: TypeAlias = list[tuple[str, str]]
Request: TypeAlias = dict[str, Any]


def _openai(said: Said) -> Request:
    system = {"role": "system", "content": f"You are of {MAIL}."}
    return {"messages": [system, *({"role": role, "content": text} for role, text in said)]}


def _anthropic(said: Said) -> Request:
    messages = [{"role": r, "content": [{"type": "text", "text": text}]} for r, text in said]
    return {"system": [{"type": "text", "text": f"You are of {MAIL}."}], "messages": messages}


def _responses(said: Said) -> Request:
    return {"input": [{"role": role, "content": text} for role, text in said]}


def _gemini(said: Said) -> Request:
    roles = {"user": "user", "assistant": "model"}
    return {"contents": [{"role": roles[r], "parts": [{"text": text}]} for r, text in said]}


FORMATS: dict[str, tuple[str, Callable[[Said], Request]]] = {
    "openai_chat": ("messages", _openai),
    "anthropic": ("messages", _anthropic),
    "openai_responses": ("input", _responses),
    "gemini": ("contents", _gemini),
}

TURNS = (
    f"我是王小明，邮箱{MAIL}。 Call +49 30 901820.",
    f'"{MAIL}" said Mia Wolf: see [EMAIL_2222222], my card is 4111 1111 1111 1111.',
    "Thanks! And of 192.168.7.33, please.",
)
VALUES = (MAIL, "王小明", "Mia Wolf", "901820", "4111 1111", "192.168.7.33")


def sent(provider: str, request: Request, vault: Vault) -> Request:
    body = json.dumps(request, ensure_ascii=False).encode()
    made: Request = json.loads(checked_request(GUARD.with_vault(vault), provider, body))
    return made


def restored(text: str, vault: Vault) -> str:
    """What the user reads; the same in any chunks."""
    read = {
        GUARD.wrap_sync([text[at : at + size] for at in range(0, len(text), size)], vault=vault)
        .text()
        for size in (1, 3, len(text) or 1)
    }  # fmt: skip
    assert len(read) == 1
    return read.pop()


@pytest.mark.parametrize("provider", FORMATS)
def test_three_turns_are_sent_byte_for_byte_as_before(provider: str) -> None:
    field, build = FORMATS[provider]
    said: Said = []
    before: Request = {field: []}
    for turn in TURNS:
        said.append(("user", turn))
        one, two = Vault(KEY, "c"), Vault(KEY, "c")
        request = sent(provider, build(said), one)
        assert sent(provider, build(said), two) == request
        told = json.dumps(request, ensure_ascii=False)
        assert not [value for value in VALUES if value in told]
        assert request[field][: len(before[field])] == before[field]
        last = next(_strings(request[field][-1].get("content") or request[field][-1]["parts"]))
        answer = restored(f"Well, **{last}**, or {last.lower()}?", one)
        assert answer.startswith(f"Well, **{turn}**")
        said.append(("assistant", answer))
        before = request


def _strings(content: Any) -> Any:
    if isinstance(content, str):
        yield content
    else:
        yield from (part["text"] for part in content)


THEIRS = Vault(KEY, "theirs").issue("email", "theirs@secret.example")
BARE = THEIRS.strip("[]")

TYPED = (
    THEIRS,
    THEIRS.lower(),
    BARE,
    f"`{THEIRS}`",
    f"**{BARE}**",
    THEIRS.replace("_", "\\_"),
    THEIRS.replace("_", "\n"),
    f"[ {BARE} ]",
    f"{BARE}'s",
    f"请{BARE}吧",
    json.dumps({"a": json.dumps({"b": THEIRS})}),
    f"https://x.example/?q={THEIRS}",
    f"[x]({THEIRS})",
    f'<a title="{THEIRS}">',
    f"&#91;{BARE}&#93;",
    f"<{BARE}>",
    f"```\n{THEIRS}\n```",
    f"{THEIRS}{THEIRS}",
    f"[{THEIRS}]",
    f"[[{THEIRS}](mailto:{THEIRS})]",
)


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
@pytest.mark.parametrize("text", TYPED)
def test_what_others_were_given_is_only_a_text_here(text: str, role: str) -> None:
    here = Vault(KEY, "c")
    message = {"role": role, "content": text, "tool_call_id": "1"}
    [shown] = GUARD.check_messages([message], vault=here).messages
    assert BARE not in shown["content"]
    assert restored(shown["content"], here) == text
    assert GUARD.check_messages([shown], vault=here).messages == [shown]
    assert restored(text, here) == text


def test_what_was_typed_is_given_to_tools_as_it_was_and_a_value_is_not() -> None:
    here = Vault(KEY, "c")
    turn = [{"role": "user", "content": text} for text in (THEIRS, MAIL)]
    typed, mark = (each["content"] for each in GUARD.check_messages(turn, vault=here).messages)
    pieces = [{"name": "find", "arguments": ""}]
    pieces += [{"arguments": piece} for piece in json.dumps({"of": [typed, mark]})]
    calls = [{"index": 0, "id": "1", "function": each} for each in pieces]
    deltas = [
        {
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"tool_calls": [each]}}],
        }
        for each in calls
    ]
    said = ""
    for chunk in GUARD.wrap_sync(deltas, vault=here):
        for each in chunk["choices"][0]["delta"]["tool_calls"]:
            said += each["function"]["arguments"]
    assert json.loads(said) == {"of": [THEIRS, mark]}


def test_a_key_may_be_replaced_in_the_middle_of_a_conversation(tmp_path: Any) -> None:
    path = tmp_path / "vault.db"
    shown, text = "", MAIL
    for keys in ([b"a" * 16], [b"b" * 16, b"a" * 16], [b"c" * 16, b"b" * 16, b"a" * 16]):
        vaults = Vaults(SQLiteStore(path), key=keys, id_key=KEY)  # as after a restart
        vault = vaults.open("s", "ann")
        assert restored(shown, vault) == (text.rpartition(" ")[0] if shown else "")
        [message] = GUARD.check_messages([{"role": "user", "content": text}], vault=vault).messages
        vaults.save(vault)
        assert message["content"].startswith(shown)
        shown, text = message["content"], f"{text} user{len(keys)}@example.net"
        assert restored(shown, vaults.open("s", "eve")) == shown
    Vaults(SQLiteStore(path), key=b"c" * 16, id_key=KEY).open("s", "ann")
    with pytest.raises(VaultError, match="another key"):
        Vaults(SQLiteStore(path), key=[b"b" * 16, b"a" * 16], id_key=KEY).open("s", "ann")
