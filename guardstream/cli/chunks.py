"""The texts that commands read: opened, and cut into chunks of a given size."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from guardstream.errors import GuardstreamError


def opened(file: str) -> AbstractContextManager[BinaryIO]:
    """Open a file for reading; `-` is standard input."""
    if file != "-":
        return Path(file).open("rb")
    if sys.stdin is None:
        raise GuardstreamError("standard input is closed")
    return nullcontext(sys.stdin.buffer)


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
