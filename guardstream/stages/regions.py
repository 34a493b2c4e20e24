"""Writes the guarded text: what is settled passes, and every masked region is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guardstream.scan.match import Window
from guardstream.stages.rules import SEVERITIES, Keep, Rule


class Span(NamedTuple):
    """A masked span: offsets in the source, its rule's number, and whether its start was cut."""

    start: int
    end: int
    rule: int
    cut: bool = False


class Regions:
    """The masked spans that are not written yet, and how far the source has been written.

    Overlapping spans form one region, which takes the replacement of its most severe rule, the
    first in the policy among equals; touching spans stay apart.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._spans: list[Span] = []
        self._flow: Rule | None = None
        self.written = 0

    def add(self, start: int, end: int, rule: int) -> None:
        """Mask a span; what of it is written already stays as it is."""
        if end > self.written:
            cut = start < self.written
            self._spans.append(Span(max(start, self.written), end, rule, cut))

    @property
    def pending(self) -> bool:
        """Whether some span waits to be written."""
        return bool(self._spans)

    def release(self, hold: int, window: Window) -> str:
        """Write up to `hold`, but no region that reaches beyond it."""
        if not self._spans:
            if hold <= self.written:
                return ""
            text = window.slice(self.written, hold)
            self.written = hold
            return text
        parts = []
        self._spans.sort()
        while self._spans:
            end, size = self._region()
            start = self._spans[0].start
            if end > hold:
                hold = min(hold, start)
                break
            parts += [window.slice(self.written, start), self._replaced(self._spans[:size], window)]
            self.written = end
            del self._spans[:size]
        if hold > self.written:
            parts.append(window.slice(self.written, hold))
            self.written = hold
        return "".join(parts)

    def _region(self) -> tuple[int, int]:
        """The first region's end, and of how many spans it consists."""
        end, size = self._spans[0].end, 1
        while size < len(self._spans) and self._spans[size].start < end:
            end = max(end, self._spans[size].end)
            size += 1
        return end, size

    def force(self, window: Window, limit: int | None = None) -> str:
        """Write the first region as it is known now; up to `limit` in the source, if given."""
        self._spans.sort()
        end, size = self._region()
        spans, self._spans = self._spans[:size], self._spans[size:]
        if limit is not None and end > limit:
            end = limit
            spans = [span._replace(end=min(span.end, limit), cut=True) for span in spans]
        text = window.slice(self.written, spans[0].start) + self._replaced(spans, window)
        self.written = end
        return text

    def _replaced(self, spans: Sequence[Span], window: Window) -> str:
        rule = self._rules[self.foremost(span.rule for span in spans)]
        start, end = spans[0].start, max(span.end for span in spans)
        if isinstance(rule.replacement, Keep):
            single = len({span[:2] for span in spans}) == 1 and not spans[0].cut
            return _kept(rule.replacement, window.slice(start, end), single)
        return self._template(rule, end - start)

    def foremost(self, rules: object) -> int:
        """The most severe of some rules, the first among equals."""
        return min(rules, key=lambda rule: (-SEVERITIES.index(self._rules[rule].severity), rule))  # type: ignore[call-overload, no-any-return]

    @staticmethod
    def _template(rule: Rule, length: int) -> str:
        if isinstance(rule.replacement, Keep):
            return "*" * length
        if len(rule.replacement) == 1:
            return rule.replacement * length
        return rule.replacement.replace("{id}", rule.id)

    # A candidate too long to be held is masked while it lives

    def flood(self, rule: int, end: int) -> str:
        """Begin to mask without holding: all up to `end`, as one region of `rule`."""
        self._flow = self._rules[rule]
        length, self.written = end - self.written, end
        self._spans = [span for span in self._spans if span.end > end]
        return self._template(self._flow, length)

    def flow(self, end: int) -> str:
        """Mask on, up to `end`, as the same region."""
        rule, length = self._flow, end - self.written
        if rule is None or length <= 0:
            return ""
        self.written = end
        repeats = isinstance(rule.replacement, Keep) or len(rule.replacement) == 1
        return self._template(rule, length) if repeats else ""


def _kept(keep: Keep, text: str, single: bool) -> str:
    shown = keep.first + keep.last
    if not single or len(text) <= 2 * shown:
        return "*" * len(text)
    last = text[len(text) - keep.last :]
    return text[: keep.first] + "*" * (len(text) - shown) + last
