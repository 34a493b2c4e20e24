"""The redaction contract spelled out slowly, for the engine to be compared with.

`check_whole` is the plain answer for a whole text: `finditer` and the union of the spans.
`Judge` follows the text one character at a time and gives the exact events. It needs each pattern
as a tree; rules whose patterns have none are left to `check_whole`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import inf
from types import MappingProxyType
from typing import TypeAlias

import regex

from guardstream.events import SEVERITIES, Event, Finding, Finish, Text
from guardstream.stages.rules import PUBLIC_REACH, Keep, OnError, OnOverflow, Rule

from .patterns import END, Matched, Rest, Thread, Tree

Span: TypeAlias = tuple[int, int]

PATIENCE = 1.0
"""Seconds that `regex` may search for a match: some patterns take exponential time."""

_SPACELESS = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Thai}"
    r"\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tai_Le}\p{Script=New_Tai_Lue}"
    r"\p{Script=Tai_Tham}\p{Script=Tai_Viet}\p{Script=Ahom}\p{Script=Tibetan}\p{Script=Yi}"
    r"\p{Script=Javanese}\p{Script=Balinese}\p{Script=Hangul}]"
)
_WORDLIKE = regex.compile(r"[\p{L}\p{M}\p{Nd}_]")
_LETTER = regex.compile(r"\p{L}")


class RuleFailedError(Exception):
    """A validator raised."""


# What a rule accepts


def folded(text: str, ignore_case: bool) -> str:
    """The text as words compare it: character by character."""
    return "".join(char.casefold() if ignore_case else char for char in text)


def compared(text: str, ignore_case: bool) -> list[str]:
    """Each character of a text as words compare it: an unseen one is nothing."""
    return ["" if char in UNSEEN else folded(char, ignore_case) for char in text]


def is_spaced_wordlike(char: str) -> bool:
    """Whether the character continues a word of a script that puts spaces between words."""
    return bool(char) and bool(_WORDLIKE.match(char)) and not _SPACELESS.match(char)


def wants_boundaries(rule: Rule, word: str) -> bool:
    """Whether the word matches only as a whole word."""
    if rule.whole_word is not None:
        return rule.whole_word
    letters = [char for char in word if _LETTER.match(char)]
    ends = is_spaced_wordlike(word[0]) and is_spaced_wordlike(word[-1])
    return ends and bool(letters) and not any(_SPACELESS.match(char) for char in letters)


def is_confirmed(rule: Rule, text: str, start: int, end: int, *, word: bool) -> bool:
    """Whether neither the allowlist nor a validator refuses the match, which may be of a word."""
    matched, before = text[start:end], text[:start]
    if "zero_width" in rule.normalize or word:
        matched, before = seen(matched) or matched, seen(before)
    fold = folded(matched, rule.ignore_case)
    if any(fold == folded(word, rule.ignore_case) for word in rule.allow_words):
        return False
    if any(regex.fullmatch(pattern, matched) for pattern in rule.allow_patterns):
        return False
    if any(stands_before(context, before, matched) for context in rule.allow_after):
        return False
    if any(claims(other, text[:end], start) for other in rule.yields):
        return False
    if any(public(matched, before[-PUBLIC_REACH:]) for public in rule.public):
        return False
    try:
        return all(validator(matched) for validator in rule.validators)
    except Exception as error:
        raise RuleFailedError from error


def claims(rule: Rule, text: str, start: int) -> bool:
    """Whether a match of the rule lies in the text from `start` on, or covers that place."""
    spans = [span for pattern in rule.patterns for span in pattern_spans(rule, pattern, text)]
    return any(start <= begin or begin <= start < end for begin, end in spans if begin < end)


def stands_before(context: str, before: str, matched: str) -> bool:
    """Whether the pattern `context` matches text that ends where the match begins; its lookaheads
    see the match."""
    there = regex.compile(rf"(?:{context})(?<=\A(?s:.){{{len(before)}}})")
    return any(there.match(before + matched, begin) for begin in range(len(before)))


def has_confirmed(rule: Rule, text: str, spans: Sequence[Span]) -> bool:
    """Whether one of a match's spans is confirmed; empty spans do not count."""
    if not can_refuse(rule):
        return True
    return any(
        is_confirmed(rule, text, start, end, word=False) for start, end in spans if start < end
    )


