"""One request through Envoy, presented to the proxy as a request and an answer.

To the proxy, Envoy is both its client and its upstream. The request that Envoy sends becomes an
ASGI request. The request that the proxy forwards goes back to Envoy as changes, and the provider's
answer comes and goes in the same way.

Source: envoy/service/ext_proc/v3/external_processor.proto and the filter's documentation, of Envoy
1.40.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb
from envoy.type.v3.http_status_pb2 import HttpStatus
from starlette.types import Message, Scope

from guardstream.envoy.local import MessageStream, is_local, passed
from guardstream.errors import GuardstreamError
from guardstream.serve.proxy.answers import UpstreamError
from guardstream.serve.proxy.forwarding import Incoming, Outgoing
from guardstream.serve.streams import PING

Pairs = list[tuple[bytes, bytes]]

PIECE = 64 * 1024
"""The maximum bytes of a body in one message to Envoy."""

_WAITING = 8
"""The maximum number of unread messages from Envoy. After that, the call is not read, and gRPC's
flow control slows Envoy down."""

_FIXED = frozenset({b"host"})
"""Headers that Envoy does not let a processor remove; they can be emptied."""


class CallError(GuardstreamError):
    """Envoy's configuration or messages cannot be guarded: the call has to be aborted."""


class Call:
    """One request through Envoy; `pump` reads Envoy's messages until the call ends."""

    def __init__(self, stream: MessageStream, first: pb.ProcessingRequest) -> None:
        _check(first)
        self._stream = stream
        self._headers = _pairs(first.request_headers.headers)
        self._had_body = not first.request_headers.end_of_stream
        self._body_came = False  # a part of the request's body
        self._request_over = False
        self._request_trailers: list[str] | None = None
        self._request_in, self._request = _channel()
        self._answer_in, self._answer = _channel()
        self._sent_on = False
        self._status = 0  # of the provider's answer
        self._answer_headers: Pairs = []
        self._answer_over = self._bodiless = False
        self._answer_trailers: list[str] | None = None
        self._body_begun = False  # parts of the provider's answer, from Envoy
        self._start: Message | None = None
        self._started = False
        self._own = False  # whether the answer is the proxy's own
        self._unsent: list[bytes] = []
        self.complete = False
        """Whether the end of the answer has been sent to Envoy."""

    @property
    def scope(self) -> Scope:
        """The request's ASGI scope."""
        pseudo = {name: value for name, value in self._headers if name.startswith(b":")}
        path, _, query = pseudo.get(b":path", b"/").partition(b"?")
        headers = [pair for pair in self._headers if not pair[0].startswith(b":")]
        if b"host" not in dict(headers) and b":authority" in pseudo:
            headers.append((b"host", pseudo[b":authority"]))
        forwarded = dict(headers).get(b"x-forwarded-for", b"").decode("latin-1")
        client = forwarded.rpartition(",")[2].strip()
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "method": pseudo.get(b":method", b"GET").decode("latin-1"),
            "scheme": pseudo.get(b":scheme", b"http").decode("latin-1"),
            "path": httpx.URL("http://envoy" + path.decode("latin-1")).path,
            "raw_path": path,
            "query_string": query,
            "headers": headers,
            "client": (client, 0) if client else None,
            "server": None,
            "state": {},
        }

    # From Envoy

    async def pump(self) -> None:
        """Pass Envoy's messages to their readers; return when the call ends."""
        with self._request_in, self._answer_in:
            while (message := await self._stream.read()) is not None:
                kind = message.WhichOneof("request")
                if not self._sent_on and is_local(message):
                    self.complete = True
                    await passed(self._stream, message)
                    return
                if kind in ("request_body", "request_trailers"):
                    await _put(self._request_in, message)
                elif kind in ("response_headers", "response_body", "response_trailers"):
                    self._body_begun = self._body_begun or kind == "response_body"
                    await _put(self._answer_in, message)
                else:
                    raise CallError(f"Envoy sends {kind!r}, which is not supported")

    def leave(self) -> None:
        """Drop Envoy's further messages, so that Envoy does not wait for a reader."""
        self._request.close()
        self._answer.close()

    async def receive(self) -> Message:
        """Return the next part of the request's body, or the disconnect when Envoy ends
        the call."""
        if self._request_over:
            await self._gone()
            return {"type": "http.disconnect"}
        if not self._had_body:
            self._request_over = True
            return {"type": "http.request", "body": b"", "more_body": False}
        try:
            message = await self._request.receive()
        except anyio.EndOfStream:
            self._request_over = True
            return {"type": "http.disconnect"}
        if message.WhichOneof("request") == "request_trailers":
            self._request_over = True
            self._request_trailers = _names(message.request_trailers.trailers)
            self._had_body = self._body_came
            return {"type": "http.request", "body": b"", "more_body": False}
        body, self._body_came = message.request_body, True
        self._request_over = body.end_of_stream
        return {"type": "http.request", "body": body.body, "more_body": not body.end_of_stream}

    async def _gone(self) -> None:
        """Wait until Envoy ends the call."""
        async for _ in self._request:
            pass

    # To Envoy: the request to forward

    async def ask(self, request: Outgoing) -> Incoming:
        """Send the request to forward to Envoy; return the provider's answer, its body unread.

        UpstreamError if there is none, or if a request was forwarded before.
        """
        if self._sent_on:
            raise UpstreamError(502, "upstream_error", "Envoy sends a request only once")
        self._sent_on = True
        changes = self._changed(request)
        headers = pb.HeadersResponse(response=pb.CommonResponse(header_mutation=changes))
        await self._stream.write(pb.ProcessingResponse(request_headers=headers))
        trailers = self._request_trailers
        if self._had_body:
            for piece, last in _pieces(request.body):
                body = _streamed(piece, over=last and trailers is None)
                await self._stream.write(pb.ProcessingResponse(request_body=body))
        if trailers is not None:
            without = _without(trailers)
            await self._stream.write(pb.ProcessingResponse(request_trailers=without))
        try:
            message = await self._answer.receive()
        except anyio.EndOfStream as error:
            raise UpstreamError(502, "upstream_error", "Envoy has no answer") from error
        if message.WhichOneof("request") != "response_headers":
            raise CallError("an answer's body came before its headers")
        self._answer_headers = _pairs(message.response_headers.headers)
        self._answer_over = self._bodiless = message.response_headers.end_of_stream
        pseudo = dict(self._answer_headers)
        self._status = int(pseudo.get(b":status", b"502"))
        plain = [pair for pair in self._answer_headers if not pair[0].startswith(b":")]
        return _Answer(self._status, plain, self.answer_body())

    def _changed(self, request: Outgoing) -> pb.HeaderMutation:
        """Return the changes to the request that Envoy sent; its length is always set again."""
        target = urlsplit(request.url)._replace(scheme="", netloc="").geturl()
        pseudo = {b":path": target.encode("latin-1"), b":method": request.method.encode()}
        before = dict(self._headers)
        moved = [(name, value) for name, value in pseudo.items() if before.get(name) != value]
        skipped = {b"host", b"content-length", b"transfer-encoding", b"connection"}
        wanted = [pair for pair in request.headers if pair[0] not in skipped]
        changes = _mutation(self._headers, wanted, kept={"host", "transfer-encoding"})
        changes.set_headers.extend(_set(moved))
        changes.remove_headers.append("content-length")
        return changes

    async def answer_body(self) -> AsyncGenerator[bytes, None]:
        """Yield the body of the provider's answer."""
        while not self._answer_over:
            try:
                message = await self._answer.receive()
            except anyio.EndOfStream:
                raise UpstreamError(502, "upstream_error", "the answer broke off") from None
            if message.WhichOneof("request") == "response_trailers":
                self._answer_over, self._bodiless = True, not self._body_begun
                self._answer_trailers = _names(message.response_trailers.trailers)
                return
            self._answer_over = message.response_body.end_of_stream
            if message.response_body.body:
                yield message.response_body.body

    # To Envoy: the proxy's answer

    async def send(self, message: Message) -> None:
        """Take a part of the answer from the proxy.

        Envoy accepts a body only after it has sent a part of the provider's. Parts that come
        earlier wait for that, except for heartbeats, which are dropped. An answer in place of one
        without a body is an answer of the proxy's own.
        """
        if message["type"] == "http.response.start":
            self._start = message
            self._own = not self._sent_on or message["status"] != self._status
            return
        if message["type"] != "http.response.body":
            raise CallError(f"{message['type']!r} cannot be sent through Envoy")
        body, over = bytes(message.get("body", b"")), not message.get("more_body", False)
        if self._body_begun and not self._own:
            await self._begin()
            body, self._unsent = b"".join([*self._unsent, body]), []
            trailers = self._answer_trailers is not None
            for piece, last in _pieces(body):
                response = _streamed(piece, over=over and last and not trailers)
                await self._stream.write(pb.ProcessingResponse(response_body=response))
            if over:
                await self._end_trailers()
            self.complete = over
        elif body == PING and not self._own:
            await self._begin()
        else:
            self._unsent.append(body)
            if over:
                await self._end_before_a_body()

    async def _end_before_a_body(self) -> None:
        """End an answer for which Envoy accepts no body: it has none, or none has arrived
        so far."""
        if self._bodiless and not self._own and not any(self._unsent):
            await self._begin()
            await self._end_trailers()
        elif self._started:
            return  # an answer that has begun cannot be replaced: it is cut off
        else:
            await self._answer_instead(self._unsent)
        self.complete = True

    async def _end_trailers(self) -> None:
        if self._answer_trailers is not None:
            without = _without(self._answer_trailers)
            await self._stream.write(pb.ProcessingResponse(response_trailers=without))

    async def _begin(self) -> None:
        """Send the changes of the answer's headers to Envoy, once."""
        if self._started:
            return
        self._started = True
        assert self._start is not None
        changes = _mutation(self._answer_headers, _headers_of(self._start))
        changes.remove_headers.append("content-length")
        headers = pb.HeadersResponse(response=pb.CommonResponse(header_mutation=changes))
        await self._stream.write(pb.ProcessingResponse(response_headers=headers))

    async def _answer_instead(self, parts: Iterable[bytes]) -> None:
        assert self._start is not None
        await self._stream.write(
            pb.ProcessingResponse(
                immediate_response=pb.ImmediateResponse(
                    status=HttpStatus(code=self._start["status"]),
                    headers=pb.HeaderMutation(set_headers=_set(_headers_of(self._start))),
                    body=b"".join(parts),
                    details="guardstream",
                )
            )
        )


