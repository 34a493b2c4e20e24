"""The playground's server: the page, and the requests that it passes to workers."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from guardstream.errors import GuardstreamError
from guardstream.play import chunkings
from guardstream.play.access import Access, TooLargeError
from guardstream.play.examples import Example, started_from
from guardstream.play.sandbox import SILENCE, StoppedError, Workers
from guardstream.play.upstream import Upstream
from guardstream.policy import packs, schema, validators

STATIC = Path(__file__).parent / "static"

_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

MAX_POLICY = 200_000
MAX_TEXT = 200_000
"""The maximum length of a text, in characters."""


@dataclass(frozen=True, slots=True)
class Playground:
    """The content that a playground starts with: a policy's text, examples, and a model if there is
    one."""

    policy: str
    examples: list[Example] = field(default_factory=list)
    upstream: Upstream | None = None
    silence: float = SILENCE
    """Seconds for which a policy's process may send nothing before it is ended."""


class _Asked(BaseModel):
    """A request of the page. Every request has a policy; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    policy: str = Field(max_length=MAX_POLICY)


class _Stream(_Asked):
    text: str | None = Field(default=None, max_length=MAX_TEXT)
    recording: str | None = Field(default=None, max_length=MAX_TEXT)
    size: int = Field(ge=0, le=10_000)
    mode: Literal["enforce", "shadow"] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> _Stream:
        if (self.text is None) == (self.recording is None):
            raise PydanticCustomError("source", "give a text or a recording")
        return self


class _Chunkings(_Asked):
    text: str = Field(max_length=chunkings.LONGEST)
    begin: int = Field(ge=0)


class _Save(_Asked):
    rule: str = Field(max_length=100)
    text: str = Field(max_length=MAX_TEXT)
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class _Live(_Asked):
    prompt: str = Field(min_length=1, max_length=20_000)


def application(playground: Playground, token: str) -> ASGIApp:
    """Return the ASGI application; it answers only requests with the token."""
    server = _Server(playground)
    jobs: dict[str, type[_Asked]] = {
        "lint": _Asked,
        "chunkings": _Chunkings,
        "save": _Save,
        "timeline": _Stream,
    }
    routes = [
        Route("/", _page),
        Route("/api/setup", server.setup),
        *(Route(f"/api/{n}", server.job(n, model), methods=["POST"]) for n, model in jobs.items()),
        Route("/api/stream", server.stream, methods=["POST"]),
        Route("/api/live", server.live, methods=["POST"]),
        Route("/{name}", _file),
    ]
    handlers: Mapping[Any, Callable[[Request, Exception], Response]] = {
        ValidationError: _not_valid,
        TooLargeError: _too_large,
        StoppedError: _stopped,
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=server.lifespan)
    return Access(app, token)


async def _page(request: Request) -> Response:
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    return Response(text.replace("{nonce}", request.state.nonce), media_type="text/html")


async def _file(request: Request) -> Response:
    path = STATIC / request.path_params["name"]
    if path.suffix not in _TYPES or path.parent != STATIC or not path.is_file():
        return Response("there is no such file\n", HTTPStatus.NOT_FOUND)
    return FileResponse(path, media_type=_TYPES[path.suffix])


def _not_valid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "the request"
    return _said(f"{place}: {first['msg']}", HTTPStatus.UNPROCESSABLE_ENTITY)


def _too_large(_request: Request, _error: Exception) -> Response:
    return _said("the request is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _stopped(_request: Request, error: Exception) -> Response:
    return _said(str(error), HTTPStatus.SERVICE_UNAVAILABLE)


def _said(message: str, status: HTTPStatus) -> Response:
    return JSONResponse({"type": "error", "message": message}, status)


class _Server:
    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._workers = Workers(playground.silence)

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """End the workers with the server."""
        try:
            yield
        finally:
            await self._workers.aclose()

    async def setup(self, _request: Request) -> Response:
        """Return what the page needs at its start."""
        upstream = self._playground.upstream
        return JSONResponse(
            {
                "policy": self._playground.policy,
                "examples": [asdict(example) for example in self._playground.examples],
                "packs": [{"name": name, "policy": started_from(name)} for name in packs.names()],
                "validators": list(validators.names()),
                "schema": schema.schema(),
                "model": upstream.model if upstream else None,
                "longest": chunkings.LONGEST,
            }
        )

    def job(self, name: str, model: type[_Asked]) -> Callable[[Request], Any]:
        """Return an endpoint that answers with the single event of a job."""

        async def answer(request: Request) -> Response:
            asked = model.model_validate_json(await request.body())
            done = await self._workers.ask({"do": name, **asked.model_dump(exclude_none=True)})
            bad = done["type"] == "error"
            return JSONResponse(done, HTTPStatus.UNPROCESSABLE_ENTITY if bad else HTTPStatus.OK)

        return answer

    async def stream(self, request: Request) -> Response:
        """Play a text or a recording; the answer is NDJSON, one event on each line."""
        asked = _Stream.model_validate_json(await request.body())
        said = {"do": "stream", **asked.model_dump(exclude_none=True)}
        return _streaming(self._played(said))

    async def live(self, request: Request) -> Response:
        """Play the model's answer, in the same form as `stream`."""
        asked = _Live.model_validate_json(await request.body())
        if self._playground.upstream is None:
            said = "there is no model: start with --upstream URL --model NAME"
            return _said(said, HTTPStatus.NOT_FOUND)
        return _streaming(self._lived(self._playground.upstream, asked))

    async def _played(self, said: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        async with self._workers.one() as worker, aclosing(worker.turn(said)) as blocks:
            async for block in blocks:
                yield block

    async def _lived(self, upstream: Upstream, asked: _Live) -> AsyncGenerator[bytes, None]:
        began = monotonic()
        async with self._workers.one() as worker:
            first = b"".join([b async for b in worker.turn({"do": "live", "policy": asked.policy})])
            yield first
            if _over(first):
                return
            async with aclosing(upstream.answer(asked.prompt)) as chunks:
                async for chunk in chunks:
                    t = round(monotonic() - began, 4)
                    step = b"".join([b async for b in worker.turn({"t": t, "chunk": chunk})])
                    yield step
                    if _over(step):
                        return
            async for block in worker.turn({"end": math.ceil(monotonic() - began)}):
                yield block


def _over(lines: bytes) -> bool:
    """Return whether an answer has ended: by the guard, or with an error."""
    last = json.loads(lines.splitlines()[-1]) if lines else {}
    return last.get("type") in ("end", "error")


def _streaming(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(_to_the_end(events), media_type="application/x-ndjson")


async def _to_the_end(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the events; an error on the way becomes the last event."""
    try:
        async for block in events:
            yield block
    except GuardstreamError as error:
        kind = "stopped" if isinstance(error, StoppedError) else "error"
        yield json.dumps({"type": kind, "message": str(error)}).encode() + b"\n"
