"""A JSON format of your own, described by a few paths, in Python or in a policy's `formats`.

    MINE = JSONFormat("mine", text="$.token", thinking="$.think", copies="$.full", done="$.end")
    async for chunk in guard.wrap(stream, provider=MINE): ...

Paths are JSONPath (RFC 9535) as far as `.name`, `['name']` and `[*]`. Text at any other path is
guarded as unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from enum import Enum
from hashlib import blake2b
from typing import Any, ClassVar, cast
from uuid import UUID

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.jsonpath import check_apart, check_by, steps_of
from guardstream.providers.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.providers.spec import SpecAdapter
from guardstream.providers.toolkit.fields import BYTES, fields_of, is_record
from guardstream.providers.toolkit.nodes import ABOUT, END, META, PASSED, Leaf, Path, Spec
from guardstream.providers.toolkit.paths import Steps, rebuilt
from guardstream.providers.toolkit.reasons import reason_of

_TEXTS = 4096
"""The most texts of a stream that are told apart."""

_LONGEST = 128
"""The length in code points above which only the digest of a string is remembered."""


class JSONFormat(SpecAdapter):
    """The adapter for chunks of a format that is described by paths; there is one choice.

    - `name`: the name of the format, in results and errors.
    - `text`, `thinking`, `tool_args`: the path of the next piece of each.
    - `by`: the path of a value, such as a task's id, that tells interleaved texts apart. Without it
      there is one text.
    - `copies`: the path of the whole text so far, which is replaced by the released text.
    - `done`: the path of a value in the last chunk that is neither false, empty nor zero.
    - `end`: the data of the event that ends a stream which the guard ends, such as `[DONE]`, or a
      mapping of its `event` (its name) and `data`. `{finish}` in it is the reason.
    - `harmless`: the paths of strings that are not text: ids, types, names.
    - `unknown`: how text at other paths is handled, as for `Guard.wrap`.

    Each takes one path or several, but `by` and `done` only one. Raises ValueError for an invalid
    path, one given twice, or a `by` with several values for one text; TypeError for no path.
    """

    sse_end = ""
    sse_end_name = ""
    steady = True
    signs_thinking = False
    harmless: ClassVar[Leaf] = PASSED
    beside: ClassVar[Mapping[str, Spec]] = {}
    """Other fields of chunks, by path, in formats that come with the package."""
    marks: ClassVar[Sequence[str]] = ("id", "type", "event", "kind", "role")
    """Fields beside and around a text by which clients tell chunks apart. They are marks, unless a
    path says otherwise, and chunks that the guard adds have them, too."""
    end_has_text: ClassVar[bool] = False
    """Whether the last chunk has the fields of text, which are then empty."""
    taken: Callable[[Any], Any] | None = None
    """Copies chunks whose producer may keep changing them."""

    def __init__(
        self,
        name: str,
        *,
        text: str | Sequence[str],
        thinking: str | Sequence[str] = (),
        tool_args: str | Sequence[str] = (),
        by: str | None = None,
        copies: str | Sequence[str] = (),
        done: str | None = None,
        end: str | Mapping[str, str] | None = None,
        harmless: str | Sequence[str] = (),
        unknown: Unknown = "guard",
    ) -> None:
        leaves: dict[str, Any] = {}
        for argument, paths, leaf in (
            ("text", text, Leaf("delta", "text", "text")),
            ("thinking", thinking, Leaf("delta", "thinking", "thinking")),
            ("tool_args", tool_args, Leaf("delta", "tool_args", "arguments")),
            ("by", () if by is None else [by], META),
            ("copies", copies, Leaf("copy", "text", "text")),
            # One value may end the stream and have all its text.
            ("done", () if done is None or done in _paths(name, "copies", copies) else [done], END),
            ("harmless", harmless, self.harmless),
        ):
            for path in _paths(name, argument, paths):
                if path in leaves:
                    raise ValueError(f"format {name!r}: the path {path!r} is used for two things")
                leaves[path] = leaf
        texts = [path for path, leaf in leaves.items() if leaf.kind in ("delta", "copy")]
        leaves |= self.beside
        if not text:
            raise ValueError(f"format {name!r}: no path to its text")
        self.name = name  # type: ignore[misc]  # each format has its own
        try:
            check_apart(leaves)
            if by is not None:
                check_by(by, texts)
        except ValueError as error:
            raise ValueError(f"format {name!r}: {error}") from None
        spec = cast("Mapping[str, Spec]", _spec_of(leaves))
        self._described = frozenset(spec)
        self.spec = _with_marks(spec, self.marks)  # type: ignore[misc]
        self.repeats = bool(copies)
        self._done = steps_of(done) if done else None
        self._texts = {tuple(steps_of(path)) for path in texts}
        if end is not None:
            last = {"data": end} if isinstance(end, str) else end
            self.sse_end, self.sse_end_name = last["data"], last.get("event", "")
        self._by, self._by_path = steps_of(by) if by else (), by
        self._numbers: dict[Hashable, int] = {}  # of texts, by what tells them apart
        super().__init__(unknown=unknown)

    @property
    def apart_by_name(self) -> bool:
        """Whether each event name has a text of its own: not where one value repeats all text."""
        return not self.repeats

    def describes(self, field: str) -> bool:
        """Return whether a path leads into a field of the chunk."""
        return field in self._described

    def accepts(self, chunk: object) -> bool:
        """Return whether `chunk` has text, or the end, where this format has it."""
        if not isinstance(chunk, dict) and not is_record(chunk):
            return False
        found = self._read(chunk, fields_of(chunk)).found
        self._last = None
        return any(each.leaf.kind in ("delta", "end") for each in found)

    @property
    def speaks(self) -> Callable[[Any], bool] | None:
        """Return what tells whether a chunk has text, or the end."""
        return self.accepts

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        """Return the slot of a text; AdapterError if the value at `by` is not a single one, or if
        there are too many texts."""
        slot = Slot(0, leaf.channel, leaf.field)
        if not self._by:
            return slot
        told = _key(self._mark(event, path))
        if told is None:
            raise AdapterError(
                f"{self.name}: {self._by_path} is no single value: lead to one in it"
            )
        if told not in self._numbers and len(self._numbers) == _TEXTS:
            raise AdapterError(f"{self.name}: more than {_TEXTS} texts are told apart: blocked")
        return slot._replace(number=self._numbers.setdefault(told, len(self._numbers)))

    def _mark(self, event: Any, path: Path) -> Any:
        """Return the value that tells a text apart, given the text's positions in lists."""
        places = iter(path)
        for step in self._by:
            if step is not None:
                event = fields_of(event).get(step)
            else:
                place = next(places, None)
                event = (
                    event[place] if place is not None and isinstance(event, (list, tuple)) else None
                )
        return event

    def _of(self, slot: Slot, chunk: Any) -> Collection[Steps]:
        """Return the steps to the texts of a slot in a chunk, which may be without marks.

        A mark that a rule would change is empty. So if no text has the slot's mark, the texts with
        an empty one are the slot's.
        """
        event = fields_of(chunk)
        of_channel = [
            (steps, self._mark(event, path))
            for leaf, _, steps, path, _ in self._read(chunk, event).found
            if leaf.channel == slot.channel
        ]
        if not self._by:
            return {steps for steps, _ in of_channel}
        told = {steps: self._numbers.get(_key(value) or ()) for steps, value in of_channel}
        own = {steps for steps, number in told.items() if number == slot.number}
        return own or {steps for steps, value in of_channel if value == ""}

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        ends = self._ends_in(chunk, event)
        reason = reason_of(str(ends[0])) if ends else "stop"
        return Reading(pieces, (0,), {0: reason} if ends else {})

    def _ends_in(self, chunk: Any, event: Mapping[str, Any]) -> list[Any]:
        """Return what says in a chunk that it is the last."""
        found, done = self._read(chunk, event).found, ((), *(self._done or ()))
        return [
            each.value
            for each in found
            if each.leaf is END or (each.leaf.kind == "copy" and each.steps == done)
        ]

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk like the last one with such text, which has only `text`."""
        updates: dict[Steps, Any] = {}
        given = False
        own = self._of(slot, chunk)
        for leaf, _, steps, _, _ in self._read(chunk, fields_of(chunk)).found:
            mine = steps in own
            if leaf.kind == "delta":
                updates[steps] = text if mine and not given else ""
                given = given or mine
            elif leaf.kind == "copy":
                updates[steps] = released(slot) if mine else ""
            elif leaf is END:
                updates[steps] = None
        updates |= self._without_about(chunk)
        return [rebuilt(chunk, updates)] if given else []

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a last chunk without text, if the format marks its end."""
        if self._done is None:
            return []
        updates: dict[Steps, Any] = {}
        for leaf, _, steps, _, _ in self._read(chunk, fields_of(chunk)).found:
            if leaf.kind in ("delta", "copy"):
                updates[steps] = ""
        quiet = rebuilt(chunk, updates | self._without_about(chunk))
        if (
            isinstance(quiet, dict) and not self.end_has_text
        ):  # a text that is left out is no empty text
            quiet = {key: each for key, each in quiet.items() if each or (key,) not in self._texts}
        return [_with(quiet, self._done, self.done_as(reason))]

    def _without_about(self, chunk: Any) -> dict[Steps, Any]:
        """Return the updates that remove values which spell out the text of the original chunk."""
        found = self._read(chunk, fields_of(chunk)).found
        return {each.steps: self.without(each.value) for each in found if each.leaf is ABOUT}

    def done_as(self, reason: FinishReason) -> Any:
        """Return the mark of the end of a stream that the guard ends."""
        return True


