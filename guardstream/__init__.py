"""Guardrails for token streams: exact masking and blocking of LLM output while it arrives."""

from guardstream.errors import (
    AdapterError,
    BlockedError,
    GuardstreamError,
    PatternError,
    PolicyError,
    StageError,
)
from guardstream.events import Event, Finding, Finish, Text
from guardstream.guard import Guard
from guardstream.policy import Policy, pack
from guardstream.stream.asynchronous import GuardedStream
from guardstream.stream.deadlines import Deadlines
from guardstream.stream.flow import Part
from guardstream.stream.result import Result, Stats, ToolCall
from guardstream.stream.synchronous import SyncGuardedStream

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
