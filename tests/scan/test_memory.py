"""Memory that runs out while a stream is read harms no other stream of the same rules."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

import pytest

from guardstream.events import Event, Finish
from guardstream.scan.regex import forms
from guardstream.scan.regex.places import Kind, Places
from guardstream.stages.redact import RuleSet
from guardstream.stages.redact.stage import Redact
from guardstream.stages.rules import Rule
from tests.support.chunking import joined, normalised
from tests.support.harness import forgetful, postponing

_testcapi = pytest.importorskip("_testcapi", reason="this Python cannot let allocations fail")

# What the interpreter itself cannot do then, such as closing a generator, it reports.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

POINTS = 40
"""How many places are tried at which memory runs out, for each case."""

GENERATORS = """
import _testcapi

def made(numbers):
    return list(number for number in numbers)

for first in range(60):
    _testcapi.set_nomemory(first, first + 1)
    try:
        made([1, 2])
    except MemoryError:
        pass
    finally:
        _testcapi.remove_mem_hooks()
"""
"""CPython 3.12 and 3.13 crash here, by themselves: https://github.com/python/cpython/issues/151763.
Free-threaded 3.13 survives this, but not these tests."""


@pytest.fixture(scope="module", autouse=True)
def surviving() -> None:
    """Skip these tests where Python does not survive them itself."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("free-threaded Python crashes where memory runs out")
    if subprocess.run([sys.executable, "-c", GENERATORS], check=False).returncode:
        pytest.skip("this Python crashes where memory for a generator runs out")


def even(matched: str) -> bool:
    return len(matched) % 2 == 0


def masking(*patterns: str, **options: object) -> Rule:
    return Rule(id="rule", patterns=patterns, **{"replacement": "<>", **options})  # type: ignore[arg-type]


CASES = {
    "counters": (masking(r"b\d{2,30}c", r"a+(?=b)|aa", r"(?:a\d{1,3}){2,9}x"), "aab12c b1a1a22x"),
    "lookarounds": (
        masking(r"(?<=a\d{1,4})b", r"(?<!a\w{0,3})x", r"\d+(?!\w*z)", r"(?=\w*c)ab"),
        "a12b x 12 12z abc ax ab",
    ),
    "a group": (masking(r"key=(\w+?);", group=1), "key=ab; key=key=a1; k"),
    "references": (masking(r"(a+|b)\1", r"(['\"])\w*\1", validators=(even,)), "aa'a'aab\"b\"'b"),
    "words": (masking(words=("password", "pass", "ßa"), normalize=("case",)), "PASSword pass ßA"),
    "loose words": (
        masking(words=("abba", "bab"), whole_word=False, normalize=("repeats", "separators")),
        "a-b-b a bbaab b.a.b",
    ),
    "exceptions": (
        masking(r"\d{2,4}", words=("cat",), allow_patterns=(r"\d(?:12)+",), allow_words=("12",)),
        "12 123 112 1212 cat 9",
    ),
    "zero-width": (masking(r"ab+c", normalize=("zero_width",)), "ab\u200bc abbc a\u200b\u200bc b"),
}  # fmt: skip


def played(stage: Redact, text: str) -> list[Event]:
    events: list[Event] = []
    for at in range(0, len(text), 3):
        events += stage.feed(text[at : at + 3])
    return [*events, *stage.finish()]


@contextmanager
def failing(first: int, count: int) -> Iterator[None]:
    """Let so many allocations fail, from the `first` on."""
    _testcapi.set_nomemory(first, first + count)
    try:
        yield
    finally:
        _testcapi.remove_mem_hooks()


def begun(stage: Redact, text: str, first: int, count: int) -> str | None:
    """What a stream has released when memory runs out; None if it has not."""
    released: list[list[Event]] = []
    push = released.append
    chunks = [text[at : at + 3] for at in range(0, len(text), 3)]
    try:
        with failing(first, count):
            for chunk in chunks:
                push(stage.feed(chunk))
            push(stage.finish())
    except MemoryError:
        return joined([event for events in released for event in events])
    return None


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_where_memory_runs_out_other_streams_find_what_they_should(case: tuple[Rule, str]) -> None:
    rule, text = case
    random = Random(text)
    unwarmed = forms.PYTHON._replace(warm="")
    with forgetful(), postponing(), patch.object(forms, "PYTHON", unwarmed):
        expected = normalised(played(RuleSet([rule]).stage(), text))
        assert expected[-1] == Finish("stop")
        failed = 0
        for number in range(POINTS):
            if number % 20 == 0:
                rules = RuleSet([rule])
            other = rules.stage()
            before = other.feed(text[:5])
            first, count = random.choice((20, 100, 500)), random.choice((1, 1, 2, 8))
            released = begun(rules.stage(), text, random.randrange(first), count)
            failed += released is not None
            assert joined(expected).startswith(released or "")
            assert normalised(played(rules.stage(), text)) == expected
            try:
                after = [*other.feed(text[5:]), *other.finish()]
            except (MemoryError, RuntimeError):
                continue  # it stood where memory has run out
            assert normalised([*before, *after]) == expected
        assert failed > POINTS // 4


def test_a_place_of_a_pattern_is_added_whole_or_not_at_all() -> None:
    failed = 0
    for first in range(12):
        places = Places()
        try:
            with failing(first, 1):
                places.add(Kind.CHAR)
        except MemoryError:
            failed += 1
            assert not any((places.kinds, places.conditions, places.after))
        else:
            assert len(places.kinds) == len(places.conditions) == len(places.after) == 1
    assert failed >= 3  # once for each column
