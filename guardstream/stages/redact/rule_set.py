"""Compiled rules: what to search for, and how to judge what is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

from guardstream.errors import PatternError
from guardstream.events import Stage
from guardstream.scan.match import Scan
from guardstream.scan.reader import FindUnseen
from guardstream.scan.regex.pattern import Pattern, Wanted, pattern_of, settling_of
from guardstream.scan.regex.pattern_set import PatternSet, TooLargeError
from guardstream.scan.regex.scan import searches_of
from guardstream.scan.regex.stored import NOTHING, Stored, StoredSet
from guardstream.scan.unseen import find_escape, find_unseen, seen
from guardstream.scan.words.aho_corasick import WordIndex
from guardstream.scan.words.disguises import DISGUISES
from guardstream.scan.words.disguises import pattern_of as pattern_of_word
from guardstream.scan.words.normalize import CANONICAL, Folding, Table, whole_by_default
from guardstream.scan.words.scan import search_of
from guardstream.stages.confirm import confirmation_of, folding_of, spacing_of, translation_of
from guardstream.stages.pipeline import Pipeline
from guardstream.stages.redact.labelled import after, needs_start
from guardstream.stages.redact.regions import fixed
from guardstream.stages.redact.stage import ENDING, Redact
from guardstream.stages.rules import OnError, OnOverflow, Replacement, Rule, RuleError

MAX_DISGUISED = 2_000
"""How many words a rule may have that are searched for as patterns."""


_Given: TypeAlias = Mapping[int, Sequence[str]]
"""Words or patterns, by the numbers of their rules."""


class RuleSet:
    """Compiled rules, shared between streams and threads; `stage` begins one stream.

    `max_holdback` bounds the held text in code points, `on_overflow` says what happens to a
    candidate that would exceed it, and `on_error` what happens to a stream whose rule fails.
    Patterns that are `stored` are not compiled again.

    Raises RuleError for a rule that cannot be searched, and ValueError if `max_holdback` is less
    than 1.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        max_holdback: int = 256,
        on_overflow: OnOverflow = "mask",
        on_error: OnError = "block",
        stored: Stored | None = None,
    ) -> None:
        stored = stored or NOTHING
        if max_holdback < 1:
            raise ValueError(f"max_holdback must be at least 1, not {max_holdback}")
        self.rules = tuple(rules)
        self.fixed = [fixed(rule) for rule in self.rules]
        self.only_masks = not any(rule.action in ENDING for rule in self.rules)
        self.max_holdback = max_holdback
        self.on_overflow = on_overflow
        self.on_error = on_error
        self._confirms = [confirmation_of(rule, stored.checked) for rule in self.rules]
        self.forking = frozenset(
            number
            for number, rule in enumerate(self.rules)
            if rule.is_disguised or (rule.patterns and "zero_width" in rule.normalize)
        )
        self.find_unseen: FindUnseen = find_unseen() if self.forking else find_escape
        words, disguised = self._apart({n: rule.words for n, rule in enumerate(self.rules)})
        patterns = {n: rule.patterns for n, rule in enumerate(self.rules) if rule.patterns}
        self.patterns: Mapping[int, Sequence[str]] = {**patterns, **disguised}
        self._searches: tuple[Callable[[], Scan], ...] = (
            *self._indexes(words),
            *self._pattern_sets(self.patterns, stored),
        )

    def with_words(self, words: Mapping[str, Sequence[str]]) -> RuleSet:
        """Return these rules with more words, by rule id; what is compiled is shared.

        Raises RuleError for an unknown rule id.
        """
        numbers = {rule.id: number for number, rule in enumerate(self.rules)}
        for name in words:
            if name not in numbers:
                raise RuleError(name, f"words are given for rule {name!r}, which does not exist")
        extended = copy(self)
        more = {numbers[name]: tuple(given) for name, given in words.items()}
        plain, disguised = self._apart(more)
        made = *self._indexes(plain), *self._pattern_sets(disguised)
        extended._searches = (*made, *self._searches)
        return extended

    def with_replacements(self, replacements: Mapping[str, Replacement]) -> RuleSet:
        """Return these rules with other replacements, by rule id; what is compiled is shared."""
        changed = copy(self)
        changed.rules = tuple(
            replace(rule, replacement=replacements[rule.id]) if rule.id in replacements else rule
            for rule in self.rules
        )
        changed.fixed = [fixed(rule) for rule in changed.rules]
        changed.__dict__.pop("_anchored", None)  # which has the replacements of before
        return changed

    def with_rules(self, rules: Sequence[Rule]) -> RuleSet:
        """Return these rules and more rules that only have words; what is compiled is shared.

        Raises RuleError for an empty word.
        """
        extended = copy(self)
        extended.rules = (*self.rules, *rules)
        extended.fixed = [fixed(rule) for rule in extended.rules]
        extended._confirms = [*self._confirms, *[None for _ in rules]]
        more = {len(self.rules) + number: rule.words for number, rule in enumerate(rules)}
        extended._searches = (*extended._indexes(more), *self._searches)
        return extended

    def stage(self) -> Redact:
        """Return a new stage for one pipeline."""
        return Redact(self, tuple([search() for search in self._searches]))

    def stage_after(self, label: str) -> Stage:
        """Return a new stage for the value of a label, such as the name of a member of JSON: rules
        see the label before it, and `^` means its beginning."""
        labelled = after(label, self.stage()) or self.stage()
        anchored = self._anchored
        return labelled if anchored is None else Pipeline([labelled, anchored.stage()])

    @cached_property
    def _anchored(self) -> RuleSet | None:
        """The rules with patterns that may match only at the beginning of a text; None if there
        are none."""
        patterns = {
            rule.id: tuple(filter(needs_start, rule.patterns))
            for rule in self.rules
            if any(map(needs_start, rule.patterns))
        }
        if not patterns:
            return None
        rules = [
            replace(rule, patterns=patterns[rule.id], words=())
            for rule in self.rules
            if rule.id in patterns
        ]
        return RuleSet(
            rules,
            max_holdback=self.max_holdback,
            on_overflow=self.on_overflow,
            on_error=self.on_error,
        )

    def _apart(self, words: Mapping[int, Sequence[str]]) -> tuple[_Given, _Given]:
        """Return the words that an index finds, and the others as patterns, by their rules."""
        plain: dict[int, Sequence[str]] = {}
        disguised: dict[int, Sequence[str]] = {}
        for number, given in words.items():
            rule = self.rules[number]
            if rule.is_disguised:
                disguised[number] = disguises_of(rule, given)
            elif given:
                plain[number] = given
        return plain, disguised

    def wanted(
        self, patterns: Mapping[int, Sequence[str]]
    ) -> Mapping[frozenset[str], Sequence[tuple[int, Wanted]]]:
        """Return patterns for each way to read the text, each with the number of its rule."""
        kinds: dict[frozenset[str], list[tuple[int, Wanted]]] = {}
        for number, given in sorted(patterns.items()):
            rule = self.rules[number]
            tested = self._confirms[number] is not None
            settling = settling_of(eager=rule.action in ENDING, tested=tested)
            canonical = not rule.exact if rule.is_disguised else CANONICAL in rule.normalize
            read = spacing_of(rule), canonical, rule.group, settling
            kinds.setdefault(translation_of(rule), []).extend(
                (number, Wanted(pattern, *read)) for pattern in given
            )
        return kinds

    def _pattern_sets(
        self, patterns: Mapping[int, Sequence[str]], stored: Stored = NOTHING
    ) -> Iterable[Callable[[], Scan]]:
        """Return what creates the searches for patterns, one for each way to read the text."""
        for names, wanted in self.wanted(patterns).items():
            known = stored.like(each for _, each in wanted)
            compiled = [self._pattern(*each, known) for each in wanted]
            try:
                made = PatternSet(
                    compiled,
                    window=4 * self.max_holdback,
                    table=Table(names) if names else None,
                    releases=self.on_overflow == "release",
                    stored=known,
                )
            except TooLargeError as error:
                raise self._refused(*wanted[error.index], error) from error
            yield from searches_of(made)

    def _pattern(self, number: int, wanted: Wanted, stored: StoredSet | None) -> Pattern:
        rule, confirmation = self.rules[number], self._confirms[number]
        confirm, holds = confirmation and confirmation.of_patterns, rule.action != "monitor"
        known = stored.facts if stored else {}
        try:
            return pattern_of(wanted, number, holds, confirm, known)
        except PatternError as error:
            raise self._refused(number, wanted, error, error.offset) from error

    def _refused(
        self, number: int, wanted: Wanted, error: PatternError, offset: int | None = None
    ) -> RuleError:
        rule = self.rules[number]
        if wanted.source not in rule.patterns:  # it is a word
            return RuleError(rule.id, str(error))
        return RuleError(rule.id, str(error), rule.patterns.index(wanted.source), offset)

    def _indexes(self, words: Mapping[int, Sequence[str]]) -> Iterable[Callable[[], Scan]]:
        """Return an index for each way to compare words."""
        kinds: dict[tuple[bool, frozenset[str]], _Words] = {}
        for number, given in words.items():
            rule = self.rules[number]
            for word, names in _with_names(rule, given):
                alone = whole_by_default(word) if rule.whole_word is None else rule.whole_word
                alike = kinds.setdefault((rule.action != "monitor", names), _Words({}, {}))
                (alike.whole if alone else alike.parts).setdefault(word, []).append(number)
        confirms = {n: confirm.of_words for n, confirm in enumerate(self._confirms) if confirm}
        plain = {number for number in words if self._is_plain(number)}
        for (holds, names), (whole, parts) in kinds.items():
            index = WordIndex(
                whole, parts, Folding(names), holds=holds, confirm=confirms, plain=plain
            )
            yield search_of(index)

    def _is_plain(self, number: int) -> bool:
        """Return whether every word of a rule is a match that ends nothing and is final: no check
        can refuse it, and no pattern of the rule can fail and so disable the rule."""
        rule = self.rules[number]
        if rule.action in ENDING or self._confirms[number]:
            return False
        return self.on_error == "block" or not rule.patterns


