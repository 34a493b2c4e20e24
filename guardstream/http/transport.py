"""Transports for httpx that guard a client's requests and answers.

    client = AsyncOpenAI(http_client=httpx.AsyncClient(transport=GuardTransport(guard)))

The guard is then below the client, so everything that the client builds from a stream (snapshots,
final messages, parsed values) consists of guarded text. It works with every client that accepts an
httpx client, and with successors of httpx that keep its transport interface (httpx2). By default
the first request's package decides which transport opens connections; `transport` sets another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar
from urllib.parse import unquote

from guardstream.errors import AdapterError, BlockedError
from guardstream.forks import kept_across_forks
from guardstream.formats.adapter import Adapter
from guardstream.formats.answers.whole import BODIES
from guardstream.formats.dashscope import DashScope
from guardstream.formats.errors import (
    BLOCKED,
    BLOCKED_CODE,
    NO_RETRY,
    call_in,
    errors_of,
    errors_of_call,
)
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import ONLY_BY_WRAP, Guard, check_guard
from guardstream.hints import check_known
from guardstream.http.body import aguard_body, guard_body, guard_error, in_thread
from guardstream.http.charsets import charset_of, charset_of_json, labelled
from guardstream.http.endpoints import ENDPOINTS, SHARED, provider_of
from guardstream.http.headers import BYTES, CONVERSATION, NOT_UTF8, why_unreadable, withheld
from guardstream.http.httpx_objects import (
    AsyncSource,
    SyncSource,
    async_body,
    class_beside,
    still_encoded,
    sync_body,
    whole_body,
)
from guardstream.http.media import (
    UNSPECIFIED,
    framing_of,
    is_listed,
    is_media,
    is_stream,
    is_text,
    kind_of,
    may_be_another,
    media_of,
)
from guardstream.http.other_answers import guarded, guarded_in
from guardstream.http.request import RefusedError, check_coding, checked_request
from guardstream.http.tools import for_request
from guardstream.stream.arguments import described_kind, known_arguments
from guardstream.stream.flows.choosing import choosing
from guardstream.stream.loops import aclose_source
from guardstream.stream.on_block import ON_BLOCK, OnBlock, blocked_message
from guardstream.vault import Vault, Vaults

__all__ = ["ENDPOINTS", "GuardTransport", "SyncGuardTransport"]

_BODILESS = (204, 304)
_ABOUT_BYTES = ("content-length", "content-encoding", "transfer-encoding")
_PARTS = ("range", "if-range")
"""Headers that ask for a part of an answer, which could not be guarded."""

_ABOUT_ANSWER = ("http_version", "reason_phrase")
"""The extensions of an httpx response that are kept; others would give access to the raw answer."""

_LONG = 64 * 1024
"""A body of more bytes is guarded in a thread, so that it does not block the event loop."""

_Kind: TypeAlias = Literal[
    "stream", "body", "error", "other", "charset", "media", "bodiless", "nothing", "pass"
]
"""How an answer is handled:

- `stream`: guarded while it streams.
- `body`: guarded as a whole answer in a known format.
- `error`: guarded as an error.
- `other`: guarded by its content; `charset`: the same for a text in another charset than UTF-8.
- `media`: it passes if it does not begin as a text, and is guarded as `other` otherwise.
- `bodiless`: it has no body.
- `nothing`: its body is dropped.
- `pass`: passed unread.
"""

T = TypeVar("T")


if TYPE_CHECKING:
    _Base = Any  # clients of httpx and of httpx2 expect different base classes
else:
    _Base = object


class _Guarding(_Base):  # type: ignore[misc]
    """The common part of both transports: which requests and answers are guarded, and how.

    Requests and responses are created with the classes of the incoming ones, which are those of
    httpx or of a package like it.
    """

    _default: ClassVar[str]
    """The name of the class that opens connections, in the package of the requests."""

    _method: ClassVar[str]
    """The method of an inner transport that sends a request."""

    _unapplied: ClassVar[tuple[str, ...]]
    """The sections that this transport cannot apply: it refuses a policy with one of them."""

    @known_arguments
    def __init__(
        self,
        guard: Guard,
        transport: Any = None,
        *,
        format: str | None = None,
        other: Literal["guard", "refuse", "pass"] = "guard",
        vaults: Vaults | None = None,
        on_block: OnBlock | None = None,
    ) -> None:
        check_guard(guard, "a transport")
        if isinstance(transport, type) or not hasattr(transport or self, self._method):
            raise TypeError(
                f"{type(self).__name__}() wraps a transport, such as httpx.{self._default}(), not "
                f"{described_kind(transport)}: give this transport to a client"
            )
        guard.refuse_operations(type(self).__name__, self._unapplied, in_reloads=True)
        if on_block is not None:
            check_known("on_block", on_block, ON_BLOCK)
        check_known("other", other, ("guard", "refuse", "pass"))
        choosing(guard.policy, format, guard.policy.unknown)  # raises for an unknown name
        self._vaults = vaults
        self._guard = guard
        self._transport = transport
        self._making = kept_across_forks(Lock())
        self._format = format
        self._other = other
        self._on_block = on_block or guard.on_block

    def _inner(self, request: Any) -> Any:
        """Return the inner transport; by default that of the request's package."""
        with self._making:
            if self._transport is None:
                self._transport = class_beside(request, self._default)()
            return self._transport

    def _format_of(self, request: Any) -> str | None:
        """Return the adapter of a request's answers; None for an unknown path."""
        return self._format or provider_of(request.url.path, request.content)

    def _adapter_of(self, request: Any, body: bytes, guard: Guard) -> str | Adapter[Any] | None:
        """Return the adapter of the stream that answers a request; None if its first chunk decides.

        A request to DashScope says whether the chunks of its answer are deltas.
        """
        format = self._format_of(request)
        if format in SHARED and self._format is None:
            return None
        if format != "dashscope":
            return format
        parameters = (json_object(body) or {}).get("parameters")
        value = parameters.get("incremental_output") if isinstance(parameters, dict) else None
        incremental = value if isinstance(value, bool) else None
        return DashScope(unknown=guard.policy.unknown, incremental=incremental)

    def _stream_options(
        self, kind: _Kind, media: str, request: Any, body: bytes, guard: Guard
    ) -> dict[str, Any]:
        """Return the arguments of `Guard.wrap` for an answer whose bytes are of type `media`."""
        framing = framing_of(media) if kind == "other" else None
        adapter = None if framing == "text" else self._adapter_of(request, body, guard)
        return {"format": adapter, "framing": framing, "keep_text": False}

    def _exchange_guard(self, pinned: Guard) -> Guard:
        """Return the guard of one exchange; it is pinned, so that a reload does not change it."""
        return pinned.with_on_block(self._on_block)

    def _by_tools(self, sent: Any, guard: Guard) -> Guard:
        """Return the guard of the answer, which validates tool calls by the schemas that were sent.

        AdapterError if the tools cannot be guarded.
        """
        format = self._format_of(sent)
        if format not in BODIES or sent.method != "POST":
            return guard
        with _raised("prompt"):
            return for_request(guard, format, sent.read())

    def _prepared(self, request: Any, body: bytes, guard: Guard) -> Any:
        """Return the request to send.

        BlockedError if a rule forbids it, AdapterError if it cannot be judged.
        """
        headers = request.headers.copy()
        headers["accept-encoding"] = "identity"  # compressed bytes cannot be guarded
        headers.pop(CONVERSATION, None)
        cuts = headers.get("range", BYTES).strip().lower().startswith(BYTES)
        for name in _PARTS if cuts and self._other != "pass" else ():
            headers.pop(name, None)
        format = self._format_of(request)
        url, posts = request.url, request.method == "POST"
        with _raised("prompt"):
            if guard.policy.input is not None and self._other != "pass":
                _check_target(request)
            if format in BODIES and posts:
                check_coding(headers.get_list("content-encoding"))
                body = checked_request(guard, str(format), body)
            elif guard.policy.input is not None and self._other != "pass":
                if self._other == "refuse" and (posts or body):
                    raise AdapterError(
                        f"prompts to {url.path!r} cannot be checked: other='guard' judges what is "
                        "sent there, other='pass' sends it"
                    )
                body, url = _checked(guard, request, body, headers)
        for name in ("content-length", "transfer-encoding"):  # the body was read, and is whole
            headers.pop(name, None)
        return type(request)(
            request.method,
            url,
            headers=headers,
            content=body,
            extensions=request.extensions,
        )

    def _vaults_of(self, guard: Guard) -> Vaults | None:
        if self._vaults is not None or guard.policy.file.vault is None:
            return self._vaults
        return guard.vaults

    def _with_vault(self, request: Any, body: bytes, guard: Guard, vault: Vault | None) -> Any:
        return self._prepared(request, body, guard.with_vault(vault))

    def _kind(self, request: Any, response: Any) -> _Kind:
        """Return how an answer is handled."""
        status, content_type = response.status_code, response.headers.get("content-type", "")
        if status in _BODILESS or request.method == "HEAD":
            return "bodiless"
        media = media_of(content_type)
        why = _why_encoded(response, media)
        why = why or why_unreadable(status, content_type, response.headers.get("content-range", ""))
        other = self._other == "guard" and self._format_of(request) is None
        if why == NOT_UTF8 and other and status < 300 and kind_of(media) in ("text", "json"):
            return "charset"
        if why is not None:
            return self._unread(request, response, why)
        if is_stream(media, gated=True) and not (other and may_be_another(media)):
            return "stream"
        if status >= 300:
            return "error"
        if is_listed(request.url.path, media):
            return "stream"
        if kind_of(media) == "json" and self._format_of(request) in BODIES:
            return "body"
        if self._other == "guard":
            return "media" if is_media(media) else "other"
        return self._unread(request, response, "its type cannot be guarded")

    def _unread(self, request: Any, response: Any, why: str) -> _Kind:
        """Return how an unreadable answer is handled. The body of an error is dropped, because its
        status is enough."""
        if self._other == "pass":
            return "pass"
        if response.status_code >= 300:
            return "nothing"
        hint = "" if self._other == "guard" else "other='guard' guards JSON and texts, "
        raise AdapterError(
            f"the answer of {request.url.path!r} is not guarded, as {why}: {hint}"
            "other='pass' lets it through"
        )

    def _passed(self, guard: Guard, response: Any) -> Any:
        """Return an answer that passes unread, without the headers that a rule matches."""
        if self._other == "guard":
            for name in withheld(guard.with_rules_only(), response.headers.multi_items()):
                response.headers.pop(name, None)
        return response

    @property
    def _raises(self) -> bool:
        """Whether a blocked answer is an error."""
        return self._on_block == "error"

    def _blocked(self, guard: Guard, request: Any, response: Any, error: BlockedError) -> Any:
        """Return the error in place of a whole answer that a rule has blocked.

        BlockedError unless `on_block` is "error", or the request is a call of JSON-RPC: its client
        would close the session, with all other calls.
        """
        call = call_in(request.content)
        if call is None and not self._raises:
            raise error
        message = blocked_message(error.rule, guard.policy.block_message)
        errors = errors_of(self._format_of(request)) if call is None else errors_of_call(call)
        content = json_bytes(errors.said(BLOCKED, BLOCKED_CODE, message))
        answer = _whole_answer(guard, response, content, status=BLOCKED)
        answer.headers["content-type"] = "application/json"
        answer.headers[NO_RETRY[0]] = NO_RETRY[1]
        return answer

    def _parsed(self, request: Any, body: bytes) -> tuple[str, dict[str, Any] | None]:
        """Return the format of a whole answer and its JSON; None if it is not a JSON object.

        AdapterError if such an answer is refused.
        """
        value = json_object(body)
        if value is None and self._other == "refuse":
            raise AdapterError(f"the answer of {request.url.path!r} is not a JSON object")
        return str(self._format_of(request)), value


