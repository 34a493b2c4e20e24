"""Formats without code: what a description says of events is enough to read and to write them.

A description says what the fields of an event are (`guardstream.formats.toolkit.notation`); this
module, what that means: which text continues which, which calls there are, how an answer ends.

- Texts of one channel and field are one text, in each choice, and for each value of `by`.
- A call is known by its index, or else by its id; without either, a name begins one. A text after a
  call is a text of its own.
- What is `done` ends its choice, or all; `reasons` are the format's words for why. A copy of a text
  that comes with the end says that the text is complete. Items of a list that are each `done` are
  choices, by their positions, if nothing says their numbers.
- `closes` ends the texts before it, `call.end` a call.
- A text in a field `error` says that the answer has failed.

A chunk that the guard adds is the last one with such a text, in which everything else is empty. A
chunk that ends a choice is that, with the format's word in place of what is `done`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, ClassVar

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.cumulative import CumulativeFormat
from guardstream.formats.meaning import Meaning, describe, is_end, kind_at, leads, settings_of
from guardstream.formats.spec import SpecAdapter
from guardstream.formats.toolkit.calls import Calls, key_of
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import class_name, described
from guardstream.formats.toolkit.nodes import (
    ABOUT,
    CLOSES,
    END,
    REASON,
    USAGE,
    Leaf,
    OneOf,
    Path,
)
from guardstream.formats.toolkit.paths import Steps as Way
from guardstream.formats.toolkit.paths import keys, rebuilt
from guardstream.formats.toolkit.places import (
    CallPlace,
    Only,
    Steps,
    arguments_in,
    leaves,
    said_of,
    value_at,
    values_at,
    way_at,
    ways_to,
    with_value,
)
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.runs import Runs

_TEXTS = 4096
"""The most texts of a stream that are told apart."""

_PLAIN = frozenset({"delta", "meta", "number", "item", "unknown", "mark", "about", "end"})
"""Kinds of leaves that mean nothing besides their own text; so do ends that are none yet."""

_TOOLS = ("tool_result",)
"""Fields of texts that come between two texts of an answer, as calls do."""


class DescribedFormat(SpecAdapter):
    """The adapter for a format that is described; `described_as` makes a class of each.

    - `reasons`: why answers end, by the format's words; common words need not be named.
    - `words`: the format's words for reasons; by default the reason itself.
    """

    steady = True
    signs_thinking = False
    sse_end = ""
    sse_end_name = ""
    by_event = False
    ends_with_source = False
    leaves_out_calls = False
    reasons: ClassVar[Mapping[str, FinishReason]] = {}
    words: ClassVar[Mapping[str, Any]] = {}
    means: ClassVar[Meaning]

    def __init_subclass__(cls, *, of: str = "", **options: Any) -> None:
        """Find out what the description of a format means: that `of` a file of the package, or the
        class's own `spec`."""
        super().__init_subclass__(**options)
        if of:
            describe(cls, of)
        if "spec" in vars(cls):
            cls.means = Meaning(cls.spec)
            if "repeats" not in vars(cls):
                cls.repeats = cls.means.has_copies
            cls.ends_with_source = not cls.means.ends

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._calls = Calls(self.name, self.means.calls)
        in_turn = any(place.index is None for place in self.means.calls)
        self._runs = Runs(_TOOLS) if in_turn else None  # else calls and texts may take turns
        self._numbers: dict[Hashable, int] = {}  # of texts, by what tells them apart
        self._open: dict[Slot, None] = {}  # the texts and calls that may go on

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`, in which calls may begin."""
        if self.means.calls and (self._alike is None or self.alike(chunk) is None):
            self._calls.read(fields_of(chunk), self.means.choice_of, self._mark)
        return super().read(chunk)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        """Return the slot of a text; AdapterError if the value that tells texts apart is not a
        single one, or if there are too many texts."""
        slot = Slot(self.means.choice_of(event, path), leaf.channel, leaf.field)
        if leaf.channel == "tool_args" and self.means.calls:
            return slot._replace(number=self._calls.number(path))
        if not self.means.by:
            return slot
        told = key_of(self._mark(event, path))
        if told is None:
            where = "".join("[*]" if step is None else f".{step}" for step in self.means.by[0])
            raise AdapterError(f"{self.name}: ${where} is no single value: lead to one in it")
        if told not in self._numbers and len(self._numbers) == _TEXTS:
            raise AdapterError(f"{self.name}: more than {_TEXTS} texts are told apart: blocked")
        return slot._replace(number=self._numbers.setdefault(told, len(self._numbers)))

    def _mark(self, event: Any, path: Path) -> Any:
        """Return the value that tells a text apart, given the text's positions in lists; all of
        them, if there are several."""
        found: list[Any] = []
        for steps in self.means.by:
            values = (value for at, value in values_at(event, steps) if at == path[: len(at)])
            found += (value for value in islice(values, 1) if value not in found)
        return found[0] if len(found) == 1 else tuple(found) if found else None

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        read = self._read(chunk, event)
        choices: Sequence[int] = (0,)
        if self.means.choices is not None:
            choices = sorted({piece.slot.choice for piece in pieces}) or choices
        if not self.means.calls:  # the common case
            ended = "end" in read.kinds and any(map(is_end, read.found))
            if not ended and read.kinds <= _PLAIN:
                return Reading(pieces, choices)
        calls = self._calls
        complete: list[Slot] = []
        closed = list(calls.over)
        if self._runs is not None:
            for slot in calls.begun:
                self._runs.stop(slot.choice)
            pieces, over, complete = self._runs.number(pieces)
            closed += over
        texts = [piece.slot for piece in pieces if piece.kind in ("delta", "whole")]
        closed += calls.passed_by(texts)
        if self.means.closes:
            closed += self._closed(read.found, texts, {*closed, *complete})
        ends = self._ends(event, read.found)
        if ends:  # a text that is told again with the end is complete
            copied = (piece.slot for piece in pieces if piece.kind == "copy")
            closed += [slot for slot in copied if slot not in texts]
        return Reading(
            pieces,
            sorted({*choices, *ends}) or (0,),
            ends,
            any(piece.slot.field == "error" for piece in pieces),
            list(dict.fromkeys(closed)),
            calls=calls.begun,
            usage=self.means.usage_in(read.found),
            complete=[*complete, *calls.complete],
        )

    def _closed(
        self, found: Sequence[Any], texts: Sequence[Slot], over: Collection[Slot]
    ) -> list[Slot]:
        """Return the texts that end because a chunk says so; note those that are open then."""
        ended = [*self._open] if any(each.leaf == CLOSES for each in found) else []
        self._open.update((slot, None) for slot in texts if slot.channel != "tool_args")
        for slot in (*over, *ended):
            self._open.pop(slot, None)
        return ended

    def _ends(self, event: Mapping[str, Any], found: Sequence[Any]) -> dict[int, FinishReason]:
        """Return the choices that a chunk ends, and why."""
        ends: dict[int, FinishReason] = {}
        why = {
            self.means.choice_of(event, each.path): each.value
            for each in found
            if each.leaf == REASON
        }
        for each in found:
            if is_end(each):
                choice = self.means.choice_of(event, each.path)
                ends.setdefault(choice, self._reason(choice, why.get(choice, each.value)))
        return ends

    def _reason(self, choice: int, word: Any) -> FinishReason:
        reason = reason_of(word, self.reasons)
        called = choice in self._calls.choices and "tool_calls" not in self.words
        return "tool_calls" if reason == "stop" and called else reason

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts`; None if nothing is left in it."""
        if not ends and self._is_only_end(chunk, texts):
            return None
        written = super().write(chunk, texts, ends=ends)
        if written is None or written is chunk or not self.means.calls:
            return written
        return self._without_lists(written, self._read(chunk, fields_of(chunk)), texts, ends=ends)

    def _is_only_end(self, chunk: Any, texts: Sequence[str]) -> bool:
        """Return whether a chunk ends the answer and says nothing, or is of a kind that ends it."""
        event = fields_of(chunk)
        if not any(texts) and any(map(is_end, self._read(chunk, event).found)):
            return True
        kinds = (steps for steps in self.means.ends if kind_at(steps))
        return any(value_at(event, steps) is not None for steps in kinds)

    def _without_lists(self, written: Any, read: Any, texts: Sequence[str], *, ends: bool) -> Any:
        """Return a chunk without a list of calls from which all were removed, because clients take
        any list for calls; None if nothing is left in the chunk."""
        left = self._without_no_calls(read.chunk, written)
        if left is written:
            return written
        said = (text for piece, text in zip(read.pieces, texts, strict=True) if _is_said(piece))
        return left if any(said) or (ends and any(map(is_end, read.found))) else None

    def _without_no_calls(self, chunk: Any, written: Any) -> Any:
        """Return what was made of `chunk` without lists that had calls there and have none now."""
        before = {way for way, calls in self._lists_of_calls(chunk) if calls}
        for way, calls in [*self._lists_of_calls(written)] if before else ():
            if way in before and not calls and all(isinstance(name, str) for name in keys(way)):
                written = _without(written, tuple(keys(way)))
        return written

    def _silenced(self, chunk: Any) -> Any:
        """Return a chunk without text, and without what may not come twice."""
        made = rebuilt(self.silent(chunk), self._silent_about(chunk))
        return self._without_no_calls(chunk, made) if isinstance(chunk, dict) else made

    def _of(self, slot: Slot, chunk: Any) -> set[Way]:
        """Return the steps to the texts of a slot in a chunk, which may be without marks.

        A mark that a rule would change is empty. So if no text has the slot's mark, the texts with
        an empty one are the slot's.
        """
        event = fields_of(chunk)
        of_channel = [
            each
            for each in self._read(chunk, event).found
            if (each.leaf.channel, each.leaf.field) == (slot.channel, slot.field)
            and self.means.choice_of(event, each.path) == slot.choice
        ]
        if not self.means.by:
            return {each.steps for each in of_channel}
        told = {each.steps: self._mark(event, each.path) for each in of_channel}
        numbers = {steps: self._numbers.get(key_of(mark) or ()) for steps, mark in told.items()}
        own = {steps for steps, number in numbers.items() if number == slot.number}
        return own or {steps for steps, mark in told.items() if mark == ""}

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk like the last one with such text, which has only `text`."""
        if slot.channel == "tool_args" and self.means.calls:
            return self._call_alone(chunk, slot, text)
        updates: dict[Way, Any] = {}
        given = False
        own = self._of(slot, chunk)
        for each in self._read(chunk, fields_of(chunk)).found:
            mine = each.steps in own
            if each.leaf.kind == "delta":
                updates[each.steps] = text if mine and not given else ""
                given = given or mine
            elif each.leaf.kind == "copy":
                updates[each.steps] = released(slot) if mine else ""
            elif each.leaf.kind == "end":
                updates[each.steps] = self.word_of_open if each.leaf == END else None
        if not given:
            return self._anew(chunk, slot, text)
        updates |= self._silent_about(chunk)
        made = rebuilt(chunk, updates)
        if isinstance(chunk, dict):
            made = self._without_no_calls(chunk, made)
        return [self.means.alone(made, slot.choice)]

    def _call_alone(self, chunk: Any, slot: Slot, text: str) -> Sequence[Any]:
        """Return a chunk with only the call of a slot, which has only `text` and what tells it
        apart."""
        event = fields_of(chunk)
        silent = rebuilt(self.silent(chunk), self._silent_about(chunk))
        for place in self.means.calls:
            for way, call in ways_to(event, place.steps) if place.arguments else ():
                path = tuple(key for key in keys(way) if isinstance(key, int))
                said = {**said_of(call, place), "by": self._mark(event, path)}
                known = self._calls.known(said, self.means.choice_of(event, path))
                if known not in (slot, None):  # None: nothing tells it apart from others
                    continue
                if not way:
                    return [_bare_call(silent, place, text)]
                bare = _bare_call(call, place, text)
                is_item = isinstance(way[1], int)
                made = rebuilt(silent, {way[0] if is_item else way: [bare] if is_item else bare})
                return [self.means.alone(made, slot.choice)]
        return ()

    def _anew(self, chunk: Any, slot: Slot, text: str) -> Sequence[Any]:
        """Return a chunk with only `text`, in the first place of such a text, if the last chunk has
        none."""
        event = fields_of(chunk)
        own = (steps for steps, leaf in self.means.placed if leaf.channel == slot.channel)
        steps = next(own, None)
        if steps is None or slot.channel == "tool_args":
            return ()
        silent = self._silenced(chunk)
        like = silent if leads(event, steps) else self._beside(event, steps)
        can_be_made = isinstance(chunk, dict) or (leads(event, steps) and _is_there(like, steps))
        return [with_value(like, steps, text)] if can_be_made else ()

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a last chunk without text, if the format marks its end."""
        if not self.means.ends:
            return []
        word = self.words.get(reason, self.words.get("", reason))
        event = fields_of(chunk)
        own = (each for each in self.means.ends if leads(event, each) and not kind_at(each))
        steps = next(own, None)
        if steps is not None:
            silent = self._silenced(chunk)
            if self.means.by_position:
                return [rebuilt(silent, {way_at(steps, choice): word})]
            for each in own:  # the same field elsewhere
                if each[-1] == steps[-1] and each[-1] in value_at(event, each[:-1]):
                    silent = with_value(silent, each, word)
            return [self._ended(self.means.alone(silent, choice), steps, word)]
        if not isinstance(chunk, dict):  # the class of such an event is not known
            return []
        # of several such events, the one that names most of what this one has
        steps = max(self.means.ends, key=lambda each: len(self._beside(event, each)))
        made = with_value(self._beside(event, steps), steps, kind_at(steps) or word)
        for each, leaf in self.means.copied:
            if leads(made, each):
                said = released(Slot(choice, leaf.channel, leaf.field))
                made = with_value(made, each, said)
        return [made if kind_at(steps) else self._ended(made, steps, word)]

    def _beside(self, event: Mapping[str, Any], steps: Steps) -> dict[str, Any]:
        """Return what an event of another kind has of this one: its marks, such as ids, if they are
        marks in both."""
        spec, first = self.spec, steps[0]
        own: Any = spec
        other: Any = spec
        made: dict[str, Any] = {}
        if isinstance(first, Only) and isinstance(spec, OneOf):
            own, other = spec.specs.get(str(event.get(first.key))), spec.specs[first.kind]
            made[first.key] = first.kind
        shared = {name for name in _marks(own) & _marks(other) if name not in made}
        made |= {name: value for name, value in event.items() if name in shared}
        return made | {"data": {}} if self.by_event else made

    def _ended(self, chunk: Any, steps: Steps, word: Any) -> Any:
        """Return a chunk with the format's word for why it ends, where it says that it does."""
        if self.means.reason is None:
            return with_value(chunk, steps, word)
        return with_value(with_value(chunk, steps, True), self.means.reason, word)

    @staticmethod
    def without(value: Any) -> Any:
        """Return the replacement of a value that spells out changed text; clients need a number in
        place of a number."""
        return 0 if isinstance(value, int) else SpecAdapter.without(value)

    def _silent_about(self, chunk: Any) -> dict[Way, Any]:
        """Return the updates that remove what may not come twice: values that spell out the text of
        the original chunk, calls, and the usage."""
        event = fields_of(chunk)
        found = self._read(chunk, event).found
        gone = {each.steps: self.without(each.value) for each in found if each.leaf is ABOUT}
        gone |= {each.steps: None for each in found if each.leaf == USAGE}
        return gone | {way: [] for way, calls in self._lists_of_calls(event) if calls}

    def _lists_of_calls(self, event: Mapping[str, Any]) -> Iterator[tuple[Way, Any]]:
        """Yield the lists of calls in an event."""
        for place in self.means.calls:
            if None in place.steps:
                at = len(place.steps) - 1 - place.steps[::-1].index(None)
                yield from ways_to(event, place.steps[:at])

    def accepts(self, chunk: object) -> bool:
        """Return whether `chunk` has text, or the end, where this format has it."""
        return self._has_text_or_end(chunk)


