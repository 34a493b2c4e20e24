"""Events of OpenAI's helper for chats."""

from __future__ import annotations

from typing import Any

from tests.formats.chunks import chunk


def answer(*parts: str, finish: str = "stop") -> list[dict[str, Any]]:
    texts = [chunk({"content": part}) for part in parts]
    return [chunk({"role": "assistant", "content": ""}), *texts, chunk(finish=finish)]
