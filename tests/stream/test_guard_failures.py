"""A failure of the guard ends a stream closed, as `error`, under each driver: it is no block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.errors import AdapterError, StageError
from guardstream.http import WireGuard
from guardstream.policy import validators
from tests.providers.chunks import call, chunk
from tests.stream.holding import sse


class Broken:
    """A stage that fails at a word."""

    held = 0

    def feed(self, text: str) -> list[Any]:
        raise RuntimeError("broken")

    def finish(self) -> list[Any]:
        return []


def with_stage() -> Guard:
    return Guard(Policy.parse("version: 1"), stages=[Broken])
