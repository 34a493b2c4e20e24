"""Writes the guarded text: settled text passes, and every masked region is replaced."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guardstream.events import SEVERITIES
from guardstream.scan.reader import Reader
from guardstream.stages.rules import Keep, Pseudonym, Rule, StandIn


class Span(NamedTuple):
    """A masked span: offsets in the source, its rule's number, and whether its start was cut."""

    start: int
    end: int
    rule: int
    cut: bool = False


class Regions:
    """The masked spans that are not written yet, and the text that waits with them.

    The reader says how much of the source has been written, and has the source text after it.
    Overlapping spans form one region, which gets the replacement of its most severe rule, or of the
    first of these in the policy. Spans that only touch stay separate.
    """

    __slots__ = ("_fixed", "_flow", "_reader", "_rules", "spans")

    def __init__(self, rules: Sequence[Rule], fixed: Sequence[str | None], reader: Reader) -> None:
        self._reader = reader
        self._rules = rules
        self._fixed = fixed
        self._flow: Rule | None = None
        self.spans: list[Span] = []

    def add(self, start: int, end: int, rule: int) -> None:
        """Mask a span, except for the part that has been written."""
        if end > self._reader.written:
            cut = start < self._reader.written
            self.spans.append(Span(max(start, self._reader.written), end, rule, cut))

    def mask(self, start: int, end: int, rule: int, hold: int) -> str:
        """Mask a span and write up to `hold`, like `add` and `release`: a fast path, because a span
        nearly always is alone and nothing holds it."""
        fixed, written = self._fixed[rule], self._reader.written
        if self.spans or fixed is None or start < written or end > hold:
            self.add(start, end, rule)
            return self.release(hold)
        tail = self._reader.tail
        self._reader.tail = tail[hold - written :]
        self._reader.written = hold
        if len(fixed) == 1:
            fixed *= end - start
        return tail[: start - written] + fixed + tail[end - written : hold - written]

    def release(self, hold: int) -> str:
        """Write up to `hold`, except for a region that reaches beyond it."""
        if not self.spans:
            return self._take(hold) if hold > self._reader.written else ""
        parts = []
        self.spans.sort()
        while self.spans:
            end, size = self._region()
            if end > hold:
                hold = min(hold, self.spans[0].start)
                break
            parts.append(self._write_region(end, size))
        if hold > self._reader.written:
            parts.append(self._take(hold))
        return "".join(parts)

    def force(self, limit: int | None = None) -> str:
        """Write the first region as far as it is known; up to `limit` in the source, if given."""
        self.spans.sort()
        end, size = self._region()
        if limit is None or end <= limit:
            return self._write_region(end, size)
        spans, self.spans = self.spans[:size], self.spans[size:]
        before = self._take(spans[0].start)
        rule = self._rules[self.foremost(span.rule for span in spans)]
        if isinstance(rule.replacement, (Pseudonym, StandIn)):
            spans = [span._replace(cut=True) for span in spans]
        shown = self._shown(spans, self._reader.tail[: end - self._reader.written])
        text = self._take(limit)
        return before + (shown[: len(text)] if _repeats(rule) else shown)

    def _take(self, end: int) -> str:
        """Take the source text up to `end`."""
        length = end - self._reader.written
        text, self._reader.tail = self._reader.tail[:length], self._reader.tail[length:]
        self._reader.written = end
        return text

    def _region(self) -> tuple[int, int]:
        """Return the end of the first region, and its number of spans."""
        if len(self.spans) == 1:
            return self.spans[0].end, 1
        end, size = self.spans[0].end, 1
        while size < len(self.spans) and self.spans[size].start < end:
            end = max(end, self.spans[size].end)
            size += 1
        return end, size

    def _write_region(self, end: int, size: int) -> str:
        """Write the first region, of `size` spans, and the text before it."""
        spans, self.spans = self.spans[:size], self.spans[size:]
        before = self._take(spans[0].start)
        text = self._take(end)
        return before + self._shown(spans, text)

    def _shown(self, spans: Sequence[Span], text: str) -> str:
        """Return the replacement of a region."""
        number = spans[0].rule
        if len(spans) > 1:
            number = self.foremost(span.rule for span in spans)
        rule = self._rules[number]
        shown = self._replaced(rule, spans, text)
        return shown if _BREAK.search(text) is None else _with_breaks(shown, rule, text)

    def _replaced(self, rule: Rule, spans: Sequence[Span], text: str) -> str:
        if isinstance(rule.replacement, str):
            return _template(rule, len(text))
        cut = any(span.cut for span in spans)
        if isinstance(rule.replacement, StandIn):
            return (
                _template(rule, len(text)) if cut else rule.replacement.issue(text, spans[0].start)
            )
        single = len({span[:2] for span in spans}) == 1 and not cut
        if isinstance(rule.replacement, Keep):
            return _kept(rule.replacement, text, single)
        if single:
            return _pseudonym(rule.replacement, text)
        return _template(rule, len(text))

    def foremost(self, rules: Iterable[int]) -> int:
        """Return the most severe of some rules, the first one among equals."""
        return min(rules, key=lambda rule: (-SEVERITIES.index(self._rules[rule].severity), rule))

    # A candidate too long to be held is masked while it lives

    def flood(self, rule: int, end: int) -> str:
        """Start masking without holding: everything up to `end`, as one region of `rule`."""
        self._flow = self._rules[rule]
        return _template(self._flow, self._skip(end))

    def flow(self, end: int) -> str:
        """Continue masking up to `end`, as the same region."""
        length = self._skip(end)
        return _template(self._flow, length) if self._flow and _repeats(self._flow) else ""

    def _skip(self, end: int) -> int:
        """Skip the source text up to `end`; return its length."""
        length = end - self._reader.written
        if length <= 0:
            return 0
        self._take(end)
        if not self.spans:
            return length
        self.spans = [
            span._replace(start=max(span.start, end), cut=span.cut or span.start < end)
            for span in self.spans
            if span.end > end
        ]
        return length


