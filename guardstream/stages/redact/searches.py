"""The searches of one stream, and those that pass over what is not seen of its text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from guardstream.scan.match import Match, Scan, Steps, Window
from guardstream.scan.reader import Ran, Reader, run
from guardstream.scan.readings import MAX_READINGS, Fork, Resting, few, forks
from guardstream.scan.unseen import Part

REST_EVERY = 4
"""So many code points apart forks may come to rest, counted from the run that made them: what they
find must not depend on how the text is cut."""

MAX_COUNTED = 256
"""How many matches are counted before those that no fork can find any more are dropped."""


class Searches:
    """The `scans` of one stream, which read in step, and the forks of some of them.

    A fork passes over unseen characters of the text. A pattern's match that both a search and its
    forks find counts once.
    """

    __slots__ = (
        "_forked_at",
        "_forking",
        "_reader",
        "_resting",
        "_times_found",
        "_window",
        "forks",
        "scans",
    )

    _times_found: dict[tuple[Scan, int, int, int], dict[Scan, int]]
    """While there are forks: how often a match was found, by a search and by each of its forks. A
    match is a search, the number of a pattern in it, and a span."""

    def __init__(
        self, scans: Sequence[Scan], reader: Reader, window: Window, forking: Collection[int]
    ) -> None:
        """`forking` are the rules that are to pass over unseen characters."""
        self.scans = scans
        self.forks: tuple[Fork, ...] = ()
        self._resting: tuple[Resting, ...] = ()
        self._forked_at = 0  # where the last run of unseen characters began
        self._reader = reader
        self._window = window
        self._forking = forking

    @property
    def steps(self) -> list[Steps]:
        """What reads the text, but for the forks that rest."""
        return [scan.steps for scan in self.scans]

    def run(self, text: str, begin: int, end: int) -> Ran:
        """See `Reader.run`; the forks that do not rest read as well."""
        if self.forks:
            return run(self.steps, text, begin, end)
        return self._reader.run(text, begin, end)

    def fork(self, run: Part) -> None:
        """Before a run of unseen characters: from here on also search the text in which it is
        passed over, for the rules that ask for it."""
        # Those that rest are all in the state of their search: `few` would keep one of each.
        here = self._forked_at = self._reader.position
        live = [fork for fork in self._resting if not fork.is_over(here)]
        self._resting = tuple({id(fork.of): fork for fork in reversed(live)}.values())
        self.wake_forks()
        self._keep(few(self.forks))
        self._fork(forks(self.scans, self._forking, self._window, self.forks, run))

    def decide(self, *, whole: bool) -> None:
        """End the forks that do not take as a `whole` what was a control function, or those that
        do where it was none. The searches themselves read it as text, too."""
        self._keep([fork for fork in self.forks if fork.takes_whole is whole])

    def read_as(self, part: Part) -> None:
        """Say what is read next."""
        for fork in self.forks:
            fork.read_as(part)

    def _fork(self, new: Iterable[Fork]) -> None:
        if forked := tuple(new):
            if not self.forks:
                self._times_found = {}
            for times in self._times_found.values():
                for fork in forked:
                    times[fork] = times.get(fork.parent, 0)
            self.forks = (*self.forks, *forked)
            self.scans = (*self.scans, *forked)

    def until_rest(self) -> int:
        """Return how many characters are read until forks may rest."""
        return REST_EVERY - (self._reader.position - self._forked_at) % REST_EVERY

    def rest_forks(self) -> None:
        """Here, if forks may rest here, let those rest whose results no longer differ from those of
        their searches."""
        if self.until_rest() < REST_EVERY:
            return
        alike = [fork for fork in self.forks if fork.is_alike]
        resting = [fork.at_rest() for fork in alike]
        self._resting = (*self._resting, *resting)[-MAX_READINGS:]
        self._keep([fork for fork in self.forks if fork not in alike])

    def _keep(self, kept: Sequence[Fork]) -> None:
        if len(kept) < len(self.forks):
            dropped = [fork for fork in self.forks if fork not in kept]
            self.scans = tuple([scan for scan in self.scans if scan not in dropped])
            self.forks = tuple(kept)

    def wake_forks(self) -> None:
        """Let the forks read again: their results may differ in what is to be settled."""
        if self._resting:
            resting, self._resting = self._resting, ()
            here = self._reader.position
            woken = [
                fork.woken(self._forking, self._window)
                for fork in resting
                if not fork.is_over(here)
            ]
            self._fork(fork for fork in woken if fork)

    def found(self, take: Callable[[Scan], list[Match]]) -> list[Match]:
        """Return the matches that `take` gets from all searches."""
        if not self.forks:
            return [match for scan in self.scans for match in take(scan)]
        found = []
        for scan in self.scans:
            of = scan.of if isinstance(scan, Fork) else scan
            for match in take(scan):
                key = of, match.pattern, match.start, match.end
                times = self._times_found.setdefault(key, {})
                before = max(times.values(), default=0)
                times[scan] = times.get(scan, 0) + 1
                if match.failed or times[scan] > before:
                    found.append(match)
        if len(self._times_found) > MAX_COUNTED:
            oldest = min(fork.oldest() for fork in self.forks)
            self._times_found = {
                key: times for key, times in self._times_found.items() if key[-1] > oldest
            }
        return found

    def settled(self) -> list[Match]:
        """Return the matches that the text so far has settled."""
        return self.found(lambda scan: scan.settle(self._window))

    def due(self) -> list[Match]:
        """Return the matches of the searches that have settled some; there must be no forks."""
        found: list[Match] = []
        for scan in self.scans:
            if scan.steps.due:
                found += scan.settle(self._window)
        return found

    def oldest_hold(self, written: int) -> int:
        """Return the start of the oldest hold-back; text up to `written` holds nothing any more."""
        hold = min([scan.hold() for scan in self.scans])
        if hold < written:
            for scan in self.scans:
                scan.wrote(written, self._window)
            hold = min([scan.hold() for scan in self.scans])
        return hold

    def needed(self, position: int) -> int:
        """Return from where on the searches need the text; `position` if none needs any."""
        if self._resting:
            self._resting = tuple([fork for fork in self._resting if not fork.is_over(position)])
        needed = [scan.needed() for scan in self.scans]
        return min([*needed, *[fork.read for fork in self._resting]], default=position)

    def is_watched(self) -> bool:
        """Return whether an overflow may end at the next character without any search reporting
        it."""
        for scan in self.scans:  # noqa: SIM110 - `any` would take three times as long
            if scan.watched():
                return True
        return False
