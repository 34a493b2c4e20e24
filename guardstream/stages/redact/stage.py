"""One stream's redaction: masks or reports what its rules find, or ends the stream.

A character is released as soon as no rule can still claim it. Findings settle at positions of the
text, never at chunk borders, and events come in the order of these positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from guardstream.events import SEVERITIES, Event, Finding, FindingKind, Finish, Text, match_found
from guardstream.scan.match import Match, Scan, Window
from guardstream.scan.reader import FindUnseen, Ran, Settled, reader_of, run
from guardstream.scan.unseen import PLAIN, Parts
from guardstream.stages.halves import Halves
from guardstream.stages.redact.regions import Regions
from guardstream.stages.redact.searches import Searches
from guardstream.stages.rules import OnError, OnOverflow, Rule

ENDING = frozenset(("block", "stop"))
"""The actions that end the stream."""

MAX_PIECE = 4_096
"""How many code points are processed together; a longer chunk is split."""

CONTEXT = 256
"""How many code points of a text that has ended may announce what turns out to continue it."""

MAX_SPARE = 256
"""How many unneeded code points may accumulate before they are dropped."""


_NO_OVERFLOW: Mapping[int, int] = {}


class _End(NamedTuple):
    """The match that ends the stream, and how it is reported."""

    match: Match
    kind: FindingKind
    finish: Finish


class CompiledRules(Protocol):
    """What the redaction of a stream needs of a `RuleSet`."""

    rules: tuple[Rule, ...]
    fixed: list[str | None]
    only_masks: bool
    max_holdback: int
    on_overflow: OnOverflow
    on_error: OnError
    forking: frozenset[int]
    find_unseen: FindUnseen


class Redact:
    """One stream's redaction; a Stage. Created by `RuleSet.stage`."""

    __slots__ = (
        "_at_once",
        "_busy",
        "_disabled",
        "_find_unseen",
        "_finished",
        "_halves",
        "_in_run",
        "_just_overflowed",
        "_max_holdback",
        "_outrun",
        "_overflowing",
        "_parts",
        "_regions",
        "_rules",
        "_searches",
        "_set",
        "_window",
        "reader",
    )

    def __init__(self, rules: CompiledRules, scans: Sequence[Scan]) -> None:
        self._set = rules
        self._rules = rules.rules
        self._max_holdback = rules.max_holdback
        self._at_once = min(rules.max_holdback, MAX_PIECE)  # code points that cannot overflow
        self._find_unseen = rules.find_unseen
        self._window = Window()
        steps = [scan.steps for scan in scans]
        # Nearly always nothing happens in a chunk, and no candidate can become too long in it: then
        # the reader's `feed` alone need be called, and its `held` is that of the stage.
        self.reader = reader = reader_of(
            steps, self._window.parts, self._at_once, self._find_unseen
        )
        self.reader.trim_at = MAX_SPARE
        self._searches = Searches(scans, reader, self._window, rules.forking)
        self._regions = Regions(self._rules, rules.fixed, reader)
        self._overflowing = _NO_OVERFLOW  # rules that mask an overflow, and its start
        self._just_overflowed = False  # just now: it may end at once, unnoticed by the searches
        self._outrun = False  # text was written that a candidate still claims
        self._disabled = False  # a rule has failed, whose words the searches still hold
        self._finished = False
        self._halves = Halves()
        self._parts = Parts()
        self._in_run = False  # the last character is unseen
        self._busy = False  # the next text must be fed carefully

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        return 0 if self._finished else self.reader.held + len(self._halves.waiting)

    def feed(self, text: str) -> list[Event]:
        """Take the next characters; return the events that are certain."""
        read = self.reader.feed(text)
        fed = read if isinstance(read, str) else self.feed_unread(text, read)
        if isinstance(fed, str):
            return [Text(fed)] if fed else []
        return fed

    def feed_unread(self, text: str, ran: Ran | None) -> str | list[Event]:
        """Feed text that the reader has not read, or has read only up to a position that needs
        attention. Events or, without an event around it, plain text."""
        if ran is not None:
            return self.follow(text, ran)
        if (
            self._busy
            or not text
            or len(self.reader.tail) + len(text) > self._at_once
            or self._find_unseen(text)
        ):
            return self._feed_overflow(text) if self._overflowing else self._feed_carefully(text)
        return self.follow(text, self.reader.read(text))

    def _feed_overflow(self, text: str) -> str | list[Event]:
        """Like `feed_unread` while an overflow is masked as it arrives, which usually continues to
        the end of the chunk."""
        if (
            self._finished
            or not text
            or len(text) > self._at_once
            or self._is_watched()
            or self._searches.forks
            or self._halves.waiting
            or self._find_unseen(text)
        ):
            return self._feed_carefully(text)
        ran = self.reader.read(text)
        if not isinstance(ran, int):
            return self._feed_carefully(text, ran)
        self.reader.tail += text
        self._window.parts.append(text)
        self.reader.position += len(text)
        self._note_read()
        return self._regions.flow(self.reader.position)

    @property
    def context(self) -> str:
        """The end of the text, which may announce what comes after it."""
        return self._window.text[-CONTEXT:] if self._window.parts else ""

    @property
    def tail(self) -> str:
        """The text that is held."""
        return self.reader.tail

    @property
    def only_reads(self) -> bool:
        """Whether no match waits, so that the reader may take the next text instead of `feed`."""
        return not self.reader.busy

    def skip(self, text: str, tail: str) -> None:
        """Take text of which the reader has only returned how much is held, namely `tail`."""
        reader = self.reader
        self._window.parts.append(text)
        reader.position += len(text)
        reader.tail, reader.written = tail, reader.position - len(tail)
        self._note_read()

    def follow(self, text: str, ran: int | Ran) -> list[Event]:
        """Take text that the reader has read, like `feed`: from one position that needs attention
        to the next."""
        settled: Sequence[Settled] | None = None
        if isinstance(ran, int):
            held = ran
        else:
            _, held, due, settled = ran
            if due:
                return self._read_on(text, ran)
        reader = self.reader
        events: list[Event] = []
        self._window.parts.append(text)
        reader.tail += text
        if settled:
            self._settle(events, settled, 0)
        reader.position += len(text)
        self._write(events, self._regions.release(reader.position - held))
        self._note_read()
        return events

    def _note_read(self) -> None:
        """Update whether the reader may take the next text; drop text that is no longer needed."""
        reader = self.reader
        reader.busy = self._busy or bool(self._regions.spans)
        if reader.position > reader.trim_at:
            self._window.forget(self._searches.needed(reader.position))
            reader.trim_at = reader.position + MAX_SPARE

    def _feed_carefully(self, text: str, ran: Ran | None = None) -> list[Event]:
        """Feed from event to event; `ran` if the text has been read up to one."""
        text = self._halves.joined(text)
        events = self._feed_joined(text, ran)
        if self._halves.waiting:
            self._busy = self.reader.busy = True
        return events

    def _feed_joined(self, text: str, ran: Ran | None = None) -> list[Event]:
        if len(text) > MAX_PIECE:
            pieces = (text[at : at + MAX_PIECE] for at in range(0, len(text), MAX_PIECE))
            return [event for piece in pieces for event in self._feed_joined(piece)]
        if self._finished or not text:
            return []
        if ran is None and (self._in_run or self._parts.is_inside or self._find_unseen(text)):
            return self._feed_apart(text)
        return self._read_on(text, ran)

    def _feed_apart(self, text: str) -> list[Event]:
        """Feed text with unseen characters, of which a run may go on from the text before."""
        events: list[Event] = []
        for part in self._parts.split(text, self._window.text):
            if part.decided is not None:
                self._searches.decide(whole=part.decided)
            if part.is_unseen and (not self._in_run or part.place == "begin"):
                self._searches.fork(part)
            self._searches.read_as(part)
            self._in_run = part.is_unseen
            events += self._read_on(part.text)
        if not self._in_run and not self._parts.is_inside:
            self._searches.read_as(PLAIN)
        return events

    def _read_on(self, text: str, ran: Ran | None = None) -> list[Event]:
        """Feed text that is all visible, or all zero-width, from event to event."""
        if self._finished:
            return []
        reader, searches = self.reader, self._searches
        self._window.parts.append(text)
        reader.tail += text
        events: list[Event] = []
        index, length = 0, len(text)
        while index < length and not self._finished:
            room = reader.written + self._max_holdback + 1 - reader.position
            end = min(length, index + room)
            if searches.forks and not self._in_run:
                end = min(end, index + searches.until_rest())
            if ran is not None:
                stop, held, due, settled = ran
                ran = None
            elif self._outrun and self._is_watched():
                stop, held, _, settled = run(searches.steps, text, index, index + 1)
                due = True
            elif (self._outrun or self._disabled) and not self._overflowing:
                # Text that has been written, or that a disabled rule claims, no longer holds
                # anything: each event shows that.
                stop, held, _, settled = run(searches.steps, text, index, end)
                due = True
            else:
                stop, held, due, settled = searches.run(text, index, end)
            if settled:
                self._settle(events, settled, index)
            reader.position += stop - index
            index = stop
            if due:
                self._report_settled(events)
            else:
                self._release_held(events, held)
            if searches.forks and not (self._in_run or self._outrun or self._overflowing):
                searches.rest_forks()
        self._busy = self._finished or self._outrun or self._disabled or bool(searches.forks)
        self._note_read()
        return events

    def finish(self) -> list[Event]:
        """Take the source's end: settle what is open, release the rest, and finish."""
        if self._finished:
            return []
        rest = self._halves.rest()
        events = self._feed_joined(rest) if rest else []
        if self._finished:
            return events
        self._busy = self.reader.busy = True
        self._searches.wake_forks()
        found = self._searches.found(lambda scan: scan.finish(self._window))
        if not self._report(events, found, self.reader.position):
            self._finished = True
            events.append(Finish("stop"))
        return events

    def _is_watched(self) -> bool:
        """Return whether an overflow may end at the next character without any search reporting
        it."""
        return self._just_overflowed or self._searches.is_watched()

    def _settle(self, events: list[Event], settled: Sequence[Settled], index: int) -> None:
        """Report what has settled since `text[index]` without needing attention."""
        regions, rules, flows = self._regions, self._rules, self._overflowing
        for at, held, found in settled:
            position = self.reader.position + at - index
            if len(found) == 1 and not flows:
                self._report_one(events, *found[0], position - held)
                continue
            for rule, start, end in found:
                if rules[rule].action == "mask":
                    regions.add(start, end, rule)
            text = regions.flow(position) if flows else regions.release(position - held)
            if text:
                events.append(Text(text))
            found.sort(key=_finding_key)
            for rule, start, end in found:
                by = rules[rule]
                events.append(match_found(by.id, start, end, by.action, by.severity))

    def _report_one(
        self, events: list[Event], number: int, start: int, end: int, hold: int
    ) -> None:
        """Report the only match, of a rule that ends nothing, and release up to `hold`."""
        rule, regions = self._rules[number], self._regions
        masks = rule.action == "mask"
        text = regions.mask(start, end, number, hold) if masks else regions.release(hold)
        if text:
            events.append(Text(text))
        events.append(match_found(rule.id, start, end, rule.action, rule.severity))

    def _release_held(self, events: list[Event], held: int) -> None:
        """Release text that nothing holds any more, or mask it while an overflow continues."""
        if self._overflowing:
            self._write(events, self._regions.flow(self.reader.position))
            return
        self._write(events, self._regions.release(self.reader.position - held))
        if self.held > self._max_holdback:
            self._overflow(events)

    def _report_settled(self, events: list[Event]) -> None:
        """Report the matches that the characters so far have settled."""
        searches = self._searches
        searches.wake_forks()
        found = searches.settled() if self._outrun or searches.forks else searches.due()
        hold = self.reader.position
        for scan in searches.scans:
            waits = scan.hold()
            if waits < hold:
                hold = waits
        if self._overflowing:
            self._continue_overflow(events, found)
        if self._outrun and not self._overflowing:
            hold = self._oldest_hold()
            self._outrun = hold < self.reader.written
        if found:
            if self._report(events, found, hold):
                return
        else:
            self._write(events, self._regions.release(hold))
        if self.held > self._max_holdback:
            self._overflow(events)

    def _oldest_hold(self) -> int:
        """Return the start of the oldest hold-back."""
        return self._searches.oldest_hold(self.reader.written)

    @staticmethod
    def _write(events: list[Event], text: str) -> None:
        if text:
            events.append(Text(text))

    # Matches

    def _report(self, events: list[Event], found: list[Match], hold: int) -> bool:
        """Report matches and release up to `hold`; return whether the stream ends here."""
        end = None
        kept = found
        failures: list[Finding] = []
        if len(found) == 1 and self._is_plain(found[0]):
            self._report_one(events, *found[0][:3], hold)
            return False
        if not self._set.only_masks or any(match.failed for match in found):
            found, failures = self._without_failed(found)
            if failures:
                hold = self._oldest_hold()
            end = self._ending(found)
            kept = [m for m in found if self._rules[m.rule].action not in ENDING and not m.failed]
        if end is not None:
            hold = min([hold, *[match.start for match in found if match not in kept]])
            if end.finish.reason == "stop":
                stopped, failed = self._without_failed(self._stopped(end.match.start))
                end, failures = self._ending(stopped) or end, failures + failed
                hold = min([hold, *[match.start for match in stopped if match.failed]])
                kept += [match for match in stopped if not match.failed]
        self._mask(kept)
        self._write(events, self._regions.release(hold))
        if end is not None and end.finish.reason == "stop":
            self._write_up_to(events, end.match.start)
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
        """Return whether a match is reported as it is and ends nothing."""
        return match.judged and not match.failed and self._rules[match.rule].action not in ENDING

    def _without_failed(self, found: list[Match]) -> tuple[list[Match], list[Finding]]:
        """If rules may fail, disable those that have; return the matches of the others, and the
        findings that report the failures."""
        failed = sorted({match.rule for match in found if match.failed})
        if not failed or self._set.on_error == "block":
            return found, []
        for rule in failed:
            for scan in self._searches.scans:
                scan.disable(rule)
        self._disabled = True
        here = [Match(rule, self.reader.position, self.reader.position) for rule in failed]
        others = [match for match in found if match.rule not in failed]
        return others, [self._finding(match, "rule_error") for match in here]

    def _ending(self, found: list[Match]) -> _End | None:
        """Return the match that ends the stream: a failure, otherwise the most severe match, then
        the first in the policy, then the leftmost."""
        failures = [match for match in found if match.failed]
        if failures:
            match = min(failures, key=lambda match: (match.rule, match.start))
            return _End(match, "rule_error", Finish("error"))
        endings = [m for m in found if self._rules[m.rule].action in ENDING and m.judged]
        if not endings:
            return None
        match = min(endings, key=lambda match: (self._rank(match.rule), match.start, match.end))
        stops = self._rules[match.rule].action == "stop"
        finish = Finish("stop", by_rule=True) if stops else Finish("content_filter")
        return _End(match, "match", finish)

    def _rank(self, rule: int) -> tuple[int, int]:
        return -SEVERITIES.index(self._rules[rule].severity), rule

    def _stopped(self, end: int) -> list[Match]:
        """Return the matches before `end`, where a rule stops the stream, and all failures."""
        found = self._searches.found(lambda scan: scan.stop(self._window))
        return [
            match
            for match in found
            if match.failed or (match.start < end and self._rules[match.rule].action not in ENDING)
        ]

    def _write_up_to(self, events: list[Event], end: int) -> None:
        """Write everything up to `end`; a region that spans `end` is written up to there."""
        self._write(events, self._regions.release(end))
        if self._regions.spans and self.reader.written < end:
            self._write(events, self._regions.force(end))

    def _finding(self, match: Match, kind: FindingKind = "match") -> Finding:
        rule = self._rules[match.rule]
        return Finding(rule.id, match.start, match.end, rule.action, rule.severity, kind)

    # Candidates too long to be held

    def _overflow(self, events: list[Event]) -> None:
        """Reduce the held text to its bound."""
        self._searches.wake_forks()
        for scan in self._searches.scans:
            scan.prune(self.reader.written, self._window)
        found = self._searches.settled()
        if self._report(events, found, self._oldest_hold()):
            return
        while self.held > self._max_holdback:
            written = self.reader.written
            rules = {rule for scan in self._searches.scans for rule in scan.holders(written)}
            if rules:
                self._treat_overflow(events, sorted(rules), written)
            else:
                # No candidate is that old, but a region of matches that keep overlapping is.
                self._write(events, self._regions.force())
                self._outrun = True
            if self._finished:
                return
            self._write(events, self._regions.release(self._oldest_hold()))

    def _treat_overflow(self, events: list[Event], rules: list[int], hold: int) -> None:
        mode = self._set.on_overflow
        over = [Match(rule, hold, self.reader.position) for rule in rules]
        findings = [self._finding(match, "overflow") for match in over]
        if mode == "block":
            self._finished = True
            events += [*findings, Finish("content_filter")]
            return
        if mode == "mask":
            flood = self._regions.flood(self._regions.foremost(rules), self.reader.position)
            self._write(events, flood)
            self._overflowing = {**self._overflowing, **dict.fromkeys(rules, hold)}
            self._just_overflowed = self._outrun = True
        events += findings
        for scan in self._searches.scans:
            scan.overflow(hold, self._window, drop=mode == "release")
        if mode == "release":
            # What a dropped candidate had already matched stands.
            found = self._searches.settled()
            self._report(events, found, self._oldest_hold())

    def _continue_overflow(self, events: list[Event], found: list[Match]) -> None:
        """Continue masking the candidates that have overflowed and are alive, or that the last
        character has completed."""
        # Nothing needed attention before the last character, so all of them lived up to it.
        self._write(events, self._regions.flow(self.reader.position - 1))
        self._just_overflowed = False
        live = [scan.overflowing(self._window) for scan in self._searches.scans]
        found += self._searches.settled()
        if any(live):
            self._write(events, self._regions.flow(self.reader.position))
            return
        flowing, written = self._overflowing, self.reader.written
        ends = [m.end for m in found if m.goes_on(flowing.get(m.rule, -1), written)]
        self._overflowing = _NO_OVERFLOW
        self._write(events, self._regions.flow(max(ends, default=0)))


def _finding_key(match: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the sort key of a finding: start, end and rule."""
    rule, start, end = match
    return start, end, rule
