"""A rule's exceptions: patterns that an allowed match fits, and patterns for the text before one.

No text makes them take long. `regex` judges patterns that it matches in linear time, unless the
text is long. The automata and the matcher of the search judge the others. If these cannot follow a
pattern, `regex` judges it, provided that it has few choices; otherwise it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from hashlib import blake2b
from math import prod
from typing import Any, NamedTuple

import regex

from guardstream.errors import PatternError
from guardstream.scan.regex import forms
from guardstream.scan.regex.analysis import (
    check_lookbehind,
    is_untold,
    look_ahead,
    look_behind,
    max_width,
    may_be_empty,
    min_width,
)
from guardstream.scan.regex.ast import Alt, Assert, Atomic, Look, Node, Reference, Repeat
from guardstream.scan.regex.backtracking import is_linear
from guardstream.scan.regex.lookbehinds import read_forwards
from guardstream.scan.regex.matcher import Attempt, Matcher
from guardstream.scan.regex.nfa import is_larger
from guardstream.scan.regex.parser import FLAGS, MAX_SIZE, UNNAMED, is_plain, parse
from guardstream.scan.regex.pattern import written_out
from guardstream.scan.regex.rewrite import (
    backwards,
    captured,
    captures_of_group,
    inside,
    referred,
    walk,
    with_inside,
)
from guardstream.scan.regex.whole import TooMuchWorkError, WholeMatch
from guardstream.stages.rules import Rule, RuleError

HIDDEN = 64
"""How many unseen (zero-width) characters before a match a check reads past."""

STEPS_PER_CHARACTER = 100
"""How many steps judging may take for each character of a match, besides one for each step of the
pattern. Without back-references, no pattern needs more for long."""

WRITTEN_OUT = 2_000
"""A counter of up to so many steps is written out, so that all of them are paid for. A step of one
that is counted takes ten times as long."""

LONGEST = 4_096
"""The longest text that `regex` judges: it keeps a sorted list of the places where its ways have
failed, which takes quadratic time in the text's length."""

MAX_CHOICES = 8
"""How many choices a pattern that only `regex` can judge may have: each may double the time."""


class _Allowance:
    """The steps that judging a match may take."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def left(self) -> int:
        """See `Budget.left`."""
        return self._steps

    def pay(self, steps: int) -> None:
        """See `Budget.pay`; raises TooMuchWorkError."""
        self._steps -= steps
        if self._steps < 0:
            raise TooMuchWorkError


class _Exact:
    """A pattern that a matcher judges; it is compiled when a match is first judged."""

    __slots__ = ("_form", "_matcher", "_steps", "_tree")

    def __init__(self, tree: Callable[[], Node]) -> None:
        self._tree = tree
        self._form = forms.chosen().matcher
        self._matcher: Matcher | None = None
        self._steps = STEPS_PER_CHARACTER

    def match(self, text: str, start: int, end: int | None) -> bool:
        """Return whether there is a match from `start` on, which must end at `end` if given.

        Raises TooMuchWorkError.
        """
        matcher = self._matcher or self._compiled()
        attempt = Attempt(text, True, _Allowance(self._steps * (len(text) + 1)))
        return matcher.run(attempt, start, end) is not None

    def _compiled(self) -> Matcher:
        matcher = self._form(self._tree(), 0, WRITTEN_OUT)
        self._steps = STEPS_PER_CHARACTER + matcher.size()
        self._matcher = matcher
        return matcher


class _Fast:
    """Patterns that `regex` matches in linear time, compiled as one. An automaton judges long
    texts."""

    __slots__ = ("_joined", "_long", "_rule", "_whole")

    def __init__(self, rule: Rule, patterns: Mapping[str, int | None]) -> None:
        """`patterns` are given with their maximum widths."""
        self._rule = rule
        self._joined = regex.compile("|".join(map(_branch, patterns)), regex.V0)
        widths = patterns.items()
        self._long = [each for each, width in widths if width is None or width > LONGEST]
        self._whole: WholeMatch | None = None

    def match(self, text: str) -> bool:
        """Return whether one of them matches the whole text. Raises TooMuchWorkError."""
        if len(text) <= LONGEST:
            return self._joined.fullmatch(text) is not None
        if not self._long:
            return False
        if self._whole is None:
            self._whole = _together(self._rule, list(map(_followed, self._long)))
        return self._whole.match(text)


class Allowed:
    """The patterns of an allowlist. Those that `regex` matches in linear time are joined to one for
    it, the others to one automaton. The matcher judges those that an automaton would only
    approximate."""

    __slots__ = ("_exact", "_fast", "_regexes", "_whole")

    def __init__(self, rule: Rule) -> None:
        fast: dict[str, int | None] = {}
        together: list[Node] = []
        self._exact: list[_Exact] = []
        self._regexes: list[regex.Pattern[str]] = []
        for number, pattern in enumerate(rule.allow_patterns):
            try:
                tree = _followed(pattern)
            except PatternError as refused:
                self._regexes.append(_left_to_regex(rule, number, refused))
                continue
            if _is_fast(pattern, tree):
                fast[pattern] = max_width(tree)
            elif is_untold(tree):
                self._exact.append(_Exact(partial(_in_full, pattern)))
            else:
                together.append(tree)
        self._whole = _together(rule, together) if together else None
        self._fast = _Fast(rule, fast) if fast else None

    def match(self, text: str) -> bool:
        """Return whether one of the patterns matches the whole text. Raises TooMuchWorkError."""
        if self._fast and self._fast.match(text):
            return True
        for pattern in self._regexes:
            if pattern.fullmatch(text):
                return True
        if self._whole and self._whole.match(text):
            return True
        for exact in self._exact:  # noqa: SIM110 - each match is judged: no generator
            if exact.match(text, 0, len(text)):
                return True
        return False


def _together(rule: Rule, trees: Sequence[Node]) -> WholeMatch:
    try:
        return WholeMatch(Alt(tuple(trees)))
    except PatternError as error:
        raise RuleError(rule.id, f"in the allowed patterns together: {error}") from error


def _is_fast(pattern: str, tree: Node) -> bool:
    """Return whether `regex` reads a pattern as the search does, and matches it in linear time."""
    if not is_plain(pattern):
        return False
    # For `regex`, but not for the search, `$` also matches before a last line feed.
    ends = "$" in pattern and any(isinstance(part, Assert) for part in walk(tree))
    return not ends and is_linear(tree)


def _branch(pattern: str) -> str:
    """Return a plain pattern as an alternative of a larger one, anchored at the text's end."""
    flags = ""
    if found := FLAGS.match(pattern):
        flags, pattern = found[1], pattern[found.end() :]
    # Under `(?x)` it may end in a comment.
    end = "\n)" if "x" in flags else ")"
    return rf"(?{flags}:{pattern}{end}\Z"


