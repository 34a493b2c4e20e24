"""The exceptions of the package. Messages name the problem, its place and its fix, never text."""

from __future__ import annotations

__all__ = [
    "AdapterError",
    "BlockedError",
    "GuardstreamError",
    "PatternError",
    "PolicyError",
    "SSEError",
    "StageError",
]


class GuardstreamError(Exception):
    """The base class of the package's exceptions."""


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
    """A stage failed, and the stream ended as blocked. `__cause__` is the stage's exception."""


class BlockedError(GuardstreamError):
    """A rule blocked a stream with `raise_on_block=True`, or a request; `rule` is its id."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"stream blocked by rule {rule!r}")
        self.rule = rule


class SSEError(GuardstreamError):
    """A server-sent event exceeds a limit or is malformed, or a value cannot be encoded as one."""
