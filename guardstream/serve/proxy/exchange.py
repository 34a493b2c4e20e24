"""One request of a client of the proxy: received, checked, and forwarded.

`answering` sends the upstream's answer back.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from io import BytesIO
from math import ceil
from typing import Any

import anyio
from starlette.types import Receive, Scope, Send

from guardstream.errors import AdapterError
from guardstream.formats.errors import Errors, call_in
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.http.bodies import Outgoing
from guardstream.http.headers import CONVERSATION
from guardstream.http.other_requests import checked as checked_other
from guardstream.http.other_requests import finds_in
from guardstream.http.request import RefusedError, check_coding
from guardstream.http.tools import for_request
from guardstream.operations import Operations
from guardstream.resilience import LimiterError
from guardstream.serve.journal import last_event_id
from guardstream.serve.proxy import models, other_requests, requests
from guardstream.serve.proxy.answering import Answering
from guardstream.serve.proxy.answers import UpstreamError, deadline_error
from guardstream.serve.proxy.caller import UNREAD, BoundsError, Caller, request_info
from guardstream.serve.proxy.context import ProxyContext
from guardstream.serve.proxy.endpoints import UNKNOWN, errors_of
from guardstream.serve.proxy.forwarding import Incoming, read_whole
from guardstream.serve.proxy.holdings import CrowdedError
from guardstream.serve.proxy.keys import Key, KeysError, credential, plain_name
from guardstream.serve.proxy.reply import Outcome, Reply
from guardstream.serve.proxy.retries import send_with_retries
from guardstream.serve.proxy.settings import DEFAULT
from guardstream.serve.proxy.state import StateError, Stored
from guardstream.serve.restoring import Restoring
from guardstream.serve.resuming import resume
from guardstream.serve.routes import POLICY_HEADER, Headers, Route, label, values
from guardstream.stream.loops import aclose_source
from guardstream.vault import FullError, Vault, VaultError

log = logging.getLogger("guardstream.serve")

_OF_PROXIES = frozenset({"CONNECT", "TRACE", "PRI"})
"""Methods that say something to a proxy: open a tunnel, send my headers back, speak HTTP/2."""

_UNKNOWN_PATH = (
    "the proxy does not know this path: give it a route with its 'provider', or guard all such "
    "paths with 'other: guard'"
)

_NO_SOCKETS = "the proxy guards no WebSockets: ask over HTTP, with the method POST"

_TIMEOUT_STATUS = 504

_DROPPED_HEADERS = frozenset({b"range", b"if-range", b"if-none-match", b"if-modified-since"})
_DROPPED_HEADERS |= {b"content-type", b"content-encoding"}
"""Request headers that are not forwarded: those that ask for a partial answer, which could not be
guarded, and those about the body, which the proxy sets itself."""


def _message(error: VaultError) -> str:
    """Return the message for a client; that of another error may name the store's file or host."""
    return str(error) if isinstance(error, FullError) else "the vault's store failed"


