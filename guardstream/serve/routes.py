"""Routes of the middleware, and the kinds of bodies that can be guarded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, TypedDict, get_args
from urllib.parse import quote

from starlette.routing import compile_path
from starlette.types import Scope

from guardstream.amounts import check_count, check_seconds
from guardstream.formats.adapter import Unknown
from guardstream.formats.toolkit.unknown import check_unknown
from guardstream.framing.frames.frame import Media
from guardstream.guard import Guard, check_guard
from guardstream.hints import check_known
from guardstream.http.media import kind_of
from guardstream.http.media import media_of as named_media
from guardstream.policy import Policy
from guardstream.policy.serving import MAX_ANSWER
from guardstream.stream.on_block import OnBlock

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""In ASGI's form: names in lower case."""

POLICY_HEADER = b"guardstream-policy"
"""Names the policy, and its version, that guarded a response."""

_OF_THE_BODY = {b"content-length", b"etag", b"content-md5", b"digest", b"content-digest"}
_OF_THE_BODY |= {b"repr-digest", b"accept-ranges", b"content-encoding", POLICY_HEADER}
"""Headers about bytes that may change."""

_NO_LONGER = {b"accept-ranges", POLICY_HEADER}
"""Those that do not hold even for unchanged bytes, because ranges could not be guarded."""


Binary: TypeAlias = Literal["guard", "refuse", "pass"]

Others: TypeAlias = Literal["guard", "refuse", "pass"]

WebSocketMode: TypeAlias = Literal["text", "json", "message"]


class Settings(TypedDict, total=False):
    """The settings of a route as keyword arguments; see `Route`."""

    format: str | None
    unknown: Unknown | None
    text_types: tuple[str, ...]
    decompress: bool
    heartbeat: float | None
    websocket: WebSocketMode
    end_mark: str
    binary: Binary
    inbound: Guard | None
    other: Others
    file_types: tuple[str, ...]
    max_answer: int
    on_block: OnBlock | None


@dataclass(frozen=True, slots=True)
class Route:
    """One route and its settings; `guard=None` passes its responses unguarded.

    - `path`: a pattern as in Starlette: `/chat/{id}`, `/api/{rest:path}`.
    - `format`: the wire format of JSON events; by default the first event decides.
    - `unknown`: how to treat unknown fields of a stream; by default as the policy does.
    - `text_types`: media types that are guarded as plain text: as it arrives, unless it has a
      length; `""` is a response without a type. `text/event-stream` is text only where it does not
      begin with an event.
    - `decompress`: decompress gzip and deflate, and send the body uncompressed.
    - `heartbeat`: seconds of silence after which an event stream gets a comment.
    - `other`: how to treat responses that are not known streams, such as JSON and HTML: "guard"
      guards them by their content, "refuse" refuses them, "pass" passes all of them unread. Images,
      audio, video, fonts and known binary files pass with "guard".
    - `max_answer`: the most bytes of a response that is guarded as a whole.
    - `file_types`: further media types of binary files that pass.
    - `websocket`: messages are pieces of one text ("text", which the message `end_mark` ends), JSON
      events ("json"), or each a whole text ("message").
    - `binary`: "guard" binary messages that are text in UTF-8 and refuse others, "refuse" all of
      them, or "pass" them unread.
    - `inbound`: a guard for the clients' messages, each as a whole text.
    - `on_block`: a blocked response ends with a finish reason of its format ("finish"), or with an
      error that clients raise ("error"): a whole one is replaced by an error with the status 400,
      a stream ends with an error, and a text is cut off. By default as the middleware's, then as
      the guard's `on_block`, which is "finish" by default.
    """

    path: str
    guard: Guard | None
    format: str | None = None
    unknown: Unknown | None = None
    text_types: tuple[str, ...] = ("text/plain", "")
    decompress: bool = False
    heartbeat: float | None = None
    websocket: WebSocketMode = "text"
    end_mark: str = "[DONE]"
    binary: Binary = "guard"
    inbound: Guard | None = None
    other: Others = "guard"
    file_types: tuple[str, ...] = ()
    max_answer: int = MAX_ANSWER
    on_block: OnBlock | None = None

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for an invalid setting."""
        if not isinstance(self.path, str) or not self.path.startswith("/"):
            raise ValueError(f"a route's path begins with '/', such as '/chat', not {self.path!r}")
        for guard in (self.guard, self.inbound):
            if guard is not None:
                check_guard(guard, "a route")
        self._check_types()
        check_seconds("heartbeat", self.heartbeat, none="no heartbeats")
        check_count("max_answer", self.max_answer)
        if self.unknown is not None:
            check_unknown(self.unknown)
        chosen = (
            ("websocket", WebSocketMode),
            ("binary", Binary),
            ("other", Others),
            ("on_block", Literal[OnBlock, None]),
        )
        for name, known in chosen:
            check_known(name, getattr(self, name), get_args(known))
        unused = (each.name for each in _SETTINGS if getattr(self, each.name) != each.default)
        if self.guard is None and (name := next(unused, "")):
            raise ValueError(f"a path that is not guarded has no {name!r}: leave it out")

    def _check_types(self) -> None:
        for name in ("text_types", "file_types"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise TypeError(f"{name!r} needs a list, such as ({given!r},), not one text")
        for media in self.text_types:
            if kind_of(media) == "lines":
                raise ValueError(
                    f"'text_types' names {media!r}, which is always guarded as lines of JSON: "
                    "leave it out"
                )

    async def apinned(self) -> Route:
        """Return this route with the current policies, so that a reload does not change them.

        Its guard ends blocked streams as `on_block` says, or else as the guard's own does.
        """
        if self.guard is None:
            return self
        on_block = self.on_block or self.guard.on_block
        guard = (await self.guard.apinned()).with_on_block(on_block)
        inbound = None if self.inbound is None else await self.inbound.apinned()
        return replace(self, guard=guard, inbound=inbound, on_block=on_block)

    @property
    def label(self) -> bytes:
        """The policy as the response header names it: `NAME@FINGERPRINT`."""
        assert self.guard is not None
        return label(self.guard.policy)


_SETTINGS = tuple(each for each in fields(Route) if each.name not in ("path", "guard"))


def route_with(settings: Settings, path: str, guard: Guard | None) -> Route:
    """Return a route; the settings apply only if there is a guard."""
    return Route(path, None) if guard is None else Route(path, guard, **settings)


class Routes:
    """Routes in order: the first match is taken, and `otherwise` if there is none.

    `on_block` is for guarded routes without one.
    """

    def __init__(self, routes: Iterable[Route], otherwise: Route, on_block: OnBlock | None) -> None:
        made = (
            route if route.guard is None else replace(route, on_block=route.on_block or on_block)
            for route in routes
        )
        self._routes = [(compile_path(route.path)[0], route) for route in made]
        self._otherwise = otherwise

    def find(self, scope: Scope) -> Route | None:
        """Return the route of a request; None if nothing guards it."""
        path = _path_within(scope)
        matching = (route for pattern, route in self._routes if pattern.match(path))
        route = next(matching, self._otherwise)
        return route if route.guard is not None else None


def _path_within(scope: Scope) -> str:
    """Return the path below where the application is mounted.

    As in Starlette, `/api/chat` is below the root path `/api`; `/api-2/chat` is not.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    rest = path.removeprefix(root)
    is_below = not rest or rest.startswith("/")
    return (rest if is_below else path) or "/"


