"""Derives from a rule how words are compared, and what confirms its matches."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from operator import contains
from types import MappingProxyType
from typing import NamedTuple

import regex

from guardstream.scan.match import Confirm
from guardstream.scan.unseen import seen
from guardstream.scan.words.disguises import DISGUISES, reads_as_letters
from guardstream.scan.words.normalize import (
    CANONICAL,
    EXACT,
    JOINS,
    NAMES,
    PATTERN_NAMES,
    TRANSLATED,
    Folding,
    Table,
    boundaries,
    spacing,
    whole_by_default,
)
from guardstream.stages.exceptions import HIDDEN, After, Allowed, Later, checked_as
from guardstream.stages.rules import PUBLIC_REACH, YIELDS_REACH, Rule, RuleError

_ADDED = frozenset((CANONICAL, EXACT))


def folding_of(rule: Rule) -> Folding:
    """Return how a rule's words are compared. Raises RuleError for an unknown normalisation."""
    names = frozenset(rule.normalize) | ({"case"} if rule.ignore_case else set())
    names |= {"zero_width", EXACT if rule.exact else CANONICAL}
    for name in sorted(names.difference(NAMES, _ADDED)):
        raise RuleError(rule.id, f"unknown normalisation {name!r}; known are {', '.join(NAMES)}")
    if rule.patterns and names & DISGUISES:
        message = f"normalisation {min(names & DISGUISES)!r} searches for words as patterns"
        raise RuleError(rule.id, f"{message}: give the patterns a rule of their own")
    if "spaces" in names and any(word != word.strip() for word in rule.words):
        message = "a word begins or ends with white space, which 'spaces' does not allow: remove it"
        raise RuleError(rule.id, message)
    return Folding(names)


def translation_of(rule: Rule) -> frozenset[str]:
    """Return the normalisations that map single characters of the text for a rule's patterns.

    Raises RuleError for normalisations that patterns do not have.
    """
    names = frozenset(rule.normalize) - ({"case"} if rule.words else set())
    if rule.is_disguised:
        folding_of(rule)  # which raises for what words do not have
        return names & TRANSLATED
    for name in sorted(names - PATTERN_NAMES):
        known = ", ".join(sorted(PATTERN_NAMES))
        instead = "; write (?i) in them" if name == "case" else ""
        instead += "; give the words a rule of their own" if rule.words else ""
        message = f"normalisation {name!r} is for words; patterns know {known}{instead}"
        raise RuleError(rule.id, message)
    return names & TRANSLATED


def spacing_of(rule: Rule) -> str:
    """Return the pattern that a space in a rule's patterns stands for."""
    if rule.is_disguised:
        return " "
    return spacing(frozenset(rule.normalize))


class Confirmation(NamedTuple):
    """Two judges of a rule's matches: a search for patterns passes them translated text, a search
    for words the text as it is written."""

    of_patterns: Confirm
    of_words: Confirm


def confirmation_of(
    rule: Rule, checked: Mapping[str, int] = MappingProxyType({})
) -> Confirmation | None:
    """Return the rule's validators, allowlist and keywords; None if it has none. `checked` are
    exceptions that need no check, with how far they read back.

    They see a match as the rule reads it: with one space wherever a space in a pattern matched.
    """
    if not rule.has_checks:
        return None
    hidden = rule.is_disguised or "zero_width" in rule.normalize
    judge = _Judge(rule, HIDDEN if hidden else 0, checked)
    of_patterns = Confirm(judge, judge.reach, judge.keywords)
    if rule.words:
        judge = _Judge(rule, HIDDEN, checked)
    return Confirmation(of_patterns, Confirm(judge.of_word, judge.reach))


