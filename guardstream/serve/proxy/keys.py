"""Keys: which clients may come, and with which key requests go on to the upstream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from hmac import compare_digest

from guardstream.serve.routes import Headers, values

_HEADERS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where the clients of providers put their key."""

_OF_ANTHROPIC = "anthropic"


def known_client(keys: Mapping[str, str], headers: Headers) -> str | None:
    """Return the name of the key that a request comes with; None if it is none of `keys`."""
    given = [value.encode() for value in _given(headers)]
    # All of them are compared, so that the time tells nothing.
    found = [
        name for name, key in keys.items() for value in given if compare_digest(key.encode(), value)
    ]
    return found[0] if found else None


def credential(headers: Headers) -> str | None:
    """Return what tells clients with different keys apart, and is none; None without a key."""
    given = "\0".join(_given(headers))
    return hashlib.sha256(given.encode()).hexdigest() if given else None


def _given(headers: Headers) -> Iterable[str]:
    for name in _HEADERS:
        for value in values(headers, name):
            scheme, _, rest = value.partition(" ")
            yield rest.strip() if scheme.lower() == "bearer" else value


def with_key(headers: Headers, key: str | None, provider: str) -> Headers:
    """Return the headers with the upstream's key in place of the client's, if there is one."""
    if key is None:
        return headers
    kept = [(name, value) for name, value in headers if name.lower() not in _HEADERS]
    own = (b"x-api-key", key) if provider == _OF_ANTHROPIC else (b"authorization", f"Bearer {key}")
    return [*kept, (own[0], own[1].encode())]
