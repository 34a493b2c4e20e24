"""Matches that wait for an older candidate: none is lost, and none is looked at while it waits."""

from __future__ import annotations

from random import Random

import pytest

from guardstream.events import Finding
from guardstream.scan.regex.piles import OpenMatch, Pile, piled, put_on
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.effort import lines_executed

WAITING = {
    "masked": Rule("r", patterns=(r"x.*y|z",)),
    "reported": Rule("r", patterns=(r"x.*y|z",), action="monitor"),
    "checked": Rule("r", patterns=(r"x.*y|z",), allow_words=("q",)),
    "confirmed": Rule("r", patterns=(r"(x).*\1y|z",)),
    "a group": Rule("r", patterns=(r"(?|x.*(y)|(z))",), group=1),
    "a group of any tail": Rule("r", patterns=(r"(?|x.*(y)a*|(z)a*)",), group=1),
}
"""Each `z` on a line waits, since an `x` may still find its `y`."""


@pytest.mark.parametrize("rule", WAITING.values(), ids=WAITING)
def test_the_work_does_not_grow_with_the_matches_that_wait(rule: Rule) -> None:
    stage = RuleSet([rule], max_holdback=16).stage()
    stage.feed("x" + "z" * 64)

    def more() -> None:
        for _ in range(64):
            stage.feed("z")

    few = lines_executed(more)
    stage.feed("z" * 1_000)
    assert lines_executed(more) < 1.2 * few


@pytest.mark.parametrize("size", [1, 3, 400])
@pytest.mark.parametrize("kind", ["masked", "reported", "a group", "a group of any tail"])
def test_what_has_waited_is_found_once_the_older_candidate_has_ended(kind: str, size: int) -> None:
    stage, text = RuleSet([WAITING[kind]], max_holdback=16).stage(), "xz-zz" + "z-" * 150 + "\nz"
    events = [
        event for at in range(0, len(text), size) for event in stage.feed(text[at : at + size])
    ] + stage.finish()
    findings = [event for event in events if isinstance(event, Finding)]
    found = [finding.start for finding in findings if finding.kind == "match"]
    assert found == [at for at, character in enumerate(text) if character == "z"]


def match(start: int, written: bool = False) -> OpenMatch:
    return OpenMatch(0, start, start, start + 1, False, written)


@pytest.mark.parametrize("seed", range(20))
def test_a_pile_is_a_queue_that_leaves_those_before_it_as_they_were(seed: int) -> None:
    random = Random(seed)
    pile: Pile | None = None
    known: list[OpenMatch] = []
    before: list[tuple[Pile | None, list[OpenMatch]]] = []
    for number in range(200):
        before.append((pile, list(known)))
        choice = random.choice(("put", "put", "first", "last", "wrote", "again"))
        if choice == "put":
            made = match(number, random.random() < 0.2)
            pile, known = put_on(pile, made), [*known, made]
        elif choice == "again":
            pile = piled(known)
        elif pile is not None and choice == "first":
            pile, known = pile.without_first(), known[1:]
        elif pile is not None and choice == "last":
            pile, known = pile.without_last(), known[:-1]
        elif pile is not None:
            some = [each for each in pile.unwritten() if random.random() < 0.5]
            pile = pile.wrote(some)
            known = [each._replace(written=each.written or each in some) for each in known]
    for made_pile, matches in before:
        assert (made_pile is None) == (not matches)
        if made_pile is not None:
            assert made_pile.all() == matches
            assert (made_pile.first, made_pile.last) == (matches[0], matches[-1])
            assert made_pile.unwritten() == [each for each in matches if not each.written]