class _Judge:
    """A rule's validators, allowlist and keywords; see `Confirm`. It looks at up to `reach`
    characters before a match, past up to `hidden` unseen ones."""

    __slots__ = (
        "_after",
        "_allowed",
        "_fold",
        "_has_signs",
        "_public",
        "_reading",
        "_spaces",
        "_validators",
        "_words",
        "_yields",
        "keywords",
        "reach",
    )

    def __init__(self, rule: Rule, hidden: int, checked: Mapping[str, int]) -> None:
        self._reading = reading = _Reading(rule, hidden)
        space = spacing_of(rule)
        self._spaces = None if space == " " else regex.compile(space, regex.V0)
        self._fold = str.casefold if rule.ignore_case else str
        words = map(reading.compared, map(reading.translated, rule.allow_words))
        self._words = frozenset(map(self._fold, map(self._spaced, words)))
        self._allowed: Allowed | Later | None = None
        self._after: After | Later | None = None
        reach = checked.get(checked_as(rule)) if checked else None
        if rule.allow_patterns:
            self._allowed = Allowed(rule) if reach is None else Later(lambda: Allowed(rule))
        if rule.allow_after:
            hidden = reading.hidden
            if reach is None:
                self._after = After(rule, hidden)
            else:
                self._after = Later(lambda: After(rule, hidden), reach + hidden)
        self._has_signs = "leet" in rule.normalize
        self._validators = tuple(rule.validators)
        self._public = rule.public
        self._yields = tuple(map(_Preferred, rule.yields))
        self.keywords = _Keywords(rule, reading) if rule.keywords else None
        asking = (self.keywords, self._after)
        public = PUBLIC_REACH + reading.hidden if rule.public else 0
        yields = YIELDS_REACH + reading.hidden if rule.yields else 0
        self.reach = max([public, yields, *(each.reach for each in asking if each is not None)])

    def __call__(self, text: str, before: str) -> bool:
        if self.keywords is not None and not self.keywords.stand_before(before):
            return False
        text = self._reading.compared(text)
        if self._has_signs and not reads_as_letters(text):
            return False
        if self._after is not None and self._after.match(before, text, self._reading.seen):
            return False
        text = self._spaced(text)
        if self._fold(text) in self._words:
            return False
        if self._allowed is not None and self._allowed.match(text):
            return False
        for validator in self._validators:
            if not validator(text):
                return False
        if self._public and self._is_public(text, before):
            return False
        return not any(rule.claims(text, before) for rule in self._yields)

    def _is_public(self, text: str, before: str) -> bool:
        before = self._reading.seen(before[-PUBLIC_REACH - self._reading.hidden :])[-PUBLIC_REACH:]
        return any(check(text, before) for check in self._public)

    def of_word(self, text: str, before: str) -> bool:
        """Judge a match in text that is not translated."""
        return self(self._reading.translated(text), self._reading.translated(before))

    def _spaced(self, text: str) -> str:
        return text if self._spaces is None else self._spaces.sub(" ", text)


class _Preferred:
    """A rule to which others yield: it claims a match if one of its own lies in it or covers its
    beginning. Both read the text up to the match's end."""

    __slots__ = ("_confirm", "_group", "_patterns", "_reading")

    def __init__(self, rule: Rule) -> None:
        self._reading = _Reading(rule, HIDDEN if "zero_width" in rule.normalize else 0)
        self._patterns = [regex.compile(pattern, regex.V0) for pattern in rule.patterns]
        self._group = rule.group or 0
        confirmation = confirmation_of(rule)
        self._confirm = confirmation and confirmation.of_patterns.judge

    def claims(self, text: str, before: str) -> bool:
        """Return whether it claims a match; TimeoutError if a pattern takes too long."""
        before = self._reading.translated(before[-YIELDS_REACH:])
        whole = before + self._reading.translated(text)
        return any(self._claims(pattern, whole, len(before)) for pattern in self._patterns)

    def _claims(self, pattern: regex.Pattern[str], whole: str, begin: int) -> bool:
        at = 0
        while found := pattern.search(whole, at, timeout=PATIENCE):
            spans = [span for span in found.spans(self._group) if self._stands(whole, *span)]
            if any(begin <= start or begin < end for start, end in spans):
                return True
            at = found.end() if spans else found.start() + 1
        return False

    def _stands(self, whole: str, start: int, end: int) -> bool:
        if start >= end:
            return False
        return self._confirm is None or self._confirm(whole[start:end], whole[:start])


PATIENCE = 1.0
"""Seconds that a pattern may search the text before a match."""


# Where the next word of a name in code begins: `homePhone`, `SSNNumber`.
_HUMP = r"(?-i:(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll}))"
_GAP = regex.compile(r"[\s_-]+")
_SPACE = regex.compile(r"\s+")
_BESIDE = 32
"""How many characters before a keyword may decide whether it begins there: the length of an
escape."""