def can_refuse(rule: Rule) -> bool:
    """Whether a match of the rule may be refused."""
    allowed = rule.allow_words or rule.allow_patterns or rule.allow_after
    return bool(rule.validators or allowed or rule.public or rule.yields)


# The whole text


@dataclass(frozen=True)
class Mark:
    """A span that a rule masks; `order` is the rule's place in the policy."""

    start: int
    end: int
    order: int
    rule: Rule
    cut: bool = False


@dataclass(frozen=True)
class Region:
    """Overlapping marks, taken together."""

    start: int
    end: int
    marks: tuple[Mark, ...]

    @property
    def rule(self) -> Rule:
        worst = max(SEVERITIES.index(mark.rule.severity) for mark in self.marks)
        worthy = [m for m in self.marks if SEVERITIES.index(m.rule.severity) == worst]
        return min(worthy, key=lambda mark: mark.order).rule

    def shown(self, text: str) -> str:
        """The text that replaces the region."""
        hidden = text[self.start : self.end]
        rule = self.rule
        if isinstance(rule.replacement, Keep):
            return self._kept(rule.replacement, hidden)
        return substitute(rule, len(hidden))

    def _kept(self, keep: Keep, hidden: str) -> str:
        spans = {(mark.start, mark.end) for mark in self.marks}
        single = len(spans) == 1 and not any(mark.cut for mark in self.marks)
        if not single or len(hidden) <= 2 * (keep.first + keep.last):
            return "*" * len(hidden)
        stars = "*" * (len(hidden) - keep.first - keep.last)
        return hidden[: keep.first] + stars + hidden[len(hidden) - keep.last :]


def substitute(rule: Rule, length: int) -> str:
    """The replacement of the first `length` characters of a region."""
    if isinstance(rule.replacement, Keep):
        return "*" * length
    if len(rule.replacement) == 1:
        return rule.replacement * length
    return rule.replacement.replace("{id}", rule.id)


def regions_of(marks: Sequence[Mark]) -> list[Region]:
    """The union of the marks; marks that only touch stay apart."""
    regions: list[Region] = []
    for mark in sorted(marks, key=lambda m: (m.start, m.end)):
        if regions and mark.start < regions[-1].end:
            last = regions[-1]
            regions[-1] = Region(last.start, max(last.end, mark.end), (*last.marks, mark))
        else:
            regions.append(Region(mark.start, mark.end, (mark,)))
    return regions


def words_found(rule: Rule, word: str, text: str) -> Iterator[Span]:
    """The spans of all occurrences of a word, which is compared at every position. Unseen
    characters are nothing inside of it, and a boundary beside it."""
    pieces = compared(text, rule.ignore_case)
    origin = [index for index, piece in enumerate(pieces) for _ in piece]
    whole, wanted = "".join(pieces), spelled(rule, word)
    for at in range(len(whole)):
        if found := wanted.match(whole, at):
            start, end = origin[at], origin[found.end() - 1] + 1
            around = text[start - 1 : start] if start else "", text[end : end + 1]
            if not (wants_boundaries(rule, word) and any(map(joins_on, around))):
                yield start, end


_SPACE = r"[^\S\n]"
GAP = "|".join(
    [f"{_SPACE}{{1,8}}"]
    + [rf"{_SPACE}{{{n}}}\n(?:{_SPACE}|[>#/*;%]){{0,{7 - n}}}" for n in range(8)]
)
"""White space in a word, with at most one line break, and then signs of quotes and comments."""


def spelled(rule: Rule, word: str) -> regex.Pattern[str]:
    """A word as a pattern for folded text: white space in it is white space of any kind."""
    word = folded(word, rule.ignore_case)
    parts = word.split()
    if rule.exact or len(parts) < 2 or word != word.strip():
        return regex.compile("".join(_ways(rule, char) for char in word))
    return regex.compile(f"(?:{GAP})".join("".join(_ways(rule, c) for c in p) for p in parts))


def _ways(rule: Rule, char: str) -> str:
    """A character of a word, or the letter and mark that it is canonically equivalent to."""
    ways = {char} if rule.exact else {char, unicodedata.normalize("NFD", char)}
    return f"(?:{'|'.join(map(regex.escape, sorted(ways)))})"


