"""Bugs that are put into the engine, and what they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeAlias

from guardstream.scan.match import Match
from guardstream.scan.regex import analysis, stepper
from guardstream.scan.regex.ast import Alt
from guardstream.scan.regex.dfa import _Step
from guardstream.scan.regex.machine import Machine
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.places import Condition
from guardstream.scan.regex.scan import PatternScan
from guardstream.scan.regex.stepper import Stepper
from guardstream.scan.words import aho_corasick as words
from guardstream.scan.words.aho_corasick import WordIndex
from guardstream.scan.words.scan import WordScan
from guardstream.scan.words.stepper import WordStepper
from guardstream.stages.exceptions import After
from guardstream.stages.redact import Redact
from guardstream.stages.redact.regions import Regions
from tests.support.generate import EVERY, draw_behind, draw_case, draw_rounds
from tests.support.harness import difference

ENOUGH = 2_000


Sound: TypeAlias = Callable[..., Any]


Bug: TypeAlias = tuple[Any, str, Callable[[Sound], Sound]]


"""An owner, the name of its function, and what makes a wrong function of the right one."""


def instead(wrong: Sound) -> Callable[[Sound], Sound]:
    """Do something else."""
    return lambda _: wrong


def changed(change: Callable[[Any], Any]) -> Callable[[Sound], Sound]:
    """Change what the function returns."""
    return lambda right: lambda *given: change(right(*given))


def one_later(right: Sound) -> Sound:
    """Say of a hold-back that it begins one character later, but not behind the text."""
    return lambda scan: min(right(scan) + 1, scan.offset)


def further(right: Sound) -> Sound:
    """Release one character too many."""
    return lambda regions, hold: right(regions, min(hold + 1, regions.written + len(regions.tail)))


def one_short(matches: list[Match]) -> list[Match]:
    return [m._replace(end=max(m.end - 1, m.start + 1)) for m in matches]


def without_beginning_while_busy(right: Sound) -> Sound:
    """A step that begins nothing while something lives."""
    return lambda self, ways: None if self.threads else right(self, ways)


def forgetting_behind(right: Sound) -> Sound:
    """A program that does not say what it asks of the last character."""

    def begin(self: Program, *given: Any) -> None:
        right(self, *given)
        self.behind = 0

    return begin


def without_looking_back(right: Sound) -> Sound:
    """Signatures without what lookbehinds tell."""

    def read(self: Machine, *given: Any) -> Iterator[int]:
        bits = sum(automaton.program.tells for automaton in self.automata)
        return (signature & ~bits for signature in right(self, *given))

    return read


def roomier(right: Sound) -> Sound:
    def begin(self: Redact, *given: Any) -> None:
        right(self, *given)
        self._max_holdback += 1

    return begin


def greedy(right: Sound) -> Sound:
    """Compile a lazy repeat like a greedy one."""
    return lambda self, inside, skipped, _lazy: right(self, inside, skipped, False)


BUGS: dict[str, Bug] = {
    "a start is dropped while another candidate lives": (
        _Step, "begin", without_beginning_while_busy
    ),
    "the character before a candidate is forgotten": (Program, "__init__", forgetting_behind),
    "what must not stand beside a match may": (
        Condition, "holds", instead(lambda self, s: s & self.needs == self.needs)
    ),
    "a lazy repeat is greedy": (Program, "_optional", greedy),
    "of a choice that is written out late the last way is missed": (
        Program, "_unwritten_choice",
        lambda right: lambda self, node, after: right(self, Alt(node.items[:-1]), after)
    ),
    "a match settles although an older candidate lives": (
        Stepper, "began", instead(lambda steps, _pattern: steps.offset + 1)
    ),
    "a match that waits holds no text": (
        stepper, "accepted", changed(lambda match: match._replace(written=True))
    ),
    "the context before a candidate is cut short": (
        PatternScan, "needed", instead(lambda scan: scan.offset)
    ),
    "the end of the text decides nothing": (
        PatternScan, "finish", instead(lambda scan, window: scan.stop(window))
    ),
    "a pattern's text is held one character too short": (PatternScan, "hold", one_later),
    "a pattern's match ends one character early": (PatternScan, "settle", changed(one_short)),
    "a word's text is held one character too short": (WordScan, "hold", one_later),
    "of words that end together one is found": (WordScan, "settle", changed(lambda m: m[:1])),
    "a word at the end of the text is missed": (
        WordScan, "finish", instead(lambda _scan, _window: [])
    ),
    "of a large chunk a character is read twice": (
        Stepper, "_skim", changed(lambda read: max(read - 1, 0))
    ),
    "what stands before a match makes it no exception": (
        After, "match", instead(lambda _after, _before, _text, _seen: False)
    ),
    "a lookbehind of several patterns is forgotten on the way": (
        Machine, "read", lambda right: lambda self, kind, char, _awake: right(self, kind, char, ())
    ),
    "a search that goes on anew knows nothing of what several patterns look back at": (
        Machine, "read_for", without_looking_back
    ),
    "a search that stops early leaves the words ahead": (
        WordStepper, "unread", instead(lambda _: None)
    ),
    "words that are certain are told again": (WordStepper, "take", instead(lambda _: None)),
    "words that are certain are passed over": (WordStepper, "settled", instead(lambda _: [])),
    "digits end words": (words, "joins_words", instead(str.isalpha)),
    "a candidate that is dropped takes all others with it": (
        WordIndex, "without", instead(lambda index, _state, _age: index.start)
    ),
    "a span begins one character late": (
        Regions, "add", lambda right: lambda self, a, b, rule: right(self, min(a + 1, b), b, rule)
    ),
    "of rounds that may be empty, only the first way is followed": (
        analysis, "never_empty", changed(lambda n: n.items[0] if isinstance(n, Alt) else n)
    ),
    "a region is released one character early": (Regions, "release", further),
    "the first rule's replacement is written, not the most severe one's": (
        Regions, "foremost", instead(lambda _self, rules: min(rules))
    ),
    "the first rule ends the stream, not the most severe": (
        Redact, "_rank", instead(lambda _self, rule: rule)
    ),
    "the overflow comes one character late": (Redact, "__init__", roomier),
}  # fmt: skip


def differences(first: int | None = None) -> Iterator[str]:
    """What the comparison finds among the first cases, one of which may be tried before the
    others: cases are independent."""
    for seed in [*([] if first is None else [first]), *range(ENOUGH)]:
        for draw in (draw_case, draw_behind, draw_rounds)[: 1 if seed % EVERY else 3]:
            random = Random(seed)
            problem = difference(draw(random), random)
            if problem is not None:
                yield f"seed {seed}: {problem}"
