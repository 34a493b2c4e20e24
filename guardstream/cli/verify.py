"""`guardstream verify` and `verify-audit`: check the signatures of answers and audit logs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from guardstream.cli.output import naming
from guardstream.receipts import ReceiptError, found_in, verify, verify_audit
from guardstream.receipts.receipt import public_keys_of

HOLDS, DIFFERS = 0, 1

UNCHAINED = "no line is chained: name audit logs that were written with 'chain: true'"


def check(
    answer: Path,
    key: Path,
    *,
    receipt: str | None,
    request: Path | None,
    nonce: str | None,
    max_age: float | None,
) -> int:
    """Print the content of a receipt, or what is wrong with it; return the exit status.

    ReceiptError for a key that cannot be used.
    """
    data, public = _read(answer), _read(key)
    public_keys_of(public)
    asked = _read(request) if request is not None else None
    try:
        token = receipt if receipt is not None else found_in(data)
        found = verify(token.strip(), data, public, request=asked, nonce=nonce, max_age=max_age)
    except ReceiptError as error:
        print(f"does not hold: {error}")
        return DIFFERS
    print(json.dumps(asdict(found), indent=2))
    return HOLDS


def check_audit(logs: Sequence[Path], key: Path | None) -> int:
    """Print the result of checking audit logs; return the exit status.

    ReceiptError for a key that cannot be used.
    """
    found = verify_audit(logs, _read(key) if key is not None else None)
    lines = sum(links.lines for links in found.chains.values())
    print(f"chains      {len(found.chains)}, {lines} lines, {found.unchained} others")
    if key is None:
        print("signatures  not looked at: give --key")
    else:
        print(f"signatures  {lines - found.unsigned} lines signed, {found.unsigned} after the last")
    wrong = found.wrong if found.chains else [*found.wrong, UNCHAINED]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return DIFFERS if wrong else HOLDS


def _read(path: Path) -> bytes:
    with naming(path):
        return path.read_bytes()