def joins_on(char: str) -> bool:
    """Whether a character beside a word continues it."""
    return char not in UNSEEN and is_spaced_wordlike(char)


class TooLongError(Exception):
    """`regex` backtracks for too long, so there is no answer to compare with."""


def pattern_found(rule: Rule, pattern: str, text: str) -> Iterator[regex.Match[str]]:
    """`finditer`, but a refused match consumes only its first character. Raises TooLongError."""
    compiled = regex.compile(pattern)
    at = 0
    while (match := _searched(compiled, text, at)) is not None:
        if has_confirmed(rule, text, match.spans(rule.group or 0)):
            yield match
            at = match.end()
        else:
            at = match.start() + 1


def _searched(compiled: regex.Pattern[str], text: str, at: int) -> regex.Match[str] | None:
    try:
        return compiled.search(text, at, timeout=PATIENCE)
    except TimeoutError as error:
        raise TooLongError from error


def distinct_words(rule: Rule) -> list[str]:
    """The rule's words; one of those that compare equal."""
    return list({spelled(rule, word).pattern: word for word in reversed(rule.words)}.values())


def spans_found(rule: Rule, text: str) -> list[Span]:
    """The spans of a rule's matches in the whole text; each word and pattern is searched alone."""
    spans: list[Span] = []
    for word in distinct_words(rule):
        found = set(words_found(rule, word, text))
        spans += [span for span in found if is_confirmed(rule, text, *span, word=True)]
    for pattern in rule.patterns:
        within = pattern_spans(rule, pattern, text)
        if "zero_width" in rule.normalize:
            for reading in readings(text):
                within = joined_spans(within, seen_spans(rule, pattern, reading))
        spans += within
    return [(start, end) for start, end in spans if start < end]


def pattern_spans(rule: Rule, pattern: str, text: str) -> list[Span]:
    """The spans that a rule masks in a pattern's matches."""
    found = pattern_found(rule, pattern, text)
    return [span for match in found for span in match.spans(rule.group or 0)]


UNSEEN = "\u200b\u00ad\0\x01\ufe0f\u0335"
"""The invisible characters that cases may contain."""

BOUNDARY = "\x0b"
"""What an invisible character is read as that is a boundary."""


def seen(text: str) -> str:
    """The text without invisible characters."""
    return "".join(char for char in text if char not in UNSEEN + BOUNDARY)


def readings(text: str) -> Iterator[list[str | None]]:
    """The text as it may be read, with None for what is passed over: up to some run of invisible
    characters all are read as they are; each one after that is nothing, or a boundary."""
    runs = [match.span() for match in regex.finditer(f"[{UNSEEN}]+", text)]
    for first in range(len(runs)):
        for taken in product((None, BOUNDARY), repeat=len(runs) - first):
            reading: list[str | None] = list(text)
            for (start, end), instead in zip(runs[first:], taken, strict=True):
                reading[start:end] = [instead] * (end - start)
            yield reading


def seen_spans(rule: Rule, pattern: str, reading: Sequence[str | None]) -> list[Span]:
    """The spans of a pattern's matches in a reading of the text. Each begins and ends with a
    character that is read."""
    places = [at for at, char in enumerate(reading) if char is not None]
    spans = pattern_spans(rule, pattern, "".join(char for char in reading if char is not None))
    return [(places[start], places[end - 1] + 1) for start, end in spans if start < end]


def joined_spans(some: list[Span], others: list[Span]) -> list[Span]:
    """The union of two lists of spans: a span that both have is not repeated."""
    return list((Counter(some) | Counter(others)).elements())


def check_whole(rules: Sequence[Rule], text: str) -> tuple[str, list[Finding]]:
    """The masked text and the findings in text order, for rules that only mask or monitor, and
    without overflow."""
    marks: list[Mark] = []
    findings: list[tuple[int, int, int, Finding]] = []
    for order, rule in enumerate(rules):
        for start, end in spans_found(rule, text):
            found = Finding(rule.id, start, end, rule.action, rule.severity)
            findings.append((start, end, order, found))
            if rule.action == "mask":
                marks.append(Mark(start, end, order, rule))
    return masked(text, marks), [item[3] for item in sorted(findings, key=lambda f: f[:3])]


