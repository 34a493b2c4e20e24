"""A policy applied to a whole text, and the pipelines that do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from guardstream.events import (
    CLOSED,
    UNKNOWN,
    Channel,
    Finding,
    Finish,
    FinishReason,
    Form,
    Stage,
    text_of,
)
from guardstream.stages.passthrough import Passthrough
from guardstream.stages.pipeline import Pipeline, all_events
from guardstream.stream.flows.flow import blocking, following, stage_error
from guardstream.stream.result import Result

if TYPE_CHECKING:
    from guardstream.policy import Policy


def pipeline_of(
    policy: Policy, channel: str, tool: str | None = None, form: Form = "json"
) -> Stage:
    """Return the pipeline of a channel, or of a tool's arguments; a single stage needs no
    pipeline."""
    stages = policy.stages(channel, tool, form)
    if not stages:
        return Passthrough()
    return stages[0] if len(stages) == 1 else Pipeline(stages)


def guards(policy: Policy, channel: str) -> bool:
    """Return whether `policy` does anything on a channel."""
    return not isinstance(pipeline_of(policy, channel), Passthrough)


def does_nothing(policy: Policy) -> bool:
    """Return whether `policy` does nothing on any channel."""
    return not any(guards(policy, each) for each in (*get_args(Channel), UNKNOWN))


def is_harmless(policy: Policy, text: str) -> bool:
    """Return whether `policy` leaves a text unchanged. StageError if a stage fails."""
    result = checked(policy, text)
    return result.text == text and result.finish not in CLOSED


def findings_in(policy: Policy, text: str) -> Sequence[Finding]:
    """Return what `policy` finds in a text. StageError if a stage fails."""
    return checked(policy, text).findings


def checked(policy: Policy, text: str, message: str = "") -> Result:
    """Return the result for a text of the answer, with halves of surrogate pairs as they came;
    `message` follows if it is blocked. StageError if a stage fails."""
    try:
        return result_of(pipeline_of(policy, "text"), text, "text", message)
    except Exception as error:
        raise stage_error(error) from error


def result_of(stage: Stage, text: str, channel: str, message: str) -> Result:
    """Return the result of a pipeline for a whole text of a channel; `message` follows if it is
    blocked. Errors of stages are raised."""
    events = all_events(stage, text)
    text = text_of(events)
    found = [replace(event, channel=channel) for event in events if isinstance(event, Finding)]
    finish: FinishReason = getattr(events[-1], "reason", "stop")
    last = events[-1]
    rule = blocking(last, found) if isinstance(last, Finish) else None
    if finish in CLOSED and channel == "text":
        text += following(text, message)
    channels = {(0, channel): text} if text else {}
    return Result(text, tuple(found), finish, channels, blocked_by=rule)
