"""A guarded body as it comes over the wire: bytes in, frames out, without any I/O.

For servers and proxies. `Guard.wrap` takes a stream of bytes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from guardstream.events import FinishReason
from guardstream.framing.frames import Media
from guardstream.guard import Guard
from guardstream.providers.adapter import Adapter, Unknown
from guardstream.stream.deadlines import Deadlines
from guardstream.stream.flow import Flow, Sent
from guardstream.stream.observers import ObserverError
from guardstream.stream.state import Delivering, Delivery, log, reason_of


class WireGuard(Delivery[bytes]):
    """One body. `feed` and `finish` raise AdapterError or StageError; nothing goes out then.

    `ended` is set as soon as nothing more is to come, whatever the source still says; `error` is
    what ended it, where that came behind frames that were good. Observers of the guard are told of
    the body, so `close` it when it is left; that they failed at its end is an `error` too, if the
    guard is to raise it. The policy's deadlines are yours to keep: `remaining`.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        media: Media | None = None,
        provider: str | Adapter[Any] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
        keep_text: bool = True,
        deadlines: Deadlines | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        guard = guard.pinned()
        options: Delivering = {
            "keep_text": keep_text,
            "deadlines": deadlines,
            "attributes": attributes,
        }
        start = guard.flow(provider=provider, media=media, words=words, unknown=unknown)
        super().__init__(start, guard.options(guard.policy, options))
        self._bytes: Flow[bytes] = self._begin(b"")
        self._unseen: ObserverError | None = None
        if self._watch is not None:
            self._watch.wait()

    @property
    def ended(self) -> FinishReason | None:
        """Why the body ended; None while it is open."""
        return self._finish

    @property
    def error(self) -> Exception | None:
        """The fault that ended the body, if one did."""
        return self._bytes.error or self._unseen

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the frames that may go out now."""
        return self._take(lambda: self._feed(data))

    def finish(self) -> list[bytes]:
        """Take the source's end; return the rest."""
        return self._take(self._settle)

    def remaining(self) -> float | None:
        """Return the seconds until the policy's next deadline; None if it has none."""
        remaining = inf if self._watch is None or self._finish else self._watch.remaining()
        return None if remaining == inf else remaining

    def close(self, reason: FinishReason = "cancelled") -> None:
        """End the body where it is, if it is open; what is held is dropped."""
        self._end(reason)
        try:
            self._record()
        except ObserverError as error:
            log.error("%s", error)
            self._unseen = error

    def __del__(self) -> None:
        # Whoever left it open: it has begun, so it has a record.
        record = self._take_record() if getattr(self, "_opened", None) else None
        if record is not None:
            self._options.observing.close_quietly(record)

    def _take(self, step: Callable[[], Sequence[Sent[bytes]]]) -> list[bytes]:
        if self._finish is not None:
            return []
        try:
            self._open()
            sent = step()
        except Exception as error:
            self._note(error)
            self.close(reason_of(error))
            raise
        if self._watch is not None:
            self._watch.wait()
        frames = [self._deliver(each) for each in sent]
        if self._bytes.ended is not None:
            if self._bytes.error is not None:
                self._note(self._bytes.error)
            self.close(self._bytes.ended)
        return frames
