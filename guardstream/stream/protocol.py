"""What a flow is: one stream's way through the guard, without any I/O.

A flow fails closed: whatever a stage or an adapter raises becomes a StageError or AdapterError, and
nothing of that chunk goes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from guardstream.errors import AdapterError, StageError
from guardstream.events import Finding, Finish, FinishReason, Stage
from guardstream.providers.adapter import Call, Slot

C = TypeVar("C")


class Part(NamedTuple):
    """Text of a slot in a chunk that goes out; `done` if it is the slot's last."""

    slot: Slot
    text: str
    done: bool = False

    @property
    def choice(self) -> int:
        """The choice that says it."""
        return self.slot.choice

    @property
    def channel(self) -> str:
        """The channel that it is said in."""
        return self.slot.channel


Sent: TypeAlias = tuple[C, str, int, Sequence[Part]]
"""A chunk that may go out, the answer's text in it, how many characters it shows, and its parts.

The answer is choice 0's text. Parts are all else that the chunk says for the first time.
"""


class MakeStage(Protocol):
    """Makes a new pipeline for a channel, for arguments also by their tool, if that is known."""

    def __call__(self, channel: str, tool: str | None = None) -> Stage: ...


class Flow(Protocol[C]):
    """One stream's way through the guard.

    `ended` is the reason to stop reading the source, `blocked_by` the rule that blocked it. `calls`
    are the tool calls announced so far, by the slot of their arguments; `usage` is the provider's,
    `provider` the adapter's name.
    `error` is raised behind what was sent, by a flow that takes several chunks at once.
    """

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
    def provider(self) -> str: ...
    @property
    def error(self) -> Exception | None: ...

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        ...

    def feed(self, chunk: C) -> Sequence[Sent[C]]:
        """Take a chunk; return what may go out now."""
        ...

    def finish(self) -> Sequence[Sent[C]]:
        """Take the source's end; return the rest and set `ended`."""
        ...


def blocking(finish: Finish, findings: Sequence[Finding]) -> str | None:
    """Return the rule that caused a finish: a block's finding stands right before it."""
    return findings[-1].rule if finish.reason == "content_filter" and findings else None


def stage_error(error: Exception) -> StageError:
    """Return the error of a stage that raised `error`."""
    return StageError(f"a stage failed ({type(error).__name__}): the stream was blocked")


def adapter_error(error: Exception) -> AdapterError:
    """Return the error of an adapter that raised `error`."""
    return AdapterError(f"malformed chunk ({type(error).__name__}): the stream was blocked")
