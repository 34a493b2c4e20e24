"""Streams in the standard log: fields beside a short message, and never text."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from guardstream.observability import LogObserver
from tests.support.sources import gen
from tests.support.watching import watched


def logged(caplog: pytest.LogCaptureFixture, chunks: list[str], **options: Any) -> Any:
    """The record of a stream's end."""
    caplog.set_level(logging.DEBUG)
    watched(LogObserver(**options)).wrap_sync(gen(chunks)).text()
    began, ended = caplog.records
    assert began.levelno == logging.DEBUG
    assert began.stream["id"] == ended.stream["id"]  # type: ignore[attr-defined]
    return ended


def test_fields_stand_beside_the_message(caplog: pytest.LogCaptureFixture) -> None:
    ended = logged(caplog, ["a secret"])
    assert (ended.name, ended.levelno) == ("guardstream.streams", logging.INFO)
    end = f"stream {ended.stream['id']} ended: stop, findings: 1, characters: 8, "
    assert re.fullmatch(re.escape(end) + r"\d+ ms", ended.getMessage())
    assert ended.stream["characters_out"] == 8
    assert "secret" not in str(vars(ended))


def test_a_block_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    ended = logged(caplog, ["forbidden"], level=logging.DEBUG)
    assert (ended.levelno, ended.stream["blocked_by"]) == (logging.WARNING, "bad")
    assert "ended: content_filter by bad, findings: 1, " in ended.getMessage()


def test_another_logger_can_be_used(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, ["a"], logger=logging.getLogger("mine")).name == "mine"
