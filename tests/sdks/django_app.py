"""A Django project of four views."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio

from tests.support.optional import optional

django = optional("django")
settings = optional("django.conf", "settings")
ASGIHandler = optional("django.core.handlers.asgi", "ASGIHandler")
HttpRequest, JsonResponse, StreamingHttpResponse = optional(
    "django.http", "HttpRequest", "JsonResponse", "StreamingHttpResponse"
)
path = optional("django.urls", "path")

EVENTS = [b"data: a sec\n\n", b"data: ret b\n\n"]


async def stream() -> AsyncIterator[bytes]:
    for event in EVENTS:
        yield event


closed = threading.Event()
"""Set when the source of the view `silent` is closed."""


async def fall_silent(text: str) -> AsyncIterator[bytes]:
    try:
        yield f"data: {text}\n\n".encode()
        await anyio.sleep_forever()
    finally:
        closed.set()


async def silent(_: HttpRequest, text: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(fall_silent(text), content_type="text/event-stream")


async def asynchronous(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(stream(), content_type="text/event-stream")


def synchronous(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(stream(), content_type="text/event-stream")


async def plain(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"a": "secret"})


urlpatterns = [
    path("async", asynchronous),
    path("sync", synchronous),
    path("json", plain),
    path("silent/<str:text>", silent),
]


def application() -> Any:
    """The project as an ASGI application."""
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=__name__,
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="only for tests",
            LOGGING_CONFIG=None,
        )
        django.setup()
    return ASGIHandler()
