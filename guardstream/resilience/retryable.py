"""Which errors are worth another attempt, and how long a server asks to wait before it.

No provider's package is imported, so its errors are recognised by status, attributes and class
name: those of httpx, aiohttp, openai, anthropic, google-genai, ollama and botocore are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from guardstream.errors import GuardstreamError

STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses of a server that is busy, late or temporarily out of order; 529 is Anthropic's
'overloaded'."""

_CLASSES = frozenset(
    {"APIConnectionError", "APITimeoutError", "TransportError", "ServerTimeoutError"}
    | {"ClientConnectionError", "ClientPayloadError", "EndpointConnectionError"}
    | {"ConnectTimeoutError", "ReadTimeoutError", "IncompleteRead", "ServiceUnavailable"}
)
"""Classes, or bases of them, of errors about a connection: httpx, aiohttp, the SDKs, botocore."""

_OWN_FAULT = frozenset({"UnsupportedProtocol", "LocalProtocolError"})
"""Names of httpx's errors that the request caused, and would cause again."""

_PASSING = frozenset(
    {"overloaded_error", "api_error", "rate_limit_error", "timeout_error"}
    | {"server_error", "rate_limit_exceeded", "ThrottlingException", "ServiceUnavailableException"}
)
"""Types and codes of errors that a stream reports after a status of 200."""

_LASTING = frozenset({"insufficient_quota"})
"""Codes of errors with the status 429 that another attempt does not solve."""


def worth_retrying(error: Exception) -> bool:
    """Return whether another attempt may succeed after `error`: no connection, 429, most 5xx.

    Errors of the guard itself never are, nor are errors that blame the request.
    """
    codes = [getattr(error, name, None) for name in ("type", "code")]
    names = {each for each in codes if isinstance(each, str)}
    if isinstance(error, GuardstreamError) or names & _LASTING:
        return False
    status = status_of(error)
    if status is not None and status >= 400:
        return status in STATUSES
    if isinstance(error, (ConnectionError, TimeoutError)) or names & _PASSING:
        return True
    classes = {base.__name__ for base in type(error).__mro__}
    return bool(classes & _CLASSES) and not classes & _OWN_FAULT


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of an error, or None."""
    response = getattr(error, "response", None)
    for holder, name in (
        (error, "status_code"),
        (response, "status_code"),
        (error, "status"),
        (error, "code"),
        (_botocore(response), "HTTPStatusCode"),
    ):
        value = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 100 <= value <= 599:
            return value
    return None


def retry_after(error: Exception) -> float | None:
    """Return how many seconds the server asks to wait in the headers of `error`; None if not.

    It does so by `retry-after` (RFC 9110, section 10.2.3), in seconds or as a date.

    `retry-after-ms`, which OpenAI and Azure send, is more exact and counts first.
    """
    headers = dict(_headers(error))
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None else _until(value)


def _headers(error: Exception) -> Iterator[tuple[str, str]]:
    """Yield the headers of the response that caused an error, with names in lower case."""
    response = getattr(error, "response", None)
    for holder in (error, response):
        headers = getattr(holder, "headers", None)
        if headers is not None and hasattr(headers, "items"):
            yield from ((str(name).lower(), str(value)) for name, value in headers.items())
    yield from _botocore(response).get("HTTPHeaders", {}).items()


def _botocore(response: Any) -> Mapping[str, Any]:
    """Return the HTTP metadata of a botocore response, which is a dict."""
    found = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < float("inf") else None


def _until(value: str | None) -> float | None:
    try:
        when = parsedate_to_datetime(value) if value else None
    except ValueError:
        return None
    if when is None:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
