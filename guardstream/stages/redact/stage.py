"""One stream's redaction: what its rules find is masked, reported, or ends the stream.

A character is released as soon as no rule can still claim it. What is found settles at a position
of the text, never of a chunk, and events stand in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from guardstream.events import Event, Finding, FindingKind, Finish, Text, match_found
from guardstream.scan.match import Match, Scan, Window
from guardstream.scan.together import Ran, Settled, reading, run
from guardstream.scan.unseen import Fork, apart, forks
from guardstream.stages.redact.regions import Regions
from guardstream.stages.rules import SEVERITIES

if TYPE_CHECKING:
    from guardstream.stages.redact.rule_set import RuleSet

ENDING = frozenset(("block", "stop"))
"""The actions that end the stream."""

MAX_PIECE = 4_096
"""How many code points are looked at together; a longer chunk is cut."""

MAX_SPARE = 256
"""How many code points may pile up before what is not needed any more is dropped."""


class _End(NamedTuple):
    """What ends the stream here: the match, and how it is reported."""

    match: Match
    kind: FindingKind
    finish: Finish


class Redact:
    """One stream's redaction; a Stage. Made by `RuleSet.stage`."""

    def __init__(self, rules: RuleSet, scans: Sequence[Scan]) -> None:
        self._set = rules
        self._rules = rules.rules
        self._max_holdback = rules.max_holdback
        self._at_once = min(rules.max_holdback, MAX_PIECE)  # code points in which nothing overflows
        self._search(*scans)
        self._window = Window()
        self._trim_at = MAX_SPARE  # how far is read before the window is trimmed
        self._regions = Regions(self._rules, rules.fixed)
        self._position = 0  # how far the source was read
        self._flowing: dict[int, int] = {}  # rules that mask what overflowed, and where that began
        self._overflown = False  # just now: it may end at once, and no search would say so
        self._outrun = False  # text was written that a candidate still claims
        self._disabled = False  # a rule has failed, whose words the searches still hold
        self._finished = False
        self._busy = False  # the next text has to be fed carefully
        self._find_unseen = rules.unseen.search if rules.unseen else None
        self._forks: list[Fork] = []  # searches of what is seen alone
        self._said: dict[tuple[int, int, int], list[int]] = {}  # by searches, and by forks

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        return 0 if self._finished else self._position - self._regions.written

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return what can be said now."""
        said = self.feed_text(text)
        if isinstance(said, str):
            return [Text(said)] if said else []
        return said

    def feed_text(self, text: str) -> str | list[Event]:
        """Do as `feed`, but return text alone without an event around it."""
        regions = self._regions
        tail = regions.tail + text
        if (
            self._busy
            or not text
            or len(tail) > self._at_once
            or (self._find_unseen and not text.isascii() and self._find_unseen(text))
        ):
            return self._flow_on(text) if self._flowing else self._feed_carefully(text)
        # Nearly always nothing happens in a chunk, and nothing can grow too long in it.
        held = self.read(text)
        if regions.spans or type(held) is not int:
            return self.follow(text, held)
        self._position = position = self._position + len(text)
        self._window.parts.append(text)
        if position > self._trim_at:
            self._trim()
        if not held:
            regions.tail = ""
            regions.written = position
            return tail
        release = len(tail) - held
        if release <= 0:
            regions.tail = tail
            return ""
        regions.written += release
        regions.tail = tail[release:]
        return tail[:release]

    def _flow_on(self, text: str) -> str | list[Event]:
        """Do as `feed_text` while what has overflowed is masked as it comes: nearly always it goes
        on to the end of a chunk."""
        if (
            self._finished
            or not text
            or len(text) > self._at_once
            or self._is_watched()
            or self._forks
            or (self._find_unseen and self._find_unseen(text))
        ):
            return self._feed_carefully(text)
        ran = self.read(text)
        if not isinstance(ran, int):
            return self._feed_carefully(text, ran)
        self._position += len(text)
        self._window.parts.append(text)
        if self._position > self._trim_at:
            self._trim()
        self._regions.tail += text
        return self._regions.flow(self._position)

    @property
    def tail(self) -> str:
        """The text that is held."""
        return self._regions.tail

    @property
    def only_reads(self) -> bool:
        """Whether `read` may take the next text, in place of `feed`: no match waits."""
        return not (self._busy or self._regions.spans)

    def skip(self, text: str, tail: str) -> None:
        """Take text for which `read` has returned nothing but how much of it is held: in the end
        that is `tail`."""
        self._position += len(text)
        self._regions.tail, self._regions.written = tail, self._position - len(tail)
        self._window.parts.append(text)
        if self._position > self._trim_at:
            self._trim()

    def follow(self, text: str, ran: int | Ran) -> list[Event]:
        """Take text that `read` has read, as `feed` does; from event to event where somebody must
        look."""
        settled: Sequence[Settled] | None = None
        if isinstance(ran, int):
            held = ran
        else:
            _, held, due, settled = ran
            if due:
                return self._feed_carefully(text, ran)
        regions = self._regions
        events: list[Event] = []
        self._window.parts.append(text)
        regions.tail += text
        if settled:
            self._settle(events, settled, 0)
        self._position += len(text)
        self._write(events, regions.release(self._position - held))
        if self._position > self._trim_at:
            self._trim()
        return events

    def _trim(self) -> None:
        """Drop the text that nothing can ask for any more."""
        self._window.forget(min([scan.needed() for scan in self._scans], default=self._position))
        self._trim_at = self._position + MAX_SPARE

    def _feed_carefully(self, text: str, ran: Ran | None = None) -> list[Event]:
        """Feed from event to event; `ran` if it has been read up to one."""
        if len(text) > MAX_PIECE:
            pieces = (text[at : at + MAX_PIECE] for at in range(0, len(text), MAX_PIECE))
            return [event for piece in pieces for event in self._feed_carefully(piece)]
        if self._finished or not text:
            return []
        if ran is None and self._find_unseen and self._find_unseen(text):
            events = []
            for is_unseen, part in apart(text):
                if is_unseen:
                    self._fork()
                events += self._read_on(part)
            return events
        return self._read_on(text, ran)

    def _read_on(self, text: str, ran: Ran | None = None) -> list[Event]:
        """Feed from event to event a text that is seen as a whole, or not at all."""
        if self._finished:
            return []
        self._window.parts.append(text)
        self._regions.tail += text
        events: list[Event] = []
        index, length = 0, len(text)
        while index < length and not self._finished:
            room = self._regions.written + self._max_holdback + 1 - self._position
            end = min(length, index + room)
            if ran is not None:
                stop, held, due, settled = ran
                ran = None
            elif self._outrun and self._is_watched():
                stop, held, _, settled = run(self._steps, text, index, index + 1)
                due = True
            elif (self._outrun or self._disabled) and not self._flowing:
                # What waits for text that has been written, or for a rule that is disabled, waits
                # no more: each event shows it.
                stop, held, _, settled = run(self._steps, text, index, end)
                due = True
            else:
                stop, held, due, settled = self._run(text, index, end)
            if settled:
                self._settle(events, settled, index)
            self._position += stop - index
            index = stop
            if due:
                self._step(events)
            else:
                self._move(events, held)
        if self._forks:
            self._join()
        self._busy = self._finished or self._outrun or self._disabled or bool(self._forks)
        if self._position > self._trim_at:
            self._trim()
        return events

    def _fork(self) -> None:
        """Search from here on also what is seen of the text, for the rules that ask for it."""
        new = list(forks(self._scans, self._set.forking, self._window, self._forks))
        if new:
            self._forks += new
            self._search(*self._scans, *new)

    def _join(self) -> None:
        """Drop the forks that find nothing else any more."""
        if self._outrun or self._flowing:
            return
        needless = [fork for fork in self._forks if fork.is_needless]
        if needless:
            self._forks = [fork for fork in self._forks if fork not in needless]
            self._search(*(scan for scan in self._scans if scan not in needless))
            if not self._forks:
                self._said.clear()

    def _search(self, *scans: Scan) -> None:
        self._scans = list(scans)
        self._steps = [scan.steps for scan in scans]
        self.read, self._run = reading(self._steps)

    def finish(self) -> list[Event]:
        """Take the source's end: settle what is open, release the rest, and finish."""
        events: list[Event] = []
        if self._finished:
            return events
        self._busy = True
        found = self._found(lambda scan: scan.finish(self._window))
        if not self._concluded(events, found, self._position):
            self._finished = True
            events.append(Finish("stop"))
        return events

    def _is_watched(self) -> bool:
        """Whether what has overflowed may end at the next character and nobody would be told."""
        if self._overflown:
            return True
        for scan in self._scans:  # noqa: SIM110 - `any` would take three times as long
            if scan.watched():
                return True
        return False

    def _settle(self, events: list[Event], settled: Sequence[Settled], index: int) -> None:
        """Say what has settled on the way from `text[index]` without a look."""
        regions, rules, flows = self._regions, self._rules, self._flowing
        for at, held, found in settled:
            position = self._position + at - index
            if len(found) == 1 and not flows:
                self._say(events, *found[0], position - held)
                continue
            for rule, start, end in found:
                if rules[rule].action == "mask":
                    regions.add(start, end, rule)
            text = regions.flow(position) if flows else regions.release(position - held)
            if text:
                events.append(Text(text))
            found.sort(key=_place)
            for rule, start, end in found:
                made = rules[rule]
                events.append(match_found(made.id, start, end, made.action, made.severity))

    def _say(self, events: list[Event], number: int, start: int, end: int, hold: int) -> None:
        """Say of the only match of a rule that ends nothing, and release up to `hold`."""
        rule, regions = self._rules[number], self._regions
        masks = rule.action == "mask"
        text = regions.mask(start, end, number, hold) if masks else regions.release(hold)
        if text:
            events.append(Text(text))
        events.append(match_found(rule.id, start, end, rule.action, rule.severity))

    def _move(self, events: list[Event], held: int) -> None:
        """Release what nothing holds any more, or mask it while what has overflowed lives on."""
        if self._flowing:
            self._write(events, self._regions.flow(self._position))
            return
        self._write(events, self._regions.release(self._position - held))
        if self.held > self._max_holdback:
            self._overflow(events)

    def _step(self, events: list[Event]) -> None:
        """Say what the characters up to here have settled."""
        found = self._found(lambda scan: scan.settle(self._window))
        hold = self._position
        for scan in self._scans:
            waits = scan.hold()
            if waits < hold:
                hold = waits
        if self._flowing:
            self._flow(events, found)
        if self._outrun and not self._flowing:
            hold = self._hold()
            self._outrun = hold < self._regions.written
        if found:
            if self._concluded(events, found, hold):
                return
        else:
            self._write(events, self._regions.release(hold))
        if self.held > self._max_holdback:
            self._overflow(events)

    def _hold(self) -> int:
        """Where the oldest hold-back begins."""
        hold = min([scan.hold() for scan in self._scans])
        if hold < self._regions.written:
            for scan in self._scans:
                scan.wrote(self._regions.written, self._window)
            hold = min([scan.hold() for scan in self._scans])
        return hold

    @staticmethod
    def _write(events: list[Event], text: str) -> None:
        if text:
            events.append(Text(text))

    # Matches

    def _found(self, take: Callable[[Scan], list[Match]]) -> list[Match]:
        """What all searches have found; what both a search and its fork find is found once."""
        if not self._forks:
            return [match for scan in self._scans for match in take(scan)]
        found = []
        for scan in self._scans:
            is_fork = scan in self._forks
            for match in take(scan):
                times = self._said.setdefault((match.rule, match.start, match.end), [0, 0])
                times[is_fork] += 1
                if match.failed or times[is_fork] > times[not is_fork]:
                    found.append(match)
        if len(self._said) > MAX_SPARE:
            oldest = min(fork.oldest() for fork in self._forks)
            self._said = {match: times for match, times in self._said.items() if match[2] > oldest}
        return found

    def _concluded(self, events: list[Event], found: list[Match], hold: int) -> bool:
        """Report matches and release up to `hold`; returns whether the stream ends here."""
        end = None
        kept = found
        failures: list[Finding] = []
        if len(found) == 1 and self._is_plain(found[0]):
            self._say(events, *found[0][:3], hold)
            return False
        if not self._set.only_masks or any(match.failed for match in found):
            found, failures = self._without_failed(found)
            if failures:
                hold = self._hold()
            end = self._ending(found)
            kept = [m for m in found if self._rules[m.rule].action not in ENDING and not m.failed]
        if end is not None:
            hold = min([hold, *[match.start for match in found if match not in kept]])
            if end.finish.reason == "stop":
                kept += self._stopped(end.match.start)
        self._mask(kept)
        self._write(events, self._regions.release(hold))
        if end is not None and end.finish.reason == "stop":
            self._write_to(events, end.match.start)
        if len(kept) > 1:
            kept.sort(key=lambda match: (match.start, match.end, match.rule))
        events += [self._finding(match) for match in kept if match.judged]
        events += failures
        if end is None:
            return False
        events += [self._finding(end.match, end.kind), end.finish]
        self._finished = True
        return True

    def _mask(self, found: Iterable[Match]) -> None:
        for match in found:
            if self._rules[match.rule].action == "mask":
                self._regions.add(match.start, match.end, match.rule)

    def _is_plain(self, match: Match) -> bool:
        """Whether a match is reported as it is, and ends nothing."""
        return match.judged and not match.failed and self._rules[match.rule].action not in ENDING

    def _without_failed(self, found: list[Match]) -> tuple[list[Match], list[Finding]]:
        """Where rules may fail, disable those that have; return the matches of the others, and what
        to report."""
        failed = sorted({match.rule for match in found if match.failed})
        if not failed or self._set.on_error == "block":
            return found, []
        for rule in failed:
            for scan in self._scans:
                scan.disable(rule)
        self._disabled = True
        here = [Match(rule, self._position, self._position) for rule in failed]
        others = [match for match in found if match.rule not in failed]
        return others, [self._finding(match, "rule_error") for match in here]

    def _ending(self, found: list[Match]) -> _End | None:
        """The match that ends the stream: a failure, else the most severe, the first in the
        policy, the leftmost."""
        failures = [match for match in found if match.failed]
        if failures:
            match = min(failures, key=lambda match: (match.rule, match.start))
            return _End(match, "rule_error", Finish("content_filter"))
        endings = [m for m in found if self._rules[m.rule].action in ENDING and m.judged]
        if not endings:
            return None
        match = min(endings, key=lambda match: (self._rank(match.rule), match.start, match.end))
        stops = self._rules[match.rule].action == "stop"
        return _End(match, "match", Finish("stop" if stops else "content_filter"))

    def _rank(self, rule: int) -> tuple[int, int]:
        return -SEVERITIES.index(self._rules[rule].severity), rule

    def _stopped(self, end: int) -> list[Match]:
        """The matches that stand before `end` when a rule stops the stream there."""
        found = self._found(lambda scan: scan.stop(self._window))
        return [
            match
            for match in found
            if match.start < end and self._rules[match.rule].action not in ENDING
        ]

    def _write_to(self, events: list[Event], end: int) -> None:
        """Write all up to `end`; a region that reaches over it is written up to there."""
        self._write(events, self._regions.release(end))
        if self._regions.spans and self._regions.written < end:
            self._write(events, self._regions.force(end))

    def _finding(self, match: Match, kind: FindingKind = "match") -> Finding:
        rule = self._rules[match.rule]
        return Finding(rule.id, match.start, match.end, rule.action, rule.severity, kind)

    # Candidates too long to be held

    def _overflow(self, events: list[Event]) -> None:
        """Bring the held text back below its bound."""
        for scan in self._scans:
            scan.prune(self._window)
        found = self._found(lambda scan: scan.settle(self._window))
        if self._concluded(events, found, self._hold()):
            return
        while self.held > self._max_holdback:
            written = self._regions.written
            rules = {rule for scan in self._scans for rule in scan.holders(written)}
            if rules:
                self._overflowed(events, sorted(rules), written)
            else:
                # No candidate is that old, but a region whose matches overlap on and on.
                self._write(events, self._regions.force())
                self._outrun = True
            if self._finished:
                return
            self._write(events, self._regions.release(self._hold()))

    def _overflowed(self, events: list[Event], rules: list[int], hold: int) -> None:
        mode = self._set.on_overflow
        over = [Match(rule, hold, self._position) for rule in rules]
        findings = [self._finding(match, "overflow") for match in over]
        if mode == "block":
            self._finished = True
            events += [*findings, Finish("content_filter")]
            return
        if mode == "mask":
            self._write(events, self._regions.flood(self._regions.foremost(rules), self._position))
            self._flowing |= dict.fromkeys(rules, hold)
            self._overflown = self._outrun = True
        events += findings
        for scan in self._scans:
            scan.overflow(hold, self._window, drop=mode == "release")
        if mode == "release":
            # What a dropped candidate had matched already stands.
            found = self._found(lambda scan: scan.settle(self._window))
            self._concluded(events, found, self._hold())

    def _flow(self, events: list[Event], found: list[Match]) -> None:
        """Mask on what belongs to candidates that have overflowed and live, or that the last
        character has completed."""
        # Nobody had to look before the last character, so that all lived on up to it.
        self._write(events, self._regions.flow(self._position - 1))
        self._overflown = False
        live = [scan.overflowing(self._window) for scan in self._scans]
        found += self._found(lambda scan: scan.settle(self._window))
        if any(live):
            self._write(events, self._regions.flow(self._position))
            return
        flowing, written = self._flowing, self._regions.written
        ends = [m.end for m in found if m.goes_on(flowing.get(m.rule, -1), written)]
        self._flowing = {}
        self._write(events, self._regions.flow(max(ends, default=0)))


def _place(match: tuple[int, int, int]) -> tuple[int, int, int]:
    """Findings stand by start, end and rule."""
    rule, start, end = match
    return start, end, rule
