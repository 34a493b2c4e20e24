"""A body of lines, cut wherever it can be."""

from __future__ import annotations

from guardstream import Guard, Policy
from guardstream.framing.frames.frame import Media
from guardstream.http.stream import WireGuard

GUARD = Guard(
    Policy.parse("""
rules:
  - {id: word, words: [secret, 秘密], replacement: "*"}
  - {id: card, pattern: '\\d{16}'}
  - {id: bad, words: [forbidden], action: block}
""")
)


def through(data: bytes, size: int = 1, media: Media | None = "ndjson") -> bytes:
    """What becomes of lines that come in pieces of a size."""
    wire = WireGuard(GUARD, media=media, keep_text=False)
    out = [frame for at in range(0, len(data), size) for frame in wire.feed(data[at : at + size])]
    out += wire.finish()
    if wire.error is not None:
        raise wire.error
    return b"".join(out)


def in_every_cut(data: bytes, media: Media | None = "ndjson") -> bytes:
    """What becomes of lines, which is the same however they are cut."""
    found = {through(data, size, media) for size in (1, 2, 3, 7, len(data))}
    assert len(found) == 1
    return found.pop()
