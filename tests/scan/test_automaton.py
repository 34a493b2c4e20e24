"""The parts of the search, each by itself: trees, closures, transitions, registers."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from guardstream.scan.regex.alphabet import END, START, CharSets
from guardstream.scan.regex.analysis import never_empty, reading_rounds
from guardstream.scan.regex.ast import Alt, Atomic, Cat, Char, Group, Look, Node, Reference, Repeat
from guardstream.scan.regex.closure import Items
from guardstream.scan.regex.dfa import Automaton, Caches, State
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.parser import parse
from guardstream.scan.regex.places import Condition, Kind
from guardstream.scan.regex.registers import (
    AFTER,
    FIXED,
    HERE,
    NOWHERE,
    Accept,
    Advanced,
    Least,
    Live,
    back,
    live,
    renumbered,
    resolve,
)
from guardstream.scan.regex.rewrite import without_lead, without_references

A, B = Char("a"), Char("b")


class Step(NamedTuple):
    """A transition with names."""

    target: State
    moves: tuple[Least, ...] | None
    accepts: tuple[Accept, ...]


def program(pattern: str, group: int = 0) -> tuple[Program, CharSets]:
    """A pattern's NFA, and the sets it is made of."""
    sets = CharSets()
    return Program(without_references(parse(pattern).tree), sets, group), sets


def automaton(pattern: str, *, cuts: bool = True, group: int = 0) -> Automaton:
    """A pattern's automaton."""
    return Automaton(program(pattern, group)[0], Caches(), cuts=cuts)


def followed(made: Automaton, text: str) -> list[Step]:
    """The transitions over a text, from its start."""
    state, steps = made.idle(START), []
    for character in text:
        steps.append(Step(*state.on(made.program.sets.signature(character))[:3]))
        state = steps[-1].target
    return steps


# Trees


@pytest.mark.parametrize(
    ("pattern", "tree"),
    [
        ("ab", Cat((A, B))),
        ("a|b", Alt((A, B))),
        ("a{2,3}?", Repeat(A, 2, 3, True)),
        ("(a)", Group(A, 1)),
        ("a++", Atomic(Repeat(A, 1, None, False))),
        ("(?>a|b)", Atomic(Alt((A, B)))),
        ("(?<!a)b", Cat((Look(A, False, True), B))),
        (r"(a)\1", Cat((Group(A, 1), Reference(1, False)))),
        (r"(?i)(a)\1", Cat((Group(Char("(?i:a)"), 1), Reference(1, True)))),
        ("(?a)a", Char("(?a)(?a:a)")),
        ("-", Char(r"\U0000002d")),
    ],
)
def test_a_pattern_is_parsed_to_a_tree(pattern: str, tree: Node) -> None:
    assert parse(pattern).tree == tree


def test_a_reference_to_few_texts_becomes_a_choice() -> None:
    first, second = Cat((A,)), Cat((B,))
    ways = tuple(Cat((Group(text, 1), text)) for text in (first, second))
    assert without_references(parse(r"(a|b)\1").tree) == Cat((Alt(ways),))
    unbounded = parse(r"(a+)\1").tree
    assert without_references(unbounded) == unbounded


def test_a_lazy_beginning_outside_the_group_is_dropped() -> None:
    tree = without_lead(parse("[ab]{0,50}?a(b)").tree, 1)
    assert tree == Cat((Cat(()), A, Group(B, 1)))
    assert without_lead(parse("([ab]{0,50}?a)").tree, 1) == parse("([ab]{0,50}?a)").tree


@pytest.mark.parametrize(
    ("pattern", "otherwise"),
    [
        ("a?", "a"),
        ("a?b*", "ab*|b+"),
        ("(?:a?){2,5}", "a{1,5}"),
        ("a|b?", "a|b"),
        ("b?|a", None),
        ("a?b*?", None),
        (r"a?\b", None),
        ("a?(?=b)", None),
        ("a?" * 9, None),
    ],
)
def test_what_may_be_empty_is_told_without_that(pattern: str, otherwise: str | None) -> None:
    found = never_empty(parse(pattern).tree)
    assert found == (otherwise and parse(otherwise).tree)


@pytest.mark.parametrize(
    ("pattern", "otherwise"),
    [
        ("(?:a?){2,5}", "a{0,5}"),
        ("(?:a?b?){2,}", "(?:ab?|b)*"),
        ("(?:a?){2,5}?", "a{0,2}a{0,3}?"),
        ("(?:a?){1,5}", None),
        ("a{2,5}", None),
        ("(?:a??){2,5}", None),
        ("(?:(a)?){2,5}", None),
    ],
)
def test_required_rounds_that_may_be_empty_are_optional_ones_that_read(
    pattern: str, otherwise: str | None
) -> None:
    counter = parse(pattern).tree
    assert isinstance(counter, Repeat)
    assert reading_rounds(counter, (1,)) == (otherwise and parse(otherwise).tree)


# Closures


@pytest.mark.parametrize("times", [10, 1_000])
def test_required_rounds_that_may_be_empty_do_not_lead_to_each_other(times: int) -> None:
    made, sets = program(f"x(?:a?b?){{{times}}}c")
    items = Items(made, cuts=True)
    [(item, *_)], _ = items.advance(items.at(made.first, START), sets.signature("x"))
    assert len(items.entries[item]) == 3


def test_a_closure_stands_in_order_of_preference() -> None:
    made, sets = program("(?:a|b)?c")
    items = Items(made, cuts=True)
    entries = items.entries[items.at(made.first, START)]
    bits = [sets.bit(name) for name in "abc"]
    assert [Condition(*entry[1:3]) for entry in entries] == [Condition(bit) for bit in bits]


