"""Which errors are worth another attempt: those that clients really raise, from a local server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from guardstream import AdapterError, BlockedError, StageError
from guardstream.resilience import retry_after, worth_retrying
from tests.serve.apps import app_of
from tests.serve.server import serving
from tests.support.optional import optional

anthropic = optional("anthropic")
openai = optional("openai")

HELLO: Any = [{"role": "user", "content": "hello"}]


def answer(request: Request) -> Response:
    """Answer with the status and the headers that the path asks for."""
    _, status, code, *_ = request.url.path.split("/")
    if status == "events":
        return _events(code)
    error = {"error": {"message": "a secret", "type": code, "code": code}}
    headers = {"retry-after": "3"} if status == "429" else None
    return JSONResponse(error, int(status), headers=headers)


def _events(code: str) -> Response:
    """A stream of one event, an error; its status is 200."""
    error = {"type": "error", "error": {"message": "a secret", "type": code, "code": code}}
    data = f"event: error\ndata: {json.dumps(error)}\n\n"
    return Response(data, media_type="text/event-stream")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(app_of(answer)) as port:
        yield f"http://127.0.0.1:{port}"


def raised(act: Callable[[], object]) -> Exception:
    """What a call raises; the clients let errors of their HTTP library pass, too."""
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("no error")


def openai_error(url: str, **options: Any) -> Exception:
    with openai.OpenAI(base_url=url, api_key="key", max_retries=0, **options) as client:
        create = client.chat.completions.create
        return raised(lambda: list(create(model="m", messages=HELLO, stream=True)))


def anthropic_error(url: str, **options: Any) -> Exception:
    with anthropic.Anthropic(base_url=url, api_key="key", max_retries=0, **options) as client:
        create = client.messages.create
        return raised(lambda: list(create(model="m", max_tokens=9, messages=HELLO, stream=True)))


def httpx_error(url: str, **options: Any) -> Exception:
    return raised(lambda: httpx.post(url, json={}, **options).raise_for_status())


CLIENTS = pytest.mark.parametrize("fail", [openai_error, anthropic_error, httpx_error])

Fail = Callable[..., Exception]


@CLIENTS
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_server_that_is_busy_is_worth_it(fail: Fail, status: int, url: str) -> None:
    assert worth_retrying(fail(f"{url}/{status}/busy"))


@CLIENTS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_a_request_that_is_wrong_is_not(fail: Fail, status: int, url: str) -> None:
    assert not worth_retrying(fail(f"{url}/{status}/wrong"))


def test_an_account_without_credit_is_not(url: str) -> None:
    assert not worth_retrying(openai_error(f"{url}/429/insufficient_quota"))


@CLIENTS
def test_no_connection_is_worth_it(fail: Fail) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert worth_retrying(fail(f"http://127.0.0.1:{port}"))


@CLIENTS
def test_a_silent_server_is_worth_it(fail: Fail) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert worth_retrying(fail(f"http://127.0.0.1:{port}", timeout=0.05))


@contextmanager
def hanging_up(said: bytes) -> Iterator[str]:
    """A server that says something and hangs up."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n"


@CLIENTS
def test_a_connection_that_breaks_in_the_body_is_worth_it(fail: Fail) -> None:
    with hanging_up(HEAD + b"data: ") as address:
        error = fail(address)
    assert worth_retrying(error)


@pytest.mark.parametrize("fail", [openai_error, anthropic_error])
@pytest.mark.parametrize(
    ("code", "expected"),
    [("overloaded_error", True), ("rate_limit_error", True), ("invalid_request_error", False)],
)
def test_errors_inside_of_a_stream_say_it_themselves(
    fail: Fail, code: str, expected: bool, url: str
) -> None:
    assert worth_retrying(fail(f"{url}/events/{code}")) is expected


@pytest.mark.parametrize(
    "error", [httpx.UnsupportedProtocol("x"), httpx.LocalProtocolError("x"), ValueError("x")]
)
def test_what_is_wrong_here_is_not(error: Exception) -> None:
    assert not worth_retrying(error)


@pytest.mark.parametrize("error", [AdapterError("x"), StageError("x"), BlockedError("x")])
def test_errors_of_the_guard_are_not(error: Exception) -> None:
    assert not worth_retrying(error)


class BotocoreError(Exception):
    """An error as botocore makes them: its response is a dict."""

    def __init__(self, status: int, **headers: str) -> None:
        http = {"HTTPStatusCode": status, "HTTPHeaders": headers}
        self.response = {"Error": {"Code": "Throttling"}, "ResponseMetadata": http}


@pytest.mark.parametrize(("status", "expected"), [(429, True), (503, True), (400, False)])
def test_a_status_in_a_dict_counts(status: int, expected: bool) -> None:
    assert worth_retrying(BotocoreError(status)) is expected


# How long to wait


@CLIENTS
def test_seconds(fail: Fail, url: str) -> None:
    assert retry_after(fail(f"{url}/429/busy")) == 3.0
    assert retry_after(fail(f"{url}/500/busy")) is None


class AskingError(Exception):
    """An error with headers of its own."""

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry_After": "2.5"}, 2.5),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9.0),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": ""}, None),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_what_headers_say(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(AskingError(**headers)) == expected


def test_dates() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    found = retry_after(AskingError(retry_after=later))
    assert found is not None
    assert 50 < found <= 60


def test_headers_in_a_dict_count() -> None:
    error = BotocoreError(429)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"retry-after": "4"}  # type: ignore[index]
    assert retry_after(error) == 4.0


def test_an_error_without_a_response_says_nothing() -> None:
    assert retry_after(ValueError()) is None
