"""Guardrails for token streams: exact masking and blocking of LLM output while it arrives."""

from guardstream.deadlines import Deadlines
from guardstream.errors import (
    AdapterError,
    BlockedError,
    GuardstreamError,
    PatternError,
    PolicyError,
    StageError,
)
from guardstream.events import Event, Finding, Finish, Text
from guardstream.flow.base import Part
from guardstream.guard import Guard
from guardstream.guarded import GuardedStream
from guardstream.guarded_sync import SyncGuardedStream
from guardstream.policy import Policy, pack
from guardstream.stats import Result, Stats, ToolCall

__all__ = [
    "AdapterError",
    "BlockedError",
    "Deadlines",
    "Event",
    "Finding",
    "Finish",
    "Guard",
    "GuardedStream",
    "GuardstreamError",
    "Part",
    "PatternError",
    "Policy",
    "PolicyError",
    "Result",
    "StageError",
    "Stats",
    "SyncGuardedStream",
    "Text",
    "ToolCall",
    "pack",
]
