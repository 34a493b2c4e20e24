"""Guardrails for token streams: exact masking, blocking and validation of LLM output as it arrives."""

from guardstream.errors import (
    AdapterError,
    BlockedError,
    GuardstreamError,
    PatternError,
    PolicyError,
    StageError,
)
from guardstream.events import Event, Finding, Finish, Text

__all__ = [
    "AdapterError",
    "BlockedError",
    "Event",
    "Finding",
    "Finish",
    "GuardstreamError",
    "PatternError",
    "PolicyError",
    "StageError",
    "Text",
]
