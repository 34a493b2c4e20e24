"""A Django project of four views."""

from __future__ import annotations

import threading
from typing import Any

from tests.support.optional import optional

django = optional("django")
settings = optional("django.conf", "settings")
ASGIHandler = optional("django.core.handlers.asgi", "ASGIHandler")


closed = threading.Event()
"""Set when the source of the view `silent` is closed."""


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
