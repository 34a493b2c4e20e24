"""Text in chunks of a given size."""

from __future__ import annotations

from collections.abc import Iterator


def cut(texts: Iterator[str], size: int) -> Iterator[str]:
    """Cut a stream of text into chunks of `size` characters."""
    rest = ""
    for text in texts:
        rest += text
        whole = len(rest) - len(rest) % size
        yield from (rest[place : place + size] for place in range(0, whole, size))
        rest = rest[whole:]
    if rest:
        yield rest
