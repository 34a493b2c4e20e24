"""A proxy with keys of its own."""

from __future__ import annotations

from typing import Any

from guardstream.policy.key_file import hashed
from guardstream.serve.proxy.keys import Key


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}-key"}


def keys(**bounds: Any) -> dict[str, Key]:
    return {name: Key(name, hashed(f"{name}-key"), **bounds) for name in ("ann", "bob")}
