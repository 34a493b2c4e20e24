"""Callbacks of a guarded stream: they see only delivered text."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from guardstream.events import Finding
from guardstream.formats.adapter import Slot
from guardstream.hints import check_known
from guardstream.stream.flows.flow import Flow, Part, Sent
from guardstream.stream.result import Result, ToolCall
from guardstream.stream.transcript import Delivered

Returned: TypeAlias = Awaitable[object] | object
"""What a callback returns: anything, which is ignored, or an awaitable."""

Due: TypeAlias = tuple[Callable[[Any], Returned], Any]
"""A callback and its argument."""

ON_ERRORS = ("raise", "report")
"""The ways to handle an error of a callback or an observer."""

_ANSWER = Slot(0, "text", "content")

log = logging.getLogger("guardstream")


@dataclass(frozen=True, slots=True)
class Handlers:
    """The callbacks, sync or async; those of a synchronous stream must be sync.

    A callback is called before its chunk is handed to the consumer. If it raises, the stream ends
    with that error (`raise`), or the error's type is logged and the stream continues (`report`).
    """

    on_text: Callable[[str], Returned] | None = None
    """Called with the answer's text in each chunk that has some."""
    on_part: Callable[[Part], Returned] | None = None
    """Called with each piece of text in a chunk, of any choice and channel."""
    on_tool_call: Callable[[ToolCall], Returned] | None = None
    """Called with each tool call as soon as its arguments are complete."""
    on_finding: Callable[[Finding], Returned] | None = None
    """Called with each finding."""
    on_finish: Callable[[Result], Returned] | None = None
    """Called once, last, whatever ends the stream."""
    errors: Literal["raise", "report"] = "raise"

    def __post_init__(self) -> None:
        check_known("callback_errors", self.errors, ON_ERRORS)

    def __bool__(self) -> bool:
        return bool(self._given())

    def check_callable(self) -> None:
        """Raise TypeError if a callback is not a function."""
        for name, callback in self._given():
            if not callable(callback):
                given = type(callback).__qualname__
                raise TypeError(f"{name}= needs a function, not {given!r}")

    def check_sync(self) -> None:
        """Raise TypeError if a callback is a coroutine function."""
        for name, callback in self._given():
            call = getattr(callback, "__call__", None)  # noqa: B004
            if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(call):
                raise TypeError(
                    f"{name}= is a coroutine function, which a stream without an event loop cannot "
                    "await: give it a plain one"
                )

    def failed(self, error: Exception) -> bool:
        """Log a callback's error; return whether the stream continues."""
        if self.errors == "raise":
            return False
        log.error("a callback of a guarded stream failed (%s)", type(error).__name__)
        return True

    def _given(self) -> list[tuple[str, Callable[[Any], Returned]]]:
        """Return the callbacks that are given, with their names."""
        named = {name: getattr(self, name) for name in CALLBACKS}
        return [(name, callback) for name, callback in named.items() if callback is not None]


CALLBACKS = ("on_text", "on_part", "on_tool_call", "on_finding", "on_finish")
"""The names of the callbacks, as options of a stream."""


class Callbacks:
    """Decides which callbacks of one stream are due when. Each finding is reported once."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._reported = 0  # the number of findings that were reported
        self.failed = handlers.failed

    def before(self, sent: Sent[Any], flow: Flow[Any], kept: Delivered | None) -> list[Due]:
        """Return what is due before a chunk is delivered."""
        handlers, text, parts = self._handlers, sent.text, sent.parts
        known = len(flow.findings) if sent.known is None else sent.known.findings
        due = self.found(flow, known) if known > self._reported else []
        if text and handlers.on_text:
            due.append((handlers.on_text, text))
        if handlers.on_part:
            if text:
                due.append((handlers.on_part, Part(_ANSWER, text)))
            due += [(handlers.on_part, part) for part in parts if part.text]
        if parts and kept is not None:
            due += self.completing(parts, kept)
        return due

    def completing(self, parts: Sequence[Part], kept: Delivered) -> list[Due]:
        """Return what is due for the tool calls that some parts complete."""
        on_tool_call = self._handlers.on_tool_call
        return [(on_tool_call, call) for call in kept.completed(parts)] if on_tool_call else []

    def found(self, flow: Flow[Any], known: int) -> list[Due]:
        """Return what is due for new findings, up to the number that is `known`."""
        found = flow.findings[self._reported : known]
        self._reported += len(found)
        on_finding = self._handlers.on_finding
        return [(on_finding, finding) for finding in found] if on_finding else []

    def finished(self, result: Result) -> list[Due]:
        """Return what is due at the end."""
        on_finish = self._handlers.on_finish
        return [(on_finish, result)] if on_finish else []
