"""What of a stream's search reads the text that is kept once more: to confirm matches, to find what
of them is masked, and to go on from a place before the present.

All of it is paid for in steps, so that no text makes it take long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from guardstream.scan.match import Announcing, Window
from guardstream.scan.regex.forms import AnyStepper
from guardstream.scan.regex.matcher import Budget
from guardstream.scan.regex.pattern_set import PatternSet
from guardstream.scan.regex.piles import OpenMatch

STEPS_PER_CHARACTER = 1_000
"""How many steps of confirming each character that is read pays for; at most those of a window can
be saved up."""

AT_ONCE = 64
"""Of how many places in a row a search asks at once whether a keyword stands before them, or of a
quarter of those up to here, all of which is read again from there: so that is read four times. To
ask of one takes as long as to read thousands of characters, if the text is full of what looks like
a keyword."""


class OverBudgetError(Exception):
    """Confirming would take more steps than the characters read have paid for."""


class ReservingBudget:
    """What candidates that overflow may take of a budget: `kept` steps of it are for matches."""

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
    """What of one stream's search reads its window again; `steps` reads the text that comes.

    It is the budget of what it does, see `Budget`.
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
        """What lies before may no longer be known, however the text was cut."""
        return self.steps.offset - self._set.window

    def _near(self, begin: int, reach: int, window: Window) -> str:
        """The text from up to `reach` characters before `begin` up to here, as patterns read it."""
        return self._as_read(window.slice(max(begin - reach, window.base), self.offset))

    # Keywords

    def _is_refused(self, match: OpenMatch, window: Window) -> bool:
        """Whether a match is refused, and with it all that begin after it, up to here: then what it
        hides need not be looked for."""
        keywords = self._set.announcing[match.pattern]
        if keywords is None or match.start < self._horizon():
            return False
        return keywords.are_missing(self._near(match.start, keywords.reach, window))

    def _after_refused(self, match: OpenMatch, window: Window) -> int:
        """Where the search goes on after a match that is refused: it hides nothing, so after its
        first character. After a long one, all of which would be read again for each character, it
        may be where the next one is announced."""
        keywords, begin = self._set.announcing[match.pattern], match.start + 1
        end = self._asked_upto(begin)
        if keywords is None or match.end < end:
            return begin
        return self._announced(keywords, begin, end, window)

    def _announced(self, keywords: Announcing, begin: int, end: int, window: Window) -> int:
        """The first offset from `begin` on where a match may begin, as far as `end`."""
        near = self._near(begin, keywords.reach, window)
        if keywords.are_missing(near):
            return self.offset
        missed = self.offset - len(near)
        return missed + keywords.announced(near, begin - missed, end - missed)

    def _asked_upto(self, begin: int) -> int:
        """Before which place a search stops asking for keywords that began to ask at `begin`."""
        return begin + max(AT_ONCE, (self.offset - begin) // 4)

    # Matches

    def _spans(self, pattern: int, match: OpenMatch, window: Window) -> Sequence[tuple[int, int]]:
        """What of a match is masked: all of it, or each capture of the group."""
        compiled, base = self._set.patterns[pattern], window.base
        if not compiled.group:
            return [(match.start, match.end)]
        # Where the group began the automaton knows, unless the hold-back is another match's too, as
        # it may be where matches are refused. What is released may have been the group's beginning.
        automaton = self._set.automata[pattern]
        shared = automaton.least_hold and (
            match.outlived or self._set.releases or self.steps.blurred(pattern)
        )
        known = automaton.program.exact and not shared
        if known and compiled.tail is not None:
            end = match.end - compiled.tail
            return [(match.hold, end)] if match.hold < end else []
        # What comes after is not known yet, however the text is cut.
        text = self._as_read(window.text)[: self.offset - base]
        end, horizon = match.end - base, self._horizon()
        if known and compiled.after is not None:
            ends = [
                match.end - width
                for width in compiled.widths
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
                # The way that `regex` prefers has overflowed and was dropped. In the one that is
                # left the group may have captured nothing.
                opened = match.hold < match.end
                found = matcher.opened_at(text, match.hold - base, end, self) if opened else []
        elif match.hold >= horizon and not match.outlived:
            found = matcher.opened_at(text, match.hold - base, end, self)
        if found is None:
            return [(match.start if match.outlived else match.hold, match.end)]
        return [(first + base, last + base) for first, last in found]

    def _masked_to(self, match: OpenMatch, window: Window) -> int:
        """Where what is masked of a match ends; the match's end where that takes too long."""
        try:
            spans = self._spans(match.pattern, match, window)
        except OverBudgetError:
            return match.end
        return spans[-1][1] if spans else match.hold

    def _holds_true(self, pattern: int, spans: Sequence[tuple[int, int]], window: Window) -> bool:
        """Whether the pattern's judge confirms one of a match's spans; an empty one is nothing to
        judge."""
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
        """The first match that begins from `begin` on, and before `end`, as `regex` finds it, of an
        approximated pattern."""
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
        """Whether more text may change what matches at `start`; so it is if nothing lives."""
        if start > self.offset or start < window.base:
            return True
        text, base = self._as_read(window.text), window.base
        text = text[: self.offset - base]
        return self._set.matcher(pattern).can_go_on(text, start - base, base == 0, budget)

    # Going on from before

    def _restart(
        self, pattern: int, at: int, window: Window, *, ended: bool = False, until: int = -1
    ) -> None:
        """Let the pattern's search go on as if it had begun at an offset before the present: what
        is there are only its lookbehinds, which read what they may look back at. `until` an offset
        the masked group does not open."""
        base, read = window.base, self.steps.offset
        at = max(at, self._horizon())
        begin = max(at - self._set.patterns[pattern].behind, base)
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
        """How many steps would be left if none had been paid for."""
        return STEPS_PER_CHARACTER * (min(self.steps.offset, self._set.window) + 1)

    def pay(self, steps: int) -> None:
        """See `Budget.pay`; raises OverBudgetError."""
        read = self.steps.offset
        self._spent = max(self._spent, STEPS_PER_CHARACTER * (read - self._set.window)) + steps
        if self._spent > STEPS_PER_CHARACTER * (read + 1):
            raise OverBudgetError
