"""Generated conversations: the provider never has a value, the user has what was said.

The model of a conversation answers with any of the stand-ins it was sent, however it writes them,
and with text of its own that looks like one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault
from guardstream.vault.ids import Ids
from tests.vault import conversations
from tests.vault.cases import FULL_WIDTH

GUARD = Guard(
    Policy.parse(
        "rules: [{id: own, words: [bluebird], replacement: '*'}]\n"
        "input: {extends: [guardstream/pii-en, guardstream/pii-zh, guardstream/pii-de]}"
    )
)
KEY = b"0123456789abcdef"
FILLING = ["and", "请联系", "my", "\n", " [EMAIL_", "]", "**", '"', "<", "{", "\\", "é", "1", ": "]


def value(chance: random.Random) -> str:
    digits = "".join(chance.choices("0123456789", k=7))
    return chance.choice(
        [
            f"{chance.choice(['ann', 'bob.lee', 'li+x'])}{digits[:2]}@example.com",
            f"+49 30 {digits}",
            f"+1 415 555 01{digits[:2]}",
            "4111 1111 1111 1111",
            "11010519491231002X",
            "DE89 3704 0044 0532 0130 00",
            f"138{digits}1",
        ]
    )  # fmt: skip


def text(chance: random.Random, values: list[str]) -> str:
    """Some words and values; a value is one that its rule finds, so it stands by itself."""
    parts = []
    for _ in range(chance.randrange(1, 12)):
        filling = chance.choice(FILLING) + chance.choice([" ", "，", ""])
        parts.append(chance.choice([filling, f" {chance.choice(values)} "]))
    return "".join(parts)


def mangled(chance: random.Random, stand_in: str) -> str:
    """A stand-in as a model may write it."""
    bare = stand_in.strip("[]")
    return chance.choice(
        [
            stand_in,
            stand_in,
            stand_in.lower(),
            stand_in.translate(FULL_WIDTH),
            stand_in.replace("_", r"\_"),
            f"[ {bare} ]",
            f"[**{bare}**]",
            f"&#91;{bare}&#93;",
            f" {bare} ",
        ]
    )


def cuts(chance: random.Random, whole: str) -> Iterator[list[str]]:
    yield [whole]
    yield list(whole)
    chunks, at = [], 0
    while at < len(whole):
        size = chance.randrange(1, 9)
        chunks.append(whole[at : at + size])
        at += size
    yield chunks


def conversation(seed: int) -> None:
    chance = random.Random(seed)
    ids: Ids = chance.choice(["hash", "hash", "number"])
    values = [value(chance) for _ in range(chance.randrange(1, 5))]
    history: list[dict[str, Any]] = []
    before: list[Any] = []
    for _ in range(chance.randrange(1, 4)):
        history.append({"role": "user", "content": text(chance, values)})
        vault = Vault(KEY, str(seed), ids=ids)
        sent = GUARD.check_messages(history, vault=vault).messages
        if ids == "hash":
            assert sent[: len(before)] == before, "the history came out otherwise"
        shown = json.dumps(sent, ensure_ascii=False)
        for entry in vault.entries:
            assert entry.value not in shown or entry.name.label == "TEXT", seed
        assert GUARD.check_messages(sent, vault=vault).messages == sent, "masked twice"
        said, expected = "", ""
        for _ in range(chance.randrange(1, 6)):
            filling = chance.choice(["word ", "字", "; ", ", ", "- ", " X "])
            picked = chance.choice([*vault.entries, None])
            said, expected = said + filling, expected + filling
            if picked is not None:
                written = mangled(chance, str(picked.name))
                lead = written[: len(written) - len(written.lstrip(" "))]
                trail = written[len(written.rstrip(" ")) :]
                said, expected = said + written, expected + lead + picked.value + trail
        for chunks in cuts(chance, said):
            answer = GUARD.wrap_sync(chunks, vault=vault).text()
            assert answer == expected, (seed, chunks)
        before = sent
        history.append({"role": "assistant", "content": expected})
        before = GUARD.check_messages(history, vault=Vault(KEY, str(seed), ids=ids)).messages


@pytest.mark.generated
@pytest.mark.parametrize("begin", range(0, 400, 50))
def test_generated_conversations(begin: int) -> None:
    for seed in range(begin, begin + 50):
        conversation(seed)


@pytest.mark.generated
@pytest.mark.parametrize("first", range(0, 240, 40))
def test_conversations_with_values_of_every_pack(first: int) -> None:
    """A sample; `python -m tests.vault.conversations` holds as many as are asked for."""
    counted = conversations.some(first, 40)
    assert counted["conversations"] == 40
    assert not counted["failed"]
    assert counted["values"] > 40


def test_conversations_have_values_of_every_rule() -> None:
    seen: set[str] = set()
    for number in range(len(conversations.GROUPS)):
        here = conversations.packs(number)
        rules = here.guard.policy.input
        assert rules is not None
        assert {sample.rule for sample in here.samples} == rules.reversible
        seen |= rules.reversible
    assert len(seen) > 60
