"""The optional hooks of an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from guardstream.errors import AdapterError

if TYPE_CHECKING:
    from guardstream.formats.adapter import Adapter, Passes, Reading, Slot
    from guardstream.formats.toolkit.alike import Alike

__all__ = ["Hooks", "hooks_of"]

C = TypeVar("C")


def _nothing(*_: object) -> None:
    """Do nothing."""


def _needed(_chunk: Any) -> Any:
    raise AdapterError("an adapter with pieces of the kind 'unknown' needs a `without_unknown`")


@dataclass(slots=True, kw_only=True)
class Hooks(Generic[C]):
    """The optional attributes and methods of an adapter, with their defaults."""

    name: str
    """The format's name in records. By default, the name of the class."""

    signs_thinking: bool = True
    """Whether thinking is signed, so that values must not be restored in it."""
    tells_apart: bool = False
    """Whether whole and unknown texts are never tool arguments, so that values may be restored."""
    leaves_out_calls: bool = False
    """Whether `write` leaves out a whole call with arguments that are cut, or marks it as invalid.
    Otherwise a chunk with such a call does not go out."""
    ends_with_source: bool = False
    """Whether the source's end completes open messages, since the format has no other end."""
    signs_end: bool = False
    """Whether a whole stream always says that each of its choices has ended, so that one that does
    not was broken off."""
    in_turn: bool = False
    """Whether a chunk has to be written before the next one is read."""

    by_event: bool = False
    """Whether chunks are events with their names: `{"event": name, "data": value}`."""
    apart_by_name: bool = False
    """Whether the texts of each event name are texts of their own, which clients may also join."""
    event_name: Callable[[C], str] | None = None
    """Returns the event name for a chunk that the guard adds."""
    takes_more: Callable[[Slot], bool] | None = None
    """Returns whether a block's message may continue the text of a slot, because no event has ended
    it; otherwise the message is a text of its own."""
    sse_end: str = ""
    """The data of the event that ends a stream of server-sent events, such as `[DONE]`; `{finish}`
    in it is the reason."""
    sse_end_name: str = ""
    """The name of that event."""
    speaks: Callable[[Any], bool] | None = None
    """Returns whether a chunk has text or an end. An event that has neither, and another name than
    those of text, may end the text: it waits for what is held."""

    judge_marks: Callable[[Passes], None] = _nothing
    """Called before the first chunk with a pure function: `passes(steps, mark)` returns whether a
    mark may pass; a mark that may not is a piece."""
    steady: bool = False
    """Whether a chunk that has only a text changes no state of the adapter."""
    judge_keys: Callable[[Callable[[str], bool]], None] | None = None
    """Called before the first chunk of a `steady` adapter with a pure function:
    `is_harmless(name)` returns whether no rule matches the name of an unknown field, which then
    need not be a piece."""
    without_unknown: Callable[[C], C] = _needed
    """Returns a copy of a chunk without unknown text, as a model for further chunks. Required for
    adapters with pieces of the kind `unknown`."""

    taken: Callable[[C], C] | None = None
    """Returns a copy of a chunk from the source, if its producer keeps mutating it."""
    kept: Callable[[], C | None] | None = None
    """Called at the source's end: returns the last chunk, if pieces of it were withheld (`later`).
    It is read again, now with their text."""
    recognised: Callable[[C, Reading], Adapter[C] | None] | None = None
    """Returns the adapter for the stream from this chunk on, if it shows a known format."""

    passed: Callable[[C], None] | None = None
    """Called with each chunk from the source as it goes out. An adapter that ends streams with a
    whole message builds the message from these."""
    notes_alike: bool | Literal["last"] = True
    """Whether `passed` is called for chunks that differ from the one before only in a text; `last`:
    only for the last of consecutive ones, in its original form."""

    alike: Callable[[C], str | None] | None = None
    """Returns the text of a chunk that differs from the one before only in it; None for others."""
    compared: Callable[[], Alike | None] | None = None
    """Returns the pattern for comparing later chunks, if the last one had only a text."""
    forget: Callable[[], None] = _nothing
    """Drops the reference to the last chunk, which is not needed any more."""


_NAMES = tuple(each.name for each in fields(Hooks))

_WITHOUT = frozenset({"unknown", "mark"})
"""Kinds of pieces that must not be in the chunk on which others are modelled."""


def model_of(hooks: Hooks[C], chunk: C, reading: Reading) -> C:
    """Return a chunk as a model for further ones: without unknown text."""
    if _WITHOUT.isdisjoint([piece[2] for piece in reading.pieces]):
        return chunk
    return hooks.without_unknown(chunk)


def hooks_of(adapter: Adapter[C]) -> Hooks[C]:
    """Return the hooks of an adapter, with defaults for those that it does not define."""
    own = {name: getattr(adapter, name) for name in _NAMES if hasattr(adapter, name)}
    return Hooks(**{"name": type(adapter).__name__, **own})


class Reader(Generic[C]):
    """Reads a stream with its current adapter, which changes once a chunk shows a known format."""

    def __init__(self, adapter: Adapter[C]) -> None:
        self.adapter = adapter
        self.hooks = hooks_of(adapter)

    def read(self, chunk: C) -> Reading:
        """Read a chunk; if it shows a known format, its adapter reads this and all later chunks."""
        reading = self.adapter.read(chunk)
        known = self.hooks.recognised(chunk, reading) if self.hooks.recognised else None
        if known is None:
            return reading
        self.adapter, self.hooks = known, hooks_of(known)
        return known.read(chunk)