def disguises_of(rule: Rule, words: Sequence[str]) -> Sequence[str]:
    """Return the patterns of words that may be disguised. RuleError for a word that would match
    everywhere, and for too many."""
    if len(words) > MAX_DISGUISED:
        message = f"more than {MAX_DISGUISED} words with {', '.join(sorted(DISGUISES))}"
        raise RuleError(rule.id, f"{message}: each is searched for as a pattern")
    names = folding_of(rule).names
    for word in words:
        if not seen(word).strip():
            raise RuleError(rule.id, "an empty word would match everywhere; remove it")
    return [
        pattern_of_word(
            seen(word).strip(),
            names,
            whole=whole_by_default(word) if rule.whole_word is None else rule.whole_word,
            exact=rule.exact,
        )
        for word in words
    ]


class _Words(NamedTuple):
    """Words that are compared alike, each with the numbers of its rules: whole words, and those
    that may be parts of others."""

    whole: dict[str, list[int]]
    parts: dict[str, list[int]]


def _with_names(rule: Rule, words: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the words of a rule, each with the names of its normalisations.

    Raises RuleError for an empty word.
    """
    folding = folding_of(rule)
    separators = "separators" in folding.names
    others = Folding(folding.names - {"separators"}) if separators else folding
    for word in words:
        compared = others if separators and word and not folding.separable(word) else folding
        names = compared.names_for(word)
        if word and not seen(word):  # it looks for unseen characters themselves
            names, compared = names - {"zero_width"}, Folding(names - {"zero_width"})
        if not word or (names and not compared.word(word)):
            raise RuleError(rule.id, "an empty word would match everywhere; remove it")
        yield word, names
