"""A policy applied to a whole text, and the pipelines that do it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guardstream.events import Finding, FinishReason, Stage, Text
from guardstream.stages.passing import Passing
from guardstream.stages.pipeline import Pipeline, all_events
from guardstream.stream.flow import following
from guardstream.stream.result import Result

if TYPE_CHECKING:
    from guardstream.policy import Policy


def pipeline_of(policy: Policy, channel: str, tool: str | None = None) -> Stage:
    """Return the pipeline of a channel, for arguments also of a tool; one stage needs none."""
    stages = policy.stages(channel, tool)
    if not stages:
        return Passing()
    return stages[0] if len(stages) == 1 else Pipeline(stages)


def guards(policy: Policy, channel: str) -> bool:
    """Tell whether `policy` does anything to a channel."""
    return not isinstance(pipeline_of(policy, channel), Passing)


def is_harmless(policy: Policy, text: str) -> bool:
    """Tell whether `policy` leaves a text as it is."""
    result = result_of(pipeline_of(policy, "text"), text, "text", "")
    return result.text == text and result.finish != "content_filter"


def result_of(stage: Stage, text: str, channel: str, message: str) -> Result:
    """Return what a pipeline makes of a whole text of a channel; `message` follows where it is
    blocked. What a stage raises passes."""
    events = all_events(stage, text)
    text = "".join(event.text for event in events if isinstance(event, Text))
    found = [replace(event, channel=channel) for event in events if isinstance(event, Finding)]
    finish: FinishReason = getattr(events[-1], "reason", "stop")
    if finish == "content_filter" and channel == "text":
        text += following(text, message)
    return Result(text, tuple(found), finish, {(0, channel): text} if text else {})
