"""The tables of formats: the same in a wheel as in a checkout, and the errors that one has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardstream.formats import ADAPTERS
from guardstream.formats.errors import ANY_FORMAT, errors_of
from guardstream.formats.toolkit import files

MESSAGE = "not $code, but said"


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder with the tables as a wheel has them."""
    lines = [f"{name} {json.dumps(files.table(name))}\n" for name in ("first", "errors")]
    compiled = tmp_path / "formats.jsonl"
    compiled.write_text("".join(lines), encoding="utf-8")
    monkeypatch.setattr(files, "COMPILED", compiled)
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    files._compiled.cache_clear()
    errors_of.cache_clear()


def _errors(status: int) -> dict[str, Any]:
    """What each format says of a failure: the body of an answer, and the end of a stream."""
    return {
        name: (
            errors_of(name).said(status, "c", MESSAGE),
            errors_of(name).frame(status, "c", MESSAGE),
        )
        for name in (*ADAPTERS, ANY_FORMAT)
    }


HERE = {status: _errors(status) for status in (400, 401, 418, 429, 500, 529)}


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("status", HERE)
def test_errors_in_a_wheel_are_those_of_a_checkout(status: int) -> None:
    assert _errors(status) == HERE[status]


@pytest.mark.parametrize("status", HERE)
def test_every_error_has_its_message_as_it_is(status: int) -> None:
    for body, frame in _errors(status).values():
        assert MESSAGE in json.dumps(body)
        assert MESSAGE.encode() in frame


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("openai_chat", 429, "rate_limit_error"),
        ("openai_chat", 418, "invalid_request_error"),
        ("openai_chat", 503, "server_error"),
        ("anthropic", 529, "overloaded_error"),
        ("anthropic", 418, "api_error"),
        ("gemini", 418, "INVALID_ARGUMENT"),
        ("gemini", 500, "INTERNAL"),
    ],
)
def test_an_error_is_of_the_kind_that_its_status_has(name: str, status: int, kind: str) -> None:
    error = errors_of(name).said(status, "c", MESSAGE)["error"]
    assert kind in (error.get("type"), error.get("status"))


def test_only_a_blocked_answer_of_google_ends_in_another_event() -> None:
    assert errors_of("gemini").frame(400, "c", "m").count(b"data:") == 2
    assert errors_of("gemini").frame(429, "c", "m").count(b"data:") == 1
