"""Messages of AgentScope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Message:
    """A message as agents print it."""

    content: Any
    name: str = "Friday"
    role: str = "assistant"
    metadata: Any = field(default_factory=dict)
    id: str = "m1"
    timestamp: str = "2026-01-01 00:00:00.000"
    invocation_id: Any = None