def label(policy: Policy) -> bytes:
    """Return a policy's name in a header; non-ASCII characters are percent-encoded."""
    return f"{quote(policy.name or 'policy')}@{policy.fingerprint}".encode()


def media_of(headers: Headers, text_types: Iterable[str]) -> Media | None:
    """Return the media that headers declare; None for a body whose content decides."""
    for media in _named(headers):
        kind = kind_of(media)
        if kind == "events":
            return None if media in text_types else "sse"
        if kind == "lines":
            return "ndjson"
        if media in text_types or ("text/*" in text_types and media.startswith("text/")):
            return "data_stream" if values(headers, b"x-vercel-ai-data-stream") else "text"
    return None


def may_be_events(headers: Headers) -> bool:
    """Return whether headers declare events; a route may say that these are text."""
    return any(kind_of(media) == "events" for media in _named(headers))


def _named(headers: Headers) -> list[str]:
    """Return the media types that headers declare, `""` for none."""
    named = [part for value in values(headers, b"content-type") for part in value.split(",")]
    return [named_media(value) for value in named or [""]]


def values(headers: Headers, name: bytes) -> list[str]:
    """Return all values of a header."""
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def guarded_headers(headers: Headers, policy: bytes, media: Media | None = None) -> Headers:
    """Return the headers of a response whose body of this media is guarded by `policy`."""
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_BODY]
    kept.append((POLICY_HEADER, policy))
    return streaming(kept) if media == "sse" else kept


def whole_headers(headers: Headers, policy: bytes, size: int | None) -> Headers:
    """Return the headers of a response that was guarded whole: those about its bytes stay if these
    did not change; otherwise the length is `size`."""
    if size is None:
        kept = [(name, value) for name, value in headers if name.lower() not in _NO_LONGER]
        return [*kept, (POLICY_HEADER, policy)]
    had_length = any(name.lower() == b"content-length" for name, _ in headers)
    length = [(b"content-length", b"%d" % size)] if had_length else []
    return guarded_headers(headers, policy) + length


def streaming(headers: Headers) -> Headers:
    """Return the headers of an event stream: neither caches nor nginx may buffer it."""
    given = {name.lower() for name, _ in headers}
    return [*headers, *(pair for pair in _STREAMING if pair[0] not in given)]


_STREAMING: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