# The end of an escape, as JSON, code and addresses write it, or of a terminal's colour.
_ESCAPE = (
    r"(?-i:\\[abefnrtv0]|(?i:\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|%(?:25)?[0-9a-f]{2})|=3D"
    r"|(?:\x1b|\\(?:e|033|(?i:u001b|x1b)))\[[0-9;]{0,20}m)"
)
_BEGINS = regex.compile(rf"(?i)(?<!{JOINS})|(?<=_|{_ESCAPE})|{_HUMP}", regex.V0)
_ENDS = regex.compile(rf"(?i)(?!{JOINS})|(?=_)|{_HUMP}", regex.V0)

_BETWEEN = rf"\s+|[_-]|{_HUMP}"
"""What stands between the words of a keyword, if it has several."""
_between = regex.compile(_BETWEEN, regex.V0)

_LIKE_ASCII = frozenset("\u0130\u0131\u017f\u212a")
"""Letters outside ASCII that equal ASCII letters if case is ignored."""

_ONE_CASE = regex.compile(r"[\x00-\x7f\p{Lo}\p{Nd}]+")
"""Characters that a match always has in the folded text; `str.casefold` does not know the case of
some others."""


def _composed(text: str) -> str:
    """Return a text as keywords are compared: canonically equivalent ones are equal."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _certain(keyword: str) -> Sequence[str]:
    """Return parts that a folded text has if it has the keyword, of each word the longest; the
    longest of all first."""
    words = _GAP.split(keyword.casefold())
    parts = [max(_ONE_CASE.findall(word), key=len, default="") for word in words]
    return sorted(parts, key=len, reverse=True)


def _may_be_ascii(keyword: str) -> bool:
    """Return whether a keyword may occur in ASCII text, as `straße` does in `STRASSE`."""
    return all(letter in _LIKE_ASCII or letter.casefold().isascii() for letter in keyword)


class _Reading:
    """How a rule reads text: which characters stand for others, and whether some are unseen. It
    reads past up to `hidden` of these before a match."""

    __slots__ = ("_table", "hidden")

    def __init__(self, rule: Rule, hidden: int) -> None:
        names = TRANSLATED.intersection(rule.normalize)
        self._table = Table(names) if names else None
        self.hidden = hidden

    def translated(self, text: str) -> str:
        """Return a text with each character replaced by the one that the rule reads it as."""
        return text if self._table is None else self._table.translated(text)

    def seen(self, text: str) -> str:
        """Return a text without the characters that are unseen for the rule."""
        return seen(text) if self.hidden else text

    def compared(self, text: str) -> str:
        """Return a match as checks compare it: its seen part, or all of it if nothing is seen."""
        return self.seen(text) or text


class _Parts:
    """Keywords, each with parts that a folded text has if it has the keyword.

    Nearly always no keyword occurs. Looking for the parts that contain no other part shows that.
    """

    __slots__ = ("_least", "_parts")

    def __init__(self, keywords: Iterable[str]) -> None:
        self._parts = tuple([(word, _certain(word)) for word in keywords])
        self._least: tuple[str, ...] = ()

    def possible(self, folded: str) -> Sequence[str]:
        """Return the keywords that may occur in a folded text."""
        if not any(map(contains, repeat(folded), self._least or self._in_no_other())):
            return ()
        return [word for word, parts in self._parts if all(map(contains, repeat(folded), parts))]

    def _in_no_other(self) -> tuple[str, ...]:
        least: list[str] = []
        for part in sorted({parts[0] for _, parts in self._parts}, key=len):
            if not any(shorter in part for shorter in least):
                least.append(part)
        self._least = tuple(least)
        return self._least


class _Keywords:
    """A rule's keywords."""

    __slots__ = ("_distance", "_keywords", "_of_all", "_of_ascii", "_reading", "reach")

    def __init__(self, rule: Rule, reading: _Reading) -> None:
        self._reading = reading
        self._keywords = tuple(map(_composed, map(reading.translated, rule.keywords)))
        self._of_all = _Parts(self._keywords)
        self._of_ascii = _Parts(filter(_may_be_ascii, self._keywords))
        self._distance = rule.keyword_distance
        self.reach = rule.keyword_distance + _BESIDE + reading.hidden

    def stand_before(self, text: str) -> bool:
        """Return whether one of the keywords occurs near enough to the end of a text, or of its
        seen part. True as well if too many unseen characters are in between to tell."""
        near = text[-self.reach :]
        shown = self._reading.seen(near)
        if len(shown) < self._distance and len(near) == self.reach:
            return True
        return self._stands_in(shown) or (shown != near and self._stands_in(near))

    def _stands_in(self, text: str) -> bool:
        text = _composed(text)
        begin = max(len(text) - self._distance, 0)
        return any(_stands(word, text, begin) for word in self._possible(text[begin:]))

    def announced(self, text: str, begin: int, end: int) -> int:
        """Return the first index in a text before which a keyword stands; see `Announcing`."""
        for at in range(begin, end):
            if self.stand_before(text[max(at - self.reach, 0) : at]):
                return at
        return end

    def are_missing(self, text: str) -> bool:
        """Return whether no keyword can stand before any place in a text."""
        if text.isascii() and text.isprintable():
            return not self._of_ascii.possible(text.casefold())
        return self._reading.seen(text) == text and not self._possible(_composed(text))

    def _possible(self, text: str) -> Sequence[str]:
        """Return the keywords that may occur in a text."""
        is_ascii = text.isascii()
        if not is_ascii and not _LIKE_ASCII.isdisjoint(text):
            return self._keywords
        return (self._of_ascii if is_ascii else self._of_all).possible(text.casefold())


