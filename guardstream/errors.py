"""The exceptions of the package: each says what, where and how to fix it, never matched text."""

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
    """The base of all errors that guardstream raises."""


class PolicyError(GuardstreamError):
    """A policy cannot be read or is not valid; the message names file, line and column."""


class PatternError(GuardstreamError):
    """A pattern cannot be searched exactly in a stream.

    `message` says why, and how to write it otherwise. `offset` is the position in the pattern, in
    code points from its start, or None when the whole pattern is meant.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class AdapterError(GuardstreamError):
    """A chunk is of a type, or holds an event, that no adapter knows."""


class StageError(GuardstreamError):
    """A stage raised; the stream ended as blocked. The stage's exception is the `__cause__`."""


class BlockedError(GuardstreamError):
    """A rule blocked the stream and the caller asked for an exception (`raise_on_block=True`)."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"stream blocked by rule {rule!r}")
        self.rule = rule


class SSEError(GuardstreamError):
    """A server-sent event cannot be read within the limits, or cannot be written as one."""