class ProxyExchange:
    """Serves one request. The upstream is closed when the client disconnects, whatever is in
    progress."""

    def __init__(self, context: ProxyContext, scope: Scope, receive: Receive, send: Send) -> None:
        self.outcome = Outcome()
        self._context = context
        self._settings = context.settings
        self._scope = scope
        self._method = scope["method"].upper()  # it is judged as it is sent
        self._headers: Headers = scope["headers"]
        self._match = context.match(self._method, scope["path"], self._headers)
        self._query = scope["query_string"].decode("latin-1")
        self._receive = receive
        self._reply = Reply(send, scope, context, self._errors(), self.outcome)
        self._name = ""  # of the policy
        self._client = ""
        self._key: Key | None = None
        self._caller: Caller | None = None
        self._info = UNREAD
        self._upstream = DEFAULT  # its name
        self._attributes: dict[str, str] = {}  # for records
        self._running = anyio.CancelScope()
        self._holding = context.holdings.one()  # its body

    async def run(self) -> None:
        """Answer the request, or stop as soon as its client has disconnected."""
        with self._running, self._holding:
            await self._run()
        if self._running.cancelled_caught and not self._reply.ended:
            self.outcome.finish = "cancelled"
            why = "the proxy was stopped before the answer had ended"
            await self._reply.break_off(503, "stopped", why)

    def stop(self) -> None:
        """Stop although the client is still connected; it gets an error if the answer's format has
        one."""
        self._running.cancel()

    async def _run(self) -> None:
        try:
            await self._identify()
            if await self._resume():
                return
            body = await self._read_body()
        except RefusedError as error:
            headers = getattr(error, "headers", ())
            await self._reply.refuse(error.status, error.code, error.message, headers)
            return
        if body is None:
            self.outcome.finish = "cancelled"
            return
        if self._match.endpoint.answer == "unknown":
            call = await self._context.worker.text(len(body), partial(call_in, body))
            self._reply.answer(call)
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, group.cancel_scope)
            if self._caller is not None:
                group.start_soon(self._caller.renew)
            await self._serve(body)
            group.cancel_scope.cancel()

    async def _identify(self) -> None:
        """Identify the caller; RefusedError for a client without a valid key, if keys are
        configured."""
        client = self._scope.get("client")
        self._client = str(client[0]) if client else ""
        keys = self._context.keys
        if not keys:
            return
        try:
            self._key = await keys.find(self._headers, self._query)
        except KeysError as error:
            raise RefusedError(503, "keys_failed", str(error)) from error
        if self._key is None:
            raise RefusedError(401, "invalid_api_key", "this proxy does not know the key")
        self._attributes["key"] = self._reply.caller = self._key.name
        self._caller = Caller(self._key, self._context.state, self._settings)

    def _errors(self) -> Errors:
        """Return the errors of the endpoint's API."""
        endpoint = self._match.endpoint
        if endpoint is UNKNOWN:
            return errors_of(self._scope["path"], self._headers)
        return endpoint.errors

    async def _resume(self) -> bool:
        """Answer a client that reconnects for the rest of a stream, from the store."""
        replay = self._settings.replay
        if replay is None or last_event_id(self._scope) is None:
            return False
        guard = await self._guard()
        route, restoring = Route(self._scope["path"], guard), await self._restoring(guard)
        return await resume(
            self._scope,
            self._receive,
            self._reply.send_kept,
            route,
            replay,
            self._reply.caller,
            restoring,
        )

    async def _restoring(self, guard: Guard) -> Restoring | None:
        """Return what restores a stored stream, with the values of the conversation that the client
        names, or those in its repeated request."""
        vaults = self._around.vaults if self._around else None
        if vaults is None:
            return None
        try:
            named, caller = self._conversation()
            if named is None and (body := await self._read_body()):
                vault = (await self._checked(guard, self._content_type(), body))[0].vault
            else:
                vault, _ = await vaults.amasked(lambda _: None, named, caller)
        except VaultError as error:
            raise RefusedError(503, "vault_failed", _message(error)) from error
        except UpstreamError as error:
            raise RefusedError(error.status, error.code, error.message) from error
        return Restoring(guard, vault or vaults.open(), self._match.endpoint.events)

    async def _read_body(self) -> bytes | None:
        """Return the request's body, None if the client disconnects before its end."""
        try:
            with anyio.fail_after(self._settings.body_timeout):
                return await self._read_whole(self._settings.max_body)
        except TimeoutError:
            raise RefusedError(408, "body_timeout", "the body took too long") from None

    async def _read_whole(self, limit: int) -> bytes | None:
        lengths = values(self._headers, b"content-length")
        if lengths and int(lengths[0]) > limit:
            raise RefusedError(413, "body_too_large", f"the body is longer than {limit} bytes")
        body = BytesIO()  # avoids copying it all at the end
        while True:
            message = await self._holding.reading(self._receive())
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            await self._holding.add(len(part))
            body.write(part)
            if body.tell() > limit:
                raise RefusedError(413, "body_too_large", f"the body is longer than {limit} bytes")
            if not message.get("more_body"):
                return body.getvalue()

    async def _watch(self, scope: anyio.CancelScope) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        await self._reply.linger()
        if not self._reply.ended:
            self.outcome.finish = "cancelled"
            scope.cancel()

    async def _serve(self, body: bytes) -> None:
        try:
            if self._asks_for_socket():
                # Codex then asks over HTTP; after any other status it first tries six times more.
                raise RefusedError(426, "not_guarded", _NO_SOCKETS)
            if self._match.endpoint is UNKNOWN:
                await self._answer_unknown_path(body)
                return
            guard = await self._guard()
            async with self._limiter_slot(), self._key_slot():
                await self._forward(guard, body)
        except (BoundsError, CrowdedError) as error:
            await self._reply.refuse(error.status, error.code, error.message, error.headers)
        except RefusedError as error:
            self.outcome.blocked_by = error.rule
            await self._reply.refuse(error.status, error.code, error.message)
        except UpstreamError as error:
            if error.reason:
                self.outcome.failed(error.code, error.reason)
            else:
                self.outcome.guard_failed(error.code, error.__cause__)
            await self._reply.refuse(error.status, error.code, error.message)
        except LimiterError as error:
            after = [(b"retry-after", b"%d" % max(1, ceil(error.retry_after or 0)))]
            await self._reply.refuse(429, "too_many_requests", str(error), after)
        except StateError as error:
            self.outcome.failed("state_failed", str(error))
            await self._reply.refuse(503, "state_failed", str(error))
        except AdapterError as error:  # of an answer that is merged from others
            await self._reply.refuse(502, "upstream_invalid", str(error))

    def _key_slot(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._caller is None else self._caller.place()

    async def _guard(self) -> Guard:
        asked = values(self._headers, POLICY_HEADER)
        places = (self._scope["path"], *self._match.endpoint.route_paths)
        self._name = self._settings.policy(places, asked[0] if asked else None, self._key)
        guard = self._settings.guards.get(self._name)
        if guard is None:
            raise RefusedError(400, "unknown_policy", "there is no policy of the requested name")
        guard = (await guard.apinned()).with_on_block(self._settings.on_block)
        around = self._around
        if around is not None and around.gates:
            guard = guard.with_gates(around.gates)
        if self._match.endpoint.guarded:
            self._reply.label = label(guard.policy)
            self.outcome.policy = self._reply.label.decode()
        return guard

    def _asks_for_socket(self) -> bool:
        """Return whether the request is to become a WebSocket at the path of a model."""
        offered = [each.casefold() for each in values(self._headers, b"upgrade")]
        if self._method != "GET" or "websocket" not in offered:
            return False
        return self._context.table.asks_model("POST", self._scope["path"])

    async def _answer_unknown_path(self, body: bytes) -> None:
        """Answer a path that is not guarded, by the setting `other`."""
        path = self._scope["path"]
        if methods := self._context.table.methods(path):
            why = f"the proxy knows this path only by the method {' or '.join(methods)}"
            raise RefusedError(404, "not_guarded", why)
        if self._context.table.may_be_disguised(path):
            why = "this path may be another name of a known one: use that, or give it a route"
            raise RefusedError(404, "not_guarded", why)
        if self._settings.other != "pass" or self._scope["method"] in _OF_PROXIES:
            raise RefusedError(404, "not_guarded", _UNKNOWN_PATH)
        places = (path,)
        self._upstream = self._context.choice.of(places, None, DEFAULT)
        response = await self._send_on(Outgoing(body))
        try:
            await self._answering().unread(response)
        finally:
            await aclose_source(response)

    async def _forward(self, guard: Guard, body: bytes) -> None:
        endpoint, kind = self._match.endpoint, self._content_type()
        stored, count = None, 0
        if self._caller is not None or self._settings.models:
            tokens = self._settings.answer_tokens
            read = partial(request_info, self._match, kind, self._query, body, tokens)
            self._info = await self._context.worker.text(len(body), read)
        if self._caller is not None:
            if endpoint.request == "unknown":
                await self._check_unknown_path_allowed(self._caller)
            stored = await self._caller.allowed(self._info.names)
            count = await self._caller.reserved(self._match, self._info)
        self._choose(stored)
        guard, outgoing = await self._checked(guard, kind, body)
        if endpoint.answer in ("model", "unknown"):  # the model knows its tools as they are sent
            format = endpoint.format or None if endpoint.request else None
            by_tools = partial(for_request, guard, format, outgoing.body)
            guard = await self._context.worker.text(len(body), by_tools)
        if self._context.held and len(self._context.targets) > 1 and models.is_list(endpoint):
            await self._list_models(outgoing)
            return
        async with self._reserved_tokens(count):
            await self._exchange(guard, outgoing)

    async def _check_unknown_path_allowed(self, caller: Caller) -> None:
        """Raise RefusedError for a key that may not use paths that the proxy does not know.

        Their effect on the account shared by all keys, and the owner of the objects they show, are
        unknown.
        """
        if self._key is None or not self._key.other:
            raise RefusedError(403, "not_allowed", "this key may only use known paths")
        await caller.refuse_others(other_requests.named_in(self._scope["path"], self._query))

    async def _list_models(self, outgoing: Outgoing) -> None:
        """Answer with the models of all upstreams; failing upstreams are left out, unless all
        fail."""
        answers: dict[str, dict[str, Any]] = {}
        failed: list[UpstreamError] = []

        async def ask(name: str) -> None:
            try:
                answers[name] = await self._models_of(name, outgoing)
            except UpstreamError as error:
                log.warning("no models of the upstream %r: %s", name, error.code)
                failed.append(error)

        async with anyio.create_task_group() as group:
            for name in self._context.targets:
                group.start_soon(ask, name)
        if not answers:
            raise failed[0]
        in_order = {name: answers[name] for name in self._context.targets if name in answers}
        body = json_bytes(models.merged(in_order, self._context.choice))
        await self._reply.whole(200, [(b"content-type", b"application/json")], body)

    async def _models_of(self, name: str, outgoing: Outgoing) -> dict[str, Any]:
        """Return the JSON answer of an upstream. UpstreamError if it is not JSON."""
        response = await self._send_on(outgoing, name)
        try:
            answer = await read_whole(response, self._settings.max_answer)
        finally:
            await aclose_source(response)
        try:
            value = json_object(answer) if response.status == 200 else None
        except AdapterError:
            value = None
        if value is None:
            raise UpstreamError(502, "upstream_invalid", "the upstream lists no models")
        return value

    def _reserved_tokens(self, count: int) -> AbstractAsyncContextManager[None]:
        if self._caller is None:
            return nullcontext()
        return self._caller.tokens(count, has_no_bound=self._info.weight.has_no_bound)

    def _choose(self, stored: Stored | None) -> None:
        """Choose the upstream: by the object, the model, or the path."""
        if stored is not None and stored.upstream in self._context.targets:
            self._upstream = stored.upstream
            return
        named = self._match.names.get("model", self._info.content.fields.get("model"))
        model = named if isinstance(named, str) else None
        places = (self._scope["path"], *self._match.endpoint.route_paths)
        self._upstream = self._context.choice.of(places, model, DEFAULT)

    def _content_type(self) -> str:
        return next(iter(values(self._headers, b"content-type")), "")

    async def _exchange(self, guard: Guard, outgoing: Outgoing) -> None:
        """Forward a request, and send its answer back."""
        answering = self._answering()
        try:
            response = await self._forwarded(guard, outgoing)
        except UpstreamError as error:
            if error.status != _TIMEOUT_STATUS:  # the model may be at work anyway
                answering.spend(0)
            raise
        await answering.send(guard, response)

    async def _forwarded(self, guard: Guard, outgoing: Outgoing) -> Incoming:
        """Forward a request, and wait for its answer to begin, as long as the policy allows."""
        deadlines, body = guard.options(guard.policy, {}).deadlines, outgoing.body
        found = [deadlines.total]
        if deadlines.first_token is not None or deadlines.idle is not None:
            asks = partial(requests.asks_for_stream, self._match.endpoint, body)
            if await self._context.worker.text(len(body), asks):
                found += [deadlines.first_token, deadlines.idle]
        try:
            with anyio.fail_after(min((each for each in found if each is not None), default=None)):
                return await self._send_on(outgoing)
        except TimeoutError:
            raise deadline_error() from None

    def _answering(self) -> Answering:
        """Return what sends the upstream's answer to the client."""
        return Answering(
            self._context,
            self._reply,
            self.outcome,
            self._match,
            self._method,
            self._attributes,
            self._caller,
            self._info,
            self._upstream,
        )

    async def _checked(self, guard: Guard, kind: str, body: bytes) -> tuple[Guard, Outgoing]:
        """Return the guard of the exchange, with its vault if there is one, and the body to
        forward."""
        vaults = self._around.vaults if self._around else None
        if vaults is None:
            judged = partial(self._judged, guard, kind, body)
            return guard, await self._context.worker.text(len(body), judged)

        def check(vault: Vault | None) -> Outgoing:
            work = partial(self._judged, guard.with_vault(vault), kind, body)
            return self._context.worker.text_of_thread(len(body), work)

        try:
            vault, sent = await vaults.amasked(check, *self._conversation())
        except VaultError as error:
            raise UpstreamError(503, "vault_failed", _message(error), str(error)) from error
        return guard.with_vault(vault), sent

    def _judged(self, guard: Guard, kind: str, body: bytes) -> Outgoing:
        """Return what may be forwarded of the request. RefusedError if nothing may."""
        endpoint, is_known = self._match.endpoint, self._match.endpoint.request != "unknown"
        if not is_known:
            self.outcome.matched = True  # unless the path is judged, and nothing is found
            self.outcome.matched = finds_in(guard, self._scope["path"])
        named = [v for name, v in self._headers if plain_name(name) == b"content-encoding"]
        check_coding(value.decode("latin-1") for value in named)
        if is_known:
            return requests.checked(guard, endpoint, self._context.table, kind, body)
        return checked_other(guard, kind, self._query, body)

    @property
    def _around(self) -> Operations | None:
        """What runs around the guard by its policy, such as retries."""
        return self._settings.operations.get(self._name)

    def _conversation(self) -> tuple[str | None, str]:
        """Return the conversation that a request names, and its owner: the client, by its key.

        An empty header names none.
        """
        headers = self._headers
        named = [each for each in values(headers, CONVERSATION.encode()) if each]
        caller = self._attributes.get("key") or credential(headers)
        if named and caller is None:
            raise RefusedError(
                400,
                "unknown_caller",
                f"{CONVERSATION} needs a key, to tell whose conversation it is",
            )
        return named[0] if named else None, caller or ""

    @asynccontextmanager
    async def _limiter_slot(self) -> AsyncIterator[None]:
        """Wait for a slot, by the policy's `concurrency`. LimiterError if there is none."""
        around = self._around
        if around is None or around.limiter is None:
            yield
            return
        # Addresses distinguish streams here; they are not recorded.
        known = {"key": "", **self._attributes, "client": self._client}
        async with around.limiter().slot(around.key(known)):
            yield

    async def _send_on(self, outgoing: Outgoing, name: str | None = None) -> Incoming:
        """Forward a request to the chosen upstream, or to the named one."""
        endpoint = self._match.endpoint
        self.outcome.upstream = name or self._upstream
        path = endpoint.upstream_prefix + self._scope["path"]
        upstream = self._context.upstream(name or self._upstream)
        headers = self._headers
        if endpoint is not UNKNOWN:
            headers = [pair for pair in headers if plain_name(pair[0]) not in _DROPPED_HEADERS]
        if outgoing.kind is not None:
            headers.append((b"content-type", outgoing.kind))
        query = self._query if outgoing.query is None else outgoing.query
        around = self._around

        async def send() -> Incoming:
            return await upstream.send(
                self._method, path, query, headers, outgoing.body, endpoint.auth
            )

        again = around is not None and (endpoint.answer == "model" or self._method == "GET")
        return await send_with_retries(send, around.retry if around and again else None)
