"""How a guarded stream is delivered: the caller's options, and their resolved form for a driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from guardstream.events import Finding
from guardstream.stream.callbacks import Handlers, Returned
from guardstream.stream.deadlines import Deadlines
from guardstream.stream.flows.flow import Part
from guardstream.stream.observers import Observing
from guardstream.stream.result import Result, ToolCall

if TYPE_CHECKING:
    from guardstream.policy import Policy

__all__ = ["Delivering"]


class Delivering(TypedDict, total=False):
    """Options of `Guard.wrap` about delivery.

    `raise_on_block`: a block raises BlockedError after the last chunk. `keep_text=False`: delivered
    text is not kept for `result` and `text()`. `on_text`, `on_part`, `on_tool_call`, `on_finding`,
    `on_finish`: callbacks, sync or async, called before the chunk is handed out; if one raises, the
    stream ends with its error, or, with `callback_errors="report"`, the error's type is logged.
    `deadlines` (in seconds) take the place of the policy's; `clock` gives seconds, monotonic.
    `attributes` go into the record that observers get.
    """

    raise_on_block: bool
    keep_text: bool
    on_text: Callable[[str], Returned] | None
    on_part: Callable[[Part], Returned] | None
    on_tool_call: Callable[[ToolCall], Returned] | None
    on_finding: Callable[[Finding], Returned] | None
    on_finish: Callable[[Result], Returned] | None
    callback_errors: Literal["raise", "report"]
    deadlines: Deadlines | None
    clock: Callable[[], float]
    attributes: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Options:
    """How a stream is delivered. `extraction` has the default options of `guardstream.extract`,
    `policy` is the guard's policy."""

    raise_on_block: bool = False
    keep_text: bool = True
    handlers: Handlers = field(default_factory=Handlers)
    deadlines: Deadlines = field(default_factory=Deadlines)
    clock: Callable[[], float] = monotonic
    observing: Observing = field(default_factory=Observing)
    extraction: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy | None = None
