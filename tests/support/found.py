"""What a rule finds in a text."""

from __future__ import annotations

from collections.abc import Sequence

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet


def found(rules: RuleSet, chunks: Sequence[str]) -> list[tuple[int, int]]:
    stage = rules.stage()
    events = [event for chunk in chunks for event in stage.feed(chunk)] + stage.finish()
    return [(event.start, event.end) for event in events if isinstance(event, Finding)]
