"""What a stage returns: released text, findings, and one finish."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, Literal, Protocol, TypeAlias

__all__ = [
    "Action",
    "Event",
    "Finding",
    "FindingKind",
    "Finish",
    "FinishReason",
    "Severity",
    "Stage",
    "Text",
]

Action: TypeAlias = Literal["monitor", "mask", "block", "stop"]
Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
FindingKind: TypeAlias = Literal["match", "overflow", "rule_error", "repair"]
FinishReason: TypeAlias = Literal[
    "stop", "length", "tool_calls", "content_filter", "cancelled", "timeout", "error"
]

Channel: TypeAlias = Literal["text", "thinking", "tool_args", "refusal"]
"""Where a model's text flows."""

UNKNOWN = "unknown"
"""The channel of text in fields that no adapter knows: all rules apply to it."""


@dataclass(slots=True, unsafe_hash=True)
class Text:
    """Text that may be shown: guarded, never empty. Not to be changed.

    There is one for nearly every chunk, and a frozen dataclass takes twice as long to make.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found, without the text it found.

    `start` and `end` count code points of the pipeline's source text, from the channel's start,
    end exclusive. `kind` is "match" for a confirmed match, "overflow" for a candidate that grew
    past the hold-back limit, "rule_error" for a rule that failed and was disabled or blocked,
    "repair" for almost-JSON that was mended.
    `action` and `severity` are the rule's.
    `channel` and `choice` name the pipeline, `path` where in a chunk text stood that no adapter
    knows; a stage leaves them at their defaults, the guard fills them in.
    """

    rule: str
    start: int
    end: int
    action: Action
    severity: Severity = "medium"
    kind: FindingKind = "match"
    channel: str = "text"
    choice: int = 0
    path: str = ""


_Draft = make_dataclass("_Draft", [each.name for each in fields(Finding)], slots=True)


def match_found(rule: str, start: int, end: int, action: Action, severity: Severity) -> Finding:
    """Return the Finding of a match, in a third of the time.

    A frozen class calls a function for each field that it sets. So the fields are set in a class
    of the same slots that is not frozen, and the object becomes a Finding then.
    """
    made: Any = _Draft(rule, start, end, action, severity, "match", "text", 0, "")
    made.__class__ = Finding
    finding: Finding = made
    return finding


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a pipeline and its reason; nothing follows it.

    `ends` says what else is over: the whole stream, or the choice that the pipeline belongs to. A
    block always ends the stream.
    """

    reason: FinishReason
    ends: Literal["stream", "choice"] = field(default="stream", compare=False)


Event: TypeAlias = Text | Finding | Finish


class Stage(Protocol):
    """A sans-I/O transformer of text: characters in, events out.

    Feeding `a` then `b` gives the same joined text, findings and finish as feeding `a + b`.
    `feed` after a Finish returns an empty list. A pipeline is a stage itself.
    """

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return what can be said now."""
        ...

    def finish(self) -> list[Event]:
        """Take the source's end: settle what is open and return the rest, ending with a Finish."""
        ...

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        ...
