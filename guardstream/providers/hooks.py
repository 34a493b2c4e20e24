"""What an adapter may have beyond the methods that every adapter has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from guardstream.errors import AdapterError

if TYPE_CHECKING:
    from guardstream.providers.adapter import Adapter, Passes, Reading
    from guardstream.providers.alike import Alike

__all__ = ["Hooks", "hooks_of"]

C = TypeVar("C")


def _nothing(*_: object) -> None:
    """Do nothing."""


def _needed(_chunk: Any) -> Any:
    raise AdapterError("an adapter with pieces of the kind 'unknown' needs a `without_unknown`")


@dataclass(slots=True, kw_only=True)
class Hooks(Generic[C]):
    """Attributes and methods that an adapter may leave out; each default is what holds then."""

    name: str
    """What records call the format. By default, the name of the class."""

    signs_thinking: bool = True
    """Whether a signature forbids to change what a model thinks."""
    tells_apart: bool = False
    """Whether texts of their own are never what a tool is given."""
    ends_with_source: bool = False
    """Whether nothing else ends a message: what is open where the source ends is complete then."""
    in_turn: bool = False
    """Whether a chunk can be written only before the next one is read."""

    by_event: bool = False
    """Whether chunks are events with their names: `{"event": name, "data": value}`."""
    event_name: Callable[[C], str] | None = None
    """Returns the name of the event that a chunk of the guard's own is sent as."""
    sse_end: str = ""
    """The data of the event that ends a stream of server-sent events, such as `[DONE]`."""

    judge_marks: Callable[[Passes], None] = _nothing
    """Is called before the first chunk: `passes(steps, mark)` tells, each time the same, whether a
    mark may go out; one that may not is a piece."""
    steady: bool = False
    """Whether a chunk that says a text and nothing else changes nothing in the adapter."""
    judge_keys: Callable[[Callable[[str], bool]], None] | None = None
    """Is called before the first chunk, if the adapter is `steady`: `is_harmless(name)` tells, each
    time the same, whether no rule says anything about what an unknown field is called; the name
    need not be a piece then."""
    without_unknown: Callable[[C], C] = _needed
    """Returns a chunk without text that the adapter does not know, for what is made after it. An
    adapter with pieces of the kind `unknown` needs it."""

    taken: Callable[[C], C] | None = None
    """Returns what stands for a chunk that came in, where its maker goes on changing it."""
    kept: Callable[[], C | None] | None = None
    """Is called where the source ends: returns the last chunk, if pieces of it waited (`later`). It
    is read once more, and they are said."""
    recognised: Callable[[C, Reading], Adapter[C] | None] | None = None
    """Returns what reads the stream from this chunk on, if it shows a format that is known."""

    passed: Callable[[C], None] | None = None
    """Is told of each chunk that came in and now goes out, as it goes out: an adapter that ends
    streams with a whole message builds it from those."""
    notes_alike: bool | Literal["last"] = True
    """Whether `passed` is told of a chunk that differs from the one before in a text alone; `last`:
    of the last of those in a row, as it came in."""

    alike: Callable[[C], str | None] | None = None
    """Returns the text of a chunk that is like the one before it but for that; None for others."""
    compared: Callable[[], Alike | None] | None = None
    """Returns what later chunks are compared with, if the last one said a text and nothing else."""
    forget: Callable[[], None] = _nothing
    """Lets go of the last chunk, which nothing will ask for."""


_NAMES = tuple(each.name for each in fields(Hooks))


def hooks_of(adapter: Adapter[C]) -> Hooks[C]:
    """Return what an adapter has beyond the methods that every adapter has."""
    own = {name: getattr(adapter, name) for name in _NAMES if hasattr(adapter, name)}
    return Hooks(**{"name": type(adapter).__name__, **own})


class Reader(Generic[C]):
    """The adapter that reads a stream now: another, once a chunk shows a format that is known."""

    def __init__(self, adapter: Adapter[C]) -> None:
        self.adapter = adapter
        self.hooks = hooks_of(adapter)

    def read(self, chunk: C) -> Reading:
        """Read a chunk, by the adapter of this one and of those that come after."""
        reading = self.adapter.read(chunk)
        known = self.hooks.recognised(chunk, reading) if self.hooks.recognised else None
        if known is None:
            return reading
        self.adapter, self.hooks = known, hooks_of(known)
        return known.read(chunk)
