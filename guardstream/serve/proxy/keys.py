"""Keys of clients, their permissions, and the keys that are sent to upstreams.

Only hashes are compared, never keys.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from time import monotonic
from typing import TypeAlias
from urllib.parse import unquote_plus

from guardstream.amounts import check_count, check_seconds
from guardstream.errors import GuardstreamError
from guardstream.http.queries import KEY_PARAMETERS, is_key
from guardstream.policy.key_file import hashed
from guardstream.serve.routes import Headers, values

log = logging.getLogger("guardstream.serve")

_HEADERS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where the clients of providers put their key."""

_ACCOUNT = (
    *(b"cookie", b"openai-organization", b"openai-project", b"x-goog-user-project"),
    *(b"x-amz-security-token", b"x-amz-date", b"x-amz-content-sha256"),
)
"""Other headers that select an account; they would choose among the proxy's own."""


@dataclass(frozen=True, slots=True)
class Key:
    """A client's key.

    - `sha256`: its hash in hex; `name`: who the client is.
    - `policy`: the name of the policy of all its requests; None for that of the path.
    - `at_once`: the most requests that run at the same time.
    - `tokens`: a budget, as a number of tokens and a period in seconds.
    - `other`: whether it may use unknown paths, if these are guarded.
    """

    name: str
    sha256: str = field(repr=False)
    policy: str | None = None
    at_once: int | None = None
    tokens: tuple[int, float] | None = None
    other: bool = False

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for a value that no client could have, or that allows none
        of its requests."""
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"key {self.name!r}: 'sha256' needs 64 lower-case hexadecimal digits")
        if self.at_once is not None:
            check_count("at_once", self.at_once)
        if self.tokens is not None:
            check_count("tokens", self.tokens[0])
            check_seconds("tokens", self.tokens[1])


_SHA256 = re.compile("[0-9a-f]{64}")

KeyFunction: TypeAlias = Callable[[str], Key | Awaitable[Key | None] | None]
"""Returns the key of a SHA-256 in hex; None if there is none."""


class KeysError(GuardstreamError):
    """The keys cannot be looked up."""


@dataclass(slots=True)
class Keys:
    """The keys of one proxy: the named ones, and those of a file or a function."""

    named: Iterable[Key] = ()
    load: Callable[[], Iterable[Key] | None] | None = None
    """Returns the keys of a file, or None if it has not changed since the last call. The earlier
    keys stay if it raises GuardstreamError or OSError."""
    function: KeyFunction | None = None
    loaded: tuple[Key, ...] = ()
    """The keys that `load` returned last."""
    _asked: float | None = field(default=None, init=False)

    def __bool__(self) -> bool:
        return bool(self.named or self.load or self.function)

    async def find(self, headers: Headers, query: str) -> Key | None:
        """Return the key that a request comes with; None if it is not one of these.

        KeysError if the function fails.
        """
        given = [hashed(value) for value in _given(headers, query)]
        # All of them are compared, so that the time reveals nothing.
        found = [
            key
            for key in (*self.named, *self._of_file())
            for value in given
            if compare_digest(key.sha256, value)
        ]
        if found or self.function is None:
            return found[0] if found else None
        for value in given:
            key = await _asked(self.function, value)
            if key is not None:
                return key
        return None

    def _of_file(self) -> tuple[Key, ...]:
        now = monotonic()
        if self.load is not None and (self._asked is None or now - self._asked >= _OFTEN):
            self._asked = now
            try:
                loaded = self.load()
            except (GuardstreamError, OSError) as error:
                log.error("the keys stay as they were: %s", error)
            else:
                self.loaded = self.loaded if loaded is None else tuple(loaded)
        return self.loaded


_OFTEN = 1.0
"""Seconds after which the file is checked again."""


async def _asked(function: KeyFunction, value: str) -> Key | None:
    try:
        found = function(value)
        key = await found if inspect.isawaitable(found) else found
    except Exception as error:
        raise KeysError(f"the keys cannot be looked up ({type(error).__name__})") from error
    if key is not None and not isinstance(key, Key):
        raise KeysError(f"the key function returned a {type(key).__name__!r}, not a Key")
    return key


def credential(headers: Headers) -> str | None:
    """Return an identifier that distinguishes clients with different keys; None without a key."""
    given = "\0".join(_given(headers, ""))
    return hashed(given) if given else None


def _given(headers: Headers, query: str) -> Iterable[str]:
    for name in _HEADERS:
        for value in values(headers, name):
            scheme, _, rest = value.partition(" ")
            yield rest.strip() if scheme.lower() == "bearer" else value
    for parameter, _, text in (pair.partition("=") for pair in query.split("&")):
        if unquote_plus(parameter).lower() in KEY_PARAMETERS:
            yield unquote_plus(text)


def plain_name(name: bytes) -> bytes:
    """Return the name of a header as servers read it that ignore case and underscores.

    In CGI and WSGI names have no hyphens (https://www.rfc-editor.org/rfc/rfc3875#section-4.1.18).
    """
    return name.lower().replace(b"_", b"-")


def with_key(headers: Headers, key: str | None, auth: str) -> Headers:
    """Return the headers without the client's credentials, and with the upstream's key.

    The key is in the header `auth`.
    """
    dropped = (*_HEADERS, *_ACCOUNT)
    kept = [(name, value) for name, value in headers if plain_name(name) not in dropped]
    if key is None:
        return kept
    value = f"Bearer {key}" if auth == "authorization" else key
    return [*kept, (auth.encode(), value.encode())]


def query_without(query: str) -> str:
    """Return a query without the keys in it."""
    return "&".join(pair for pair in query.split("&") if not is_key(pair))


def named_keys(keys: Mapping[str, str | Key]) -> tuple[Key, ...]:
    """Return keys by name as `Key` objects; a string is a key in plain text."""
    return tuple(
        Key(name, hashed(key)) if isinstance(key, str) else key for name, key in keys.items()
    )
