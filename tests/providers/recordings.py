"""Recorded provider streams; they live beside the checkout and are not part of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpora" / "streams"


def recordings(kind: str) -> list[Path]:
    """The recordings of one wire format, in order; none where the corpora are absent."""
    return sorted((FOLDER / kind).glob("*.sse"))


def events(path: Path) -> list[dict[str, Any]]:
    """The JSON payloads of a recording, as the SDK would decode them."""
    return list(_events(path.read_bytes().decode("utf-8")))


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data != "[DONE]":
            yield json.loads(data)