def masked(text: str, marks: Sequence[Mark]) -> str:
    """The text with every region replaced."""
    out, at = "", 0
    for region in regions_of(marks):
        out += text[at : region.start] + region.shown(text)
        at = region.end
    return out + text[at:]


def has_match(rule: Rule, text: str) -> bool:
    """Whether a rule that blocks or stops fires somewhere in the text. The whole match counts, or
    its group if a match can be refused."""
    return bool(spans_found(rule if can_refuse(rule) else replace(rule, group=None), text))


# One character at a time


@dataclass(frozen=True)
class Match:
    """A full match, and the `spans` in it that are masked."""

    start: int
    end: int
    spans: tuple[Span, ...]


class Candidate:
    """One start of one pattern: its threads in order of preference and its match so far."""

    def __init__(self, tree: Tree, start: int, eager: bool, closed: int = -1) -> None:
        """Threads whose masked group opened at `closed` or before are dropped."""
        self.tree, self.start, self.eager, self.closed = tree, start, eager, closed
        self.threads: list[Thread] = [tree.first()]
        self.best: Match | None = None
        self.matches: list[Match] = []
        self.reached = start

    @property
    def lives(self) -> bool:
        """Whether some continuation could still change the outcome."""
        return bool(self.threads)

    def hold(self, written: int, older: Mapping[Rest, float]) -> int | None:
        """The first offset that the candidate could mask; None while there is none. Spans that are
        written already do not count, nor threads that remain as an `older` one does; `older` has
        the first offsets that these could mask."""
        accepted = self.best.spans if self.best is not None and self.tree.group is not None else ()
        claims = [span[0] for span in accepted if span[1] > written]
        if (claim := self.claim(older)) is not None:
            claims.append(claim)
        return min(claims, default=None)

    def claim(self, older: Mapping[Rest, float] = MappingProxyType({})) -> int | None:
        """The same for the live threads alone, without the best match so far."""
        if self.tree.group is None:
            return self.start
        claims = [(thread.claim, older.get(thread.rest, 0)) for thread in self.threads]
        return min((c for c, known in claims if c is not None and known <= c), default=None)

    def arrive(self, before: str, at: int) -> None:
        """Advance the threads as far as they get at `at` before the next character is known, and
        drop those without hope."""
        self._take([i for t in self.threads for i in self.tree.waiting(t, before, at)], at)
        self.threads = [t for t in self.threads if self.tree.has_hope(t, before)]
        if self.threads:
            self.reached = at

    def step(self, before: str, char: str, at: int) -> None:
        """Take the character at `at`, or the end."""
        self._take([i for t in self.threads for i in self.tree.after(t, before, char, at)], at)

    def _take(self, items: Sequence[Thread | Matched], at: int) -> None:
        self.threads = []
        for item in items:
            if item.holds_from(self.closed):
                continue
            if isinstance(item, Thread):
                if all(item.rest != thread.rest for thread in self.threads):
                    self.threads.append(item)
                continue
            match = Match(self.start, at, self._spans(item, at))
            if self.eager:
                self.matches.append(match)
            else:
                self.best = match
                return

    def _spans(self, item: Matched, at: int) -> tuple[Span, ...]:
        return ((self.start, at),) if self.tree.group is None else item.captures


