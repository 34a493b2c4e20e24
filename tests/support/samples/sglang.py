"""Streams of SGLang."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

Event = dict[str, Any]


def chunk(text: str, ids: Sequence[int], count: int, **more: Any) -> Event:
    told = {
        "id": "f2b1e0c9a7",
        "finish_reason": None,
        "prompt_tokens": 3,
        "weight_version": "default",
        "num_retractions": 0,
        "completion_tokens": count,
        "cached_tokens": 0,
    }
    return {"text": text, "output_ids": list(ids), "meta_info": {**told, **more}}


def over(source: list[Event], reason: Event | None = None) -> list[Event]:
    last = source[-1]
    reason = reason or {"type": "stop", "matched": 2}
    told = {**last["meta_info"], "finish_reason": reason, "e2e_latency": 0.5}
    return [*source[:-1], {**last, "meta_info": told}]


def so_far(pieces: Sequence[str]) -> list[Event]:
    texts = enumerate(accumulate(pieces), 1)
    return over([chunk(text, range(count), count) for count, text in texts])
