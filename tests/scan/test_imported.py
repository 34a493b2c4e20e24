"""Patterns that other tools ship: what loads equals `regex`, and nearly all of them load."""

from __future__ import annotations

from random import Random

import pytest

from guardstream.scan.regex.parser import _Parser, parse
from tests.support.corpora import CORPORA, needs_corpora
from tests.support.imported import difference, load, loads

PATTERNS = load(CORPORA / "patterns" / "imported.jsonl") if CORPORA.is_dir() else []
REASONS = ("recursion", "unbounded lookbehind", "match the empty string")

pytestmark = [
    needs_corpora,
    pytest.mark.corpus,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def loading() -> list[str]:
    return [pattern for pattern in PATTERNS if loads(pattern) is None]


def test_nearly_all_load_and_the_rest_say_why(loading: list[str]) -> None:
    assert len(loading) >= 0.96 * len(PATTERNS)
    for pattern in set(PATTERNS) - set(loading):
        assert any(reason in str(loads(pattern)) for reason in REASONS), pattern


def test_lookarounds_that_are_read_once_are_what_they_would_be_there(
    loading: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [parse(pattern) for pattern in loading]
    monkeypatch.setattr(_Parser, "_known_look", lambda *_: None)
    assert known == [parse(pattern) for pattern in loading]


def test_each_alone_equals_regex(loading: list[str]) -> None:
    for index, pattern in enumerate(loading):
        problem = difference([pattern], Random(index), 4)
        assert problem is None, f"{pattern}: {problem}"


@pytest.mark.parametrize("size", [5, 20, 100, 200])
def test_sets_of_them_equal_regex(loading: list[str], size: int) -> None:
    for seed in range(200 // size):
        random = Random(f"{size} {seed}")
        chosen = random.sample(loading, size)
        problem = difference(chosen, random, 12)
        assert problem is None, f"seed {seed}: {problem}"
