"""Sends an upstream's answer to the client of the proxy, guarded by its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio

from guardstream.errors import GuardstreamError
from guardstream.events import FinishReason, is_refused
from guardstream.formats.errors import BLOCKED, BLOCKED_CODE, errors_of
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.guard import Guard
from guardstream.http.headers import why_unreadable
from guardstream.http.media import (
    UNSPECIFIED,
    framing_of,
    is_listed,
    is_media,
    is_stream,
    kind_of,
    may_be_another,
    media_of,
)
from guardstream.http.other_answers import Guarded
from guardstream.http.sniffing import WHOLE
from guardstream.serve.endings import guarded_message
from guardstream.serve.proxy import budgets, objects, other_answers
from guardstream.serve.proxy.answers import (
    TOO_LONG,
    UpstreamError,
    deadline_error,
    guarded_answer,
    guarded_error,
    judged_answer,
    unguarded,
)
from guardstream.serve.proxy.caller import Caller, RequestInfo
from guardstream.serve.proxy.context import ProxyContext
from guardstream.serve.proxy.endpoints import EndpointMatch
from guardstream.serve.proxy.forwarding import IdDetectingAnswer, Incoming, content_type, read_whole
from guardstream.serve.proxy.holdings import Holding
from guardstream.serve.proxy.long_events import LongEvents
from guardstream.serve.proxy.reply import WITH_ERRORS, Outcome, Reply
from guardstream.serve.proxy.sniffing import begun_as_text, sniffed
from guardstream.serve.proxy.upstreams import returned_headers
from guardstream.serve.restoring import Restoring
from guardstream.serve.routes import Headers, streaming, values
from guardstream.serve.source_ids import SourceIdDetector
from guardstream.stream.asynchronous import GuardedStream
from guardstream.stream.flows.frames import LONG_EVENT
from guardstream.stream.loops import aclose_source
from guardstream.stream.on_block import blocked_message

_MAX_ERROR = 1024 * 1024
"""The maximum bytes of an upstream's error that are read."""

