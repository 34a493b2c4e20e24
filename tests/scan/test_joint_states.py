"""The patterns that are awake are stepped together where a text goes on as it did, and one by one
where it keeps coming to new states: what is found is the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from unittest.mock import patch

import pytest
import regex

from guardstream.events import Finding
from guardstream.scan.regex import dfa, joints
from guardstream.stages.redact import Redact, RuleSet
from guardstream.stages.rules import Rule
from tests.support.effort import bytes_allocated

PATTERNS = (
    r"\b[a-f]{2,9}-\d{1,6}\b",
    r"x[\w.]{0,12}y",
    r"(?<=k)\w+?z",
    r"\w{2,8}@\w{2,8}\.(?:ab|cd)",
    r"(?<!\d)\d{3}[ .]\d{4}(?!\d)",
    r"a(?:b|cd)*e",
)


def rules() -> RuleSet:
    return RuleSet([Rule(f"r{n}", patterns=(p,)) for n, p in enumerate(PATTERNS)])


def expected(text: str) -> set[tuple[str, int, int]]:
    return {
        (f"r{number}", *match.span())
        for number, pattern in enumerate(PATTERNS)
        for match in regex.finditer(pattern, text)
    }


def found(stage: Redact, text: str) -> set[tuple[str, int, int]]:
    chunks = (text[at : at + 4] for at in range(0, len(text), 4))
    events = [event for chunk in chunks for event in stage.feed(chunk)] + stage.finish()
    return {(e.rule, e.start, e.end) for e in events if isinstance(e, Finding)}


def usual(length: int, seed: int = 0) -> str:
    """Text of few words, which leads to the same states again and again."""
    rng = random.Random(seed)
    words = ("abe", "fade-12", "some", "x.y", "kitz", "ana@web.cd", "555 1234", "acdbe", "9")
    return " ".join(rng.choice(words) for _ in range(length // 4))[:length]


def unusual(length: int, seed: int = 0) -> str:
    """Text of any characters, which leads to new states all the time."""
    rng = random.Random(seed)
    return "".join(rng.choices("abcdefkxyz0123456789-.@ ", k=length))


@pytest.mark.parametrize("text", [usual, unusual])
def test_what_is_found_is_the_same_however_the_text_goes_on(text: Callable[[int], str]) -> None:
    made = f"{unusual(6_000)} {text(6_000)} {usual(90_000)} {text(6_000)}"
    assert found(rules().stage(), made) == expected(made)


@pytest.mark.parametrize("weight", [50, 300, 2_000])
def test_streams_go_on_where_joint_states_are_forgotten_meanwhile(weight: int) -> None:
    texts = [usual(8_000, seed) + unusual(2_000, seed) + usual(4_000, seed) for seed in range(3)]
    with patch.object(dfa, "MAX_WEIGHT", weight):
        shared = rules()
        stages = [shared.stage() for _ in texts]
        events: list[list[object]] = [[] for _ in texts]
        for at in range(0, max(map(len, texts)), 7):
            for stage, text, out in zip(stages, texts, events, strict=True):
                out += stage.feed(text[at : at + 7])
        for stage, text, out in zip(stages, texts, events, strict=True):
            out += stage.finish()
            assert {(e.rule, e.start, e.end) for e in out if isinstance(e, Finding)} == expected(
                text
            )


@pytest.mark.parametrize("weight", [100, 3_000])
@pytest.mark.parametrize("trial", [8, 100])
def test_a_stream_goes_back_and_forth_between_joint_states_and_none(
    weight: int, trial: int
) -> None:
    text = "".join(usual(1_500, seed) + unusual(500, seed) for seed in range(4))
    with (
        patch.object(joints, "MAX_WEIGHT", weight),
        patch.object(joints, "TRIAL", trial),
        patch.object(joints, "REST", 50),
        patch.object(joints, "MAX_REST", 400),
    ):
        assert found(rules().stage(), text) == expected(text)


def test_memory_is_bounded_where_new_characters_lead_to_no_new_joint_state() -> None:
    stage = RuleSet([Rule("far", patterns=(r"a.{9}b",))], max_holdback=10).stage()
    rng = random.Random(0)

    def read() -> None:
        for _ in range(1_000):
            stage.feed("a" + "".join(map(chr, rng.choices(range(0x4E00, 0x5600), k=9))))

    with patch.object(joints, "MAX_WEIGHT", 500):
        read()  # so that the characters are known
        assert bytes_allocated(read) < 200_000


def test_text_is_held_from_where_the_older_of_two_candidates_began() -> None:
    """Both began at one character, and share a register until one begins again."""
    stage = RuleSet(
        [Rule("ends", patterns=(r"a+[ab]*y",)), Rule("other", patterns=(r"a+c*z",))]
    ).stage()
    held = []
    for part in ("-", "a", "ab", "a", "c"):
        stage.feed(part)
        held.append(stage.held)
    assert held == [0, 1, 3, 4, 2]
    assert [e.start for e in stage.feed("z") if isinstance(e, Finding)] == [4]
