"""The cases of `cases`, in every two-part split, character by character, and in fours."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault
from tests.vault.cases import FULL_WIDTH, LEFT, RESTORED, VALUES, Case

POLICY = r"""
rules: []
input:
  rules:
    - {id: email, pattern: '[a-z.]+@[a-z.]+\.[a-z]{2,}', reversible: true}
    - {id: phone, pattern: '\+49 30 \d{6}', reversible: true}
    - {id: cn-mobile, pattern: '(?<!\d)1[38]\d{9}(?!\d)', reversible: true}
"""
GUARD = Guard(Policy.parse(POLICY))
KEY = b"a key of sixteen bytes or more"
PLACES = re.compile(r"\{([epz])(?:\.(\w+))?(?::(\w+))?\}|<([epz])>")


def vault_of_values() -> tuple[Vault, dict[str, str]]:
    """A vault after the messages with all values, and the stand-ins in it."""
    vault = Vault(KEY, "a conversation")
    content = " and ".join(value for _, value in VALUES.values())
    sent = GUARD.check_messages([{"role": "user", "content": content}], vault=vault)
    shown = sent.messages[0]["content"].split(" and ")
    return vault, dict(zip(VALUES, shown, strict=True))


def written(template: str, issued: dict[str, str]) -> str:
    """A text of a case."""

    def place(match: re.Match[str]) -> str:
        which, part, form, value = match.groups()
        if value:
            return VALUES[value][1]
        whole = issued[which]
        label, _, found = whole.strip("[]").rpartition("_")
        text = {"label": label, "id": found, None: whole}[part]
        other = "2" if text[2] != "2" else "3"
        forms = {
            "lower": text.lower(),
            "wide": text.translate(FULL_WIDTH),
            "short": text[:-1],
            "typo": text[:2] + other + text[3:],
            "swapped": text[0] + text[2] + text[1] + text[3:],
        }
        return forms[form] if form else text

    return PLACES.sub(place, template)


def cuts(text: str) -> Iterator[list[str]]:
    yield [text]
    yield list(text)
    yield [text[at : at + 4] for at in range(0, len(text), 4)]
    yield from ([text[:at], text[at:]] for at in range(1, len(text)))


@pytest.mark.parametrize("case", [*RESTORED, *LEFT], ids=lambda case: case.name)
def test_what_the_user_reads(case: Case) -> None:
    vault, issued = vault_of_values()
    said, expected = written(case.said, issued), written(case.read, issued)
    for chunks in cuts(said):
        with GUARD.wrap_sync(chunks, vault=vault) as stream:
            assert "".join(stream) == expected, chunks