class GuardTransport(_Guarding):
    """Guards an httpx client: `httpx.AsyncClient(transport=GuardTransport(guard))`.

    - `guard`: guards answers and, with the policy's `input`, prompts.
    - `transport`: sends the requests; by default the transport of the client's package.
    - `format`: the adapter for all answers; by default the path or the first chunk decides.
    - `other`: how to treat requests and answers in no known format. "guard" guards them by their
      content: text of a request counts as the user's, JSON and texts of an answer as the model's,
      while images, audio, video and binary files pass. "refuse" refuses them, "pass" passes them
      unguarded.
    - `vaults`: makes masks reversible, like the policy's `vault`. A request's header
      `guardstream-conversation`, which is not forwarded, names its conversation; without it the
      vault is only for that request.
    - `on_block`: how a blocked answer ends; by default as the guard's `on_block` says, which is
      "finish" by default. "finish" ends it with a finish reason of its format, such as
      `content_filter`. "error" ends it with an error of its API, which the client raises, so that
      nothing is done with the rest: a whole answer becomes an error with the status 400, and is not
      asked for again; a stream ends with an error, and after that, for clients that do not raise it
      and for text, which has none, iterating the body raises BlockedError.

    The provider's errors keep their status and are guarded, as events, JSON or text; any other
    body of an error is dropped. Headers that a rule matches are removed.

    A request raises the inner transport's exceptions; BlockedError for a prompt that the policy's
    `input` forbids; AdapterError for a request or an answer that is refused or cannot be read;
    StageError if a stage fails; PolicyError if a section of the policy cannot be applied to an
    answer, such as `concurrency` to a whole one.

    Raises PolicyError for a policy with `retry`. A changed policy that has it is not loaded; the
    last valid one stays.
    """

    _default = "AsyncHTTPTransport"
    _method = "handle_async_request"
    _unapplied = ("retry",)

    def handle_request(self, request: Any) -> Any:  # noqa: ARG002 - as httpx calls it
        """Refuse the request of a synchronous client."""
        raise TypeError("a synchronous client needs SyncGuardTransport, not GuardTransport")

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request; return its answer, guarded."""
        body = await request.aread()
        guard = self._exchange_guard(await self._guard.apinned())
        guard, sent = await self._masked(request, body, guard)
        guard = await _beside(body, partial(self._by_tools, sent, guard))
        response = await self._inner(sent).handle_async_request(sent)
        try:
            return await self._guarded(guard, request, body, response)
        except BlockedError as error:
            await aclose_source(response)
            return self._blocked(guard, request, response, error)
        except BaseException:
            await aclose_source(response)
            raise

    async def _guarded(self, guard: Guard, request: Any, body: bytes, response: Any) -> Any:
        """Return an answer, guarded. Raises BlockedError if none of a whole one may go out."""
        kind = self._kind(request, response)
        if kind == "pass":
            return self._passed(guard, response)
        source, media = AsyncSource(response), _media(response)
        if kind == "media" and await source.begins_as_text():
            kind, media = "other", UNSPECIFIED
        may_differ = kind == "other" and may_be_another(media)
        detected = await source.begin(media) if may_differ else media
        if kind == "media":
            made = async_body(response, source, raises=False)
            return _answer(guard, response, made, bodiless=_is_as_sent(response))
        if kind == "stream" or (kind == "other" and _is_long(guard, detected, response)):
            options = self._stream_options(kind, detected, request, body, guard)
            stream = guard.wrap(source, **options)
            made = async_body(response, stream, raises=self._raises)
            return _answer(guard, response, made)
        body = b"" if kind in ("bodiless", "nothing") else await source.read()
        format, value = "", None
        if kind == "body":
            format, value = await _beside(body, partial(self._parsed, request, body))
        if value is not None:
            changed, _ = await aguard_body(
                guard, format, value, keep_text=False, raise_on_block=self._raises
            )
            if changed is not value:
                body = await _beside(body, partial(json_bytes, changed, len(body)))
        elif kind in ("body", "other", "charset"):
            body = await in_thread(partial(_other_body, guard, response, body))
        elif kind == "error":
            body = await _beside(body, partial(_error, guard, media, body))
        whole = _whole_answer(guard, response, body, bodiless=kind == "bodiless")
        await response.aclose()
        return whole

    async def _masked(self, request: Any, body: bytes, guard: Guard) -> tuple[Guard, Any]:
        """Return the guard of the exchange, with its vault, and the request that is sent."""
        vaults = self._vaults_of(guard)
        if vaults is None:
            return guard, await _beside(body, partial(self._prepared, request, body, guard))
        mask = partial(self._with_vault, request, body, guard)
        vault, sent = await vaults.amasked(mask, request.headers.get(CONVERSATION) or None)
        return guard.with_vault(vault), sent

    async def aclose(self) -> None:
        """Close the transport behind this one."""
        if self._transport is not None:
            await self._transport.aclose()

    async def __aenter__(self) -> GuardTransport:
        if self._transport is not None:
            await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._transport is not None:
            await self._transport.__aexit__(kind, error, traceback)


class SyncGuardTransport(_Guarding):
    """The transport for synchronous clients, with the arguments of `GuardTransport`.

    Raises PolicyError for a policy with `gate`, `retry` or `concurrency`, which need an event loop.
    A changed policy that has one of these is not loaded.
    """

    _default = "HTTPTransport"
    _method = "handle_request"
    _unapplied = ONLY_BY_WRAP

    async def handle_async_request(self, request: Any) -> Any:  # noqa: ARG002 - as httpx calls it
        """Refuse the request of an asynchronous client."""
        raise TypeError("an asynchronous client needs GuardTransport, not SyncGuardTransport")

    def handle_request(self, request: Any) -> Any:
        """Send a request; return its answer, guarded."""
        body = request.read()
        guard = self._exchange_guard(self._guard.pinned())
        guard, sent = self._masked(request, body, guard)
        guard = self._by_tools(sent, guard)
        response = self._inner(sent).handle_request(sent)
        try:
            return self._guarded(guard, request, body, response)
        except BlockedError as error:
            response.close()
            return self._blocked(guard, request, response, error)
        except BaseException:
            response.close()
            raise

    def _guarded(self, guard: Guard, request: Any, body: bytes, response: Any) -> Any:
        """Return an answer, guarded. Raises BlockedError if none of a whole one may go out."""
        kind = self._kind(request, response)
        if kind == "pass":
            return self._passed(guard, response)
        source, media = SyncSource(response), _media(response)
        if kind == "media" and source.begins_as_text():
            kind, media = "other", UNSPECIFIED
        may_differ = kind == "other" and may_be_another(media)
        detected = source.begin(media) if may_differ else media
        if kind == "media":
            made = sync_body(response, source, raises=False)
            return _answer(guard, response, made, bodiless=_is_as_sent(response))
        if kind == "stream" or (kind == "other" and _is_long(guard, detected, response)):
            options = self._stream_options(kind, detected, request, body, guard)
            stream = guard.wrap_sync(source, **options)
            made = sync_body(response, stream, raises=self._raises)
            return _answer(guard, response, made)
        body = b"" if kind in ("bodiless", "nothing") else source.read()
        format, value = self._parsed(request, body) if kind == "body" else ("", None)
        if value is not None:
            changed, _ = guard_body(
                guard, format, value, keep_text=False, raise_on_block=self._raises
            )
            body = body if changed is value else json_bytes(changed, len(body))
        elif kind in ("body", "other", "charset"):
            body = _other_body(guard, response, body)
        elif kind == "error":
            body = _error(guard, media, body)
        whole = _whole_answer(guard, response, body, bodiless=kind == "bodiless")
        response.close()
        return whole

    def _masked(self, request: Any, body: bytes, guard: Guard) -> tuple[Guard, Any]:
        """Return the guard of the exchange, with its vault, and the request that is sent."""
        vaults = self._vaults_of(guard)
        if vaults is None:
            return guard, self._prepared(request, body, guard)
        mask = partial(self._with_vault, request, body, guard)
        vault, sent = vaults.masked(mask, request.headers.get(CONVERSATION) or None)
        return guard.with_vault(vault), sent

    def close(self) -> None:
        """Close the transport behind this one."""
        if self._transport is not None:
            self._transport.close()

    def __enter__(self) -> SyncGuardTransport:
        if self._transport is not None:
            self._transport.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._transport is not None:
            self._transport.__exit__(kind, error, traceback)


async def _beside(body: bytes, work: Callable[[], T]) -> T:
    """Do work on a body; in a thread if it is long, so that the event loop is not blocked."""
    return await in_thread(work) if len(body) > _LONG else work()


@contextmanager
def _raised(what: str) -> Iterator[None]:
    """Raise a refusal of a prompt or an answer as an error of the package."""
    try:
        yield
    except RefusedError as error:
        if error.code == "content_filter":
            raise BlockedError(error.rule or error.code, what) from error
        raise AdapterError(error.message) from error


def _check_target(request: Any) -> None:
    """Refuse a request whose target is not its URL: it would not be judged."""
    if "target" in request.extensions:
        raise AdapterError(
            "a request with the extension 'target' is not judged: put the target in the URL, "
            "or send it with other='pass'"
        )


def _checked(guard: Guard, request: Any, body: bytes, headers: Any) -> tuple[bytes, Any]:
    """Return the body and the URL to send for a request in no known format; set its content type.

    RefusedError if a rule forbids it, or if it cannot be judged.
    """
    from guardstream.http.other_requests import checked, finds_in

    check_coding(headers.get_list("content-encoding"))
    url, query = request.url, request.url.query.decode("ascii")
    try:
        path = unquote(url.raw_path.partition(b"?")[0].decode("ascii"), errors="strict")
    except UnicodeDecodeError as error:
        raise RefusedError(400, "invalid_request", "the path is not in UTF-8") from error
    finds_in(guard, path)
    sent = checked(guard, headers.pop("content-type", ""), query, body)
    if sent.kind is not None:
        headers["content-type"] = sent.kind.decode("ascii")
    asked = query if sent.query is None else sent.query
    return sent.body, url if asked == query else url.copy_with(query=asked.encode("ascii"))


def _media(response: Any) -> str:
    return media_of(response.headers.get("content-type", ""))


def _charset(response: Any) -> str | None:
    """Return the charset of an answer, None for UTF-8. AdapterError for an unknown one."""
    content_type = response.headers.get("content-type", "")
    try:
        return charset_of(content_type)
    except (LookupError, ValueError):
        raise AdapterError(
            f"an answer of the type {content_type!r} is in no known charset"
        ) from None


def _why_encoded(response: Any, media: str) -> str | None:
    """Return why an answer cannot be read if its client does not undo its content coding."""
    codings = "" if is_media(media) else still_encoded(response)
    return f"its client does not undo its content-encoding {codings!r}" if codings else None


def _is_as_sent(response: Any) -> bool:
    """Return whether what a client reads of an answer are the bytes that were sent."""
    return not response.headers.get("content-encoding") or bool(still_encoded(response))


def _is_long(guard: Guard, media: str, response: Any) -> bool:
    """Return whether an answer is guarded while it streams; a short text with a length is not."""
    length = response.headers.get("content-length", "")
    is_short = is_text(media) and length.isdecimal() and int(length) <= _LONG
    return is_stream(media, gated=bool(guard.gates)) and not is_short


def _other_body(guard: Guard, response: Any, body: bytes) -> bytes:
    """Return the body of an answer in no known format, guarded by its content.

    BlockedError if a rule blocks it, AdapterError if it cannot be guarded.
    """
    guard.refuse_operations("guarding an answer in no known format")
    media = _media(response)
    media = UNSPECIFIED if is_media(media) else media
    with _raised("answer"):
        charset = _charset(response)
        if kind_of(media) == "json":
            charset = charset_of_json(body, charset)
        if charset is not None:
            return guarded_in(charset, guard, media, body, {}).body
        return guarded(guard, media, body, {}, files=True).body


def _whole_answer(
    guard: Guard,
    response: Any,
    body: bytes,
    *,
    bodiless: bool = False,
    status: int | None = None,
) -> Any:
    """Return the response with a whole body, which its client reads like any other."""
    made = whole_body(response, body)
    answer = _answer(guard, response, made, bodiless=bodiless, status=status)
    if body and kind_of(_media(answer)) == "json":
        charset = charset_of_json(body, _charset(answer))
        answer.headers["content-type"] = labelled(answer.headers["content-type"], charset)
    if not bodiless:
        answer.headers["content-length"] = str(len(body))
    return answer


def _answer(
    guard: Guard, response: Any, body: Any, *, bodiless: bool = False, status: int | None = None
) -> Any:
    """Return the response with another body, and without headers that a rule matches."""
    headers, rules = response.headers.copy(), guard.with_rules_only()
    extensions = {
        name: response.extensions[name] for name in _ABOUT_ANSWER if name in response.extensions
    }
    if status is not None or withheld(rules, [("reason", response.reason_phrase)]):
        extensions.pop("reason_phrase", None)
    about_bytes = () if bodiless else _ABOUT_BYTES
    for name in (*about_bytes, *withheld(rules, headers.multi_items())):
        headers.pop(name, None)
    return type(response)(
        status or response.status_code, headers=headers, extensions=extensions, stream=body
    )


def _error(guard: Guard, media: str, body: bytes) -> bytes:
    """Return an error, guarded by its content; empty if it cannot be, as its status is enough."""
    rules = guard.with_rules_only().with_on_block("finish")  # it is an error anyway
    try:
        value = json_object(body) if kind_of(media) == "json" else None
        if value is None:
            return guarded(rules, media, body, {}).body
        changed = guard_error(rules, value)
        return body if changed is value else json_bytes(changed)
    except (AdapterError, RefusedError):
        return b""