def _followed(pattern: str) -> Node:
    """Return the tree of a pattern, to be read forwards; PatternError if it cannot be followed."""
    parsed = parse(pattern)
    tree = read_forwards(parsed.tree)
    looks = [part for part in walk(tree) if isinstance(part, Look) and not part.ahead]
    for look in looks:
        check_lookbehind(look)
    if parsed.referred and any(not parsed.referred.isdisjoint(captured(look)) for look in looks):
        # Only back-references can be refused, and writing them out takes long.
        written_out(tree, parsed.referred)
    return tree


def _in_full(pattern: str) -> Node:
    """Return the tree of a pattern that is to match a whole text."""
    parsed = parse(pattern)
    return written_out(read_forwards(parsed.tree), parsed.referred)


_SINGLE = regex.compile(
    r"\\X(?=[*+{])|\\[pPN]\{[^{}]*\}|\\[^0-9gkX]|\(\?(?![-+0-9R&]|P[>=])", regex.DOTALL
)
"""Parts of a pattern that are not choices: properties, escapes, the beginnings of groups except
recursion."""

_REPEAT = regex.compile(r"[*+]|\{[0-9]*,?[0-9]*\}|\\X")
"""Repeats, which may end at any place in the text."""

_UNKNOWN = regex.compile(r"\\[0-9gk]|\(\?|\{(?![0-9]*,?[0-9]*\})")
"""References, recursion and fuzzy matching: any number of choices."""


_COUNT = regex.compile(r"\{([1-9][0-9]{0,8})")


def _left_to_regex(rule: Rule, number: int, refused: PatternError) -> regex.Pattern[str]:
    """Return a pattern that only `regex` can judge; RuleError if it may take long, or if `regex`
    refuses it, too."""
    pattern, place = rule.allow_patterns[number], ("patterns", number)
    compiled = None
    try:
        if _size(pattern) <= MAX_SIZE:
            compiled = regex.compile(pattern, regex.V0)
    except regex.error as error:
        message = f"in an allowed pattern: {error.msg}"
        raise RuleError(rule.id, message, offset=error.pos, allowed=place) from error
    except (ValueError, LookupError, AttributeError, *UNNAMED) as error:
        # One reason is a contradiction of flags, such as (?V1); versions raise different errors.
        message = f"in an allowed pattern: {refused}"
        raise RuleError(rule.id, message, offset=refused.offset, allowed=place) from error
    if compiled is None or not _is_harmless(pattern):
        message = f"in an allowed pattern that may take long: {refused}"
        raise RuleError(rule.id, message, offset=refused.offset, allowed=place) from refused
    return compiled


def _size(pattern: str) -> int:
    """Return an upper bound of how many copies of a pattern's parts `regex` writes out: counters
    may nest."""
    return prod(map(int, _COUNT.findall(pattern)))


