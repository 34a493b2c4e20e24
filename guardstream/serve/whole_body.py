"""Guards the whole body of a response that is not a known stream, by its content; no I/O."""

from __future__ import annotations

from contextlib import suppress

from guardstream.errors import GuardstreamError
from guardstream.events import CLOSED, UNKNOWN, FinishReason, is_refused
from guardstream.formats.errors import BLOCKED_CODE, Call, call_in
from guardstream.guard import Guard
from guardstream.http.charsets import AsUTF8, labelled
from guardstream.http.media import EVENTS
from guardstream.http.other_answers import guarded
from guardstream.http.request import RefusedError
from guardstream.http.sniffing import WHOLE, sniff
from guardstream.http.stream import WireGuard
from guardstream.serve.bodies import BodyError, encoded
from guardstream.serve.declared import Declared
from guardstream.serve.routes import Headers
from guardstream.stream.on_block import blocked_message


class WholeBody:
    """A complete body, `plain`: in UTF-8 and uncompressed.

    `charset` is that of the original body, if it is not UTF-8. A body that `may_end_early` would
    have been streamed if its length were unknown: if a rule blocks it, the text before the match
    goes out. `finish` says how it ended, once it is guarded.
    """

    def __init__(
        self,
        guard: Guard,
        declared: Declared,
        plain: bytes,
        charset: str | None,
        *,
        may_end_early: bool,
    ) -> None:
        self.finish: FinishReason | None = None
        self._guard = guard
        self._declared = declared
        self._plain = plain
        self._charset = charset
        self._may_end_early = guard.on_block != "error" and (may_end_early or not declared.fits)

    def guarded(self) -> bytes | None:
        """Guard the body; return its replacement, None if nothing changes.

        BodyError if it cannot be guarded, or a rule blocks it; also AdapterError and StageError.
        """
        plain = self._plain
        if not plain:
            return None
        try:
            body = self._guarded(plain)
        except RefusedError as error:
            raise self._error(error.message, error.code, error.rule) from error
        changed = encoded(body, self._charset)
        shown = changed if self._charset is None else self._as_utf8(changed)
        return None if body == plain and shown == changed else shown

    def labelled(self, headers: Headers) -> Headers:
        """Return the headers with the charset that the body is in, if that is not the type's."""
        if self._declared.kind not in ("json", "unspecified"):
            return headers
        return [
            (name, labelled(value.decode("latin-1"), self._charset).encode("latin-1"))
            if name.lower() == b"content-type"
            else (name, value)
            for name, value in headers
        ]

    def call(self) -> Call | None:
        """Return the call of JSON-RPC that the body answers, if it does, without an id that a rule
        would change."""
        found = call_in(self._plain) if self._declared.is_json else None
        if found is None or not isinstance(found.id, str):
            return found
        with suppress(GuardstreamError):
            if self._guard.check(found.id, UNKNOWN).text == found.id:
                return found
        return Call(None)

    def _guarded(self, plain: bytes) -> bytes:
        declared, media = self._declared, self._declared.media
        detected = media
        if declared.may_be_another:
            detected = sniff(declared.media_of_text, plain)
        if detected not in (WHOLE, EVENTS) and not declared.is_json:
            return self._guarded_text(plain)
        found = guarded(self._guard, EVENTS if detected == EVENTS else media, plain, {})
        if found.result is not None and not declared.is_json:
            self._end(found.result.finish, found.result.blocked_by)
        return found.body

    def _guarded_text(self, plain: bytes) -> bytes:
        """Guard a text as if it were streamed, so that observers see it."""
        try:
            plain.decode()
        except UnicodeDecodeError:
            why = "a text that is not in UTF-8 cannot be guarded: name its charset in its type"
            raise BodyError(why) from None
        wire = WireGuard(self._guard, media="text", keep_text=False)
        try:
            frames = [*wire.feed(plain), *wire.finish()]
            if wire.error is not None:
                raise wire.error
        finally:
            wire.close()
        self._end(wire.ended, wire.blocked_by)
        return b"".join(frames)

    def _as_utf8(self, body: bytes) -> bytes:
        """Guard a text in another charset again, as clients that assume UTF-8 would read it."""
        again = AsUTF8(self._guard)
        shown = again.feed(body) + again.finish()
        if again.ended in CLOSED:
            self._end("content_filter")
        return shown

    def _end(self, finish: FinishReason | None, rule: str | None = None) -> None:
        """Record how a text ended. BodyError for a blocked one, unless it may end early."""
        self.finish = finish
        if is_refused(finish, rule) and not self._may_end_early:
            raise self._error(
                "the policy blocked the response: give pages and files of your own a route without "
                "a guard",
                BLOCKED_CODE,
                rule,
            )

    def _error(self, message: str, code: str, rule: str | None) -> BodyError:
        """Return the error of a refused body; `on_block` decides its message for a block."""
        if self._guard.on_block == "error" and code == BLOCKED_CODE:
            message = blocked_message(rule, self._guard.policy.block_message)
        return BodyError(message, code)
