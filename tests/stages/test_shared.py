"""Streams in several threads share a rule set."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from unittest.mock import patch

import pytest

from guardstream.events import Event
from guardstream.scan.regex import dfa as automaton
from guardstream.scan.words import aho_corasick as words
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.chunking import play
from tests.support.forms import form

__all__ = ["form"]

THREADS = 8
RULES = (
    Rule("w", words=("secret", "second", "密码", "cret of")),
    Rule("mail", patterns=(r"(?<![\w.])[\w.]{1,20}@\w+(?:\.\w{2,5})+",)),
    Rule("number", patterns=(r"\b\d{3}-\d{2}-\d{4}\b", r"(?<!\d)\d{4}(?: \d{4}){3}(?!\d)")),
    Rule("key", patterns=(r"key\s?=\s?(\w{4,})",), group=1),
)
TEXT = 4 * (
    "the secret of a second 密码 is key = abcd12 or 123-45-6789, write to ab.c@de.fgh and "
    "1234 5678 1234 5678; 12-3 @x.y key=no; "
)


@pytest.fixture(autouse=True)
def _switching_all_the_time() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(rules: RuleSet) -> list[list[Event]]:
    """The events of streams that begin at once in several threads."""
    barrier = Barrier(THREADS)

    def stream(number: int) -> list[Event]:
        barrier.wait()
        size = 1 + number
        return play(rules.stage(), [TEXT[at : at + size] for at in range(0, len(TEXT), size)])

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(stream, range(THREADS)))


@pytest.mark.parametrize("limit", [7, 100, 60_000])
def test_streams_in_threads_find_the_same_while_caches_are_built_and_flushed(limit: int) -> None:
    expected = play(RuleSet(RULES).stage(), [TEXT])
    with (
        patch.object(automaton, "MAX_WEIGHT", 10 * limit),
        patch.object(words, "MAX_TRANSITIONS", limit),
    ):
        for _ in range(15):
            assert together(RuleSet(RULES)) == THREADS * [expected]
