"""The queries of requests: which parts contain text, and which are keys."""

from __future__ import annotations

from urllib.parse import unquote_plus

from guardstream.http.request import RefusedError

KEY_PARAMETERS = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token"})
"""The names of query parameters with a key."""

MOST = 1000
"""The maximum number of fields of a form or of a query."""


def is_key(pair: str) -> bool:
    """Return whether a query parameter is a key, by its name."""
    return unquote_plus(pair.partition("=")[0]).lower() in KEY_PARAMETERS


def query_parts(query: str) -> list[tuple[str, str]]:
    """Return the parts of a query other than keys: each as it was sent, and without escapes."""
    named = [each for each in query.split("&") if each and not is_key(each)]
    if len(named) > MOST:
        raise RefusedError(400, "invalid_request", f"the query has more than {MOST} parts")
    try:
        return [(each, unquote_plus(each, errors="strict")) for each in named]
    except UnicodeDecodeError as error:
        raise RefusedError(400, "invalid_request", "the query is not in UTF-8") from error
