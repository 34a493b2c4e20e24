"""Shows how a pattern is searched: a row for each character, or its NFA as a picture.

For people who write patterns and for the tests of the search; `guardstream debug` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, cast

from guardstream.scan.match import Match, Window
from guardstream.scan.regex.closure import Entry
from guardstream.scan.regex.dfa import State
from guardstream.scan.regex.forms import PYTHON
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.pattern import compile_pattern
from guardstream.scan.regex.pattern_set import PatternSet
from guardstream.scan.regex.places import Condition, Kind
from guardstream.scan.regex.scan import searches_of
from guardstream.scan.regex.stepper import Stepper

_CODE = re.compile(r"\\U([0-9a-f]{8})")


class Row(NamedTuple):
    """What is known after a character: the threads in order of preference, each with where its
    match began and what may follow; how many characters are held; the matches accepted that older
    or preferred threads may still undo; and the matches that have become certain."""

    offset: int
    character: str
    threads: tuple[str, ...]
    held: int
    accepts: tuple[tuple[int, int], ...]
    matches: tuple[tuple[int, int], ...]


FAILS = "the pattern fails: it takes too many threads, or steps to confirm a match"


def rows(pattern: str, text: str, group: str | int | None = None) -> Iterator[Row]:
    """A row for each character of the text, and one for its end. Where the pattern fails, the row
    says so and is the last. Raises PatternError."""
    compiled = compile_pattern(pattern, group=group)
    patterns = PatternSet([compiled], window=len(text), form=PYTHON)
    program = patterns.automata[0].program
    [begin] = searches_of(patterns)
    scan, window = begin(), Window()
    steps = cast("Stepper", scan.steps)
    window.text = text
    for offset, character in enumerate(text):
        steps.run(text, offset, offset + 1)
        found = scan.settle(window)
        if any(match.failed for match in found):
            yield Row(offset, character, (FAILS,), 0, (), ())
            return
        run = steps.state(0)
        threads = () if run is None else tuple(_threads(*run, offset + 1, program))
        held = offset + 1 - scan.hold()
        accepts = tuple((match.start, match.end) for match in steps.open_matches(0))
        yield Row(offset, character, threads, held, accepts, _spans(found))
    yield Row(len(text), "", (), 0, (), _spans(scan.finish(window)))


def _spans(matches: list[Match]) -> tuple[tuple[int, int], ...]:
    return tuple((match.start, match.end) for match in matches)


def _threads(
    state: State, registers: tuple[int, ...], offset: int, program: Program
) -> Iterator[str]:
    items = state.context.contexts.items
    for (item, *_), (start, opened) in zip(
        state.threads, state.began(registers, offset), strict=True
    ):
        group = f" ({opened}" if opened <= offset and program.group else ""
        follow = " | ".join(_expected(entry, program) for entry in items.entries[item])
        waits = " with a lookahead" if items.keys[item][2] else ""
        yield f"{start}{group}: {follow}{waits}"


def _expected(entry: Entry, program: Program) -> str:
    place, needs, bars, opens, _ = entry
    if program.places.kinds[place] is Kind.MATCH:
        return f"match before {conditions(Condition(needs, bars), program)}"
    taken = program.places.conditions[place]
    shown = readable(program.set_of(taken))
    beyond = Condition(needs & ~taken.needs, bars)
    if beyond != Condition():
        shown += f" as {conditions(beyond, program)}"
    return f"({shown}" if opens else shown


def conditions(condition: Condition, program: Program) -> str:
    """What a neighbour must be, in words."""
    names = program.sets.names()
    needs = [name for bit, name in names.items() if condition.needs & bit]
    bars = [f"not {name}" for bit, name in names.items() if condition.bars & bit]
    return " and ".join(readable(name) for name in needs + bars) or "anything"


def readable(fragment: str) -> str:
    """A set of characters as a reader would write it."""
    return _CODE.sub(lambda code: repr(chr(int(code[1], 16)))[1:-1], fragment)


# The NFA as a picture


def dot(pattern: str, group: str | int | None = None) -> str:
    """The pattern's NFA in the language of Graphviz. Raises PatternError."""
    patterns = PatternSet([compile_pattern(pattern, group=group)], window=1, form=PYTHON)
    program = patterns.automata[0].program
    places = program.places
    numbers = {program.first: 0}
    pending, lines = [program.first], ["digraph pattern {", "  rankdir=LR;"]
    while pending:
        place = pending.pop(0)
        lines.append(f"  {numbers[place]} [{_looks(place, program)}];")
        unwritten = places.unwritten.get(place)
        after = [unwritten.after] if unwritten else list(places.following(place))
        aside = places.aside.get(place)
        for rank, follower in enumerate(after if aside is None else (*after, aside)):
            if follower not in numbers:
                numbers[follower] = len(numbers)
                pending.append(follower)
            style = ' [style=dashed, label="looks"]' if follower == aside else ""
            label = f' [label="{rank + 1}"]' if len(after) > 1 and not style else ""
            lines.append(f"  {numbers[place]} -> {numbers[follower]}{style or label};")
    return "\n".join([*lines, "}"])


def _looks(place: int, program: Program) -> str:
    places = program.places
    kind, condition = places.kinds[place], places.conditions[place]
    match kind:
        case Kind.MATCH:
            return 'shape=doublecircle, label="match"'
        case Kind.CHAR:
            text = readable(program.set_of(condition))
        case Kind.AHEAD | Kind.BEHIND:
            side = "before" if kind is Kind.AHEAD else "after"
            text = f"{side} {conditions(condition, program)}"
        case Kind.OPEN:
            text = "group"
        case Kind.LOOK:
            text = "unless" if place in places.negated else "if"
        case _:
            text = "written out late" if place in places.unwritten else ""
            return f'shape=point, xlabel="{text}"' if text else "shape=point"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'shape=box, label="{escaped}"'
