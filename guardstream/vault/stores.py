"""Stores of vaults between requests: in memory, in SQLite, or in Redis.

A store keeps sealed bytes by conversation and stand-in. It sees neither values nor names of
conversations, which are hashed. Conversations that were not opened for longer than the time to live
are deleted.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from os import PathLike, fspath
from pathlib import Path, PurePath
from typing import Any, Protocol, TypeAlias

from guardstream.amounts import check_count, check_seconds
from guardstream.forks import kept_across_forks
from guardstream.vault.vault import FullError, VaultError

Sealed: TypeAlias = Mapping[str, bytes]
"""The stored entries of a conversation, by stand-in."""

LOAD, ADD, FORGET = "load a conversation", "add values", "forget a conversation"
RENEW = "encrypt values with a new key"
"""The work of a store, as errors name it."""

DAY = 86_400.0
MONTH = 30 * DAY


def _check_file(path: object) -> None:
    """Raise TypeError for something that is not a path, ValueError for a path that SQLite does not
    store as a file."""
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"SQLiteStore() needs the path of a file, not {type(path).__qualname__!r}")
    written = fspath(path)
    if not written or PurePath(written).name == ":memory:" or written.startswith("file:"):
        raise ValueError(
            f"SQLiteStore() needs the path of a file, not {written!r}: MemoryStore() keeps vaults "
            "in memory"
        )


class Store(Protocol):
    """Stores sealed entries. Every method may raise, preferably VaultError, and must not wait
    without a bound."""

    def load(self, conversation: str) -> Sealed:
        """Return the entries of a conversation, and restart its time to live."""
        ...

    def add(self, conversation: str, entries: Sealed) -> Sealed:
        """Add the entries and return nothing; or, if some of their stand-ins are stored already,
        add none, and return the stored entries of those."""
        ...

    def renew(self, conversation: str, entries: Sealed) -> None:
        """Replace the stored entries of these stand-ins; those that are no longer stored stay
        forgotten."""
        ...

    def forget(self, conversation: str) -> None:
        """Delete a conversation."""
        ...


class MemoryStore:
    """Keeps vaults in this process, within bounds. The conversations that were not opened for
    longest are deleted first."""

    def __init__(
        self,
        ttl: float = DAY,
        max_conversations: int = 10_000,
        max_bytes: int = 100_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ttl` is in seconds since a conversation was last opened; `max_bytes` is for all of them
        together.

        Raises TypeError or ValueError for an invalid time or bound, such as `ttl="1h"` or 0.
        """
        check_seconds("ttl", ttl)
        check_count("max_conversations", max_conversations)
        check_count("max_bytes", max_bytes)
        self._ttl, self._clock = ttl, clock
        self._most, self._max_bytes = max_conversations, max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[float, dict[str, bytes]]] = OrderedDict()
        self._lock = kept_across_forks(threading.Lock())

    def load(self, conversation: str) -> Sealed:
        """Return the entries of a conversation, and restart its time to live."""
        with self._lock:
            return dict(self._asked(conversation))

    def add(self, conversation: str, entries: Sealed) -> Sealed:
        """Add the entries; if some of their stand-ins exist, add none, and return those.

        Raises FullError if there is no room for them.
        """
        with self._lock:
            kept = self._asked(conversation)
            taken = {name: kept[name] for name in entries if name in kept}
            if taken:
                return taken
            size = _size(entries)
            whole = _size(kept) + size
            if whole > self._max_bytes:  # the oldest would be dropped, and this one with them
                raise FullError(
                    f"the store keeps {self._max_bytes} bytes, these of a conversation are {whole}"
                )
            kept.update(entries)
            self._bytes += size
            self._kept[conversation] = self._clock(), kept
            self._kept.move_to_end(conversation)
            while len(self._kept) > self._most or self._bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))
            return {}

    def renew(self, conversation: str, entries: Sealed) -> None:
        """Replace entries that exist."""
        with self._lock:
            kept = self._asked(conversation)
            before = _size(kept)
            kept.update({name: data for name, data in entries.items() if name in kept})
            self._bytes += _size(kept) - before

    def forget(self, conversation: str) -> None:
        """Delete a conversation."""
        with self._lock:
            self._drop(conversation)

    def _asked(self, conversation: str) -> dict[str, bytes]:
        now = self._clock()
        while self._kept and next(iter(self._kept.values()))[0] < now - self._ttl:
            self._drop(next(iter(self._kept)))
        if conversation not in self._kept:
            return {}
        kept = self._kept[conversation][1]
        self._kept[conversation] = now, kept
        self._kept.move_to_end(conversation)
        return kept

    def _drop(self, conversation: str) -> None:
        _, kept = self._kept.pop(conversation, (0.0, {}))
        self._bytes -= _size(kept)


