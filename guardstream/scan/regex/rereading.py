"""The part of a stream's search that reads kept text again: to confirm matches, to find which part
of them is masked, and to go on from an earlier offset.

All of this is paid for in steps, so that no text makes it take long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from guardstream.scan.match import Announcing, Window
from guardstream.scan.regex.forms import AnyStepper
from guardstream.scan.regex.matcher import Budget
from guardstream.scan.regex.pattern_set import PatternSet
from guardstream.scan.regex.piles import OpenMatch

STEPS_PER_CHARACTER = 1_000
"""Each character that is read pays for so many steps of confirming. At most the steps of a window
can be saved up."""

AT_ONCE = 64
"""A search asks for so many places at once whether a keyword stands before them, or for a quarter
of those up to the present if that is more. The text from there on is then read again, so it is read
about four times. Asking for one place can take as long as reading thousands of characters, if the
text is full of what looks like a keyword."""


class OverBudgetError(Exception):
    """Confirming would take more steps than the characters read have paid for."""


class ReservingBudget:
    """The budget of candidates that overflow: another one, of which `kept` steps are reserved for
    matches."""

    def __init__(self, budget: Budget, kept: int) -> None:
        self._budget = budget
        self._kept = kept

    def left(self) -> int:
        """See `Budget.left`."""
        return self._budget.left() - self._kept

    def pay(self, steps: int) -> None:
        """See `Budget.pay`; raises OverBudgetError."""
        self._budget.pay(steps)
        if self.left() < 0:
            raise OverBudgetError


class Rereading:
    """The part of one stream's search that reads its window again; `steps` reads new text.

    It is also the budget for that, see `Budget`.
    """

    __slots__ = ("_set", "_spent", "steps")

    def __init__(self, patterns: PatternSet, steps: Callable[[], AnyStepper]) -> None:
        self._set = patterns
        self.steps: AnyStepper = steps()
        self._spent = 0

    @property
    def offset(self) -> int:
        """How many characters have been read."""
        return self.steps.offset

    def _as_read(self, text: str) -> str:
        """A text as patterns read it."""
        table = self._set.table
        return text if table is None else table.translated(text)

    def _horizon(self) -> int:
        """Text before this offset may no longer be kept. It is the same for every chunking."""
        return self.steps.offset - self._set.window

    def _near(self, begin: int, reach: int, window: Window) -> str:
        """The text from up to `reach` characters before `begin` up to here, as patterns read it."""
        return self._as_read(window.slice(max(begin - reach, window.base), self.offset))

    # Keywords

    def _is_refused(self, match: OpenMatch, window: Window) -> bool:
        """Whether keywords are missing for a match and for all that begin after it, up to here. All
        are then refused, so candidates that the match hides need not be looked for."""
        keywords = self._set.announcing[match.pattern]
        if keywords is None or match.start < self._horizon():
            return False
        return keywords.are_missing(self._near(match.start, keywords.reach, window))

    def _after_refused(self, match: OpenMatch, window: Window) -> int:
        """Where the search goes on after a match that is refused: at its second character, since it
        hides nothing any more. After a long match, which might be read again for each of its
        characters, it may be where a keyword announces the next one."""
        keywords, begin = self._set.announcing[match.pattern], match.start + 1
        end = self._asked_upto(begin)
        if keywords is None or match.end < end:
            return begin
        return self._announced(keywords, begin, end, window)

    def _announced(self, keywords: Announcing, begin: int, end: int, window: Window) -> int:
        """The first offset from `begin` on where keywords allow a match; `end` if there is none
        before, and the present offset if they allow none up to here."""
        near = self._near(begin, keywords.reach, window)
        if keywords.are_missing(near):
            return self.offset
        missed = self.offset - len(near)
        return missed + keywords.announced(near, begin - missed, end - missed)

    def _asked_upto(self, begin: int) -> int:
        """The offset before which a search stops asking for keywords if it began at `begin`."""
        return begin + max(AT_ONCE, (self.offset - begin) // 4)

    # Matches

    def _spans(self, pattern: int, match: OpenMatch, window: Window) -> Sequence[tuple[int, int]]:
        """What of a match is masked: all of it, or each capture of the group."""
        compiled, base = self._set.patterns[pattern], window.base
        if not compiled.group:
            return [(match.start, match.end)]
        # The automaton knows where the group began, unless the hold-back is also that of another
        # match, as it may be if matches are refused, or the group's beginning has been released.
        automaton = self._set.automata[pattern]
        shared = automaton.least_hold and (
            match.outlived or self._set.releases or self.steps.blurred(pattern)
        )
        known = automaton.program.exact and not shared
        if known and compiled.facts.tail is not None:
            end = match.end - compiled.facts.tail
            return [(match.hold, end)] if match.hold < end else []
        # The window may reach further if a chunk does, but the answer must not depend on that.
        text = self._as_read(window.text)[: self.offset - base]
        end, horizon = match.end - base, self._horizon()
        if known and any(compiled.facts.widths):
            ends = [
                match.end - width
                for width in range(*compiled.facts.widths)
                if match.end - width >= max(match.hold, horizon)
                and self._set.follows(pattern, text, end - width, end, base == 0, self)
            ]
            if len(ends) == 1:
                # It can only have ended there.
                return [(match.hold, ends[0])] if match.hold < ends[0] else []
        matcher, found = self._set.matcher(pattern), None
        if match.start >= horizon:
            found = matcher.ends_at(text, match.start - base, end, base == 0, self)
            if known and found and found[0][0] + base != match.hold >= horizon:
                # The way that `regex` prefers has overflowed and was dropped. In the way that is
                # left, the group may have captured nothing.
                opened = match.hold < match.end
                found = matcher.opened_at(text, match.hold - base, end, self) if opened else []
        elif match.hold >= horizon and not match.outlived:
            found = matcher.opened_at(text, match.hold - base, end, self)
        if found is None:
            return [(match.start if match.outlived else match.hold, match.end)]
        return [(first + base, last + base) for first, last in found]

    def _masked_to(self, match: OpenMatch, window: Window) -> int:
        """The end of what a match masks; the match's end if finding it takes too long."""
        try:
            spans = self._spans(match.pattern, match, window)
        except OverBudgetError:
            return match.end
        return spans[-1][1] if spans else match.hold

    def _is_confirmed(self, pattern: int, spans: Sequence[tuple[int, int]], window: Window) -> bool:
        """Whether the pattern's judge confirms one of a match's spans. Empty ones are not
        judged."""
        confirm = self._set.patterns[pattern].confirm
        if confirm is None:
            return True
        judge, reach = confirm.judge, confirm.reach
        for start, end in spans:
            if start < end:
                near = max(start - reach, window.base)
                text = self._as_read(window.slice(near, end))
                if judge(text[start - near :], text[: start - near]):
                    return True
        return False

    def _find(self, pattern: int, begin: int, end: int, window: Window) -> OpenMatch | None:
        """An approximated pattern's first match, as `regex` finds it, that begins at `begin` or
        after it, and before `end`."""
        starts = range(max(begin, window.base), min(end, self.offset))
        return self._first_of(pattern, starts, window, self)

    def _first_of(
        self, pattern: int, starts: Iterable[int], window: Window, budget: Budget
    ) -> OpenMatch | None:
        """The first match that begins at one of the starts."""
        base = window.base
        text = self._as_read(window.text)[: self.offset - base]
        matcher = self._set.matcher(pattern)
        for start in starts:
            found = matcher.match(text, start - base, base == 0, budget)
            if found is not None:
                end = found.end + base
                hold = found.spans[0][0] + base if found.spans else end
                if not self._set.patterns[pattern].group:
                    hold = start
                return OpenMatch(pattern, start, hold, end, late=False, written=hold == end)
        return None

    def _can_go_on(self, pattern: int, start: int, window: Window, budget: Budget) -> bool:
        """Whether more text may change what matches at `start`. Also true if `start` is beyond the
        present, since no candidate lives, or if its text is no longer kept."""
        if start > self.offset or start < window.base:
            return True
        text, base = self._as_read(window.text), window.base
        text = text[: self.offset - base]
        return self._set.matcher(pattern).can_go_on(text, start - base, base == 0, budget)

    # Going on from before

    def _restart(
        self, pattern: int, at: int, window: Window, *, ended: bool = False, until: int = -1
    ) -> None:
        """Restart the pattern's search as if it had begun at the offset `at`. Before that, only its
        lookbehinds read, as far as they look back. The masked group does not open up to the offset
        `until`. `ended` if the text ends here."""
        base, read = window.base, self.steps.offset
        at = max(at, self._horizon())
        begin = max(at - self._set.patterns[pattern].facts.behind, base)
        if begin == base and base:
            begin = min(base + 1, at)
        first = max(begin - 1, base)
        text = window.slice(first, read)
        self.steps.restart(pattern, text, begin - first, at - first, first, ended, until)
        self.pay(read - at + 1)

    # The budget

    def left(self) -> int:
        """See `Budget.left`."""
        read = self.steps.offset
        spent = max(self._spent, STEPS_PER_CHARACTER * (read - self._set.window))
        return STEPS_PER_CHARACTER * (read + 1) - spent

    def _allowance(self) -> int:
        """How many steps would be left if none had been spent."""
        return STEPS_PER_CHARACTER * (min(self.steps.offset, self._set.window) + 1)

    def pay(self, steps: int) -> None:
        """See `Budget.pay`; raises OverBudgetError."""
        read = self.steps.offset
        self._spent = max(self._spent, STEPS_PER_CHARACTER * (read - self._set.window)) + steps
        if self._spent > STEPS_PER_CHARACTER * (read + 1):
            raise OverBudgetError