def _paths(name: str, argument: str, paths: Any) -> Collection[str]:
    """Return the paths of an argument; TypeError if it is neither a path nor several."""
    given = paths if isinstance(paths, Collection) and not isinstance(paths, str) else (paths,)
    for each in given:
        if not isinstance(each, str):
            kind = type(each).__name__
            raise TypeError(
                f"format {name!r}: {argument}= needs a path such as '$.token', not {kind!r}"
            )
    return given


def _key(value: Any) -> tuple[str, Hashable] | None:
    """Return the key for a value that tells texts apart; None if the value has parts.

    Equal numbers have the same key, as where events are compared.
    """
    if isinstance(value, str) and len(value) > _LONGEST:
        return "digest", blake2b(value.encode(errors="surrogatepass")).digest()
    if isinstance(value, str):
        return "text", value
    if value is None or isinstance(value, (int, float)):
        return "number", value if value == value else "NaN"
    return ("other", repr(value)) if isinstance(value, (Enum, UUID, *BYTES)) else None


def _spec_of(leaves: Mapping[str, Spec]) -> Spec:
    """Return the spec of leaves by their paths, none of which is below another."""
    spec: Any = {}
    for path, leaf in leaves.items():
        node, steps = spec, steps_of(path)
        for step, following in zip(steps, [*steps[1:], ""], strict=True):
            inner: Any = leaf if following == "" else [{}] if following is None else {}
            if step is not None:
                node = node.setdefault(step, inner)
            elif following == "":
                node[0] = leaf
            else:
                node = node[0]
    result: Spec = spec
    return result


def _with_marks(spec: Any, marks: Sequence[str]) -> Any:
    """Return a spec in which objects have marks, besides the fields that it names."""
    if isinstance(spec, list):
        return [_with_marks(item, marks) for item in spec]
    if not isinstance(spec, dict):
        return spec
    known = {name: _with_marks(value, marks) for name, value in spec.items()}
    return {**dict.fromkeys(marks, META), **known}


def _with(value: Any, steps: Sequence[str | None], new: Any) -> Any:
    """Return a copy of `value` with `new` at the end of some steps."""
    step, *rest = steps
    if step is None:
        return [_with(item, rest, new) if rest else new for item in value or [{}]]
    fields = dict(fields_of(value))
    fields[step] = _with(fields.get(step) or {}, rest, new) if rest else new
    return fields