def _repeats(rule: Rule) -> bool:
    """Return whether each masked character is replaced by one character."""
    replacement = rule.replacement
    return isinstance(replacement, Keep) or (isinstance(replacement, str) and len(replacement) == 1)


def fixed(rule: Rule) -> str | None:
    """Return a rule's replacement if it is the same for every match: a text for each span, or one
    character for each of the span's characters. None if it depends on the match."""
    shown = rule.replacement
    if has_phrases(rule):
        return None
    if not isinstance(shown, str) or len(shown) == 1:
        return shown if isinstance(shown, str) else None
    shown = shown.replace("{id}", rule.id)
    return None if len(shown) == 1 else shown


def has_phrases(rule: Rule) -> bool:
    """Return whether a rule has words in which a line break may stand for a space."""
    flexible = not rule.exact and "spaces" not in rule.normalize
    return flexible and any(len(word.split()) > 1 for word in rule.words)


_BREAK = re.compile("\r?[\n\u2028\u2029]")


def _with_breaks(shown: str, rule: Rule, text: str) -> str:
    """Return the replacement of a phrase with the line breaks in it."""
    if isinstance(rule.replacement, StandIn) or not has_phrases(rule):
        return shown
    if len(shown) != len(text) or not _repeats(rule):
        return shown + "".join(_BREAK.findall(text))
    return "".join(
        here if here in "\r\n\u2028\u2029" else one for one, here in zip(shown, text, strict=True)
    )


def _template(rule: Rule, length: int) -> str:
    replacement = rule.replacement
    if isinstance(replacement, Keep):
        return "*" * length
    if isinstance(replacement, (Pseudonym, StandIn)):
        return f"[{rule.id}]"
    return replacement * length if len(replacement) == 1 else replacement.replace("{id}", rule.id)


def _pseudonym(pseudonym: Pseudonym, text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    digest = hmac.new(pseudonym.key, data, hashlib.sha256).hexdigest()
    return pseudonym.prefix + digest[: pseudonym.length]


def _kept(keep: Keep, text: str, single: bool) -> str:
    shown = keep.first + keep.last
    if not single or len(text) <= 2 * shown:
        return "*" * len(text)
    last = text[len(text) - keep.last :]
    return text[: keep.first] + "*" * (len(text) - shown) + last