def _is_harmless(pattern: str) -> bool:
    """Return whether a pattern has so few choices that `regex` is fast: one repeat, or no repeats
    and at most MAX_CHOICES alternatives and optional parts."""
    left = _SINGLE.sub("", pattern)
    repeats, choices = len(_REPEAT.findall(left)), left.count("|") + left.count("?")
    few = choices <= MAX_CHOICES if not repeats else repeats + choices == 1
    return few and _UNKNOWN.search(left) is None


class After:
    """The patterns after which matches are left alone. They read up to `reach` characters, and past
    up to `hidden` unseen ones."""

    __slots__ = ("_patterns", "reach")

    def __init__(self, rule: Rule, hidden: int) -> None:
        made = [_preceding(rule, number) for number in range(len(rule.allow_after))]
        self._patterns = [each._replace(reach=each.reach + hidden) for each in made]
        self.reach = max(each.reach for each in self._patterns)

    def match(self, before: str, text: str, seen: Callable[[str], str]) -> bool:
        """Return whether one of the patterns matches at the end of `before`, which `text` follows.
        `seen` returns the part of a text that the rule sees. Raises TooMuchWorkError.

        Each pattern gets as many characters as it can read itself, whatever the others read. It
        does not match if too many of these are unseen.
        """
        for exact, reach, ahead in self._patterns:
            near = before[-reach:]
            shown = seen(near)
            if len(near) - len(shown) > HIDDEN:
                continue
            after = text[:ahead]
            if exact.match((shown + after)[::-1], len(after), None):
                return True
        return False


class Later:
    """Exceptions that were checked before: they are compiled when a match is first judged."""

    __slots__ = ("_made", "reach")

    def __init__(self, make: Callable[[], Allowed | After], reach: int = 0) -> None:
        self._made = cache(make)
        self.reach = reach

    def match(self, *given: Any) -> bool:
        """See `Allowed.match` and `After.match`."""
        return self._made().match(*given)


def checked_as(rule: Rule) -> str:
    """Tell a rule's exceptions from all others."""
    written = repr((rule.allow_patterns, rule.allow_after)).encode("utf-8", "surrogatepass")
    return blake2b(written, digest_size=12).hexdigest()


class _Preceding(NamedTuple):
    """A pattern for the text before a match, which is read from its end. It reads up to `reach`
    characters there, and up to `ahead` of the match; None is all of it."""

    exact: _Exact
    reach: int
    ahead: int | None


def _preceding(rule: Rule, number: int) -> _Preceding:
    """Return a pattern for the text before an allowed match; RuleError if it has no maximum length,
    or may match the empty string."""
    written = rule.allow_after[number]
    try:
        tree = parse(written).tree
        if may_be_empty(tree):
            message = "it can match the empty string, and would allow all; make a part mandatory"
            raise PatternError(message)
        width = max_width(tree)
        if width is None:
            message = r"it has no maximum length; give its repeats a bound, such as \s{1,8}"
            raise PatternError(message)
        reach, ahead = width + look_behind(tree) + 1, look_ahead(tree)
        from_the_end = read_forwards(backwards(tree))
    except PatternError as error:
        message = f"in an allowed pattern: {error}"
        place = "after", number
        raise RuleError(rule.id, message, offset=error.offset, allowed=place) from error
    exact = _Exact(lambda: from_the_end)
    return _Preceding(exact, reach, None if ahead is None else ahead + 1)


def may_take_long(pattern: str, *, stands_before: bool) -> bool:
    """Return whether judging a match may take more steps than its characters pay for, or follow too
    many ways. `stands_before`: it is a pattern after which matches are allowed."""
    try:
        tree = _in_full(pattern)
    except PatternError:
        return False
    if not stands_before and is_linear(tree):
        return False
    repeats = [part for part in walk(tree) if isinstance(part, Repeat) and part.high != 1]
    large = [each for each in repeats if is_larger(each, WRITTEN_OUT)]
    endless = [each for each in repeats if each.high is None and each not in large]
    if large and len(large) + len(endless) > 1:
        return True
    if any(min_width(each.item) != max_width(each.item) for each in large):
        return True
    if referred(tree):
        return not is_linear(_with_captures(tree))
    aside = (part for each in repeats for part in walk(each.item) if isinstance(part, _ASIDE))
    exact = stands_before or is_untold(tree)
    return exact and any(max_width(part.item) is None for part in aside)


_ASIDE = (Look, Atomic)
"""The nodes that the matcher tries separately, and again at each place."""


def _with_captures(tree: Node) -> Node:
    """Return the tree with each reference replaced by what its group may capture."""

    def put(node: Node) -> Node:
        if isinstance(node, Reference):
            return captures_of_group(tree, node.number)
        return with_inside(node, tuple(map(put, inside(node))))

    return put(tree)
