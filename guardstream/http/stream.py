"""A guarded body as bytes: bytes in, frames out, without any I/O.

It is for servers and proxies. `Guard.wrap` accepts a stream of bytes directly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Adapter, Unknown
from guardstream.framing.frames.frame import Media
from guardstream.guard import Guard
from guardstream.stream.arguments import known_arguments
from guardstream.stream.flows.flow import Flow, Sent
from guardstream.stream.observers import ObserverError
from guardstream.stream.options import Deadlines, Delivering
from guardstream.stream.outcome import Outcome
from guardstream.stream.state import StreamState, reason_of

log = logging.getLogger("guardstream")


class WireGuard(Outcome[bytes]):
    """One body. If `feed` or `finish` raises AdapterError or StageError, nothing goes out.

    - `media`: the framing of the bytes: `sse`, `ndjson`, `json_array`, `event_stream` (Amazon's),
      `data_stream`, `packets` (Socket.IO's), `messages`, or `text`, to which `format` does not
      apply; None detects it from the first bytes.
    - `format`, `words`, `unknown`, `keep_text`, `deadlines`, `attributes`: as for `Guard.wrap`.
    - `has_timer`: whether the caller calls `wake` in time, see `remaining`. If not, a sign of an
      end in a chunk of its own is believed at once.

    `ended` is set as soon as nothing more will go out, whatever the source still sends. `error` is
    the error that ended the body after frames that could go out; with `observer_errors="raise"` it
    may be an observer's. The guard's observers are notified of the body, so call `close` when it is
    abandoned. The caller must watch the time: `remaining` returns the seconds until `wake` has
    something to do.
    """

    @known_arguments
    def __init__(
        self,
        guard: Guard,
        *,
        media: Media | None = None,
        format: str | Adapter[Any] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
        keep_text: bool = True,
        deadlines: Deadlines | None = None,
        attributes: Mapping[str, str] | None = None,
        has_timer: bool = False,
    ) -> None:
        guard = guard.pinned()
        options: Delivering = {
            "keep_text": keep_text,
            "deadlines": deadlines,
            "attributes": attributes,
        }
        start = guard.flow(format=format, media=media, words=words, unknown=unknown)
        resolved = guard.options(guard.policy, options)
        super().__init__(StreamState(start, resolved))
        self.state.has_timer = has_timer
        self._clock = resolved.clock
        self._silent_at: float | None = None  # when silence proves an end; inf once it has
        self._bytes: Flow[bytes] = self.state.begin(b"")
        self._unseen: ObserverError | None = None
        if self.state.watch is not None:
            self.state.watch.wait()

    @property
    def ended(self) -> FinishReason | None:
        """Why the body ended; None while it is open."""
        return self.state.finish

    @property
    def error(self) -> Exception | None:
        """The error that ended the body, if one did."""
        return self._bytes.error or self._unseen

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes, cut anywhere; return the frames that may go out now.

        Raises AdapterError for bytes without known chunks, StageError if a stage fails.
        """
        return self._take(lambda: self.state.feed(data))

    def finish(self) -> list[bytes]:
        """Take the source's end; return the rest. Raises the same exceptions as `feed`."""
        return self._take(self.state.settle)

    @property
    def awaits_event(self) -> bool:
        """Whether text of an event is held until the next one."""
        return self.state.awaits_event and self.ended is None

    def judge_at_once(self) -> None:
        """Let no text of an event leave in a copy of its event: something around it counts."""
        self._bytes.finds_texts = False  # type: ignore[attr-defined]

    def release_events(self) -> list[bytes]:
        """Return what is held of events: the other side speaks, or nothing comes for a while."""
        return self._take(self._bytes.release_events)

    def remaining(self) -> float | None:
        """Return the seconds until `wake` is due, as it stands; None if nothing waits for it."""
        watch = self.state.watch
        if self.ended is not None or (watch is None and self._silent_at is None):
            return None
        deadline = inf if watch is None else watch.remaining()
        silence = inf if self._silent_at is None else self._silent_at - self._clock()
        remaining = min(deadline, silence)
        return None if remaining == inf else remaining

    def wake(self) -> list[bytes]:
        """Take the time that has passed; return the frames that may go out because of it.

        Silence after the sign of an end proves it, and a deadline ends the body as `timeout`.
        Raises the same exceptions as `feed`.
        """
        state = self.state
        if self.ended is None and state.watch is not None and state.watch.remaining() <= 0:
            state.lapse()
            frames = [state.deliver(each) for each in self._queued()]
            self.close("timeout")
            return frames
        if self._silent_at is None or self._clock() < self._silent_at:
            return []
        self._silent_at = inf
        return self._take(self._believed)

    def close(self, reason: FinishReason = "cancelled") -> None:
        """End the body here, if it is open, with this `reason`; held text is dropped."""
        self.state.end(reason)
        try:
            self.state.report()
        except ObserverError as error:
            log.error("%s", error)
            self._unseen = error

    def __del__(self) -> None:
        # A body that was left open has a record, too, if it has begun.
        state = getattr(self, "state", None)
        notify = state.unreported() if state is not None else None
        if notify is not None:
            notify()

    def _believed(self) -> list[Sent[bytes]]:
        self.state.believe()
        return self._queued()

    def _queued(self) -> list[Sent[bytes]]:
        queued = [*self.state.queue]
        self.state.queue.clear()
        return queued

    def _note_silence(self) -> None:
        """Note when silence will be a proof, counted from the sign: what comes until then, such as
        a ping, proves nothing. Text of an event waits from the last event on."""
        if not self.state.awaits_silence:
            self._silent_at = None
        elif self._silent_at is None or self.state.awaits_event:
            self._silent_at = self._clock() + self.state.settle_seconds

    def _take(self, step: Callable[[], Sequence[Sent[bytes]]]) -> list[bytes]:
        state = self.state
        if state.finish is not None:
            return []
        try:
            state.open()
            sent = step()
        except Exception as error:
            state.note_error(error)
            self.close(reason_of(error))
            raise
        if state.watch is not None:
            state.watch.wait()
        frames = [state.deliver(each) for each in sent]
        if self._bytes.ended is not None:
            if self._bytes.error is not None:
                state.note_error(self._bytes.error)
            self.close(self._bytes.ended)
        elif state.has_timer:
            self._note_silence()
        return frames
