"""The exceptions of the package. Messages name the problem, its place and its fix, never text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from guardstream.events import Finding, FinishReason

__all__ = [
    "AdapterError",
    "BlockedError",
    "DeliveredResult",
    "GuardstreamError",
    "PatternError",
    "PolicyError",
    "SSEError",
    "StageError",
]

E = TypeVar("E", bound=BaseException)


class GuardstreamError(Exception):
    """The base class of the package's exceptions. They can be copied and pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out `__init__`, whose arguments need not be `args`."""
        return _revived, (type(self), self.args, vars(self))


def _revived(kind: type[E], args: tuple[Any, ...], state: Mapping[str, Any]) -> E:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


def without_message(error: Exception) -> str:
    """Return what a log may have of an exception: its type, and the reason of an OSError.

    The message of another exception could contain text of a stream.
    """
    reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}{reason}"


class PolicyError(GuardstreamError):
    """A policy cannot be read or is not valid; the message names file, line and column."""


class PatternError(GuardstreamError):
    """A pattern cannot be searched exactly in a stream.

    The message says why, and how to rewrite it. `offset` is the position in the pattern, in code
    points from its start, or None if the error concerns the whole pattern.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class AdapterError(GuardstreamError):
    """A chunk, request or answer cannot be read: no adapter knows its type, or it is malformed."""


class StageError(GuardstreamError):
    """A stage failed, and the stream ended as `error`. `__cause__` is the stage's exception."""


class DeliveredResult(Protocol):
    """What a stream had delivered when it was blocked: a `guardstream.Result`, which has more."""

    @property
    def text(self) -> str:
        """The text of choice 0 that was let out."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """The findings, in the order in which they settled."""
        ...

    @property
    def finish(self) -> FinishReason | None:
        """The finish reason."""
        ...

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Return what happened as JSON values, for a log, without text."""
        ...


class BlockedError(GuardstreamError):
    """A rule blocked a stream with `raise_on_block=True`, a prompt or an answer; `rule` is its id.

    `what` was blocked: the stream, the prompt or the answer. `result` is what the stream had
    delivered: the text that was let out before, and the findings; None if nothing was streamed. If
    guarded streams are nested, it is that of the outermost one, so it never has text that one of
    them held back.
    """

    def __init__(
        self, rule: str, what: str = "stream", result: DeliveredResult | None = None
    ) -> None:
        super().__init__(rule, what)
        self.rule = rule
        self.what = what
        self.result = result

    def __str__(self) -> str:
        return f"{self.what} blocked by rule {self.rule!r}"


class SSEError(GuardstreamError):
    """A server-sent event exceeds a limit or is malformed, or a value cannot be encoded as one."""