def _stands(keyword: str, text: str, begin: int) -> bool:
    """Return whether a keyword occurs in a text at `begin` or after, as a whole word unless its
    script has no spaces.

    Names in code have words too: `phone` is found in `home_phone` and `homePhone`, `phone number`
    and `phone-number` in `phone_number`, and each of them after an escape such as `\\n`.
    """
    if _is_written(keyword, text, begin):
        return True
    # For some letters, such as İ, `regex` does not know that another case is several letters.
    folded_keyword, folded = keyword.casefold(), text.casefold()
    if len(folded_keyword) == len(keyword) and len(folded) == len(text):
        return False
    return _is_written(folded_keyword, folded, len(text[:begin].casefold()))


def _is_written(keyword: str, text: str, begin: int) -> bool:
    begins, ends = boundaries(keyword)
    return any(
        (not begins or _BEGINS.match(text, start)) and (not ends or _ENDS.match(text, end))
        for start, end in _places(keyword, text, begin, whole=begins and ends)
    )


def _places(keyword: str, text: str, begin: int, *, whole: bool) -> Iterable[tuple[int, int]]:
    """Return where a keyword stands in a text, whatever is around it."""
    if keyword.isascii() and text.isascii():
        gap, between = (_GAP, _between) if whole else (_SPACE, _SPACE)
        first, *others = gap.split(keyword.lower())
        if first:
            return _places_in_ascii(first, others, between, text, begin)
    found = _spelled(keyword).finditer(text, begin, overlapped=True)
    return (match.span() for match in found)


def _places_in_ascii(
    first: str, others: Sequence[str], between: regex.Pattern[str], text: str, begin: int
) -> Iterator[tuple[int, int]]:
    """Yield what `_spelled` finds in ASCII text; to compile it takes as long as to read hundreds of
    chunks."""
    lower = text.lower()
    start = lower.find(first, begin)
    while start >= 0:
        end = start + len(first)
        for word in others:
            gap = between.match(text, end)
            if gap is None or not lower.startswith(word, gap.end()):
                break
            end = gap.end() + len(word)
        else:
            yield start, end
        start = lower.find(first, start + 1)


@lru_cache(maxsize=4096)
def _spelled(keyword: str) -> regex.Pattern[str]:
    """Return the pattern of a keyword, without its boundaries."""
    if whole_by_default(keyword):
        between, parts = f"(?:{_BETWEEN})", _GAP.split(keyword)
    else:
        between, parts = r"\s+", _SPACE.split(keyword)
    spelled = between.join(map(regex.escape, parts))
    return regex.compile(spelled, regex.V0 | regex.IGNORECASE | regex.FULLCASE)
