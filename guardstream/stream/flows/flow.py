"""The protocol of flows, which turn one stream's chunks into guarded chunks without I/O.

A flow fails closed: any exception of a stage or an adapter becomes a StageError or AdapterError,
and nothing of that chunk goes out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeAlias, TypeVar

from guardstream.errors import AdapterError, StageError
from guardstream.events import GUARD, Event, Finding, Finish, FinishReason, Form, Stage
from guardstream.formats.adapter import Call, Slot
from guardstream.stages.pipeline import Readable

C = TypeVar("C")


class Part(NamedTuple):
    """Text of a slot in a chunk that goes out; `done` if it completes the slot, of that `call`."""

    slot: Slot
    text: str
    done: bool = False
    call: Call | None = None

    @property
    def choice(self) -> int:
        """The index of its choice."""
        return self.slot.choice

    @property
    def channel(self) -> str:
        """Its channel."""
        return self.slot.channel


class Known(NamedTuple):
    """What is known of a stream at some point: the number of findings, the calls and the usage."""

    findings: int
    calls: Mapping[Slot, Call]
    usage: Any

    def has_grown(self, before: Known) -> bool:
        """Return whether more is known than `before`."""
        news = self.calls is not before.calls or self.usage is not before.usage
        return news or self.findings > before.findings


@dataclass(slots=True)
class Sent(Generic[C]):
    """A chunk that may go out, and the text that is new in it. Immutable by convention.

    `text` is the answer's (choice 0's), `parts` are all other texts; `characters` counts the code
    points of both. `origin` is what was fed with the source's chunk that this one is, or was
    written from, such as a frame of bytes; None if the flow created it, for held text or to end a
    choice. If the flow created it for text of an event name, `name` is that name.

    With `begins` the answer begins with its text: what came before was of events of another kind.

    `known` is what was known at this chunk, if more is known by now, because several frames arrived
    at once.

    Nearly every chunk creates a `Sent`, and a frozen dataclass takes twice as long to create.
    """

    chunk: C
    text: str = ""
    characters: int = 0
    parts: Sequence[Part] = ()
    origin: Any = None
    known: Known | None = None
    name: str = ""
    begins: bool = False


class MakeStage(Protocol):
    """Creates a pipeline for a channel; for `tool_args`, given the tool's name if it is known, and
    what its arguments are."""

    def __call__(self, channel: str, tool: str | None = None, form: Form = "json") -> Stage: ...


Around: TypeAlias = Callable[[MakeStage], MakeStage]
"""Puts a stage around each pipeline that is created."""


class Flow(Protocol[C]):
    """The path of one stream through the guard.

    `ended` is the reason to stop reading the source, `blocked_by` the rule that blocked it. `calls`
    are the tool calls announced so far, by the slot of their arguments; the mapping is replaced,
    never changed. `usage` is the provider's, `format` the adapter's name. `error` is raised after
    the last chunk, by a flow that takes several chunks at once. `ending` is what the source's end
    completes, if no chunk is left to carry it. A driver that notices silence sets `has_timer`.
    """

    has_timer: bool

    @property
    def findings(self) -> list[Finding]: ...
    @property
    def ended(self) -> FinishReason | None: ...
    @property
    def blocked_by(self) -> str | None: ...
    @property
    def calls(self) -> Mapping[Slot, Call]: ...
    @property
    def usage(self) -> Any: ...
    @property
    def format(self) -> str: ...
    @property
    def error(self) -> Exception | None: ...

    @property
    def ending(self) -> Sequence[Part]: ...

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        ...

    def feed(self, chunk: C) -> Sequence[Sent[C]]:
        """Take a chunk; return the chunks that may go out now."""
        ...

    @property
    def awaits_silence(self) -> bool:
        """Whether text is held after a sign of its end, which silence would prove."""
        ...

    @property
    def awaits_event(self) -> bool:
        """Whether text of an event is held until the next one, or for a short silence."""
        ...

    def believe(self) -> Sequence[Sent[C]]:
        """Take silence as the proof of the ends that wait for one; return what may go out."""
        ...

    def release_events(self) -> Sequence[Sent[C]]:
        """Return what is held of events; what follows is judged with it."""
        ...

    def finish(self) -> Sequence[Sent[C]]:
        """Take the source's end; return the remaining chunks and set `ended`."""
        ...


class Feeding(NamedTuple):
    """How a stage is fed in the fewest calls: see `Readable`."""

    feed: Callable[[str], Any]
    rest: Callable[[str, Any], str | Sequence[Event]]
    holder: Any


def feeding(stage: Stage) -> Feeding:
    """Return how a stage is fed."""
    if isinstance(stage, Readable):
        return Feeding(stage.reader.feed, stage.feed_unread, stage.reader)
    return Feeding(stage.feed, _events, stage)


def _events(_: str, events: Sequence[Event]) -> Sequence[Event]:
    return events


def blocking(finish: Finish, findings: Sequence[Finding]) -> str | None:
    """Return the rule that caused a finish, whose finding directly precedes it; GUARD for a
    failure."""
    if finish.reason == "error":
        return GUARD
    return findings[-1].rule if finish.reason == "content_filter" and findings else None


def following(text: str, message: str) -> str:
    """Return a block message as it follows `text`, the last released text.

    A space separates it from a word or sentence, except in scripts that are written without spaces.
    """
    if not text or not message or text[-1].isspace() or message[0].isspace():
        return message
    wide = (unicodedata.east_asian_width(each) in "WF" for each in (text[-1], message[0]))
    return message if any(wide) else f" {message}"


def stage_error(error: Exception) -> StageError:
    """Return the error of a stage that raised `error`."""
    return StageError(f"a stage failed ({type(error).__name__}): the stream was closed")


def fail_closed(error: Exception, format: str) -> NoReturn:
    """Raise the error that ends a stream whose flow has raised `error`, for chunks of a provider.

    StageError and AdapterError are raised as they are; anything else becomes an AdapterError with
    the type alone, because messages may contain text.
    """
    if isinstance(error, (AdapterError, StageError)):
        raise error
    name = type(error).__name__
    raise AdapterError(
        f"malformed chunk for the format {format!r} ({name}): the stream was closed"
    ) from error