def test_a_match_cuts_what_is_less_preferred() -> None:
    made, _ = program("a(?:|b)")
    for cuts, alive in ((True, False), (False, True)):
        items = Items(made, cuts=cuts)
        [(item, _, _)], _ = items.advance(items.at(made.first, START), made.sets.signature("a"))
        assert (items.accepts[item], items.alive[item]) == (True, alive)


def test_an_assertion_about_the_end_is_a_condition() -> None:
    made, _ = program("a$")
    items = Items(made, cuts=True)
    [(item, _, _)], _ = items.advance(items.at(made.first, START), made.sets.signature("a"))
    [entry] = items.entries[item]
    assert (made.places.kinds[entry[0]], Condition(*entry[1:3])) == (Kind.MATCH, Condition(END))
    assert items.ends[item]
    assert not items.accepts[item]


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("(?:(?!ab)b?|y){9}c", 1), ("(?:a?+(?>b|)){9}c", 2), ("(?!ab)y?(?!ab)c", 1)],
)
def test_a_lookahead_that_is_written_out_often_is_one_obligation(pattern: str, count: int) -> None:
    made, _ = program(pattern)
    items = Items(made, cuts=True)
    entries = items.entries[items.at(made.first, START)]
    asked = {obligation for entry in entries for obligation in entry[4]}
    assert len(asked) == count


def test_a_long_lookahead_is_an_obligation() -> None:
    made, sets = program("a(?!bc)")
    items = Items(made, cuts=True)
    [(item, _, _)], _ = items.advance(items.at(made.first, START), sets.signature("a"))
    [(pending, _, ends)], _ = items.advance(item, sets.signature("b"))
    _, _, obligations = items.keys[pending]
    assert (ends, len(obligations)) == (True, 1)
    assert items.advance(pending, sets.signature("c")) == ((), False)
    assert items.advance(pending, sets.signature("d")) == ((), True)


# Transitions


def test_a_fixed_distance_needs_no_register() -> None:
    steps = followed(automaton("abc"), "ab")
    [thread] = steps[-1].target.threads
    assert thread[1:] == (FIXED, NOWHERE, NOWHERE)
    assert steps[-1].moves is None
    assert steps[-1].target.starts == Live(2, ())


def test_a_repetition_gets_a_register() -> None:
    first, second = followed(automaton("a+b"), "aa")
    assert first.moves == ((HERE,),)
    assert second.moves is None
    assert second.target.starts == Live(-1, (0,))


def test_an_accept_cuts_threads_and_beginnings() -> None:
    [step] = followed(automaton("a|ab"), "a")
    assert step.accepts == (Accept(HERE, (HERE,), AFTER, late=False),)
    assert step.target.idle
    [merged] = followed(automaton("a|ab", cuts=False), "a")
    assert merged.accepts == step.accepts
    assert len(merged.target.threads) == 1


def test_of_two_threads_that_meet_the_older_stays() -> None:
    step = followed(automaton("[ab]+c"), "ab")[-1]
    assert len(step.target.threads) == 1
    assert step.moves is None


def test_a_lookbehind_runs_beside_the_text() -> None:
    made = automaton("(?<=ab)c")
    steps = followed(made, "abc")
    assert [step.target.threads for step in steps] == [(), (), ()]
    assert [step.target.idle for step in steps] == [False, False, True]
    assert len(steps[-1].accepts) == 1


def test_a_state_tells_apart_only_what_it_asks() -> None:
    made = automaton("(?<![qr])a[bc]d")
    state = followed(made, "xa")[-1].target
    on = {letter: state.on(made.program.sets.signature(letter)) for letter in "xdbq"}
    assert len(state) == 3
    assert on["x"] is on["d"]
    assert on["x"] is not on["b"]
    assert on["x"] is not on["q"]
    assert all(step.target.idle for step in followed(made, "xbdq"))


def test_a_flush_leaves_streams_where_they_are() -> None:
    made = automaton("abc")
    state = followed(made, "ab")[-1].target
    made.flush()
    step = Step(*state.on(made.program.sets.signature("c"))[:3])
    assert len(step.accepts) == 1
    assert step.target.generation == made.generation


# Registers


def test_a_source_is_a_register_or_counts_from_the_character() -> None:
    assert [resolve(source, (7, 8), 20) for source in (0, 1, AFTER, HERE, back(3))] == [
        7,
        8,
        21,
        20,
        17,
    ]


def test_registers_that_stay_keep_their_order() -> None:
    made, _ = program("a+b+c+")
    items = Items(made, cuts=True)
    item = items.at(made.pending, 0)
    advanced = [Advanced(item, 1, None, None), Advanced(item, HERE, None, None)]
    threads, moves = renumbered(advanced, items)
    assert [start for _, start, _, _ in threads] == [0, 1]
    assert moves == ((1,), (HERE,))


def test_the_oldest_is_the_least_of_registers_and_distances() -> None:
    assert live([(FIXED, 3), (FIXED, 1), (2, 0), (0, 0), (NOWHERE, 0)]) == Live(3, (0, 2))
    assert Live(3, (0, 2)).oldest((9, 0, 5), 10) == 5
    assert Live(6, (0,)).oldest((9,), 10) == 4


def test_what_a_long_lookbehind_has_come_to_is_weighed() -> None:
    made = automaton("(?<=a.{1,800}b)x")
    text = "".join(Random(0).choices("ab", k=400))
    reached = [len(items) for step in followed(made, text) for items in step.target.context.sides]
    assert made.caches.weight > sum(reached) // 2
