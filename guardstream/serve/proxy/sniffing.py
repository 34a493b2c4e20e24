"""Reads the beginning of an upstream's answer to decide how the answer is guarded."""

from __future__ import annotations

from guardstream.http.sniffing import Sniffer
from guardstream.serve.proxy.forwarding import Incoming
from guardstream.serve.routes import Headers


async def sniffed(answer: Incoming, media: str) -> tuple[Incoming, str]:
    """Return an answer, and the media type to guard it by: `media`, EVENTS or WHOLE.

    Reads only as much as the decision needs. Raises UpstreamError if the answer breaks off.
    """
    sniffer, detected = Sniffer(media), None
    while detected is None:
        part = await anext(answer, None)
        detected = sniffer.finish() if part is None else sniffer.feed(part)
    return _Sniffed(answer, bytes(sniffer.read)), detected


class _Sniffed:
    """An answer whose beginning was read, which is yielded first."""

    def __init__(self, answer: Incoming, start: bytes) -> None:
        self.status: int = answer.status
        self.headers: Headers = answer.headers
        self._answer = answer
        self._start = start

    def __aiter__(self) -> _Sniffed:
        return self

    async def __anext__(self) -> bytes:
        start, self._start = self._start, b""
        return start or await anext(self._answer)

    async def aclose(self) -> None:
        """Discard the rest and close its connection."""
        await self._answer.aclose()