@dataclass(eq=False)
class PatternSearch:
    """The search for one pattern of one rule."""

    rule: Rule
    order: int
    tree: Tree
    candidates: list[Candidate] = field(default_factory=list)
    near_misses: int = 0
    refused: int = 0

    @property
    def eager(self) -> bool:
        """Whether the rule fires at the first full match, even if `regex` prefers a later one."""
        return self.rule.action in ("block", "stop") and not can_refuse(self.rule)

    def claims(self, written: int) -> Iterator[tuple[int, int]]:
        """The first offset that each candidate could mask, and its start.

        If a thread remains as one of an older candidate does, only the older one can match, unless
        the match may be refused.
        """
        older: dict[Rest, float] = {}
        for candidate in self.candidates:
            hold = candidate.hold(written, older)
            if hold is not None:
                yield hold, candidate.start
            for thread in () if can_refuse(self.rule) else candidate.threads:
                older.setdefault(thread.rest, inf if thread.claim is None else thread.claim)

    def take(self, text: str, at: int, char: str) -> None:
        """Take the character at `at`, or the end there."""
        before = text[at - 1] if at else ""
        for candidate in self.candidates:
            candidate.step(before, char, at)
            if char != END:
                candidate.arrive(char, at + 1)

    def open(self, text: str, at: int) -> None:
        """Begin a candidate at `at`."""
        candidate = Candidate(self.tree, at, self.eager)
        candidate.arrive(text[at - 1] if at else "", at)
        self.candidates.append(candidate)

    def fired(self) -> list[Match]:
        """The full match that ends here, for a rule that fires at once; of several, the one that
        `regex` would find."""
        fired = next((found.matches[:1] for found in self.candidates if found.matches), [])
        dead = [candidate for candidate in self.candidates if not candidate.lives]
        self.near_misses += sum(c.reached - c.start >= 2 and not c.matches for c in dead)
        self.candidates = [candidate for candidate in self.candidates if candidate.lives]
        return fired

    def settled(self, text: str) -> list[Match]:
        """The matches that nothing can change any more, in order."""
        done: list[Match] = []
        while self.candidates and not self.candidates[0].lives:
            candidate = self.candidates.pop(0)
            match = candidate.best
            if match is None:
                self.near_misses += candidate.reached - candidate.start >= 2
            elif has_confirmed(self.rule, text, match.spans):
                done.append(match)
                self.candidates = [c for c in self.candidates if c.start >= match.end]
            else:
                self.refused += 1
        if not can_refuse(self.rule) and not self.eager:
            self._cut()
        return done

    def _cut(self) -> None:
        covered = 0
        kept = []
        for candidate in self.candidates:
            if candidate.start >= covered:
                kept.append(candidate)
                if candidate.best is not None:
                    covered = candidate.best.end
        self.candidates = kept

    def drop(self, start: int, hold: int, text: str) -> list[Match]:
        """Drop the threads of the candidate at `start` that hold text from `hold` on. If its best
        match masks a group from there, that match is returned, and the search goes on after it."""
        place = next((n for n, c in enumerate(self.candidates) if c.start == start), None)
        if place is None:
            return []
        best = self.candidates[place].best
        if self.tree.group is None:
            self.candidates[place].threads = []
        elif best is not None and best.spans and best.spans[0][0] <= hold:
            self.candidates = [c for c in self.candidates if c.start >= best.end]
            return [best]
        else:
            self.candidates[place] = self._again(start, hold, text)
        return []

    def _again(self, start: int, closed: int, text: str) -> Candidate:
        """The candidate at `start`, replayed without threads whose group opened at `closed` or
        before; threads that had lost to one of these go on."""
        candidate = Candidate(self.tree, start, self.eager, closed)
        candidate.arrive(text[start - 1] if start else "", start)
        for at in range(start, len(text)):
            candidate.step(text[at - 1] if at else "", text[at], at)
            candidate.arrive(text[at], at + 1)
        return candidate

    def give_up(self) -> None:
        """End every open candidate; its best match so far counts."""
        for candidate in self.candidates:
            candidate.threads = []


@dataclass(frozen=True)
class WordCandidate:
    """A beginning of a word, or a word whose right neighbour is not known."""

    start: int
    length: int

    def claim(self) -> int:
        """The first offset that the word would mask."""
        return self.start


