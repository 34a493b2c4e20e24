"""Stand-ins of the same shape as the value: of nobody, and never mistaken for another's."""

from __future__ import annotations

import ipaddress
import json
import random
from collections.abc import Iterator

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.validators import luhn
from guardstream.vault import SQLiteStore, Vault, Vaults
from guardstream.vault.ids import hash_of, hashed, number_of

POLICY = r"""
rules: [{id: digits, pattern: '\d{4,}', replacement: "#"}]
input:
  extends: [guardstream/pii-en, guardstream/pii-zh]
  rules:
    - id: ipv6
      pattern: '(?<![0-9a-f:])[0-9a-f]{1,4}(?::{1,2}[0-9a-f]{1,4}){3,7}'
      reversible: true
"""
GUARD = Guard(Policy.parse(POLICY))
KEY = b"0123456789abcdef"
MAIL, CARD, HOST, MOBILE = (
    "ann.lee@acme.test",
    "4111 1111 1111 1111",
    "fe80::1:2:3:4",
    "13812345678",
)


def vault(conversation: str = "one") -> Vault:
    return Vault(KEY, conversation, ids="fake")


def sent(text: str, here: Vault) -> str:
    [message] = GUARD.check_messages([{"role": "user", "content": text}], vault=here).messages
    return str(message["content"])


def cuts(text: str) -> Iterator[list[str]]:
    yield [text]
    yield list(text)
    yield [text[at : at + 4] for at in range(0, len(text), 4)]
    yield from ([text[:at], text[at:]] for at in range(1, len(text)))


PLAIN = Guard(Policy.parse("rules: []"))


def said(text: str, here: Vault, guard: Guard = GUARD) -> str:
    answers = {guard.wrap_sync(each, vault=here, framing="text").text() for each in cuts(text)}
    assert len(answers) == 1
    return answers.pop()


def test_a_fake_has_the_shape_of_its_value_and_belongs_to_nobody() -> None:
    here = vault()
    mail, card, host, mobile = (sent(value, here) for value in (MAIL, CARD, HOST, MOBILE))
    assert mail.endswith("@example.com")
    assert ipaddress.ip_address(host) in ipaddress.ip_network("2001:db8::/32")
    assert card.isdecimal()
    assert len(card) == 16
    assert not luhn(card)
    assert mobile.startswith("[")  # too few numbers are reserved to tell them from a user's own
    text = f"{mail}, {card}; {host}: {mobile}."
    assert said(text, here) == f"{MAIL}, {CARD}; {HOST}: {MOBILE}."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("mailto:", ""),
        ("请联系", "吧。"),
        ("**", "**"),
        ("_", "_"),
        ("<", ">"),
        ('"', '",'),
        ("mail:", ": it"),
        ("", ". Then"),
        ("to ", "'s box"),
    ],
)
def test_a_fake_comes_back_wherever_it_stands_alone(before: str, after: str) -> None:
    here = vault()
    mail, card = sent(MAIL, here), sent(CARD, here)
    assert said(f"{before}{mail}{after}", here) == f"{before}{MAIL}{after}"
    assert said(f"{before}{card}{after}", here) == f"{before}{CARD}{after}"


def test_what_is_not_exactly_a_fake_stays() -> None:
    here = vault()
    mail, host = sent(MAIL, here), sent(HOST, here)
    wrong = mail.replace(mail[5], "2" if mail[5] != "2" else "3", 1)
    for text in (
        mail.upper(),
        mail.replace(".com", ".org"),
        f"a.{mail}",
        f"{mail}.evil.example/x",
        f"{mail}-x.evil.example",
        f"https://evil.example/{mail}",
        f"https://[{host}]/",
        f"{host}:1",
        host.upper() if host != host.upper() else f"1{host}",
        wrong,
        "user-2222222@example.com",
    ):
        assert said(text, here, PLAIN) == text


def test_masking_twice_changes_nothing() -> None:
    text = f"{MAIL}, {CARD}, {HOST}, {MOBILE}"
    here = vault()
    once = sent(text, here)
    assert sent(once, here) == once
    assert sent(text, vault()) == once
    assert sent(text, vault("two")) != once
    for value in (MAIL, CARD, HOST, MOBILE):
        assert value not in once


def test_a_fake_of_another_conversation_is_a_value_like_any() -> None:
    theirs = vault("theirs")
    text = f"{sent(MAIL, theirs)} and {sent(HOST, theirs)} {sent(CARD, theirs)}"
    here = vault()
    shown = sent(text, here)
    assert not any(str(entry.name) in shown for entry in theirs.entries)
    assert said(shown, here) == text
    assert MAIL not in said(text, here)


def test_a_fake_that_was_typed_comes_back_as_it_was() -> None:
    found = hashed(KEY, "elsewhere", "x", "y")
    text = f"user-{found.lower()}@example.com and {MAIL}"
    here = vault()
    assert said(sent(text, here), here) == text


def test_a_store_keeps_fakes(tmp_path: object) -> None:
    def opened() -> Vaults:
        return Vaults(SQLiteStore(f"{tmp_path}/v.db"), key=KEY, id_key=KEY, ids="fake")

    here = opened().open("one")
    shown = sent(f"{MAIL} {CARD} {HOST} {MOBILE}", here)
    opened().save(here)
    again = opened().open("one")
    assert said(shown, again) == f"{MAIL} {CARD} {HOST} {MOBILE}"


def test_arguments_of_tools_are_given_values() -> None:
    here = Vault(KEY, "one", ids="fake", tools={"mail": ["to"]})
    text = json.dumps({"to": sent(MAIL, here), "cc": sent(MAIL, here)})
    call = {"index": 0, "id": "c", "function": {"name": "mail", "arguments": text}}
    chunk = {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}],
    }
    shown = json.dumps(list(GUARD.wrap_sync([chunk], vault=here)))
    assert shown.count(MAIL) == 1
    assert shown.count("example.com") == 1


def test_ids_are_numbers_and_back() -> None:
    chance = random.Random(7)
    for _ in range(500):
        found = hashed(KEY, "", "", str(chance.random()))
        assert hash_of(number_of(found)) == found
    assert hash_of(1) is None
    assert hash_of(10**12) is None
