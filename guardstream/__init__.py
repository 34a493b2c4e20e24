"""Guardrails for token streams: exact masking and blocking of LLM output while it arrives."""

from typing import TYPE_CHECKING

from guardstream.lazy import exporting

if TYPE_CHECKING:
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
    from guardstream.stream.flows.flow import Part
    from guardstream.stream.options import Deadlines
    from guardstream.stream.result import Result, Stats, ToolCall
    from guardstream.stream.synchronous import SyncGuardedStream
    from guardstream.version import __version__
else:
    __getattr__, __dir__ = exporting(
        __name__,
        {
            "AdapterError": "guardstream.errors",
            "BlockedError": "guardstream.errors",
            "Deadlines": "guardstream.stream.options",
            "Event": "guardstream.events",
            "Finding": "guardstream.events",
            "Finish": "guardstream.events",
            "Guard": "guardstream.guard",
            "GuardedStream": "guardstream.stream.asynchronous",
            "GuardstreamError": "guardstream.errors",
            "Part": "guardstream.stream.flows.flow",
            "PatternError": "guardstream.errors",
            "Policy": "guardstream.policy",
            "PolicyError": "guardstream.errors",
            "Result": "guardstream.stream.result",
            "StageError": "guardstream.errors",
            "Stats": "guardstream.stream.result",
            "SyncGuardedStream": "guardstream.stream.synchronous",
            "Text": "guardstream.events",
            "ToolCall": "guardstream.stream.result",
            "__version__": "guardstream.version",
            "pack": "guardstream.policy",
        },
    )

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
    "__version__",
    "pack",
]
