"""A guarded body as it comes over the wire: bytes in, frames out, without any I/O.

For servers and proxies. `Guard.wrap` takes a stream of bytes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.delivered import Delivered, result_of
from guardstream.events import Finding, FinishReason
from guardstream.flow import Flow, Media, Sent
from guardstream.guard import Guard
from guardstream.providers.base import Adapter, Unknown
from guardstream.stats import Meter, Result, Stats


class WireGuard:
    """One body. `feed` and `finish` raise AdapterError or StageError; nothing goes out then.

    `ended` is set as soon as nothing more is to come, whatever the source still says; `error` is
    what ended it, where that came behind frames that were good.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        media: Media | None = None,
        provider: str | Adapter[Any] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
    ) -> None:
        self._meter = Meter()
        start = guard.flow(provider=provider, media=media, words=words, unknown=unknown)
        self._flow: Flow[bytes] = start(b"", self._meter)
        self._delivered = Delivered()

    @property
    def ended(self) -> FinishReason | None:
        """Why the body ended; None while it is open."""
        return self._flow.ended

    @property
    def error(self) -> Exception | None:
        """The fault that ended the body, if one did."""
        return self._flow.error

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the body, if one did."""
        return self._flow.blocked_by

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules have found so far."""
        return tuple(self._flow.findings)

    @property
    def result(self) -> Result:
        """A snapshot of what went out."""
        return result_of(self._flow, self._delivered, self._flow.ended)

    @property
    def stats(self) -> Stats:
        """The counters as they stand."""
        return self._meter.stats()

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the frames that may go out now."""
        return self._out(self._flow.feed(data)) if self._flow.ended is None else []

    def finish(self) -> list[bytes]:
        """Take the source's end; return the rest."""
        frames = self._out(self._flow.finish()) if self._flow.ended is None else []
        self._meter.end()
        return frames

    def _out(self, sent: Sequence[Sent[bytes]]) -> list[bytes]:
        meter, kept = self._meter, self._delivered
        for _, text, characters, parts in sent:
            meter.delivered(characters)
            kept.answer.write(text)
            for part in parts:
                kept.add(part)
        return [each[0] for each in sent]
