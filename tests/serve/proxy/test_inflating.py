"""A compressed answer of an upstream: what it inflates to, wherever its bytes were cut."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator

import pytest

from guardstream.serve.proxy.answers import UpstreamError
from guardstream.serve.proxy.forwarding import readable
from guardstream.serve.routes import Headers

TEXT = b"".join(b"line %d\n" % number for number in range(20_000))
PACKED = gzip.compress(TEXT, mtime=0)


class Answer:
    """An upstream's answer in pieces."""

    def __init__(self, parts: list[bytes]) -> None:
        self.status = 200
        self.headers: Headers = [(b"content-encoding", b"gzip")]
        self._parts: Iterator[bytes] = iter(parts)

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            return part
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._parts = iter(())


async def read(data: bytes, size: int) -> tuple[bytes, bool]:
    """What an answer cut into pieces of this size inflates to, and whether it is whole."""
    answer = await readable(Answer([data[at : at + size] for at in range(0, len(data), size)]))
    plain = b""
    try:
        async for part in answer:
            plain += part
    except UpstreamError:
        return plain, False
    return plain, True


SIZES = (1, 100, 5000, len(PACKED) + 9)


def test_a_whole_answer() -> None:
    members = gzip.compress(TEXT[:9000]) + gzip.compress(TEXT[9000:])
    for data in (PACKED, zlib.compress(TEXT), members):
        assert {asyncio.run(read(data, size)) for size in SIZES} == {(TEXT, True)}


@pytest.mark.parametrize(
    "data",
    [
        PACKED[:-9],
        PACKED[:-4] + b"none",
        PACKED + b"more",
        PACKED[:7000] + b"\xff" * 20 + PACKED[7020:],
        b"\x1f\x8bnothing of the kind",
    ],
    ids=["cut", "sum", "more", "damaged", "none"],
)
def test_what_stands_before_damage_is_read_in_every_split(data: bytes) -> None:
    ((plain, whole),) = {asyncio.run(read(data, size)) for size in SIZES}
    assert not whole
    assert bool(plain) == (b"nothing" not in data)
