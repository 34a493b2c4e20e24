"""Verifies that no line of an audit log's chain was changed, removed or moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from guardstream.observability.audit import NO_LINE, line_of, parsed, torn_and_whole
from guardstream.observability.record import VERSION
from guardstream.receipts.receipt import CHECKPOINT, ReceiptError, public_keys_of, token_of

_KEYS = ("v", "id", "checkpoint")

_UNSIGNED = (
    "no line is signed, so whoever can write here can have made all of it: give 'sign' in the "
    "policy's section 'audit', or verify without a key"
)


@dataclass(slots=True)
class Links:
    """One chain, as far as it was read: the number of its lines, and of those that a signature
    covers."""

    lines: int = 0
    signed: int = 0
    last: str = NO_LINE


@dataclass(frozen=True, slots=True)
class Audited:
    """The result of verifying audit logs.

    - `chains`: by id. A process that starts again begins a chain.
    - `unchained`: the number of lines that belong to no chain.
    - `wrong`: the errors, each with file and line.
    """

    chains: dict[str, Links] = field(default_factory=dict)
    unchained: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def unsigned(self) -> int:
        """The number of lines after the last signature of their chain, which anyone who can write
        the file could have written."""
        return sum(links.lines - links.signed for links in self.chains.values())


def verify_audit(paths: Iterable[str | Path], key: str | bytes | None = None) -> Audited:
    """Verify chained audit logs, the oldest first.

    `key` is the signer's public key in PEM, or several of them, one after the other, if it was
    replaced. Without it, signatures are not checked, so anyone who can write the files could have
    written all of it. With it, logs without a signed line are errors. A chain cannot show that
    another chain is missing, or that lines after its last remaining line are.

    OSError if a file cannot be read, ReceiptError if the key cannot be used.
    """
    if key is not None:
        public_keys_of(key)
    paths = tuple(paths)
    chains: dict[str, Links] = {}
    wrong: list[str] = []
    unchained = 0
    for place, line in _lines(paths):
        record = parsed(line)
        if record is None or not ({"chain", "checkpoint"} & record.keys()):
            unchained += 1
        elif "checkpoint" in record:
            wrong += _checkpoint(chains, record, line, place, key)
        else:
            wrong += _linked(chains, record, line, place)
    if key is not None and not wrong and not any(links.signed for links in chains.values()):
        wrong.append(f"{', '.join(map(str, paths))}: {_UNSIGNED}")
    return Audited(chains, unchained, wrong)


def _lines(paths: Iterable[str | Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                for part in torn_and_whole(line.rstrip(b"\n")):
                    if part.strip():
                        yield f"{path}:{number}", part


def _linked(chains: dict[str, Links], record: Any, line: bytes, place: str) -> Iterator[str]:
    links = chains.setdefault(str(record["chain"]), Links())
    number, before = record.get("n"), record.get("before")
    if number != links.lines:
        yield f"{place}: is line {number} of its chain where line {links.lines} is due"
        if isinstance(number, int):
            links.lines = number
    elif before != links.last:
        yield f"{place}: the line before it in its chain was changed"
    links.lines += 1
    links.last = sha256(line).hexdigest()


def _checkpoint(
    chains: dict[str, Links], record: Any, line: bytes, place: str, key: str | bytes | None
) -> Iterator[str]:
    if key is None:
        return
    try:
        claims = token_of(str(record["checkpoint"]), key, CHECKPOINT, "checkpoint")
    except ReceiptError as error:
        yield f"{place}: {error}"
        return
    links = chains.get(str(claims.get("chain")), Links())
    here = (record.get("v"), record.get("id"), links.lines, links.last)
    signed = (VERSION, claims.get("chain"), claims.get("n"), claims.get("last"))
    # No signature covers the line itself: it is as it was written.
    if here != signed or line != line_of({name: record.get(name) for name in _KEYS}):
        yield f"{place}: the chain is not what was signed here"
    else:
        links.signed = links.lines
