"""A provider on this machine: it replays the recordings beside it to the official clients.

Put your provider's address where `provider()` is used, and everything else stays.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"

PATHS = {
    "/v1/chat/completions": "openai_chat.sse",
    "/v1/responses": "openai_responses.sse",
    "/v1/messages": "anthropic.sse",
    "/api/chat": "ollama.ndjson",
    "/v1/models/gemini:streamGenerateContent": "gemini.sse",
}


async def replay(request: Request) -> Response:
    """Answer with the recording for this path, line by line."""
    recording = RECORDINGS / PATHS[request.url.path]
    whole = recording.with_suffix(".json")
    if whole.exists() and not (await request.json()).get("stream"):
        return Response(whole.read_bytes(), media_type="application/json")

    async def lines() -> AsyncIterator[bytes]:
        with recording.open("rb") as file:
            for line in file:
                yield line

    kind = "application/x-ndjson" if recording.suffix == ".ndjson" else "text/event-stream"
    return StreamingResponse(lines(), media_type=kind)


@contextmanager
def provider() -> Iterator[str]:
    """Serve the recordings; the address."""
    with serving(
        Starlette(routes=[Route(path, replay, methods=["POST"]) for path in PATHS])
    ) as url:
        yield url


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an application in a thread of its own; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
