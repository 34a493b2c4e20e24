"""Receipts for an application's answers: an ASGI application around one that guards.

A whole answer has its receipt in a header, an event stream in a comment before `data: [DONE]`, or
at its end. Other streams have no place for one.
"""

from __future__ import annotations

from hashlib import sha256

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardstream.http.media import kind_of, media_of
from guardstream.receipts.collecting import collected
from guardstream.receipts.receipt import (
    BETWEEN,
    END,
    HEADER,
    NONCE,
    Signer,
    comment,
    unfinished,
    without_receipt,
)
from guardstream.serve.routes import POLICY_HEADER, values


class ReceiptMiddleware:
    """Signs the answers of `app`, whose guards need a `Collecting` among their observers.

    The bodies of a request and its answer are hashed as they pass; a whole answer that comes in
    pieces is kept until it is complete.
    """

    def __init__(self, app: ASGIApp, signer: Signer) -> None:
        self.app = app
        self._signer = signer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(self._signer, scope, receive, send)
        await self.app(scope, answer.receive, answer.send)


class _Answer:
    """One answer on its way to the client."""

    def __init__(self, signer: Signer, scope: Scope, receive: Receive, send: Send) -> None:
        self._signer = signer
        self._records = collected()
        self._receive = receive
        self._send = send
        nonce = values(scope["headers"], NONCE)
        self._nonce = nonce[0] if nonce else None
        self._request = sha256()
        self._body = sha256()
        self._size = 0
        self._start: Message | None = None
        self._streams = self._signs = False
        self._kept: list[bytes] = []
        self._last = b""  # of an event stream: its possible terminator, or another signer's receipt
        self._before = b""  # the last bytes that were sent, which tell where events end

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._request.update(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._begin(message)
            if self._streams or not self._signs:
                await self._send(message)
            return
        if kind != "http.response.body" or not self._signs:
            await self._send(message)
            return
        body, more = bytes(message.get("body", b"")), message.get("more_body", False)
        await (self._stream if self._streams else self._whole)(body, more=more)

    def _begin(self, message: Message) -> None:
        self._start = message
        headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        kind = kind_of(media_of("".join(values(headers, b"content-type")[:1])))
        self._streams = kind == "events"
        # An unguarded answer has no receipt; other streams have no place for one.
        judged = bool(values(headers, POLICY_HEADER))
        self._signs = judged and kind in ("events", "json")
        self._policy = (values(headers, POLICY_HEADER) or ["@"])[0]

    async def _whole(self, body: bytes, *, more: bool) -> None:
        self._kept.append(body)
        if more:
            return
        assert self._start is not None
        whole = b"".join(self._kept)
        self._count(whole)
        pair = (HEADER, self._signed().encode())
        headers = [each for each in self._start.get("headers", ()) if each[0].lower() != HEADER]
        headers.append(pair)
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": whole, "more_body": False})

    async def _stream(self, body: bytes, *, more: bool) -> None:
        before = self._before
        data = without_receipt(before + self._last + body)[len(before) :]
        end = unfinished(before + data) - len(before)
        end = _terminator(before + data[:end]) - len(before)
        data, self._last = data[:end], data[end:]
        self._count(data)
        if not more:
            self._count(self._last)
            data += comment(self._signed()) + self._last
        if data or not more:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _count(self, data: bytes) -> None:
        if data:  # the letter shows that this is not the stream's beginning
            self._before = b"x" + (self._before + data)[-3:]
        self._body.update(data)
        self._size += len(data)

    def _signed(self) -> str:
        name, _, fingerprint = self._policy.rpartition("@")
        return self._signer.sign(
            self._records,
            request=self._request.hexdigest(),
            answer=self._body.hexdigest(),
            size=self._size,
            nonce=self._nonce,
            policy=(name, fingerprint),
        )


def _terminator(answer: bytes) -> int:
    """Return where the event that ends a stream begins, or may have begun; the length of the bytes
    if they end with neither."""
    starts = [place.start() for place in BETWEEN.finditer(answer)][-2:]
    fits = (start for start in starts if END.fullmatch(answer, start, partial=True))
    return next(fits, len(answer))