def _is_said(piece: Piece) -> bool:
    """Return whether a piece is a text besides calls."""
    return piece.slot.channel != "tool_args" and piece.kind not in ("name", "mark")


def _bare_call(call: Any, place: CallPlace, text: str) -> Any:
    """Return a call with only `text`, without its name, which would begin another one."""
    made = with_value(call, (arguments_in(call, place) or place.arguments)[0], text)
    return made if place.name is None else _without(made, place.name)


def _without(value: Any, steps: Steps) -> Any:
    """Return an object without the field at the end of some steps; None is there in one that is no
    dict."""
    step, *rest = (each for each in steps if isinstance(each, str))
    fields = fields_of(value)
    if fields.get(step) is None:
        return value
    if rest:
        return replaced(value, {step: _without(fields[step], tuple(rest))})
    if not isinstance(value, dict):
        return replaced(value, {step: None})
    return {name: each for name, each in value.items() if name != step}


def _marks(spec: Any) -> set[str]:
    """Return the names of an object's fields that are marks."""
    fields = spec.items() if isinstance(spec, dict) else ()
    kinds = ("meta", "keep", "number")
    return {
        name
        for name, leaf in fields
        if isinstance(leaf, Leaf) and leaf.kind in kinds and leaf != USAGE
    }


def _is_there(chunk: Any, steps: Steps) -> bool:
    """Return whether a chunk has all objects on the way of some steps."""
    return next(values_at(chunk, steps[:-1]), None) is not None


@cache
def described_as(name: str) -> type[SpecAdapter]:
    """Return the adapter of a format that only its file describes."""
    description = described(name)
    spec = description.spec()
    grows = any(leaf.kind == "grown" for _, leaf in leaves(spec))
    return type(
        class_name(name),
        (CumulativeFormat if grows else DescribedFormat,),
        {"name": name, "spec": spec, **settings_of(description.content)},
    )