@dataclass(eq=False)
class WordSearch:
    """The search for one word of one rule."""

    rule: Rule
    order: int
    word: str
    candidates: list[WordCandidate] = field(default_factory=list)
    found: set[Span] = field(default_factory=set)
    fresh: list[Match] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    near_misses: int = 0
    refused: int = 0

    eager = False

    def claims(self, written: int) -> Iterator[tuple[int, int]]:
        """See `PatternSearch.claims`."""
        del written
        for candidate in self.candidates:
            yield candidate.claim(), candidate.start

    def take(self, text: str, at: int, char: str) -> None:
        """Take the character at `at`, or the end there."""
        known = text[: at + 1] if char != END else text
        before = {c.start for c in self.candidates if c.length >= 2}
        self.candidates = self._open(known) if char != END else []
        self.near_misses += len(before - {c.start for c in self.candidates})
        for start, end in words_found(self.rule, self.word, known):
            if start in self.dropped or (start, end) in self.found:
                continue
            if end == len(known) and char != END and wants_boundaries(self.rule, self.word):
                continue
            self.found.add((start, end))
            self.near_misses -= start in before
            if is_confirmed(self.rule, known, start, end, word=True):
                self.fresh.append(Match(start, end, ((start, end),)))
            else:
                self.refused += 1

    def _open(self, known: str) -> list[WordCandidate]:
        pieces = compared(known, self.rule.ignore_case)
        origin = [index for index, piece in enumerate(pieces) for _ in piece]
        whole, wanted = "".join(pieces), spelled(self.rule, self.word)
        whole_word = wants_boundaries(self.rule, self.word)
        out = []
        for begin in range(len(whole)):
            start, length = origin[begin], len(whole) - begin
            left = known[start - 1 : start] if start else ""
            if start in self.dropped or (whole_word and joins_on(left)):
                continue
            live = wanted.fullmatch(whole, begin, partial=True)
            ended = wanted.match(whole, begin)  # perhaps inside the last character: `ß` is `ss`
            pending = whole_word and ended and origin[ended.end() - 1] == len(known) - 1
            if pending or (live and live.partial):
                out.append(WordCandidate(start, length))
        return out

    def open(self, text: str, at: int) -> None:
        """Nothing to prepare: words are compared everywhere."""

    def fired(self) -> list[Match]:
        return []

    def settled(self, text: str) -> list[Match]:
        del text
        done, self.fresh = self.fresh, []
        return sorted(done, key=lambda match: (match.start, match.end))

    def give_up(self) -> None:
        self.candidates = []


Search: TypeAlias = PatternSearch | WordSearch


@dataclass(frozen=True)
class Fire:
    """A match of a rule that blocks or stops: it began at `began`, and its group at `start`."""

    began: int
    start: int
    end: int
    order: int
    rule: Rule


@dataclass
class Overflow:
    """Candidates that outgrew the limit and are masked as they grow."""

    members: list[tuple[Search, int]]
    rule: Rule
    hold: int

    def lives(self) -> bool:
        """Whether a member could still mask text from `hold` on, where it overflowed."""
        return any(
            candidate.start == start
            and (claim := candidate.claim()) is not None
            and claim <= self.hold
            for search, start in self.members
            for candidate in search.candidates
        )


@dataclass
class Judged:
    """The events of a text, how much was held after each character, and what happened in it."""

    events: list[Event]
    held: list[int]
    refused: int
    near_misses: int
    overlaps: bool


