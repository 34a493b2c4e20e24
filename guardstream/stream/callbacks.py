"""Callbacks of a guarded stream: they see what is delivered, and nothing else."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from guardstream.events import Finding
from guardstream.providers.adapter import Slot
from guardstream.stream.flow import Flow, Part, Sent
from guardstream.stream.result import Result, ToolCall
from guardstream.stream.transcript import Delivered

Returned: TypeAlias = Awaitable[object] | object
"""What a callback returns: nothing of interest, or something to await."""

Due: TypeAlias = tuple[Callable[[Any], Returned], Any]
"""A callback, and what it is to be called with."""

_ANSWER = Slot(0, "text", "content")

log = logging.getLogger("guardstream")


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions to be called, sync or async; those of a sync stream have to be sync.

    A callback is called before its chunk is handed to the consumer. If one raises, the stream ends
    with its error (`raise`), or the error's type is logged and the stream goes on (`report`).
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

    def __bool__(self) -> bool:
        return any(self._callbacks())

    def check_sync(self) -> None:
        """Raise TypeError if a callback is a coroutine function."""
        for callback in self._callbacks():
            if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
                getattr(callback, "__call__", None)  # noqa: B004
            ):
                raise TypeError("a stream without an event loop cannot await: give it plain calls")

    def found(self, findings: list[Finding]) -> list[Due]:
        """What is due for new findings."""
        return [(self.on_finding, finding) for finding in findings] if self.on_finding else []

    def due(self, sent: Sent[Any], flow: Flow[Any], kept: Delivered | None) -> list[Due]:
        """What is due for a chunk that is about to be delivered."""
        text, parts = sent.text, sent.parts
        due: list[Due] = []
        if text and self.on_text:
            due.append((self.on_text, text))
        if self.on_part:
            if text:
                due.append((self.on_part, Part(_ANSWER, text)))
            due += [(self.on_part, part) for part in parts if part.text]
        if parts and self.on_tool_call and kept is not None:
            calls = [kept.completed(slot, flow, parts) for slot in kept.completing(parts)]
            due += [(self.on_tool_call, call) for call in calls]
        return due

    def failed(self, error: Exception) -> bool:
        """Log a callback's error; return whether the stream goes on."""
        if self.errors == "raise":
            return False
        log.error("a callback of a guarded stream failed (%s)", type(error).__name__)
        return True

    def _callbacks(self) -> tuple[Callable[[Any], Returned] | None, ...]:
        return self.on_text, self.on_part, self.on_tool_call, self.on_finding, self.on_finish