_CALL: ContextVar[Call] = ContextVar("guardstream_envoy_call")


class Relay:
    """Forwards a request through the call that it came with."""

    async def send(self, request: Outgoing) -> Incoming:
        """Have Envoy send a request; return its answer."""
        return await _CALL.get().ask(request)

    async def aclose(self) -> None:
        """Do nothing: the connections are Envoy's."""


def set_current(call: Call) -> None:
    """Make `call` the one that this task forwards through."""
    _CALL.set(call)


class _Answer:
    """The provider's answer."""

    def __init__(self, status: int, headers: Pairs, body: AsyncGenerator[bytes, None]) -> None:
        self.status, self.headers = status, headers
        self._body = body

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._body)

    async def aclose(self) -> None:
        """Stop reading the answer."""
        await self._body.aclose()


_MODES = pb.ProtocolConfiguration.DESCRIPTOR.fields_by_name["request_body_mode"].enum_type
FULL_DUPLEX = _MODES.values_by_name["FULL_DUPLEX_STREAMED"].number
"""The only mode in which a processor decides what is forwarded and when. In other modes it cannot
block."""


def _check(first: pb.ProcessingRequest) -> None:
    """Raise CallError unless Envoy sends complete requests, and waits for the responses."""
    if first.WhichOneof("request") != "request_headers":
        raise CallError(
            "Envoy does not send the headers of requests: request_header_mode: SEND; for answers "
            "of its own, response_attributes: [response.code_details]"
        )
    if first.observability_mode:
        raise CallError("observability_mode lets everything pass: leave it out")
    modes = first.protocol_config
    if modes.request_body_mode != FULL_DUPLEX or modes.response_body_mode != FULL_DUPLEX:
        raise CallError(
            "processing_mode: request_body_mode and response_body_mode have to be "
            "FULL_DUPLEX_STREAMED: with others text goes on unguarded"
        )


