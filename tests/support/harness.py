"""Compares the engine with the reference on one case, in several chunkings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import chain
from random import Random
from unittest.mock import patch

from guardstream.cli.debug import table
from guardstream.errors import PatternError
from guardstream.events import Event, Finding, Finish
from guardstream.scan.regex import dfa as automaton
from guardstream.scan.regex import forms, machine, nfa, stepper
from guardstream.scan.words import aho_corasick as words
from guardstream.stages.redact import RuleSet, searches, stage

from .chunking import joined, one_by_one, play, random_split
from .generate import ROOMY, Case, Composition, draw_case
from .reference import Judged, TooLongError, check_whole, has_match

Chunkings = tuple[list[str], ...]

FORM = forms.PYTHON
"""The Python form as users have it, taken before any fixture changes it."""


def rule_set(case: Case) -> RuleSet:
    """The engine for a case."""
    return RuleSet(case.rules, max_holdback=case.max_holdback, on_overflow=case.on_overflow)


@contextmanager
def forgetful() -> Iterator[None]:
    """Treat short texts like long ones: flush caches and drop old text all the time."""
    with (
        patch.object(stage, "MAX_SPARE", 0),
        patch.object(searches, "MAX_COUNTED", 0),
        patch.object(automaton, "MAX_WEIGHT", 60),
        patch.object(machine, "MAX_WAKES", 3),
        patch.object(words, "MAX_TRANSITIONS", 7),
    ):
        yield


@contextmanager
def postponing() -> Iterator[None]:
    """Treat small patterns like large ones: write out each part only when the text reaches it."""
    with patch.multiple(nfa, WRITTEN_OUT=0, LARGE=0, LARGE_CHOICE=0):
        yield


def difference(
    case: Case,
    random: Random,
    composition: Composition | None = None,
    natives: Iterable[bool] = (),
) -> str | None:
    """How the engine breaks the contract in some chunking; None if it keeps it.

    The case runs once for each of `natives`, true for the C extension; by default as set now. In
    Python, about half of the cases search their few patterns separately, as large sets do, and
    only about one in 25 reads the text that warms up a load, which takes the most time. A case
    is skipped if `regex` itself cannot search its patterns in time.
    """
    with suppress(TooLongError):
        judged = case.judged() if case.has_trees else None
        if composition is not None:
            composition.add(case, judged)
        return _difference_in_forms(case, random, judged, natives)
    return None


def _difference_in_forms(
    case: Case, random: Random, judged: Judged | None, natives: Iterable[bool]
) -> str | None:
    chunkings = one_by_one(case.text), random_split(case.text, random)
    for native in natives or [forms.NATIVE]:
        python = FORM._replace(few=0) if len(case.text) % 2 else FORM
        python = python._replace(warm="") if len(case.text) % 16 else python
        with patch.object(forms, "NATIVE", native), patch.object(forms, "PYTHON", python):
            problem = _told_difference(case, judged, chunkings)
        if problem is not None:
            return problem
    return None


def _told_difference(case: Case, judged: Judged | None, chunkings: Chunkings) -> str | None:
    large = len(case.text) % 3 == 0
    try:
        with postponing() if large else nullcontext():
            return _difference(case, judged, chunkings)
    except TooLongError:
        raise
    except PatternError as error:
        return f"refused at load: {error}"
    except AssertionError as error:
        return f"broken law: {error}"
    except Exception as error:
        return f"raised {error!r}"


def _difference(case: Case, judged: Judged | None, chunkings: Chunkings) -> str | None:
    rules = rule_set(case)
    limit = case.max_holdback
    with patch.object(stepper, "PIECE", 2):
        whole = play(rules.stage(), [case.text], limit)
    for chunks in chunkings:
        with forgetful():
            got = play(rules.stage(), chunks, limit)
        if got != whole:
            return _report(f"fed {chunks}", whole, got)
    if judged is not None and case.is_exact and not case.has_dead_ends:
        return None if whole == judged.events else _report("events", judged.events, whole)
    if case.is_plain:
        return _whole_text_difference(case, whole)
    return _finish_difference(case, judged, whole)


def _whole_text_difference(case: Case, got: list[Event]) -> str | None:
    text, findings = check_whole(case.rules, case.text)
    if joined(got) != text:
        return _report("text", text, joined(got))
    found = [event for event in got if isinstance(event, Finding)]
    if Counter(found) != Counter(findings):
        return _report("findings", findings, found)
    return None


def _finish_difference(case: Case, judged: Judged | None, got: list[Event]) -> str | None:
    if any(isinstance(event, Finding) and event.kind == "overflow" for event in got):
        return None
    actions = {rule.action for rule in case.rules if has_match(rule, case.text)}
    if judged is not None and len(actions & {"block", "stop"}) < 2 and not _overflows(judged):
        return None if got[-1] == judged.events[-1] else _report("finish", judged.events, got)
    if judged is None and case.max_holdback == ROOMY and actions <= {"mask", "monitor", "block"}:
        blocks = isinstance(got[-1], Finish) and got[-1].reason == "content_filter"
        return None if blocks == ("block" in actions) else _report("block", actions, got)
    return None


def _overflows(judged: Judged) -> bool:
    return any(isinstance(e, Finding) and e.kind == "overflow" for e in judged.events)


def _report(what: str, expected: object, got: object) -> str:
    return f"{what}\n  expected {expected}\n  got      {got}"


def hunt(
    seeds: range,
    composition: Composition | None = None,
    most: int = 5,
    natives: Iterable[bool] = (),
    draw: Callable[[Random], Case] = draw_case,
) -> list[tuple[int, Case, str]]:
    """The first `most` differences among the cases of these seeds: seed, case, problem."""
    found: list[tuple[int, Case, str]] = []
    for seed in seeds:
        random = Random(seed)
        case = draw(random)
        problem = difference(case, random, composition, natives)
        if problem is not None:
            found.append((seed, case, problem))
            if len(found) == most:
                break
    return found


def told(found: list[tuple[int, Case, str]]) -> str:
    """Differences as a failing test prints them: each shrunk, and its patterns step by step."""
    return "\n\n".join(
        f"seed {seed}: {case}\n{problem}\n{steps(smaller(case))}" for seed, case, problem in found
    )


def smaller(case: Case, differs: Callable[[Case], bool] | None = None) -> Case:
    """The smallest case that still differs, found by removing one rule or character at a time."""
    still = differs or (lambda each: difference(each, Random(0)) is not None)
    while True:
        fewer = (
            _without_rule(case, at) for at in range(len(case.rules) if len(case.rules) > 1 else 0)
        )
        shorter = (
            replace(case, text=case.text[:at] + case.text[at + 1 :]) for at in range(len(case.text))
        )
        found = next((each for each in chain(fewer, shorter) if still(each)), None)
        if found is None:
            return case
        case = found


def _without_rule(case: Case, place: int) -> Case:
    return replace(case, rules=case.rules[:place] + case.rules[place + 1 :])


def steps(case: Case) -> str:
    """How each pattern of a case is searched in its text, as `guardstream debug` prints it."""
    patterns = [(pattern, rule.group) for rule in case.rules for pattern in rule.patterns]
    shown = [
        f"{pattern!r} in {case.text!r}\n{table(pattern, case.text, group)}"
        for pattern, group in patterns
    ]
    return "\n".join([f"shrunk: {case}", *shown])
