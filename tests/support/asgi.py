"""Applications of ASGI, asked in process."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio.lowlevel

from tests.serve.visit import Visit


def pieces(data: bytes) -> list[list[bytes]]:
    """A body whole, in bytes and cut at random."""
    random = Random(len(data))
    cuts = [sorted(random.choices(range(len(data) + 1), k=4)) for _ in range(5)]
    return [
        [data],
        [data[at : at + 1] for at in range(len(data))],
        *([data[a:b] for a, b in zip([0, *c], [*c, len(data)], strict=True)] for c in cuts),
    ]


async def fetch(app: Any, **request: Any) -> Visit:
    with anyio.fail_after(5):
        return await Visit(**request).to(app)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