def _channel() -> tuple[MemoryObjectSendStream[Any], MemoryObjectReceiveStream[Any]]:
    return anyio.create_memory_object_stream[Any](_WAITING)


async def _put(stream: MemoryObjectSendStream[Any], message: Any) -> None:
    """Pass a message on; it is dropped if its reader has left."""
    try:
        await stream.send(message)
    except anyio.BrokenResourceError:
        return


def _pairs(headers: Any) -> Pairs:
    """Return the headers of a message; a value is in one of two fields."""
    return [
        (header.key.lower().encode("latin-1"), header.raw_value or header.value.encode())
        for header in headers.headers
    ]


def _headers_of(start: Message) -> Pairs:
    """Return the headers of the proxy's answer, without its length, which Envoy finds out."""
    given = [(bytes(name).lower(), bytes(value)) for name, value in start.get("headers", ())]
    return [pair for pair in given if pair[0] != b"content-length"]


def _set(pairs: Iterable[tuple[bytes, bytes]]) -> list[HeaderValueOption]:
    """Return the mutations that set headers; of several with one name, the first replaces existing
    ones."""
    seen: set[bytes] = set()
    options = []
    for name, value in pairs:
        action = (
            HeaderValueOption.APPEND_IF_EXISTS_OR_ADD
            if name in seen
            else HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
        )
        seen.add(name)
        header = HeaderValue(key=name.decode("latin-1"), raw_value=value)
        options.append(HeaderValueOption(header=header, append_action=action))
    return options