_NOTHING = 204
_BODILESS = frozenset({_NOTHING, 205, 304})
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answering:
    """Sends the answer to one request to its client, and records the outcome.

    `match` is the endpoint, `caller` the owner of the request's key, `info` what is known of the
    request, `upstream` the name of the answering upstream. `attributes` are for the guard's
    records.
    """

    context: ProxyContext
    reply: Reply
    outcome: Outcome
    match: EndpointMatch
    method: str
    attributes: Mapping[str, str]
    caller: Caller | None
    info: RequestInfo
    upstream: str

    async def send(self, guard: Guard, response: Incoming) -> None:
        """Guard an answer and send it; close it, whatever happens."""
        try:
            media = _media(response)
            if self.match.endpoint.answer == "unknown":
                await self._other(guard, response, media)
            elif response.status >= 400:
                self.spend(0)
                await self._error(guard, response)
            elif response.status == _NOTHING:
                await self._nothing(guard, response)
            elif response.status >= 300:
                raise unguarded("the upstream redirects the request")
            elif self._is_text_of_an_application(media):
                unknown = replace(self.match.endpoint, answer="unknown", format="")
                of_any = replace(self, match=self.match._replace(endpoint=unknown))
                await of_any._begun(guard, response, media)
            elif self.match.endpoint.format:
                await self._of_model(guard, response, media)
            else:
                await self._answer(guard, response, media)
        finally:
            await aclose_source(response)

    async def unread(self, response: Incoming, guard: Guard | None = None) -> None:
        """Send an answer unguarded, except for its headers if there is a `guard`."""
        self.reply.label = self.outcome.policy = None
        await self.reply.start(response.status, self._headers(response, guard))
        try:
            async for part in response:
                await self.reply.send(part)
        except UpstreamError as error:
            self.outcome.failed(error.code, error.reason)
            return  # a truncated body shows by itself that something is missing
        await self.reply.send(b"", more=False)

    def _headers(self, response: Incoming, guard: Guard | None) -> Headers:
        """Return the headers of an answer for the client, without those that a rule matches."""
        return returned_headers(response, guard, held=self.context.held)

    def spend(self, tokens: int | None) -> None:
        """Record how many tokens were spent; None if that is unknown."""
        if self.caller is not None:
            self.caller.spent = tokens

    async def _error(self, guard: Guard, response: Incoming) -> None:
        """Guard an error of the upstream and send it.

        Its status and headers say whether and when to ask again. So they stay if its body is not
        JSON, like the page of a load balancer: then a message of the proxy takes its place.
        UpstreamError for JSON that cannot be guarded.
        """
        try:
            answer = await read_whole(response, _MAX_ERROR)
        except UpstreamError as error:
            await self._without_body(guard, response, error)
            return
        worker = self.context.worker
        guarded = await worker.text(len(answer), partial(guarded_error, guard, answer))
        if guarded is None:
            why = "the upstream's error is not a JSON object"
            await self._without_body(guard, response, UpstreamError(502, "upstream_invalid", why))
        else:
            await self._whole(guard, response, guarded)

    async def _without_body(self, guard: Guard, response: Incoming, error: UpstreamError) -> None:
        """Send the status and headers of an upstream's error, and why its body is left out."""
        found = self._headers(response, guard)
        headers = [pair for pair in found if pair[0] != b"content-type"]
        self.outcome.failed(error.code, error.reason)
        await self.reply.refuse(response.status, error.code, error.message, headers)

    async def _other(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard the answer of an unknown path, by its content."""
        fails = response.status >= 400
        if fails:
            self.spend(0)
        if self.method == "HEAD" or response.status in _BODILESS:
            await self._nothing(guard, response)
        elif not fails and response.status >= 300:
            raise unguarded("the upstream redirects the request")
        elif not fails and is_media(media):
            response, is_text = await begun_as_text(response)
            if is_text:
                await self._begun(guard, response, UNSPECIFIED)
            else:
                await self.unread(response, guard)
        elif fails:
            await self._answer(guard, response, media)
        else:
            await self._begun(guard, response, media)

    async def _of_model(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard a model's answer; if its type is not specific, its beginning decides, and so for
        JSON: some upstreams declare their events as that."""
        declared = "text/plain" if kind_of(media) == "json" else media
        unsure = kind_of(declared) in ("unspecified", "text") and not self._streams(media)
        if self.match.endpoint.answer == "model" and unsure:
            response, found = await self._beginning(guard, response, declared)
            media = _JSON if found == WHOLE else media if found == declared else found
        if self._streams(media):
            await self._stream(guard, response, media)
        else:
            await self._answer(guard, response, media)

    async def _beginning(
        self, guard: Guard, response: Incoming, media: str
    ) -> tuple[Incoming, str]:
        """Return an answer, and the media type that its beginning shows."""
        try:
            with anyio.fail_after(guard.options(guard.policy, {}).deadlines.first_token):
                return await sniffed(response, media)
        except TimeoutError:
            raise deadline_error() from None

    async def _begun(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard an answer by its beginning and its declared type."""
        found = media
        if may_be_another(media):
            response, found = await self._beginning(guard, response, media)
        if is_stream(found, gated=bool(guard.gates)):
            await self._stream(guard, response, found)
        else:
            await self._answer(guard, response, media)

    def _is_text_of_an_application(self, media: str) -> bool:
        """Return whether an answer is a text at a path whose API sends none. It is another
        server's, and is guarded like an answer of an unknown path, if the proxy guards those."""
        other = self.context.settings.other == "guard"
        return other and self.match.endpoint.streams_lines and kind_of(media) == "text"

    def _streams(self, media: str) -> bool:
        """Return whether an answer is streamed; Gemini's in JSON is recognised by its path
        alone."""
        return kind_of(media) in WITH_ERRORS or is_listed(self.match.endpoint.path, media)

    async def _answer(self, guard: Guard, response: Incoming, media: str) -> None:
        """Guard a whole answer and send it."""
        with self.context.holdings.one() as holding:
            await self._answer_held(guard, response, media, holding)

    async def _answer_held(
        self, guard: Guard, response: Incoming, media: str, holding: Holding
    ) -> None:
        endpoint = self.match.endpoint
        fails = response.status >= 400
        most = _MAX_ERROR if fails else self.context.settings.max_answer
        try:
            with anyio.fail_after(guard.options(guard.policy, {}).deadlines.total):
                answer = await read_whole(response, most, holding)
        except TimeoutError:
            raise deadline_error() from None
        try:
            body, result, is_read = await self._guarded(guard, media, answer)
        except UpstreamError as error:
            if guard.on_block != "error" or error.code != BLOCKED_CODE:
                raise
            await self._refuse(guard, error.rule)
            return
        if not is_read:
            self.reply.label = self.outcome.policy = None
        if result is not None:
            self.outcome.finish, self.outcome.blocked_by = result.finish, result.blocked_by
        if self.caller is not None and not fails:
            weight = self.info.weight
            count = partial(budgets.of_answer, endpoint, weight, body, result)
            spent = await self.context.worker.text(len(body), count)
            self.spend(spent)
            body = await self._remember_objects(body)
        rule = result.blocked_by if result is not None else None
        if guard.on_block == "error" and rule is not None:
            await self._refuse(guard, rule)
        else:
            await self._whole(guard, response, body)

    async def _refuse(self, guard: Guard, rule: str | None) -> None:
        """Send an error instead of a whole answer that was blocked, which is not to be retried."""
        self.outcome.finish, self.outcome.blocked_by = "content_filter", rule
        message = blocked_message(rule, guard.policy.block_message)
        await self.reply.refuse(BLOCKED, BLOCKED_CODE, message)

    async def _guarded(self, guard: Guard, media: str, answer: bytes) -> Guarded:
        """Guard a whole answer of the endpoint."""
        beside = partial(self.context.worker.text, len(answer))
        endpoint, attributes = self.match.endpoint, self.attributes
        if endpoint.answer == "unknown":
            rules = partial(other_answers.guarded, guard, media, answer, attributes)
            return await other_answers.judged(guard, rules, beside)
        if guard.gates:
            return await judged_answer(guard, endpoint, media, answer, attributes, beside)
        return await beside(partial(guarded_answer, guard, endpoint, media, answer, attributes))

    async def _remember_objects(self, body: bytes) -> bytes:
        """Remember the objects in an answer; of a list, return only the caller's."""
        endpoint, caller = self.match.endpoint, self.caller
        assert caller is not None
        if endpoint.lists_objects:
            return await caller.listed(body)
        names_objects = endpoint.creates_object or endpoint.has_object_id
        if names_objects and endpoint.answer in ("model", "data"):
            ids = await self.context.worker.text(len(body), partial(objects.created_ids_in, body))
            await caller.keep(ids, self.upstream, self.info.weight.batch)
        return body

    async def _whole(self, guard: Guard, response: Incoming, answer: bytes) -> None:
        await self.reply.whole(response.status, self._headers(response, guard), answer)

    async def _nothing(self, guard: Guard, response: Incoming) -> None:
        """Send an answer without a body."""
        await self.reply.start(response.status, self._headers(response, guard))
        await self.reply.send(b"", more=False)

    async def _stream(self, guard: Guard, response: Incoming, media: str) -> None:
        self.reply.kind = kind_of(media)
        events = self.reply.kind == "events"
        endpoint = self.match.endpoint
        format = endpoint.events if events else endpoint.format or None
        guard, restoring = self._without_restoring(guard) if events else (guard, None)
        source = SourceIdDetector()
        try:
            stream = guard.wrap(
                response
                if self.context.settings.replay is None
                else IdDetectingAnswer(response, source),
                format=format,
                # At a path of a model, servers declare other types than they send.
                framing=None if endpoint.format else framing_of(media),
                keep_text=False,
                attributes=self.attributes,
            )
        except GuardstreamError as error:
            raise UpstreamError(502, "unguarded_answer", guarded_message(guard, error)) from error
        headers = self._headers(response, guard)
        await self.reply.start(response.status, streaming(headers) if events else headers)
        # Closed last: in gated streams, a task may be in the middle of an event until they end.
        with closing(LongEvents(self.context.worker)) as long_events:
            inside = _inside_gates(stream)
            if inside is not None:
                inside.run_step = long_events
            await self._relay(guard, stream, source, restoring)

    async def _relay(
        self, guard: Guard, stream: Any, source: SourceIdDetector, restoring: Restoring | None
    ) -> None:
        """Send the frames of a guarded stream to the client, and conclude."""
        inside, finder = _inside_gates(stream), self._object_finder()
        async with self.reply.kept(source, restoring), self.reply.beating(), stream:
            try:
                async for frame in stream:
                    body = b"".join([frame, *_ready(stream)])
                    if finder is not None and self.caller is not None:
                        await self.caller.keep(finder.feed(body), self.upstream)
                    await self.reply.send(body)
                    if len(body) > LONG_EVENT and inside is not None:
                        inside.state.forget()
                    del frame, body  # a long one would be kept until the next arrives
            except UpstreamError as error:
                self.outcome.failed(error.code, error.reason)
                self.reply.stream(_format(stream))
                await self.reply.fail(error.status, error.code, error.message)
            except GuardstreamError as error:
                self.outcome.guard_failed("guard_failed", error)
                self.reply.stream(_format(stream))
                await self.reply.fail(502, "guard_failed", guarded_message(guard, error))
            finally:
                usage, characters = stream.result.usage, stream.stats.characters_in
                self.spend(budgets.of_stream(self.info.weight, usage, characters))
            refused = is_refused(stream.finish, stream.blocked_by)
            fails = guard.on_block == "error" and refused
            if not fails:  # otherwise the stream has said so
                await self._conclude(stream.finish, _format(stream), is_refused=refused)
            self.outcome.finish, self.outcome.blocked_by = stream.finish, stream.blocked_by
        if not self._breaks_off(blocked=fails, format=_format(stream)):
            await self.reply.send(b"", more=False)

    def _breaks_off(self, *, blocked: bool, format: str | None) -> bool:
        """Return whether to cut off a stream, because only that tells its client of the failure.
        With `blocked`, a rule has blocked it, and an error in the format of `format` ends it."""
        if blocked and self.outcome.error is None:
            return self.reply.kind == "text" or not errors_of(format).raised
        reports = self.match.endpoint.format or self.reply.kind in WITH_ERRORS
        return self.outcome.error is not None and not reports

    async def _conclude(
        self, finish: FinishReason | None, format: str | None, *, is_refused: bool
    ) -> None:
        """Report that the guard ended a stream, unless the stream's format, `format`, has done
        so."""
        if self.outcome.error is not None:  # already reported
            return
        # Before the first chunk, and in unknown formats, nothing in the stream has reported it.
        unreported = not self.reply.begun or format in _WITHOUT_END
        if is_refused and unreported and self.reply.kind in WITH_ERRORS:
            await self.reply.fail(502, "content_filter", "the policy blocked the answer")
        if finish == "timeout":
            self.reply.stream(format)
            await self.reply.fail(504, "deadline", TOO_LONG)

    def _object_finder(self) -> objects.ObjectFinder | None:
        """Return the finder of objects in a stream, if they have to be remembered."""
        endpoint = self.match.endpoint
        if self.caller is None or not (endpoint.creates_object or endpoint.has_object_id):
            return None
        return objects.ObjectFinder(endpoint.format)

    def _without_restoring(self, guard: Guard) -> tuple[Guard, Restoring | None]:
        """Return the guard of a stream, and what restores values after it is stored."""
        if self.context.settings.replay is None or self.reply.label is None or guard.vault is None:
            return guard, None
        restoring = Restoring(guard, guard.vault, self.match.endpoint.events)
        return guard.without_restoring(), restoring


_WITHOUT_END = frozenset({None, "bytes", "text", AnyJSON.name})
"""The names of formats without an end: those of streams whose format is unknown, or not yet
known."""


def _format(stream: Any) -> str | None:
    """Return the name of a guarded stream's format; None while it is unknown."""
    inside = _inside_gates(stream)
    flow = inside.state.flow if inside is not None else None
    return flow.format if flow is not None else None


def _inside_gates(stream: Any) -> GuardedStream[Any] | None:
    """Return the guarded stream that the rules are applied to: its gates are around it."""
    while hasattr(stream, "source"):
        stream = stream.source
    return stream if isinstance(stream, GuardedStream) else None


def _media(response: Incoming) -> str:
    """Return the media type of an answer. UpstreamError for one that cannot be guarded."""
    declared = content_type(response)
    parts = ", ".join(values(response.headers, b"content-range"))
    why = why_unreadable(response.status, declared, parts)
    if why is not None:
        raise unguarded(f"the upstream's answer cannot be guarded, because {why}")
    return media_of(declared)


def _ready(stream: object) -> Sequence[bytes]:
    """Return the frames that came with the last one, which are sent together with it."""
    return stream.ready() if isinstance(stream, GuardedStream) else ()
