"""A Django project of three views."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.handlers.asgi import ASGIHandler  # type: ignore[import-untyped]
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

EVENTS = [b"data: a sec\n\n", b"data: ret b\n\n"]


async def stream() -> AsyncIterator[bytes]:
    for event in EVENTS:
        yield event


async def asynchronous(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(stream(), content_type="text/event-stream")


def synchronous(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(stream(), content_type="text/event-stream")


async def plain(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"a": "secret"})


urlpatterns = [path("async", asynchronous), path("sync", synchronous), path("json", plain)]


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
