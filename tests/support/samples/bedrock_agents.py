"""Streams of Bedrock's agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Event = dict[str, Any]


def parts(pieces: Sequence[str]) -> list[Event]:
    return [{"chunk": {"bytes": piece.encode()}} for piece in pieces]
