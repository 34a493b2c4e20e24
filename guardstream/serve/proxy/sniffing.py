"""Reads the beginning of an upstream's answer to decide how the answer is guarded."""

from __future__ import annotations

from guardstream.http.bodies import begins_as_text
from guardstream.http.sniffing import Sniffer
from guardstream.serve.proxy.forwarding import Incoming, RelayedAnswer


async def sniffed(answer: Incoming, media: str) -> tuple[Incoming, str]:
    """Return an answer, and the media type to guard it by: `media`, EVENTS or WHOLE.

    Reads only as much as the decision needs. Raises UpstreamError if the answer breaks off.
    """
    sniffer, detected = Sniffer(media), None
    while detected is None:
        part = await anext(answer, None)
        detected = sniffer.finish() if part is None else sniffer.feed(part)
    return _Sniffed(answer, bytes(sniffer.read)), detected


async def begun_as_text(answer: Incoming) -> tuple[Incoming, bool]:
    """Return an answer that is declared as an image or the like, and whether it is a text. Raises
    UpstreamError if it breaks off."""
    start, is_text = b"", None
    while is_text is None:
        part = await anext(answer, None)
        start += part or b""
        is_text = begins_as_text(start, ended=part is None)
    return _Sniffed(answer, start), is_text


class _Sniffed(RelayedAnswer):
    """An answer whose beginning was read, which is yielded first."""

    def __init__(self, answer: Incoming, start: bytes) -> None:
        super().__init__(answer)
        self._start = start

    async def __anext__(self) -> bytes:
        start, self._start = self._start, b""
        return start or await anext(self._answer)
