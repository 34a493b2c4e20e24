"""One request of a client of the proxy: taken in, checked, sent on, and answered."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from io import BytesIO
from math import ceil
from typing import Any, ParamSpec, TypeVar

import anyio
from starlette.types import Receive, Scope, Send

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.events import FinishReason
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.http.beginnings import WHOLE
from guardstream.http.bodies import Sent
from guardstream.http.headers import CONVERSATION, why_unreadable
from guardstream.http.media import (
    framing_of,
    is_listed,
    is_stream,
    is_unread,
    kind_of,
    may_be_another,
    media_of,
)
from guardstream.http.other_answers import Guarded
from guardstream.http.other_requests import checked as checked_other
from guardstream.http.request import RefusedError
from guardstream.http.tools import for_request
from guardstream.resilience import LimiterError
from guardstream.serve.endings import told
from guardstream.serve.journal import last_event_id
from guardstream.serve.proxy import (
    budgets,
    models,
    objects,
    other_answers,
    other_requests,
    requests,
)
from guardstream.serve.proxy.again import sent
from guardstream.serve.proxy.answers import (
    UpstreamError,
    guarded_answer,
    guarded_error,
    judged_answer,
)
from guardstream.serve.proxy.beginnings import begun
from guardstream.serve.proxy.caller import NOTHING, BoundsError, Caller, asked_by
from guardstream.serve.proxy.endpoints import UNKNOWN, errors_of
from guardstream.serve.proxy.errors import Errors
from guardstream.serve.proxy.keys import Key, KeysError, credential, plain_name
from guardstream.serve.proxy.long_events import LongEvents
from guardstream.serve.proxy.parts import Parts
from guardstream.serve.proxy.reply import SAYING, Outcome, Reply
from guardstream.serve.proxy.sending import Incoming, content_type, read_whole
from guardstream.serve.proxy.settings import DEFAULT
from guardstream.serve.proxy.state import StateError, Stored
from guardstream.serve.proxy.upstreams import returned_headers
from guardstream.serve.restoring import Restoring
from guardstream.serve.resuming import resume
from guardstream.serve.routes import POLICY_HEADER, Headers, Route, label, streaming, values
from guardstream.stream.asynchronous import GuardedStream
from guardstream.stream.frames import LONG_EVENT
from guardstream.stream.loops import aclose_source
from guardstream.vault import Vault, VaultError

log = logging.getLogger("guardstream.serve")

_MAX_ERROR = 1024 * 1024
"""Bytes of an upstream's error that are read."""

_NOT_KNOWN = (
    "the proxy does not know this path: give it a route with its 'provider', or guard all such "
    "paths with 'other: guard'"
)

_TOO_LONG = "the answer took longer than the policy allows"

_NOTHING = 204
_BODILESS = frozenset({_NOTHING, 205, 304})
_TOO_LATE = 504
_JSON = "application/json"

_NOT_ASKED = frozenset({b"range", b"if-range", b"if-none-match", b"if-modified-since"})
_NOT_ASKED |= {b"content-type", b"content-encoding"}
"""Headers that ask for less than a whole answer, which could not be guarded; and those that say
how a body is to be read, which the proxy says itself."""

P = ParamSpec("P")
T = TypeVar("T")