def _size(entries: Sealed) -> int:
    return sum(len(name) + len(data) for name, data in entries.items())


_PARTS = 1000
"""The time to live restarts at most once in each thousandth of it: a transaction that changes
nothing need not wait for the disk, which takes most of its time."""


class SQLiteStore:
    """Keeps vaults in an SQLite file, which several processes of a machine may share."""

    def __init__(
        self,
        path: str | Path,
        ttl: float = MONTH,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`ttl` is in seconds since a conversation was last opened; `timeout` limits each wait, in
        seconds.

        Raises VaultError for a file that cannot be opened, ValueError for a path that SQLite does
        not store as a file, such as ":memory:", and TypeError or ValueError for an invalid time.
        """
        check_seconds("ttl", ttl)
        check_seconds("timeout", timeout)
        _check_file(path)
        self._path, self._ttl, self._timeout, self._clock = str(path), ttl, timeout, clock
        self._url = f"{Path(path).absolute().as_uri()}?mode=rw"  # no file is made in its place
        try:
            Path(path).touch(mode=0o600)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise VaultError(f"{self._path!r} cannot be written: {why}") from error
        with self._transaction("be opened", begin=False) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS entries (conversation TEXT, name TEXT, data BLOB, "
                "asked REAL, PRIMARY KEY (conversation, name)) WITHOUT ROWID"
            )
            database.execute("CREATE INDEX IF NOT EXISTS entries_asked ON entries (asked)")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path!r}>"

    def load(self, conversation: str) -> Sealed:
        """Return the entries of a conversation, and restart its time to live."""
        with self._transaction(LOAD) as database:
            self._touch(database, conversation)
            rows = database.execute(
                "SELECT name, data FROM entries WHERE conversation = ?", (conversation,)
            )
            return dict(rows.fetchall())

    def add(self, conversation: str, entries: Sealed) -> Sealed:
        """Add the entries; if some of their stand-ins exist, add none, and return those."""
        now = self._clock()
        with self._transaction(ADD) as database:
            self._touch(database, conversation)
            taken = {}
            for name in entries:
                row = database.execute(
                    "SELECT data FROM entries WHERE conversation = ? AND name = ?",
                    (conversation, name),
                ).fetchone()
                if row:
                    taken[name] = row[0]
            if not taken:
                rows = [(conversation, name, data, now) for name, data in entries.items()]
                database.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows)
            return taken

    def renew(self, conversation: str, entries: Sealed) -> None:
        """Replace entries that exist."""
        with self._transaction(RENEW) as database:
            database.executemany(
                "UPDATE entries SET data = ? WHERE conversation = ? AND name = ?",
                [(data, conversation, name) for name, data in entries.items()],
            )

    def forget(self, conversation: str) -> None:
        """Delete a conversation."""
        with self._transaction(FORGET) as database:
            database.execute("DELETE FROM entries WHERE conversation = ?", (conversation,))

    def _touch(self, database: sqlite3.Connection, conversation: str) -> None:
        now = self._clock()
        database.execute("DELETE FROM entries WHERE asked < ?", (now - self._ttl,))
        database.execute(
            "UPDATE entries SET asked = ? WHERE conversation = ? AND asked < ?",
            (now, conversation, now - self._ttl / _PARTS),
        )

    @contextmanager
    def _transaction(self, work: str, *, begin: bool = True) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction, because calls may come from any thread. `work` is
        what it does, for errors."""
        try:
            connection = sqlite3.connect(
                self._url, timeout=self._timeout, isolation_level=None, uri=True
            )
            with closing(connection) as database:
                if begin:
                    database.execute("BEGIN IMMEDIATE")
                yield database
                if begin:
                    database.execute("COMMIT")  # what is not committed is rolled back
        except sqlite3.Error as error:
            # The name of the result code, such as SQLITE_FULL: a message may hold more.
            why = getattr(error, "sqlite_errorname", type(error).__name__)
            raise VaultError(f"the store {self._path!r} failed to {work}: {why}") from error


_ADD = """
local taken = {}
for at = 2, #ARGV, 2 do
  local data = redis.call('HGET', KEYS[1], ARGV[at])
  if data then
    table.insert(taken, ARGV[at])
    table.insert(taken, data)
  end
end
if #taken == 0 then
  for at = 2, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return taken
"""
"""Adds all entries or none; returns those that exist, as alternating names and data. The arguments
are the time to live, then names and data, alternating, too."""

_RENEW = """
for at = 1, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[at]) == 1 then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
end
"""
"""Replaces the entries that exist."""


class RedisStore:
    """Keeps vaults in Redis, in one hash per conversation; needs the extra `redis`, and a server
    that runs scripts (EVAL)."""

    def __init__(
        self,
        url: str | None = None,
        ttl: float = MONTH,
        timeout: float | None = None,
        prefix: str = "guardstream:vault:",
        client: Any = None,
    ) -> None:
        """`ttl` is in seconds since a conversation was last opened; `timeout` limits each wait, in
        seconds. Keys in Redis begin with `prefix`.

        A `timeout` of None means 2 seconds. `client` is a `redis.Redis` that returns bytes; it
        replaces `url` and `timeout`. Raises VaultError if the package is not installed, ValueError
        for a client that returns text, TypeError if both a client and a URL or timeout are given or
        if neither is, and TypeError or ValueError for an invalid time.
        """
        check_seconds("ttl", ttl)
        if math.isinf(ttl):
            raise ValueError("ttl= needs a finite number of seconds in Redis")
        if client is None:
            client = _redis_client(url, 2.0 if timeout is None else timeout)
        elif url is not None or timeout is not None:
            name = "timeout=" if url is None else "url="
            raise TypeError(f"RedisStore() takes client= or {name}, not both: a client has its own")
        pool = getattr(client, "connection_pool", None)
        if pool is not None and pool.connection_kwargs.get("decode_responses"):
            raise ValueError("a vault is kept in bytes: make the client without decode_responses")
        self._client, self._prefix = client, prefix
        self._place = _place_of(client)
        self._ttl = max(int(ttl), 1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._place!r}>"

    def load(self, conversation: str) -> Sealed:
        """Return the entries of a conversation, and restart its time to live."""
        key = self._prefix + conversation

        def ask(pipeline: Any) -> None:
            pipeline.hgetall(key)
            pipeline.expire(key, self._ttl)

        found: dict[bytes, bytes] = self._ask(LOAD, ask)[0]
        return {name.decode(): data for name, data in found.items()}

    def add(self, conversation: str, entries: Sealed) -> Sealed:
        """Add the entries; if some of their stand-ins exist, add none, and return those."""
        key = self._prefix + conversation
        given = [part for entry in entries.items() for part in entry]
        taken = self._ask(ADD, lambda pipeline: pipeline.eval(_ADD, 1, key, self._ttl, *given))[0]
        return {name.decode(): data for name, data in zip(taken[::2], taken[1::2], strict=True)}

    def renew(self, conversation: str, entries: Sealed) -> None:
        """Replace entries that exist."""
        key = self._prefix + conversation
        given = [part for entry in entries.items() for part in entry]
        self._ask(RENEW, lambda pipeline: pipeline.eval(_RENEW, 1, key, *given))

    def forget(self, conversation: str) -> None:
        """Delete a conversation."""
        self._ask(FORGET, lambda pipeline: pipeline.delete(self._prefix + conversation))

    def _ask(self, work: str, ask: Callable[[Any], None]) -> Any:
        """Run the commands as one transaction (MULTI), so that no client sees half of it. `work` is
        what they do, for errors."""
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                ask(pipeline)
                return pipeline.execute()
        except Exception as error:  # the client's own errors, and those of sockets
            why = type(error).__name__
            raise VaultError(f"the store {self._place!r} failed to {work}: {why}") from error


def _place_of(client: Any) -> str:
    """Return where a client's Redis is, without credentials; the client's type if it has no one
    place, such as a cluster's."""
    pool = getattr(client, "connection_pool", None)
    options = getattr(pool, "connection_kwargs", {})
    if options.get("path"):
        return f"unix://{options['path']}"
    if not options.get("host"):
        return type(client).__name__
    secure = "SSL" in getattr(getattr(pool, "connection_class", None), "__name__", "")
    host, port, number = (options.get(name) for name in ("host", "port", "db"))
    return f"redis{'s' * secure}://{host}:{port or 6379}/{number or 0}"


def _redis_client(url: str | None, timeout: float) -> Any:
    """Return a client that waits at most `timeout` seconds for an answer."""
    check_seconds("timeout", timeout)
    if url is None:
        raise TypeError("RedisStore() needs a URL such as 'redis://127.0.0.1:6379/0', or client=")
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as ClosedError
        from redis.retry import Retry
    except ImportError as error:
        raise VaultError("redis is not installed: pip install 'guardstream[redis]'") from error
    # A connection that Redis has closed meanwhile is opened once more; time-outs are not.
    again = Retry(NoBackoff(), 1, supported_errors=(ClosedError,))
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=again)