def _mutation(before: Pairs, after: Pairs, kept: Iterable[str] = ()) -> pb.HeaderMutation:
    """Return the mutation from the headers `before` to those `after`; names that are
    `kept` stay."""
    was, now = _by_name(before), _by_name(after)
    changed = [(name, value) for name, value in after if was.get(name) != now[name]]
    plain = [name for name in was if not name.startswith(b":")]
    gone = [name for name in plain if name not in now and name.decode("latin-1") not in kept]
    changed += [(name, b"") for name in gone if name in _FIXED]
    removed = [name.decode("latin-1") for name in gone if name not in _FIXED]
    return pb.HeaderMutation(set_headers=_set(changed), remove_headers=removed)


def _names(trailers: Any) -> list[str]:
    return [header.key for header in trailers.headers]


def _without(trailers: Iterable[str]) -> pb.TrailersResponse:
    """Return the response that removes trailers, which the proxy does not read either."""
    return pb.TrailersResponse(header_mutation=pb.HeaderMutation(remove_headers=trailers))


def _by_name(pairs: Pairs) -> Mapping[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _streamed(body: bytes, *, over: bool) -> pb.BodyResponse:
    streamed = pb.StreamedBodyResponse(body=body, end_of_stream=over)
    mutation = pb.BodyMutation(streamed_response=streamed)
    return pb.BodyResponse(response=pb.CommonResponse(body_mutation=mutation))


def _pieces(body: bytes) -> Iterable[tuple[bytes, bool]]:
    """Yield a body in pieces, each with whether it is the last; an empty body is one piece."""
    for start in range(0, len(body) or 1, PIECE):
        yield body[start : start + PIECE], start + PIECE >= len(body)
