"""The beginning of an upstream's answer, read before it is known how the answer is guarded."""

from __future__ import annotations

from guardstream.http.beginnings import Beginning
from guardstream.serve.proxy.sending import Incoming
from guardstream.serve.routes import Headers


async def begun(answer: Incoming, media: str) -> tuple[Incoming, str]:
    """Return an answer, and the media type to guard it by: `media`, EVENTS or WHOLE.

    No more of it is read than tells that. UpstreamError if it breaks off there.
    """
    beginning, told = Beginning(media), None
    while told is None:
        part = await anext(answer, None)
        told = beginning.finish() if part is None else beginning.feed(part)
    return _Begun(answer, bytes(beginning.read)), told


class _Begun:
    """An answer whose beginning was read: it comes first."""

    def __init__(self, answer: Incoming, start: bytes) -> None:
        self.status: int = answer.status
        self.headers: Headers = answer.headers
        self._answer = answer
        self._start = start

    def __aiter__(self) -> _Begun:
        return self

    async def __anext__(self) -> bytes:
        start, self._start = self._start, b""
        return start or await anext(self._answer)

    async def aclose(self) -> None:
        """Give up what was not read, and close its connection."""
        await self._answer.aclose()
