"""Where few ways are counted, a matcher that backtracks takes few steps."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
import regex

from guardstream.errors import PatternError
from guardstream.scan.regex.ast import Alt, Assert, Atomic, Cat, Char, Group, Look, Node, Repeat
from guardstream.scan.regex.backtracking import is_linear
from guardstream.scan.regex.parser import parse
from guardstream.scan.regex.rewrite import walk
from tests.support.generate import Drawer


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-z]+=[0-9]*", r"(?:/[a-z]{1,30}){2,8}/[^/]*", r"[\w.-]{0,60}[a-z](?:Key|Token)s?",
        r".*EXAMPLE(?:KEY)?", r"(?:a|b|[0-9])*c", r"(?i)(?:my_|your).*", r"(?:ab?){1,9}c",
        r"[A-Z]{2}(?!AB)[0-9]{1,9}", r"(?:[a-z]+\.){1,9}[0-9]", r"x{3}x{3}", r"(?>a|b)*c", "",
        r"(?:x|xy)[xy]{0,6}[xyz]*a", r"(?!.{0,20}a)b{1,9}",
    ],
)  # fmt: skip
def test_few_choices_are_left(pattern: str) -> None:
    assert is_linear(parse(pattern).tree)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:a|a){1,40}b", r"(?:a|ab?){1,20}c", r"\w+\w+=", r".*a.*", r"(?:a+)+b", r"(?:a?){30}b",
        r"(?:a|b|[0-9]+)*c",
        r"(?:[a-z]+\.?){1,9}=", r"(a)\1", r"(?:a(?=a*b))*c", r"(?:\w+é?)*=", r".*x.{0,99}y",
        r"(?:é|\w){1,20}=", r"(?i)(?:ſ|s){1,20}=", r"(?:a?|b?){1,30}c", r"(?:[^a]|b){1,20}a",
        r"x{0,99}(?:(x)|y)*z", r"(?:a{0,9}[ab]*c){1,2}", r"(?:x|xy?){0,4}[^z]*z",
    ],
)  # fmt: skip
def test_many_choices_are_left(pattern: str) -> None:
    assert not is_linear(parse(pattern).tree)


class Backtracker:
    """Matches a whole text without any cleverness, and counts its steps."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

    def match(self, node: Node, at: int, goes_on: Callable[[int], bool]) -> bool:
        self.steps += 1
        match node:
            case Char(fragment):
                here = self.text[at : at + 1]
                return bool(here and regex.match(fragment, here)) and goes_on(at + 1)
            case Cat(()):
                return goes_on(at)
            case Cat((first, *others)):
                rest = Cat(tuple(others))
                return self.match(first, at, lambda end: self.match(rest, end, goes_on))
            case Alt(items):
                return sum(self.match(item, at, goes_on) for item in items) > 0
            case Repeat(item, low, high):
                return self._rounds(item, low, high, at, goes_on)
            case Group(item) | Atomic(item):
                return self.match(item, at, goes_on)
            case Look() | Assert():
                return goes_on(at)
        raise AssertionError(node)

    def _rounds(
        self, item: Node, low: int, high: int | None, at: int, goes_on: Callable[[int], bool]
    ) -> bool:
        found = low <= 0 and goes_on(at)
        if high is None or high > 0:
            left = None if high is None else high - 1
            found |= self.match(
                item, at, lambda end: end > at and self._rounds(item, low - 1, left, end, goes_on)
            )
        return found


def test_where_few_choices_are_left_all_ways_together_take_few_steps() -> None:
    tried = 0
    for seed in range(3_000):
        drawer = Drawer(random := Random(seed))
        drawn = drawer.tree()
        try:
            tree = parse(drawn.text).tree
        except PatternError:
            continue
        if not is_linear(tree) or any(isinstance(part, Look) for part in walk(tree)):
            continue
        near = drawer.text([drawer.sample(drawn.root)], 12)
        for text in (near, near * 2, *(random.choice(near or "a") * 20 for _ in range(2))):
            trial = Backtracker(text)
            trial.match(tree, 0, len(text).__eq__)
            size = sum(1 for _ in walk(tree))
            assert trial.steps <= 300 * size * (len(text) + 1), drawn.text
            tried += 1
    assert tried > 2_000
