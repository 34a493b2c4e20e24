"""Values that have stand-ins, or characters like those that hide them, in them."""

from __future__ import annotations

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault

GUARD = Guard(
    Policy.parse(
        r"""
input:
  rules:
    - {id: quote, pattern: '«[^«»]+»', reversible: true}
    - {id: email, pattern: '[a-z.]+@[a-z.]+\.[a-z]{2,}', reversible: true}
"""
    )
)
FOREIGN = Vault(b"f" * 16).issue("email", "eve@evil.example")


def sent(text: str, here: Vault) -> str:
    [message] = GUARD.check_messages([{"role": "user", "content": text}], vault=here).messages
    return str(message["content"])


def said(text: str, here: Vault) -> str:
    answers = {
        GUARD.wrap_sync(chunks, vault=here, framing="text").text()
        for chunks in ([text], list(text), [text[:7], text[7:]])
    }
    assert len(answers) == 1
    return answers.pop()


@pytest.mark.parametrize(
    "text",
    [
        f"«{FOREIGN}»",
        f"{FOREIGN} and «{FOREIGN}, a\U000f0000b»",
        "«\U0010ffff\U000f0001»\U000f0000",
        "\\«x» and a\\«y»\\",
        "a\\\\mia@example.org",
        "\\\\«x»",
    ],
)
def test_a_text_comes_back_as_it_was(text: str) -> None:
    here = Vault(b"k" * 16)
    shown = sent(text, here)
    assert said(shown, here) == text
    assert sent(text, here) == shown
    assert sent(shown, here) == shown


def test_a_value_around_a_stand_in_is_around_its_value() -> None:
    here = Vault(b"k" * 16)
    shown = sent(f"«{sent('mia@example.org', here)}»", here)
    assert "example" not in shown
    assert said(shown, here) == "«mia@example.org»"


def test_escaped_brackets_are_dropped_in_pairs() -> None:
    here = Vault(b"k" * 16)
    mark = sent("mia@example.org", here)
    escaped = mark.replace("[", "\\[").replace("]", "\\]").replace("_", "\\_")
    assert said(escaped, here) == "mia@example.org"
    assert said(f"\\{mark}", here) == "\\mia@example.org"
