"""Whole answers without code: an answer's description says where its text is and why it ended.

An answer is one choice, or the items of the list in which its end is described. Texts in a row of a
list are one text, as in the stream. The list with the answer's text stands in order; of other
fields thinking comes first and calls come last, as in a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Slot
from guardstream.formats.answers.whole import Body
from guardstream.formats.meaning import Meaning, settings_of
from guardstream.formats.spec import Leaf, Path
from guardstream.formats.toolkit.files import class_name, described
from guardstream.formats.toolkit.parsed import is_json
from guardstream.formats.toolkit.paths import keys
from guardstream.formats.toolkit.places import (
    Only,
    Steps,
    arguments_in,
    outer,
    said_of,
    value_at,
    values_at,
    with_value,
)
from guardstream.formats.toolkit.reasons import reason_of

_RANKS = {"thinking": 0, "refusal": 1, "text": 2, "tool_args": 3}
"""The order of channels in a stream."""


class DescribedBody(Body):
    """The adapter for a described answer; `body_of` makes a class of each.

    `said` are the steps to the texts of the answer, by those to the items that are choices, if it
    has such; they lead on from there.
    """

    means: ClassVar[Meaning]
    said: ClassVar[Mapping[Steps, Sequence[Steps]]]
    own_reasons: ClassVar[Mapping[str, FinishReason]]
    words: ClassVar[Mapping[str, Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Find out what the description of an answer means."""
        super().__init_subclass__(**options)
        cls.means = Meaning(cls.spec)
        texts = [steps for steps, leaf in cls.means.placed if leaf.channel == "text"]
        choices = {outer(steps) for steps in cls.means.ends}
        within = {at: [each for each in texts if outer(each) == at] for at in choices if at}
        beside = [each for each in texts if outer(each) not in within]
        cls.said = {at: [each[len(at) :] for each in own] for at, own in within.items()}
        cls.said[()] = beside

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        args = leaf.channel == "tool_args"
        number = self.means.number_of_call(event, path) if args else 0
        return Slot(self.means.choice_of(event, path), leaf.channel, leaf.field, number)

    def placed(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> list[Piece]:
        """Return the pieces; of those in the list of the answer's texts, each has a number: its
        position, or that of the first one of texts in a row."""
        made: list[Piece] = []
        last: Slot | None = None
        end = -1
        for piece, place in zip(pieces, self._places(event), strict=True):
            slot = piece.slot
            if place is not None and piece.kind == "delta" and slot.channel != "tool_args":
                slot = slot._replace(number=place)
                if last is not None and slot.channel == "text" and place <= end + 1:
                    slot = last if last[:3] == slot[:3] else slot
                last, end = slot, place
            made.append(piece._replace(slot=slot))
        return made

    def _places(self, event: Mapping[str, Any]) -> list[int | None]:
        """Return the position of each piece in the list of the answer's texts; None elsewhere."""
        read = self._read(event, event)
        lists = {
            (*at, *outer(each)) for at, own in self.said.items() for each in own if None in each
        }
        return [_position(keys(read.found[owner].steps), lists) for owner in read.owners]

    def _order(self, pieces: Sequence[Piece]) -> Sequence[int]:
        places = () if self._last is None else self._places(self._last.chunk)
        ranks = [
            _RANKS["text" if place is not None else piece.slot.channel]
            if piece.slot.channel in _RANKS
            else _RANKS["text"]
            for piece, place in zip(pieces, places, strict=True)
        ]
        return sorted(range(len(pieces)), key=lambda at: (pieces[at].slot.choice, ranks[at]))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        calls: dict[Slot, Call] = {}
        for place in self.means.calls:
            for path, call in values_at(event, place.steps):
                said = said_of(call, place)
                if said.get("name"):
                    slot = self.slot(Leaf("whole", "tool_args", place.field), event, path)
                    calls[slot] = Call(str(said["name"]), said.get("id"))
        called = {slot.choice for slot in calls}
        ends = {}
        for number, choice, end in self._choices(event):
            why = reason_of(value_at(choice, self._why(end)), self.own_reasons)
            calling = number in called and "tool_calls" not in self.words
            ends[number] = "tool_calls" if why == "stop" and calling else why
        usage = self.means.usage_in(self._read(chunk, event).found)
        return Reading(pieces, tuple(ends), ends, calls=calls, usage=usage)

    def _why(self, end: Steps) -> Steps:
        """Return the steps to why a choice ended."""
        return end if self.means.reason is None else self.means.reason

    def _choices(self, event: Mapping[str, Any]) -> Iterator[tuple[int, Any, Steps]]:
        """Yield the numbers of the choices, the choices, and the steps to the end in each."""
        steps = self.means.end_at(event)
        at = outer(steps)
        if not at:
            yield 0, event, steps
            return
        for place, choice in enumerate(value_at(event, at[:-1]) or ()):
            yield self.means.choice_of(event, (place,)), choice, steps[len(at) :]

    def completed(self, body: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        at = outer(self.means.end_at(source))
        pairs = zip(self._choices(body), self._choices(source), strict=True)
        made = [
            self._ended(choice, before, number, end, at)
            for (number, choice, end), (_, before, _) in pairs
        ]
        if at:
            made = [with_value(body, at[:-1], made)] if made else [body]
        ended: dict[str, Any] = made[0]
        return ended

    def _ended(self, choice: Any, before: Any, number: int, end: Steps, at: Steps) -> Any:
        """Return a choice with what the guard adds; a call that is cut is not made."""
        if number in self.reasons:
            choice = self._without_cut(choice, len(at))
        if number in self.messages:
            choice = _with_text(choice, before, self.messages[number], self.said[at])
        reason = self.new_reason(number)
        word = self.words.get(reason or "", self.words.get("", reason))
        if reason is None:
            word = value_at(before, self._why(end))
        if self.means.reason is not None:
            choice = with_value(choice, end, True)
        return choice if word is None else with_value(choice, self._why(end), word)

    def _without_cut(self, choice: Any, cut: int) -> Any:
        for place in self.means.calls:
            steps = place.steps[cut:]
            if steps and steps[-1] is None and steps.count(None) == 1:
                calls = value_at(choice, steps[:-1])
                kept = [each for each in calls or () if _is_whole(each, place)]
                if calls and len(kept) < len(calls):
                    choice = with_value(choice, steps[:-1], kept)
        return choice


def _with_text(choice: Any, before: Any, text: str, own: Sequence[Steps]) -> Any:
    """Return a choice with a text after its `own`: in the last string, or in a new item of the list
    of its texts."""
    fits = (each for each in own if _holds(choice, each) or _holds(before, each))
    steps = next(fits, own[0])
    if None not in steps:
        return with_value(choice, steps, (value_at(choice, steps) or "") + text)
    at, inner = outer(steps)[:-1], steps[len(outer(steps)) :]
    kind = {each.key: each.kind for each in inner if isinstance(each, Only)}
    item = with_value(kind, inner, text)
    return with_value(choice, at, [*(value_at(choice, at) or ()), item])


def _holds(choice: Any, steps: Steps) -> bool:
    """Return whether a choice has a list, or a string, where steps lead to one."""
    if None in steps:
        return isinstance(value_at(choice, outer(steps)[:-1]), list)
    told = value_at(choice, steps)
    return isinstance(told, str) or (told is None and value_at(choice, steps[:-1]) is not None)


def _position(names: Sequence[Any], lists: set[Steps]) -> int | None:
    """Return the position of a value in one of some lists; None if it is in none of them."""
    steps = tuple(None if type(name) is int else name for name in names)
    found = (names[len(at) - 1] for at in lists if steps[: len(at)] == at)
    return next(found, None)


def _is_whole(call: Any, place: Any) -> bool:
    """Return whether the arguments of a call are not cut."""
    told = (value_at(call, steps) for steps in arguments_in(call, place))
    return all(not isinstance(each, str) or is_json(each) for each in told)


@cache
def body_of(name: str) -> type[DescribedBody]:
    """Return the adapter of the whole answers of a format that only its file describes."""
    description = described(name)
    settings = settings_of(description.content)
    return type(
        class_name(name) + "Body",
        (DescribedBody,),
        {
            "name": name,
            "spec": description.spec("answer"),
            "own_reasons": settings["reasons"],
            "words": settings["words"],
        },
    )
