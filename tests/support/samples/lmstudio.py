"""Streams of LM Studio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Fragment(msgspec.Struct, kw_only=True):
    content: str
    tokens_count: int = 1
    contains_drafted: bool = False
    reasoning_type: str = "none"


def answer(pieces: Sequence[str], kind: str = "none") -> list[Any]:
    return [Fragment(content=piece, reasoning_type=kind) for piece in pieces]
