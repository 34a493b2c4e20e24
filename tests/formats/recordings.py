"""Recorded provider streams; they live beside the checkout and are not part of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpora" / "streams"

BROKEN = frozenset(
    {
        "openai__responses__parallel-tool-call-wrapper.1.chunks",  # two lines lack a bracket
        "openai__speech-translation__openai-realtime-speech-translation.chunks",  # another API
    }
)
"""Recordings that are no streams of a format that is guarded."""


def recordings(kind: str, *names: str) -> list[Path]:
    """The recordings of one folder, in order, whose names begin so; none where they are absent."""
    found = sorted(path for path in (FOLDER / kind).glob("*") if path.suffix in (".sse", ".txt"))
    return [
        path
        for path in found
        if path.stem not in BROKEN and (not names or path.name.startswith(names))
    ]


def events(path: Path) -> list[dict[str, Any]]:
    """The JSON payloads of a recording, as the SDK would decode them."""
    return list(_events(path.read_bytes().decode("utf-8")))


def wire(path: Path) -> bytes:
    """A recording as server-sent events: as it is, or made of the chunks that were kept."""
    if path.suffix == ".sse":
        return path.read_bytes()
    return b"".join(
        f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events(path)
    )


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.split("\n"):
        data = line.strip().removeprefix("data:").strip()
        if data.startswith("{"):
            yield json.loads(data)
