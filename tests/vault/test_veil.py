"""Chunks that are only read for stand-ins, and those in which some may be, make no difference."""

from __future__ import annotations

import random

import pytest

from guardstream import Guard
from guardstream.events import Event, Text
from guardstream.policy import Policy
from guardstream.stages.pipeline import Pipeline
from guardstream.vault import Vault
from guardstream.vault.restoring import restoring

POLICY = Policy.parse("rules: [{id: word, words: [bluebird, 测试], replacement: '<w>'}]")
PIECES = [
    "the mail, ", "EMAIL", "EMAIL_", "email_2222", "[", "[[", "_", "__", " blue", "bluebird ",
    " to ",
    "测", "测试", "[EMAIL_2222222]", "\U000f0000", "\U0010fffd", " tex", "TEXT_", ".x.", "/", "]",
    "&#91;", "\n", "<a href='", "[EMA ", "x" * 300, "[" + "EMAIL_ " * 50,
]  # fmt: skip


def pieces(seed: int) -> list[str]:
    """Texts that are nearly stand-ins, and some that are."""
    chance = random.Random(seed)
    mark = Vault(b"k" * 16, "veil").issue("email", "mia.wolf@example.org")
    ways = [
        *PIECES,
        mark,
        mark.strip("[]"),
        mark.lower(),
        mark.replace("_", "\\_"),
        f"_{mark[1:-1]}_",
    ]
    return [chance.choice(ways) for _ in range(chance.randint(3, 12))]


def guarded(policy: Policy = POLICY) -> Pipeline:
    """A pipeline that restores."""
    here = Vault(b"k" * 16, "veil")
    here.issue("email", "mia.wolf@example.org")
    return Guard(restoring(policy, here)).session()


def settled(events: list[Event]) -> list[Event]:
    """What is said, in one text, and the rest."""
    said = "".join(event.text for event in events if isinstance(event, Text))
    return [Text(said), *(event for event in events if not isinstance(event, Text))]


@pytest.mark.parametrize("seed", range(150))
def test_what_is_said_and_held_up_to_each_chunk_is_that_of_one(seed: int) -> None:
    text, chance = "".join(pieces(seed)), random.Random(seed)
    pipeline, said, at = guarded(), list[Event](), 0
    while at < len(text):
        end = at + chance.choice((1, 2, 4, 9, 200))
        said += pipeline.feed(text[at:end])
        at = end
        whole = guarded()
        assert settled(said) == settled(whole.feed(text[:end]))
        assert pipeline.held == whole.held
    assert settled(said + pipeline.finish()) == settled(_all(text))
    assert pipeline.held == 0


def _all(text: str) -> list[Event]:
    pipeline = guarded()
    return pipeline.feed(text) + pipeline.finish()


def test_nothing_is_said_after_the_end() -> None:
    policy = Policy.parse("rules: [{id: end, words: [stop here], action: block}]")
    pipeline = guarded(policy)
    assert len(pipeline.feed("now stop here and more")) == 3
    assert pipeline.feed("EMAIL_") == []
    assert pipeline.held == 0
