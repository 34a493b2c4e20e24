"""The laws: each takes a recording and a change, and says how it is broken, if it is."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from random import Random
from typing import Any

from guardstream import Deadlines, Guard, Policy
from guardstream.events import FinishReason
from guardstream.http import WireGuard
from tests.laws.changes import changed, rule_of
from tests.laws.recordings import Recording, lasts, parsed, texts

EMPTY = Guard(Policy.parse("version: 1"))

HARMLESS = Guard(Policy.parse("rules: [{id: never, words: [zzqxzzqx]}]"))


@dataclass(frozen=True)
class Run:
    """A recording after a change."""

    recording: Recording
    change: str
    data: bytes

    @cached_property
    def source(self) -> dict[Any, str]:
        """What a client reads without a guard."""
        return texts(parsed(self.data), self.recording.shape)

    @cached_property
    def needle(self) -> str:
        """Characters of the longest answer that stand in two events, and nowhere before."""
        answers = texts(self.recording.events, self.recording.shape)
        answer = max(answers.values(), key=len)
        middle = len(answer) // 2
        found = re.compile(r"\w\S{5,12}\w|\w[^\n]{6,16}\w").search(answer, middle)
        needle = found[0] if found else answer[middle : middle + 10]
        return needle if answer.find(needle) >= 8 else answer[8:18]

    def guarded(self, guard: Guard, cuts: Iterable[int] = ()) -> tuple[bytes, FinishReason | None]:
        """The guarded bytes of the stream, cut at some places, and how it ended; by a driver
        without a timer."""
        wire = WireGuard(guard)
        out: list[bytes] = []
        for start, end in pairwise([0, *sorted({*cuts}), len(self.data)]):
            out += wire.feed(self.data[start:end])
        return b"".join(out + wire.finish()), wire.ended

    def awaited(self, guard: Guard) -> tuple[bytes, FinishReason | None]:
        """The same by a driver with a timer, if one without it may show the beginning of a match;
        all events come before the time is over."""
        if not rule_of(self.change).begins:
            return self.guarded(guard)

        async def source() -> AsyncIterator[bytes]:
            for event in self.data.splitlines(keepends=True):
                yield event

        async def main() -> tuple[bytes, FinishReason | None]:
            stream = guard.wrap(source(), deadlines=Deadlines(settle=60))
            return b"".join([chunk async for chunk in stream]), stream.finish

        return asyncio.run(main())

    def shown(self, guard: Guard) -> dict[Any, str]:
        """What a client reads of the guarded stream."""
        return texts(parsed(self.awaited(guard)[0]), self.recording.shape)


def run_of(recording: Recording, change: str) -> Run | None:
    """A recording after a change; None if it has no place for it."""
    data = changed(recording, change)
    return None if data is None else Run(recording, change, data)


def _policy(text: str, action: str) -> Guard:
    pattern = json.dumps(re.escape(text))  # a string of JSON is one of YAML
    rule = f"id: rule, pattern: {pattern}, action: {action}, replacement: '[#]'"
    return Guard(Policy.parse(f"rules: [{{{rule}}}]"))


def an_empty_policy_changes_no_byte(run: Run) -> str:
    """The first law."""
    out, _ = run.guarded(EMPTY)
    return "" if out == run.data else f"{len(out)} bytes of {len(run.data)} differ"


def a_rule_that_matches_nothing_changes_no_text(run: Run) -> str:
    """A client reads the same."""
    return "" if run.shown(HARMLESS) == run.source else "the text is another"


def a_masked_match_is_in_no_text(run: Run) -> str:
    """Neither a client that joins by number nor one that joins all reads it."""
    out, _ = run.guarded(_policy(run.needle, "mask"))
    answers = texts(parsed(out), run.recording.shape)
    if any(run.needle in answer for answer in answers.values()):
        return "the match is in a text"
    return "the match is in all texts joined" if run.needle in "".join(answers.values()) else ""


def what_is_masked_is_what_check_masks(run: Run) -> str:
    """The rest of the text is there, too."""
    if not rule_of(run.change).shows:
        return ""
    guard = _policy(run.needle, "mask")
    wanted = {key: guard.check(text).text for key, text in run.source.items()}
    shown = run.shown(guard)
    if rule_of(run.change).finish == "error":  # it discards what is held
        shown = {key: text for key, text in shown.items() if not wanted[key].startswith(text)}
        wanted = {}
    return "" if shown == wanted else "the guarded text is another"


def a_planted_block_shows_nothing_of_the_match(run: Run) -> str:
    """Each text ends before the match."""
    out, ended = run.awaited(_policy(run.needle, "block"))
    read = lasts if run.change == "cumulative" else texts
    shown = read(parsed(out), run.recording.shape)
    for key, text in read(parsed(run.data), run.recording.shape).items():
        limit = text.find(run.needle)
        if limit >= 0 and not text[:limit].startswith(shown.get(key, "")):
            return "more than what stands before the match is shown"
    inside = any(run.needle in text for text in run.source.values())
    return "the stream is not blocked" if inside and ended != "content_filter" else ""


def cumulative_text_stays_the_text_so_far(run: Run) -> str:
    """What a client shows in the end is what `check` makes of the last values."""
    if run.change != "cumulative":
        return ""
    guard, shape = _policy(run.needle, "mask"), run.recording.shape
    out, _ = run.guarded(guard)
    wanted = {key: guard.check(text).text for key, text in lasts(parsed(run.data), shape).items()}
    return "" if lasts(parsed(out), shape) == wanted else "the last values are others"


def held_text_goes_out(run: Run) -> str:
    """What may become a match at the end of a text is shown in the end."""
    answer = max(run.source.values(), key=len, default="")
    rule = rule_of(run.change)
    if not rule.shows or rule.finish == "error" or len(answer) < 4:
        return ""
    guard = _policy(f"{answer[-4:]}zzqx", "mask")
    return "" if run.shown(guard) == run.source else "held text is lost, or another"


def chunks_do_not_matter(run: Run) -> str:
    """The bytes are the same however they are cut."""
    guard = _policy(run.needle, "mask")
    whole, _ = run.guarded(guard)
    random = Random(len(run.data))
    for count in (1, 5, 40):
        cuts = [random.randrange(1, len(run.data)) for _ in range(count)]
        if run.guarded(guard, cuts)[0] != whole:
            return f"the answer is another in {count} cuts"
    return ""


def it_ends_as_its_source_ended(run: Run) -> str:
    """A stream that is whole ends as the recording, a broken one as `incomplete` or `error`."""
    _, ended = run.guarded(EMPTY)
    wanted: str | None = rule_of(run.change).finish
    if wanted is None:
        plain = run_of(run.recording, "none")
        assert plain is not None
        _, wanted = plain.guarded(EMPTY)
    return "" if ended == wanted else f"it ended as {ended!r}, not {wanted!r}"


LAWS: dict[str, Callable[[Run], str]] = {
    law.__name__.replace("_", " "): law
    for law in (
        an_empty_policy_changes_no_byte,
        a_rule_that_matches_nothing_changes_no_text,
        a_masked_match_is_in_no_text,
        what_is_masked_is_what_check_masks,
        cumulative_text_stays_the_text_so_far,
        a_planted_block_shows_nothing_of_the_match,
        held_text_goes_out,
        chunks_do_not_matter,
        it_ends_as_its_source_ended,
    )
}


def broken(run: Run, law: str) -> str:
    """How a law is broken; a stream that raises breaks it, too."""
    try:
        return LAWS[law](run)
    except Exception as error:
        return f"raised {type(error).__name__}"
