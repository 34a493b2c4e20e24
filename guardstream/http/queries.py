"""Queries of requests: what in them says something, and what is a key."""

from __future__ import annotations

from urllib.parse import unquote_plus

from guardstream.http.request import RefusedError

KEY_PARAMETERS = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token"})
"""What holds a key in a query."""

MOST = 1000
"""Fields of a form, or of a query."""


def is_key(pair: str) -> bool:
    """Return whether a part of a query is a key, by its name."""
    return unquote_plus(pair.partition("=")[0]).lower() in KEY_PARAMETERS


def asked(query: str) -> list[tuple[str, str]]:
    """Return the parts of a query that say something but a key: as they came, and without
    escapes."""
    named = [each for each in query.split("&") if each and not is_key(each)]
    if len(named) > MOST:
        raise RefusedError(400, "invalid_request", f"the query has more than {MOST} parts")
    try:
        return [(each, unquote_plus(each, errors="strict")) for each in named]
    except UnicodeDecodeError as error:
        raise RefusedError(400, "invalid_request", "the query is not in UTF-8") from error
