"""`guardstream verify`: whether an answer is what its receipt says."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from guardstream.cli.output import naming
from guardstream.receipts import ReceiptError, found_in, verify

HOLDS, DIFFERS = 0, 1


def check(
    answer: Path,
    key: Path,
    *,
    receipt: str | None,
    request: Path | None,
    nonce: str | None,
    max_age: float | None,
) -> int:
    """Print what a receipt says, or what is wrong; return the exit status."""
    data, public = _read(answer), _read(key)
    asked = _read(request) if request is not None else None
    try:
        said = receipt if receipt is not None else found_in(data)
        found = verify(said.strip(), data, public, request=asked, nonce=nonce, max_age=max_age)
    except ReceiptError as error:
        print(f"does not hold: {error}")
        return DIFFERS
    print(json.dumps(asdict(found), indent=2))
    return HOLDS


def _read(path: Path) -> bytes:
    with naming(path):
        return path.read_bytes()