class Judge:
    """Judges one text character by character; after each, it adds the events that are certain."""

    def __init__(
        self,
        rules: Sequence[Rule],
        trees: Mapping[str, Tree],
        max_holdback: int,
        on_overflow: OnOverflow,
        on_error: OnError = "block",
    ) -> None:
        self.rules = rules
        self.max_holdback, self.on_overflow, self.on_error = max_holdback, on_overflow, on_error
        self.searches: list[Search] = []
        for order, rule in enumerate(rules):
            self.searches += [WordSearch(rule, order, word) for word in distinct_words(rule)]
            for pattern in rule.patterns:
                tree = replace(trees[pattern], group=rule.group)
                self.searches.append(PatternSearch(rule, order, tree))
        self.text = ""
        self.last = 0
        self.written = 0
        self.marks: list[Mark] = []
        self.events: list[Event] = []
        self.overflow: Overflow | None = None
        self.held: list[int] = []
        self.spans: list[Span] = []
        self.disabled: set[int] = set()
        for search in self.searches:
            search.open("", 0)

    def run(self, text: str) -> Judged:
        """Judge a whole text and its end."""
        for char in text:
            if not self.finished:
                self._consume(char)
                self.held.append(self._held())
        if not self.finished:
            self._consume(END)
        return Judged(
            merged(self.events),
            self.held,
            sum(search.refused for search in self.searches),
            sum(search.near_misses for search in self.searches),
            any(a < d and c < b for (a, b), (c, d) in pairs(self.spans)),
        )

    @property
    def finished(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], Finish)

    @property
    def position(self) -> int:
        return len(self.text)

    def _consume(self, char: str) -> None:
        at = self.last = self.position
        self.text += char
        self.said: list[tuple[int, int, int, Finding]] = []
        self.done: list[tuple[Search, Match]] = []
        fires: list[Fire] = []
        for search in self.active():
            try:
                search.take(self.text, at, char)
                fires += self._settle(search)
            except RuleFailedError:
                if self._fail(search):
                    return
        for search in self.active():
            search.open(self.text, self.position)
        self._run_overflow(fires)
        if fires:
            self._fire(fires)
            return
        self._release(self._hold())
        self._say()
        if char == END:
            self.events.append(Finish("stop"))
        else:
            self._overflow()

    def active(self) -> list[Search]:
        return [search for search in self.searches if search.order not in self.disabled]

    # matches

    def _settle(self, search: Search, before: int | None = None) -> list[Fire]:
        rule = search.rule
        if search.eager:
            return [self._fire_of(match, search) for match in search.fired()]
        fires = []
        for match in search.settled(self.text):
            self.done.append((search, match))
            if rule.action in ("block", "stop"):
                fires.append(self._fire_of(match, search))
                continue
            for start, end in match.spans:
                if before is None or start < before:
                    self._find(start, end, search)
        return fires

    def _fire_of(self, match: Match, search: Search) -> Fire:
        if match.spans:
            start = match.spans[0][0]
            return Fire(match.start, start, match.end, search.order, search.rule)
        # An empty group: all before the last character may have been written.
        end = max(match.end, self.last)
        return Fire(match.start, self.last, end, search.order, search.rule)

    def _find(self, start: int, end: int, search: Search) -> None:
        rule, order = search.rule, search.order
        found = Finding(rule.id, start, end, rule.action, rule.severity)
        self.said.append((start, end, order, found))
        self.spans.append((start, end))
        if rule.action == "mask" and end > self.written:
            self.marks.append(Mark(start, end, order, rule))

    def _fail(self, search: Search) -> bool:
        rule, at = search.rule, self.position
        kind = Finding(rule.id, at, at, rule.action, rule.severity, "rule_error")
        self.said.append((at, at, search.order, kind))
        if self.on_error == "allow":
            self.disabled.add(search.order)
            self.marks = [mark for mark in self.marks if mark.order != search.order]
            return False
        self._release(self._hold())
        self._say()
        self.events.append(Finish("content_filter"))
        return True

    # what is held

    def _claims(self) -> Iterator[tuple[int, Search, int]]:
        """Every live candidate that could mask or fire: its hold, its search, its start."""
        for search in self.active():
            if search.rule.action != "monitor":
                for hold, start in search.claims(self.written):
                    yield max(hold, self.written), search, start

    def _regions(self) -> list[Region]:
        cut = [
            replace(mark, start=self.written, cut=True) if mark.start < self.written else mark
            for mark in self.marks
            if mark.end > self.written
        ]
        return regions_of(cut)

    def _oldest(self) -> int:
        return min((hold for hold, _, _ in self._claims()), default=self.position)

    def _hold(self, fired: Sequence[int] = ()) -> int:
        oldest = min([self._oldest(), *fired])
        open_regions = [r.start for r in self._regions() if r.start < oldest < r.end]
        return min(open_regions, default=oldest)

    def _held(self) -> int:
        return 0 if self.finished else self.position - self._hold()

    # what is written

    def _write(self, text: str) -> None:
        if text:
            self.events.append(Text(text))

    def _release(self, upto: int) -> None:
        """Write everything before `upto`; a region that extends past it is cut there."""
        at = self.written
        if upto <= at:
            return
        for region in self._regions():
            if region.start < upto:
                self._write(self.text[at : region.start])
                shown = region.shown(self.text)
                short = isinstance(region.rule.replacement, Keep) or (
                    len(region.rule.replacement) == 1
                )
                self._write(shown[: upto - region.start] if short else shown)
                at = min(region.end, upto)
        self._write(self.text[at:upto])
        self.written = upto

    def _say(self) -> None:
        self.events += [item[3] for item in sorted(self.said, key=lambda s: s[:3])]
        self.said = []

    # rules that fire

    def _fire(self, fires: list[Fire]) -> None:
        def urgency(fire: Fire) -> tuple[int, int, int, int]:
            return -SEVERITIES.index(fire.rule.severity), fire.order, fire.start, fire.end

        first = min(fires, key=urgency)
        if first.rule.action == "stop":
            self._settle_before(first.start)
            self._release(first.start)
        else:
            self._release(self._hold([fire.start for fire in fires]))
        self._say()
        rule = first.rule
        self.events.append(Finding(rule.id, first.start, first.end, rule.action, rule.severity))
        self.events.append(Finish("stop" if rule.action == "stop" else "content_filter"))

    def _settle_before(self, start: int) -> None:
        for search in self.active():
            search.give_up()
            if not search.eager:
                self._settle(search, start)

    # overflow

    def _run_overflow(self, fires: Sequence[Fire]) -> None:
        """Mask the text by which overflowed candidates have grown, while they live or if they
        match."""
        if self.overflow is None:
            return
        lives = self.overflow.lives()
        reach = self.position if lives else 0
        ends = [
            end
            for search, match in self.done
            if (search, match.start) in self.overflow.members
            for start, end in match.spans
            if start < self.written
        ]
        ends += [
            fire.end
            for fire in fires
            for search, start in self.overflow.members
            if (fire.order, fire.began) == (search.order, start)
        ]
        reach = max([reach, *ends])
        if reach > self.written:
            if len(substitute(self.overflow.rule, 1)) == 1 and not self._is_template():
                self._write(substitute(self.overflow.rule, reach - self.written))
            self.written = reach
        if not lives:
            self.overflow = None

    def _is_template(self) -> bool:
        assert self.overflow is not None
        replacement = self.overflow.rule.replacement
        return not isinstance(replacement, Keep) and len(replacement) != 1

    def _overflow(self) -> None:
        """Let the oldest candidates overflow until the held text is within the limit."""
        while not self.finished and self._held() > self.max_holdback:
            hold = self._hold()
            members = [(search, start) for at, search, start in self._claims() if at == hold]
            if members:
                self._overflow_at(hold, members)
            else:
                self._release(next(r.end for r in self._regions() if r.start == hold))
            if not self.finished:
                self._release(self._hold())

    def _overflow_at(self, hold: int, members: list[tuple[Search, int]]) -> None:
        if self.on_overflow == "mask":
            marks = tuple(Mark(hold, self.position, s.order, s.rule) for s, _ in members)
            rule = Region(hold, self.position, marks).rule
            self._write(substitute(rule, self.position - hold))
            self.written = self.position
            self.overflow = Overflow(members, rule, hold)
        for search, _ in members:
            rule = search.rule
            found = Finding(rule.id, hold, self.position, rule.action, rule.severity, "overflow")
            if (hold, self.position, search.order, found) not in self.said:
                self.said.append((hold, self.position, search.order, found))
        self._say()
        if self.on_overflow == "block":
            self.events.append(Finish("content_filter"))
        if self.on_overflow == "release":
            self._drop(hold, members)

    def _drop(self, hold: int, members: list[tuple[Search, int]]) -> None:
        """Drop these candidates alone; what they have matched already counts."""
        fires: list[Fire] = []
        for search, start in members:
            if isinstance(search, WordSearch):
                search.dropped.add(start)
                search.candidates = [c for c in search.candidates if c.start != start]
                continue
            for match in search.drop(start, hold, self.text):
                self.done.append((search, match))
                for span in match.spans:
                    self._find(*span, search)
            fires += self._settle(search)
        if fires:
            self._fire(fires)
            return
        self._release(self._hold())
        self._say()


def pairs(spans: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """Every pair of the spans."""
    for index, first in enumerate(spans):
        for second in spans[index + 1 :]:
            yield first, second


def merged(events: Sequence[Event]) -> list[Event]:
    """The events with adjacent Text joined, so that they are the same for every chunking."""
    out: list[Event] = []
    for event in events:
        if out and isinstance(event, Text) and isinstance(out[-1], Text):
            out[-1] = Text(out[-1].text + event.text)
        else:
            out.append(event)
    return out