class ProxyExchange:
    """Serves one request. The upstream is closed when the client leaves, whatever it waits for."""

    def __init__(self, parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
        self.outcome = Outcome()
        self._parts = parts
        self._settings = parts.settings
        self._scope = scope
        self._method = scope["method"].upper()  # as it is sent, so it is judged
        self._headers: Headers = scope["headers"]
        self._found = parts.found(self._method, scope["path"], self._headers)
        self._query = scope["query_string"].decode("latin-1")
        self._receive = receive
        self._reply = Reply(send, scope, parts, self._errors(), self.outcome)
        self._name = ""  # of the policy
        self._client = ""
        self._key: Key | None = None
        self._caller: Caller | None = None
        self._asked = NOTHING
        self._upstream = DEFAULT  # its name
        self._attributes: dict[str, str] = {}  # for records
        self._running = anyio.CancelScope()

    async def run(self) -> None:
        """Answer the request, or stop as soon as its client has left."""
        with self._running:
            await self._run()
        if self._running.cancelled_caught and not self._reply.ended:
            self.outcome.finish = "cancelled"
            why = "the proxy was stopped before the answer had ended"
            await self._reply.break_off(503, "stopped", why)

    def stop(self) -> None:
        """Stop, although the client is there: it is told so where the answer has a place for it."""
        self._running.cancel()

    async def _run(self) -> None:
        try:
            await self._identify()
            if await self._resumed():
                return
            body = await self._read_body()
        except RefusedError as error:
            await self._reply.refuse(error.status, error.code, error.message)
            return
        if body is None:
            self.outcome.finish = "cancelled"
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, group.cancel_scope)
            if self._caller is not None:
                group.start_soon(self._caller.renew)
            await self._serve(body)
            group.cancel_scope.cancel()

    async def _identify(self) -> None:
        """Note who comes; RefusedError for a client without one of the keys, if there are some."""
        client = self._scope.get("client")
        self._client = str(client[0]) if client else ""
        keys = self._parts.keys
        if not keys:
            return
        try:
            self._key = await keys.find(self._headers, self._query)
        except KeysError as error:
            raise RefusedError(503, "keys_failed", str(error)) from error
        if self._key is None:
            raise RefusedError(401, "invalid_api_key", "this proxy does not know the key")
        self._attributes["key"] = self._reply.caller = self._key.name
        self._caller = Caller(self._key, self._parts.state, self._settings)

    def _errors(self) -> Errors:
        """How errors are told at the endpoint."""
        endpoint = self._found.endpoint
        if endpoint is UNKNOWN:
            return errors_of(self._scope["path"], self._headers)
        return endpoint.errors

    async def _resumed(self) -> bool:
        """Answer a client that comes back for the rest of a stream, from the store."""
        replay = self._settings.replay
        if replay is None or last_event_id(self._scope) is None:
            return False
        guard = self._guard()
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
        """Return what restores a stream that was kept, with the values of the conversation that
        the client names, or those that its request brings again."""
        around = self._settings.operations.get(self._name)
        vaults = around.vaults if around else None
        if vaults is None:
            return None
        try:
            named, caller = self._conversation()
            if named is None and (body := await self._read_body()):
                vault = (await self._checked(guard, self._content_type(), body))[0].vault
            else:
                vault, _ = await vaults.amasked(lambda _: None, named, caller)
        except VaultError as error:
            raise RefusedError(503, "vault_failed", str(error)) from error
        except UpstreamError as error:
            raise RefusedError(error.status, error.code, error.message) from error
        return Restoring(guard, vault or vaults.open(), self._found.endpoint.provider)

    async def _read_body(self) -> bytes | None:
        """Return the request's body, None if the client leaves before its end."""
        try:
            with anyio.fail_after(self._settings.body_timeout):
                return await self._read_whole(self._settings.max_body)
        except TimeoutError:
            raise RefusedError(408, "body_timeout", "the body took too long") from None

    async def _read_whole(self, limit: int) -> bytes | None:
        told = values(self._headers, b"content-length")
        if told and int(told[0]) > limit:
            raise RefusedError(413, "body_too_large", f"the body is longer than {limit} bytes")
        body = BytesIO()  # which does not copy it all at the end
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            body.write(message.get("body", b""))
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
            if self._found.endpoint is UNKNOWN:
                await self._pass(body)
                return
            guard = self._guard()
            async with self._room(), self._place():
                await self._forward(guard, body)
        except BoundsError as error:
            after = [(b"retry-after", b"%d" % error.retry_after)]
            await self._reply.refuse(error.status, error.code, error.message, after)
        except RefusedError as error:
            await self._reply.refuse(error.status, error.code, error.message)
        except UpstreamError as error:
            self.outcome.failed(error.code, error.reason)
            await self._reply.refuse(error.status, error.code, error.message)
        except LimiterError as error:
            seconds = [] if error.retry_after is None else [b"%d" % max(1, ceil(error.retry_after))]
            headers = [(b"retry-after", each) for each in seconds]
            await self._reply.refuse(429, "too_many_requests", str(error), headers)
        except StateError as error:
            await self._reply.refuse(503, "state_failed", str(error))
        except AdapterError as error:  # of an answer that is made of others
            await self._reply.refuse(502, "upstream_invalid", str(error))

    def _place(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._caller is None else self._caller.place()

    def _guard(self) -> Guard:
        asked = values(self._headers, POLICY_HEADER)
        places = (self._scope["path"], *self._found.endpoint.places)
        self._name = self._settings.policy(places, asked[0] if asked else None, self._key)
        guard = self._settings.guards.get(self._name)
        if guard is None:
            raise RefusedError(400, "unknown_policy", "there is no policy of the name asked for")
        guard, around = guard.pinned(), self._settings.operations.get(self._name)
        if around is not None and around.gates:
            guard = guard.with_gates(around.gates)
        if self._found.endpoint.guarded:
            self._reply.label = label(guard.policy)
            self.outcome.policy = self._reply.label.decode()
        return guard

    async def _pass(self, body: bytes) -> None:
        """Answer a path that is not guarded, by the setting `other`."""
        if self._parts.table.disguised(self._scope["path"]):
            why = "this path may be another name of a known one: use that, or give it a route"
            raise RefusedError(404, "not_guarded", why)
        if self._settings.other != "pass":
            raise RefusedError(404, "not_guarded", _NOT_KNOWN)
        places = (self._scope["path"],)
        self._upstream = self._parts.choice.of(places, None, DEFAULT)
        response = await self._send_on(Sent(body))
        try:
            await self._unread(response)
        finally:
            await aclose_source(response)

    async def _forward(self, guard: Guard, body: bytes) -> None:
        endpoint, kind = self._found.endpoint, self._content_type()
        stored, count = None, 0
        if self._caller is not None or self._settings.models:
            tokens = self._settings.answer_tokens
            self._asked = await self._apart(
                len(body), asked_by, self._found, kind, self._query, body, tokens
            )
        if self._caller is not None:
            if endpoint.sends == "any":
                await self._permit(self._caller)
            stored = await self._caller.allowed(self._asked.names)
            count = await self._caller.reserved(self._found, self._asked)
        self._choose(stored)
        if endpoint.answer in ("said", "any"):
            asked = endpoint.provider or None if endpoint.sends else None
            guard = await self._apart(len(body), for_request, guard, asked, body)
        guard, sent_on = await self._checked(guard, kind, body)
        if self._parts.held and len(self._parts.targets) > 1 and models.is_list(endpoint):
            await self._list_models(sent_on)
            return
        async with self._tokens(count):
            await self._exchange(guard, sent_on)

    async def _permit(self, caller: Caller) -> None:
        """Raise RefusedError for a key that may not use paths that the proxy does not know.

        What they do on the account of all keys, and whose objects they show, nobody can tell.
        """
        if self._key is None or not self._key.other:
            raise RefusedError(403, "not_allowed", "this key is for paths alone that are known")
        await caller.refuse_others(other_requests.named_in(self._scope["path"], self._query))

    async def _list_models(self, sent_on: Sent) -> None:
        """Answer with the models of all upstreams; those that fail are left out, unless all do."""
        answers: dict[str, dict[str, Any]] = {}
        failed: list[UpstreamError] = []

        async def ask(name: str) -> None:
            try:
                answers[name] = await self._asked_of(name, sent_on)
            except UpstreamError as error:
                log.warning("no models of the upstream %r: %s", name, error.code)
                failed.append(error)

        async with anyio.create_task_group() as group:
            for name in self._parts.targets:
                group.start_soon(ask, name)
        if not answers:
            raise failed[0]
        in_order = {name: answers[name] for name in self._parts.targets if name in answers}
        body = json_bytes(models.merged(in_order, self._parts.choice))
        await self._reply.whole(200, [(b"content-type", b"application/json")], body)

    async def _asked_of(self, name: str, sent_on: Sent) -> dict[str, Any]:
        """Return the JSON that an upstream answers. UpstreamError if that is none."""
        response = await self._send_on(sent_on, name)
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

    def _tokens(self, count: int) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._caller is None else self._caller.tokens(count)

    def _choose(self, stored: Stored | None) -> None:
        """Choose the upstream: the one that has the object, or the model, or the path."""
        if stored is not None and stored.upstream in self._parts.targets:
            self._upstream = stored.upstream
            return
        named = self._found.names.get("model", self._asked.read.fields.get("model"))
        model = named if isinstance(named, str) else None
        places = (self._scope["path"], *self._found.endpoint.places)
        self._upstream = self._parts.choice.of(places, model, DEFAULT)

    def _content_type(self) -> str:
        return next(iter(values(self._headers, b"content-type")), "")

    async def _exchange(self, guard: Guard, sent_on: Sent) -> None:
        """Send a request on, and its answer back."""
        try:
            response = await self._send_on(sent_on)
        except UpstreamError as error:
            if error.status != _TOO_LATE:  # it may be at work all the same
                self._spend(0)
            raise
        try:
            media = _media(response)
            if self._found.endpoint.answer == "any":
                await self._other(guard, response, media)
            elif response.status >= 400:
                self._spend(0)
                answer = await read_whole(response, _MAX_ERROR)
                answer = await self._apart(len(answer), guarded_error, guard, answer)
                await self._whole(guard, response, answer)
            elif response.status == _NOTHING:
                await self._nothing(guard, response)
            elif response.status >= 300:
                raise UpstreamError(502, "unguarded_answer", "the upstream answers from elsewhere")
            elif self._found.endpoint.provider:
                await self._said(guard, response, media)
            else:
                await self._answer(guard, response, media)
        finally:
            await aclose_source(response)

    async def _other(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard the answer of a path that is not known, by what it is."""
        fails = response.status >= 400
        if fails:
            self._spend(0)
        if self._method == "HEAD" or response.status in _BODILESS:
            await self._nothing(guard, response)
        elif not fails and response.status >= 300:
            raise UpstreamError(502, "unguarded_answer", "the upstream answers from elsewhere")
        elif not fails and is_unread(media):
            await self._unread(response, guard)
        elif fails:
            await self._answer(guard, response, media)
        else:
            await self._begun(guard, response, media)

    async def _said(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard an answer of a model; where its type says little, its beginning tells more."""
        if self._found.endpoint.answer == "said" and kind_of(media) in ("untold", "text"):
            response, told = await self._told(guard, response, media)
            media = _JSON if told == WHOLE else told
        if self._streams(media):
            await self._stream(guard, response, media)
        else:
            await self._answer(guard, response, media)

    async def _told(self, guard: Guard, response: Incoming, media: str) -> tuple[Incoming, str]:
        """Return an answer, and the media type that its beginning tells."""
        try:
            with anyio.fail_after(guard.options(guard.policy, {}).deadlines.first_token):
                return await begun(response, media)
        except TimeoutError:
            raise UpstreamError(504, "deadline", _TOO_LONG) from None

    async def _begun(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard an answer by how it begins, and by the type that it names."""
        told = media
        if may_be_another(media):
            response, told = await self._told(guard, response, media)
        if is_stream(told, gated=bool(guard.gates)):
            await self._stream(guard, response, told)
        else:
            await self._answer(guard, response, media)

    async def _unread(self, response: Incoming, guard: Guard | None = None) -> None:
        """Send an answer as it comes, not judged; but for its headers, if there is a `guard`."""
        self._reply.label = self.outcome.policy = None
        headers = returned_headers(response, guard, held=self._parts.held)
        await self._reply.start(response.status, headers)
        try:
            async for part in response:
                await self._reply.say(part)
        except UpstreamError as error:
            self.outcome.failed(error.code, error.reason)
            return  # a body that is cut off says by itself that something is missing
        await self._reply.say(b"", more=False)

    def _streams(self, media: str) -> bool:
        """Tell whether an answer comes bit by bit: Gemini's in JSON does by its path alone."""
        return kind_of(media) in SAYING or is_listed(self._found.endpoint.path, media)

    async def _answer(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard a whole answer and send it."""
        endpoint = self._found.endpoint
        fails = response.status >= 400
        answer = await read_whole(response, _MAX_ERROR if fails else self._settings.max_answer)
        body, result, is_read = await self._guarded(guard, media, answer)
        if not is_read:
            self._reply.label = self.outcome.policy = None
        if result is not None:
            self.outcome.finish = result.finish
        if self._caller is not None and not fails:
            weight = self._asked.weight
            spent = await self._apart(len(body), budgets.of_answer, endpoint, weight, body, result)
            self._spend(spent)
            body = await self._noted(body)
        await self._whole(guard, response, body)

    async def _guarded(self, guard: Guard, media: str, answer: bytes) -> Guarded:
        """Guard a whole answer of the endpoint."""
        beside = partial(self._parts.apart.text, len(answer))
        endpoint, attributes = self._found.endpoint, self._attributes
        if endpoint.answer == "any":
            rules = partial(other_answers.guarded, guard, media, answer, attributes)
            return await other_answers.judged(guard, rules, beside)
        if guard.gates:
            return await judged_answer(guard, endpoint, media, answer, attributes, beside)
        return await beside(partial(guarded_answer, guard, endpoint, media, answer, attributes))

    async def _noted(self, body: bytes) -> bytes:
        """Remember the objects that an answer tells of; of a list show the caller's."""
        endpoint, caller = self._found.endpoint, self._caller
        assert caller is not None
        if endpoint.lists:
            return await caller.listed(body)
        if (endpoint.stores or endpoint.about) and endpoint.answer in ("said", "plain"):
            ids = await self._apart(len(body), objects.made_by, body)
            await caller.keep(ids, self._upstream, self._asked.weight.batch)
        return body

    def _spend(self, tokens: int | None) -> None:
        if self._caller is not None:
            self._caller.spent = tokens

    async def _checked(self, guard: Guard, kind: str, body: bytes) -> tuple[Guard, Sent]:
        """Return the guard of the exchange, with its vault if there is one, and what is sent."""
        around = self._settings.operations.get(self._name)
        vaults = around.vaults if around else None
        if vaults is None:
            return guard, await self._apart(len(body), self._judged, guard, kind, body)

        def check(vault: Vault | None) -> Sent:
            work = partial(self._judged, guard.with_vault(vault), kind, body)
            return self._parts.apart.text_of_thread(len(body), work)

        try:
            vault, sent = await vaults.amasked(check, *self._conversation())
        except VaultError as error:
            raise UpstreamError(503, "vault_failed", str(error)) from error
        return guard.with_vault(vault), sent

    def _judged(self, guard: Guard, kind: str, body: bytes) -> Sent:
        """Return what may be sent on of the request. RefusedError if that is nothing."""
        endpoint = self._found.endpoint
        if endpoint.sends != "any":
            return requests.checked(guard, endpoint, self._parts.table, kind, body)
        encodings = [v for name, v in self._headers if plain_name(name) == b"content-encoding"]
        if any(each.strip().lower() not in (b"", b"identity") for each in encodings):
            raise RefusedError(415, "unguarded_input", "the request's body is compressed")
        return checked_other(guard, kind, self._scope["path"], self._query, body)

    def _conversation(self) -> tuple[str | None, str]:
        """The conversation that a request names, and whose it is: the client's, by its key."""
        headers = self._headers
        named = values(headers, CONVERSATION.encode())
        caller = self._attributes.get("key") or credential(headers)
        if named and caller is None:
            raise RefusedError(
                400,
                "unknown_caller",
                f"{CONVERSATION} needs a key, to tell whose conversation it is",
            )
        return named[0] if named else None, caller or ""

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        """Wait for room, as the policy's `concurrency` says. LimiterError if there is none."""
        around = self._settings.operations.get(self._name)
        if around is None or around.limiter is None:
            yield
            return
        # Addresses tell streams apart here; they are in no record.
        known = {"key": "", **self._attributes, "client": self._client}
        async with around.limiter().slot(around.key(known)):
            yield

    async def _send_on(self, sent_on: Sent, name: str | None = None) -> Incoming:
        """Send a request to the upstream that was chosen, or that of a name."""
        endpoint = self._found.endpoint
        path = endpoint.below + self._scope["path"]
        upstream = self._parts.upstream(name or self._upstream)
        headers = self._headers
        if endpoint is not UNKNOWN:
            headers = [pair for pair in headers if plain_name(pair[0]) not in _NOT_ASKED]
        if sent_on.kind is not None:
            headers.append((b"content-type", sent_on.kind))
        query = self._query if sent_on.query is None else sent_on.query
        around = self._settings.operations.get(self._name)

        async def send() -> Incoming:
            return await upstream.send(
                self._method, path, query, headers, sent_on.body, endpoint.auth
            )

        again = around is not None and (endpoint.answer == "said" or self._method == "GET")
        return await sent(send, around.retry if around and again else None)

    async def _apart(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work on a text of `size` bytes; in a thread if it is long, so that streams go on."""
        return await self._parts.apart.text(size, partial(work, *args, **kwargs))

    async def _whole(self, guard: Guard, response: Incoming, answer: bytes) -> None:
        headers = returned_headers(response, guard, held=self._parts.held)
        await self._reply.whole(response.status, headers, answer)

    async def _nothing(self, guard: Guard, response: Incoming) -> None:
        """Send an answer without a body."""
        headers = returned_headers(response, guard, held=self._parts.held)
        await self._reply.start(response.status, headers)
        await self._reply.say(b"", more=False)

    async def _stream(self, guard: Guard, response: Incoming, media: str) -> None:
        self._reply.kind = kind_of(media)
        events = self._reply.kind == "events"
        guard, restoring = self._in_halves(guard) if events else (guard, None)
        try:
            stream = guard.wrap(
                response,
                provider=self._found.endpoint.provider or None,
                framing=None if self._found.endpoint.provider else framing_of(media),
                keep_text=False,
                attributes=self._attributes,
            )
        except GuardstreamError as error:
            raise UpstreamError(502, "unguarded_answer", told(guard, error)) from error
        guarded = getattr(stream, "stream", stream)  # gates stand around it
        long_events = LongEvents(self._parts.apart)
        if isinstance(guarded, GuardedStream):
            guarded.steps = long_events
        headers = returned_headers(response, guard, held=self._parts.held)
        await self._reply.start(response.status, streaming(headers) if events else headers)
        telling = self._telling()
        async with self._reply.kept(restoring), self._reply.beating(), stream:
            try:
                async for frame in stream:
                    body = b"".join([frame, *_ready(stream)])
                    if telling is not None and self._caller is not None:
                        await self._caller.keep(telling.feed(body), self._upstream)
                    await self._reply.say(body)
                    if len(body) > LONG_EVENT and isinstance(guarded, GuardedStream):
                        guarded.state.forget()
                    del frame, body  # a long one would be kept until the next comes
            except UpstreamError as error:
                self.outcome.failed(error.code, error.reason)
                await self._reply.fail(error.status, error.code, error.message)
            except GuardstreamError as error:
                await self._reply.fail(502, "guard_failed", told(guard, error))
            finally:
                long_events.close()
                usage, said = stream.result.usage, stream.stats.characters_in
                self._spend(budgets.of_stream(self._asked.weight, usage, said))
            await self._conclude(stream.finish)
            self.outcome.finish, self.outcome.blocked_by = stream.finish, stream.blocked_by
        says = self._found.endpoint.provider or self._reply.kind in SAYING
        if self.outcome.error is None or says:
            await self._reply.say(b"", more=False)
        # What cannot say that it failed is cut off.

    async def _conclude(self, finish: FinishReason | None) -> None:
        """Say that the guard ended a stream, where its format has not done so."""
        if self.outcome.error is not None:  # which was said
            return
        # Before its format has begun nothing has said so, and one that is not known never does.
        unsaid = not self._reply.begun or not self._found.endpoint.provider
        if finish == "content_filter" and unsaid and self._reply.kind in SAYING:
            await self._reply.fail(502, "content_filter", "the policy blocked the answer")
        if finish == "timeout":
            await self._reply.fail(504, "deadline", _TOO_LONG)

    def _telling(self) -> objects.Telling | None:
        """What finds the objects in a stream, if they are to be remembered."""
        endpoint = self._found.endpoint
        if self._caller is None or not (endpoint.stores or endpoint.about):
            return None
        return objects.Telling(endpoint.provider)

    def _in_halves(self, guard: Guard) -> tuple[Guard, Restoring | None]:
        """Return the guard of a stream, and what restores values after it is kept."""
        if self._settings.replay is None or self._reply.label is None or guard.vault is None:
            return guard, None
        restoring = Restoring(guard, guard.vault, self._found.endpoint.provider)
        return guard.halves()[0], restoring


def _media(response: Incoming) -> str:
    """Return the media type of an answer. UpstreamError for one that cannot be guarded."""
    said = content_type(response)
    parts = ", ".join(values(response.headers, b"content-range"))
    why = why_unreadable(response.status, said, parts)
    if why is not None:
        why = f"the upstream's answer cannot be guarded, as {why}"
        raise UpstreamError(502, "unguarded_answer", why)
    return media_of(said)


def _ready(stream: object) -> Sequence[bytes]:
    """Return the frames that came with the last one: they are sent with it."""
    return stream.ready() if isinstance(stream, GuardedStream) else ()
