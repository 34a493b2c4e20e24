"""Bugs seeded into the engine: the comparison with the reference must find every one.

A bug is one line of one function, rewritten. A line that is no longer there fails loudly: seed
the bug anew where the code now does that work.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import pytest

from guardstream.scan.automaton import Automaton, _Step
from guardstream.scan.patterns import PatternScan
from guardstream.scan.words import WordIndex
from guardstream.stages.redact import Redact
from guardstream.stages.regions import Regions
from tests.support.generate import draw_case
from tests.support.harness import difference, hunt, told

ENOUGH = 4_000


@dataclass(frozen=True)
class Bug:
    """One line of one function, as it is and as it must not be."""

    owner: type
    function: str
    right: str
    wrong: str


BUGS = {
    "a start is dropped while another candidate lives": Bug(
        _Step,
        "advance",
        "self._add(pattern, roots, seen)",
        "threads or self._add(pattern, roots, seen)",
    ),
    "an accept does not cut the threads behind it": Bug(_Step, "_add", "return True", "continue"),
    "a match that its next character decides cuts nothing": Bug(
        _Step, "advance", "            break", "            continue"
    ),
    "of two starts that meet the younger is kept": Bug(
        _Step, "_merge", "if number in origins:", "if False:"
    ),
    "what an older accept undoes is not undone": Bug(PatternScan, "_note", "known.pop()", "break"),
    "a match settles although an equally old candidate lives": Bug(
        PatternScan, "_settled", "None else oldest)", "None else oldest + 1)"
    ),
    "a refused match consumes its whole span": Bug(
        PatternScan,
        "_confirmed",
        "begin = match.start() + base + 1",
        "begin = match.end() + base",
    ),
    "the context before a candidate is cut short": Bug(
        PatternScan, "needed", " - self._set.context", ""
    ),
    "the character before a candidate is forgotten": Bug(
        Automaton, "build", "signature & self._behind", "0"
    ),
    "the end of the text decides nothing": Bug(
        Automaton, "at_end", "and thread.item.ends", "and not thread.item.ends"
    ),
    "a word may begin inside another": Bug(WordIndex, "_grown", "not shape.joined", "True"),
    "a word may end inside another": Bug(WordIndex, "build", "() if joins else tuple(", "tuple("),
    "a longer word is forgotten once a shorter one is complete": Bug(
        WordIndex,
        "_grown",
        "if self._grows(suffix, starts[begin]):",
        "if word not in found and self._grows(suffix, starts[begin]):",
    ),
    "touching regions are merged": Bug(
        Regions, "_region", "self.spans[size].start < end", "self.spans[size].start <= end"
    ),
    "a region is released one character early": Bug(
        Regions, "release", "end > hold", "end > hold + 1"
    ),
    "the overflow comes one character late": Bug(
        Redact, "_feed_carefully", "self._max_holdback + 1", "self._max_holdback + 2"
    ),
    "findings stand in the order of their rules": Bug(
        Redact,
        "_concluded",
        "(match.start, match.end, match.rule)",
        "(match.rule, match.start, match.end)",
    ),
    "the first rule ends the stream, not the most severe": Bug(
        Redact, "_rank", "return -SEVERITIES.index(self._rules[rule].severity), rule", "return rule"
    ),
    "a search that stops early leaves the others ahead": Bug(
        Redact, "_run", "earlier.rewind()", "pass"
    ),
}


def sow(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the wrong line in the right one's place."""
    function: Any = getattr(bug.owner, bug.function)
    source = textwrap.dedent(inspect.getsource(function))
    assert bug.right in source, f"{bug.owner.__name__}.{bug.function} has changed: seed anew"
    found: dict[str, Any] = {}
    exec(source.replace(bug.right, bug.wrong), function.__globals__, found)
    monkeypatch.setattr(bug.owner, bug.function, found[bug.function])


def differences() -> Iterator[str]:
    """What the comparison finds among the first cases."""
    for seed in range(ENOUGH):
        random = Random(seed)
        problem = difference(draw_case(random), random)
        if problem is not None:
            yield f"seed {seed}: {problem}"


def test_the_sound_engine_shows_no_difference() -> None:
    found = hunt(range(300))
    assert not found, told(found)


@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sow(BUGS[name], monkeypatch)
    assert list(islice(differences(), 1)), f"not found in {ENOUGH} cases"
