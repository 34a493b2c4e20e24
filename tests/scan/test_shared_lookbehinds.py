"""A lookbehind that several patterns have is followed once, and tells them where it matches."""

from __future__ import annotations

import random
from collections import Counter
from unittest.mock import patch

import pytest
import regex

from guardstream.events import Event, Finding
from guardstream.scan.regex import dfa, machine
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.effort import bytes_allocated

FAR = 16
"""So many lookbehinds in common let nearly each character of a text of `a` and `b` have others
before it."""

LOOKS = [f"(?<=a.{{{gap}}}b)" for gap in range(FAR)]
PATTERNS = [f"{begin}(?:{'|'.join(f'{look}x' for look in LOOKS)})" for begin in ("", "-?")]


def rules(patterns: list[str]) -> RuleSet:
    return RuleSet([Rule(f"r{number}", patterns=(p,)) for number, p in enumerate(patterns)])


def found(events: list[Event]) -> Counter[tuple[str, int, int]]:
    return Counter((e.rule, e.start, e.end) for e in events if isinstance(e, Finding))


def expected(patterns: list[str], text: str) -> Counter[tuple[str, int, int]]:
    return Counter(
        (f"r{number}", *match.span())
        for number, pattern in enumerate(patterns)
        for match in regex.finditer(pattern, text)
    )


def test_what_characters_wake_is_forgotten_where_others_are_before_each() -> None:
    kept: list[machine.Wakes] = []

    class Wakes(machine.Wakes):
        def __init__(self, owner: machine.Machine) -> None:
            super().__init__(owner)
            kept.append(self)

    text = "".join(random.Random(1).choices("aabbx-", k=400))
    with patch.multiple(machine, MAX_WAKES=20, Wakes=Wakes):
        stage = rules(PATTERNS).stage()
        assert found(stage.feed(text) + stage.finish()) == expected(PATTERNS, text)
        assert all(len(wakes) <= 20 for wakes in kept)


@pytest.mark.parametrize("patterns", [PATTERNS[:1], PATTERNS], ids=["own", "shared"])
def test_signatures_and_classes_are_forgotten_in_time(patterns: list[str], form: str) -> None:
    if form == "python":
        pytest.skip("only the extension numbers them")
    text = "".join(random.Random(2).choices("ab", k=8_000))
    with patch.object(dfa, "MAX_WEIGHT", 2_000):
        stage = rules(patterns).stage()
        stage.feed(text[:1_000])
        assert bytes_allocated(lambda: stage.feed(text[1_000:])) < 500_000


def test_nearly_all_that_the_extension_keeps_is_counted(form: str) -> None:
    if form == "python":
        pytest.skip("Python counts the weight of what it keeps")
    from guardstream.scan.regex import native

    made: list[native.NativeMachine] = []

    class Machine(native.NativeMachine):
        def __init__(self, shared: machine.Machine) -> None:
            super().__init__(shared)
            made.append(self)

    with patch.object(native, "NativeMachine", Machine):
        stage = rules(PATTERNS).stage()
    text = "".join(random.Random(2).choices("ab", k=2_000))
    before = made[0].native.size
    taken = bytes_allocated(lambda: stage.feed(text))
    assert taken < 1.2 * (made[0].native.size - before)


def test_streams_go_on_where_classes_are_forgotten_meanwhile() -> None:
    texts = ["".join(random.Random(seed).choices("aabbx-", k=300)) for seed in range(4)]
    with patch.object(dfa, "MAX_WEIGHT", 300), patch.object(machine, "MAX_WAKES", 3):
        shared = rules(PATTERNS)
        stages = [shared.stage() for _ in texts]
        events: list[list[Event]] = [[] for _ in texts]
        for at in range(0, 300, 7):
            for stage, text, out in zip(stages, texts, events, strict=True):
                out += stage.feed(text[at : at + 7])
        for stage, text, out in zip(stages, texts, events, strict=True):
            assert found(out + stage.finish()) == expected(PATTERNS, text)
