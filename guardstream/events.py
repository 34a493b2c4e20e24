"""The events that a stage returns: released text, findings, and one finish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, Literal, Protocol, TypeAlias

__all__ = [
    "Action",
    "Event",
    "Finding",
    "FindingKind",
    "Finish",
    "FinishReason",
    "Region",
    "Severity",
    "Stage",
    "Text",
]

Action: TypeAlias = Literal["monitor", "mask", "block", "stop"]
Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
FindingKind: TypeAlias = Literal["match", "overflow", "rule_error", "repair"]
FinishReason: TypeAlias = Literal[
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "cancelled",
    "timeout",
    "error",
    "incomplete",
]

CLOSED: frozenset[FinishReason] = frozenset(("content_filter", "error"))
"""The reasons with which a stage ends a stream closed: a rule blocked it, or the guard failed."""

GUARD = "guard"
"""What `blocked_by` says of a stream that ended because the guard failed."""

Channel: TypeAlias = Literal["text", "thinking", "tool_args", "refusal"]
"""The kinds of text in a model's answer, each guarded as a text of its own."""

Form: TypeAlias = Literal["json", "text", "part"]
"""What the arguments of a tool call are: JSON, free text, or one string of a JSON document."""

UNKNOWN = "unknown"
"""The channel of text in fields that no adapter knows: all rules apply to it."""


@dataclass(slots=True, unsafe_hash=True)
class Text:
    """Guarded text that may be shown, never empty. Treat it as immutable.

    It is not frozen because nearly every chunk creates one, and frozen dataclasses take twice as
    long to create.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The report of a match, without the matched text.

    - `rule`, `action`, `severity`: the rule's id, action and severity.
    - `start`, `end`: the span in code points of the source text, from the channel's start, `end`
      exclusive.
    - `kind`: "match" for a confirmed match, "overflow" for a candidate that exceeded the hold-back
      limit, "rule_error" for a rule that failed and was disabled or blocked the stream, "repair"
      for repaired almost-JSON.
    - `channel`, `choice`: the pipeline; `path`: the JSONPath of text in a field that no adapter
      knows. A stage leaves these at their defaults, and the guard sets them.
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
    """Return the Finding of a match, three times as fast as its constructor.

    A frozen dataclass calls `object.__setattr__` for each field. This creates an object of an
    unfrozen class with the same slots, and then assigns its `__class__`.
    """
    made: Any = _Draft(rule, start, end, action, severity, "match", "text", 0, "")
    made.__class__ = Finding
    finding: Finding = made
    return finding


@dataclass(frozen=True, slots=True)
class Region:
    """Text that masks cover together: one value, however many rules have found it.

    `finding` is that of the most severe of them, the first among equals, `findings` are all.
    `start` and `end` are the region's. Regions are told apart by choice, channel and path; of
    several tool calls in a choice, those that have a mask at the same place count as one.
    """

    finding: Finding
    start: int
    end: int
    findings: tuple[Finding, ...]


def _place(finding: Finding) -> tuple[int, str, str]:
    return finding.choice, finding.channel, finding.path


def regions(findings: Iterable[Finding]) -> tuple[Region, ...]:
    """Return the regions of the findings that mask, in text order by choice, channel and path."""
    masks = [each for each in findings if each.action == "mask" and each.kind in _COVERING]
    masks.sort(key=lambda each: (_place(each), each.start, each.end))
    grouped: list[list[Finding]] = []
    last, end = None, 0
    for each in masks:
        if _place(each) == last and each.start < end:
            grouped[-1].append(each)
            end = max(end, each.end)
        else:
            grouped.append([each])
            last, end = _place(each), each.end
    return tuple(map(_region, grouped))


_COVERING = frozenset(("match", "overflow"))


def _region(found: list[Finding]) -> Region:
    worst = max(found, key=lambda each: SEVERITIES.index(each.severity))
    return Region(worst, found[0].start, max(each.end for each in found), tuple(found))


def counted(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that count: of each region one, and all that do not mask."""
    findings = tuple(findings)
    rest = [each for each in findings if each.action != "mask" or each.kind not in _COVERING]
    return [*(region.finding for region in regions(findings)), *rest]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a pipeline, with its reason; always the last event.

    `ends` is the scope of the end: the whole stream, or only the pipeline's choice. A block always
    ends the stream. `by_rule` says that a rule stops the text, even where it would have ended.
    """

    reason: FinishReason
    ends: Literal["stream", "choice"] = field(default="stream", compare=False)
    by_rule: bool = field(default=False, compare=False)


Event: TypeAlias = Text | Finding | Finish


def is_refused(finish: FinishReason | None, blocked_by: str | None) -> bool:
    """Return whether a stream ended closed, by a filter or because the guard failed; the error of
    a source is none."""
    return finish == "content_filter" or blocked_by == GUARD


def text_of(events: Iterable[Event]) -> str:
    """Return the text that some events release."""
    return "".join([event.text for event in events if isinstance(event, Text)])


def joined(events: Iterable[Event]) -> list[Event]:
    """Return the events with adjacent texts joined: they are the same in every chunking."""
    found: list[Event] = []
    for event in events:
        if found and isinstance(event, Text) and isinstance(found[-1], Text):
            found[-1] = Text(found[-1].text + event.text)
        else:
            found.append(event)
    return found


def ends_by_rule(events: Sequence[Event]) -> bool:
    """Return whether the last of some events says that a rule stops the text."""
    return bool(events) and isinstance(events[-1], Finish) and events[-1].by_rule


class Stage(Protocol):
    """A sans-I/O transformer of text: characters in, events out.

    Feeding `a` then `b` gives the same joined text, findings and finish as feeding `a + b`.
    `feed` after a Finish returns an empty list. A pipeline is a stage itself.
    """

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return the events that are settled."""
        ...

    def finish(self) -> list[Event]:
        """Take the source's end: settle open candidates, return the rest, ending with a Finish."""
        ...

    @property
    def held(self) -> int:
        """How many code points of the source are held now."""
        ...
