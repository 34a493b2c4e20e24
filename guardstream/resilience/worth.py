"""Which errors are worth another attempt, and how long a server asks to wait before it.

Errors of the providers' packages are told by their status and by their class's name, as no such
package is imported: those of httpx, openai, anthropic, google-genai, ollama and kosong are known.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from guardstream.errors import GuardstreamError

STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Busy, late or out of order for now; 529 is Anthropic's 'overloaded'."""

_CLASSES = frozenset(
    {"APIConnectionError", "APITimeoutError", "TransportError", "ServerTimeoutError"}
    | {"ClientConnectionError", "EndpointConnectionError", "ConnectTimeoutError"}
    | {"ReadTimeoutError", "IncompleteRead", "ServiceUnavailable"}
)
"""Classes, or bases of them, of errors about a connection: httpx, aiohttp, the SDKs, botocore."""


def worth_retrying(error: Exception) -> bool:
    """Tell whether another attempt may succeed: no connection, a time-out, 429, most 5xx."""
    if isinstance(error, GuardstreamError):
        return False
    status = status_of(error)
    if status is not None:
        return status in STATUSES
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    return any(base.__name__ in _CLASSES for base in type(error).__mro__)


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that an error tells of, if it does."""
    response = getattr(error, "response", None)
    for holder, name in ((error, "status_code"), (response, "status_code"), (error, "code")):
        value = getattr(holder, name, None)
        if isinstance(value, int) and 100 <= value <= 599:
            return value
    return None


def retry_after(error: Exception) -> float | None:
    """Return how many seconds the server asks to wait (RFC 9110, section 10.2.3), if it does."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None else _until(value)


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
