"""A policy's inline tests, each run in every chunking that could matter.

A test runs with all rules of the policy, not only its own. `input` must become `output`, and its
rule must have a finding; `clean` must stay unchanged, and its rule must have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from guardstream.events import Event, Finding, joined, text_of
from guardstream.policy.build import CHANNELS, CompiledPolicy
from guardstream.policy.document import Mark
from guardstream.policy.model import CaseFile, ReplacementFile
from guardstream.policy.sources import PlacedRule
from guardstream.stages.redact import RuleSet

RANDOM_SPLITS = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one inline test: its place, the number of chunkings, and what was wrong."""

    rule: str
    number: int
    file: str
    mark: Mark
    runs: int
    problem: str = ""


def run(built: CompiledPolicy, *, inherited: bool = False) -> Iterator[Outcome]:
    """Run the tests of the policy's own file, or with `inherited` those of all rules."""
    for placed in built.placed:
        here = placed.origin_of("tests")
        if here.source is not built.source and not inherited:
            continue
        channel = (placed.rule.channels or CHANNELS)[0]
        for number, case in enumerate(placed.rule.tests):
            runs, problem = _run(built.rulesets[channel], placed, case)
            mark = here.mark("tests", number)
            yield Outcome(placed.rule.id, number + 1, here.source.name, mark, runs, problem)
    if built.input is not None:
        yield from run(built.input, inherited=inherited)


def untested(built: CompiledPolicy, *, inherited: bool = False) -> list[str]:
    """Return the ids of rules without a test of a match, or without a test of a text they leave
    alone."""
    found = [
        placed.rule.id
        for placed in built.placed
        if (inherited or placed.origin.source is built.source)
        and {case.clean is None for case in placed.rule.tests} != {True, False}
    ]
    return found + (untested(built.input, inherited=inherited) if built.input else [])


def _run(rules: RuleSet, placed: PlacedRule, case: CaseFile) -> tuple[int, str]:
    text = case.input if case.input is not None else case.clean or ""
    expected = case.output if case.output is not None else text
    whole = _played(rules, [text])
    problem = _problem(placed, case, expected, whole)
    runs = 1
    for chunks in _splits(text):
        if problem:
            break
        runs += 1
        if _played(rules, chunks) != whole:
            problem = f"a different result in the chunks {chunks}"
    return runs, problem


def _problem(placed: PlacedRule, case: CaseFile, expected: str, whole: list[Event]) -> str:
    text = text_of(whole)
    found = [each for each in whole if isinstance(each, Finding) and each.rule == placed.rule.id]
    if text != expected:
        why = _too_short(placed, found) or _others(placed, whole)
        return f"expected {expected!r}, got {text!r}{why}"
    if case.clean is not None and found:
        return f"expected no finding, got one at {found[0].start}–{found[0].end}"
    if case.clean is None and not found:
        return "the rule finds nothing"
    return ""


def _too_short(placed: PlacedRule, found: list[Finding]) -> str:
    """Return a note if `keep` shows nothing of a match."""
    made = placed.rule.replacement
    keep = made.keep if isinstance(made, ReplacementFile) else None
    if keep is None:
        return ""
    most = 2 * (keep.first + keep.last)
    if not any(each.end - each.start <= most for each in found):
        return ""
    return f"; 'keep' shows ends only of matches of more than {most} characters"


def _others(placed: PlacedRule, whole: list[Event]) -> str:
    """Name the other rules with findings: where they overlap, the most severe one's mask is
    shown."""
    ids = [each.rule for each in whole if isinstance(each, Finding) and each.rule != placed.rule.id]
    if not ids:
        return ""
    named = ", ".join(map(repr, dict.fromkeys(ids)))
    return f"; found by {named}, too: where rules overlap, the more severe and then the first wins"


def _splits(text: str) -> Iterator[Sequence[str]]:
    """Yield every split in two, single characters, and some random splits."""
    for place in range(1, len(text)):
        yield text[:place], text[place:]
    yield list(text)
    random = Random(text)
    for _ in range(RANDOM_SPLITS):
        places = sorted(random.sample(range(len(text)), min(len(text) // 3, 12)))
        yield [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def _played(rules: RuleSet, chunks: Sequence[str]) -> list[Event]:
    """Return the events of a text in chunks, with adjacent texts joined."""
    stage = rules.stage()
    return joined([*(e for chunk in chunks for e in stage.feed(chunk)), *stage.finish()])
