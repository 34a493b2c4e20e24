"""Objects that live as long as a program say which they are, and never a secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardstream import Guard, Policy
from guardstream.observability import AuditLog
from guardstream.resilience import Limiter
from guardstream.stages.pipeline import Session
from guardstream.vault import RedisStore, SQLiteStore

GUARD = Guard(Policy.parse("rules: [{id: bird, words: [bluebird]}]"))


def fed() -> Session:
    session = GUARD.session()
    session.feed("my blue")
    return session


SHOWN: dict[str, tuple[Callable[[], object], str]] = {
    "a session": (fed, "<Session, held: 4>"),
    "a stream's text": (
        lambda: GUARD.wrap_sync(["a"]).text_stream,
        "<SyncTextStream of <SyncGuardedStream, open>>",
    ),
    "a limiter": (lambda: Limiter(2), "<Limiter, running: 0, waiting: 0>"),
    "an audit log": (lambda: AuditLog("a.jsonl"), "<AuditLog 'a.jsonl'>"),
    "a store in Redis": (
        lambda: RedisStore("redis://user:secret@127.0.0.1:6379/0"),
        "<RedisStore 'redis://127.0.0.1:6379/0'>",
    ),
}


@pytest.mark.parametrize("what", SHOWN)
def test_an_object_shows_what_it_is(what: str) -> None:
    make, shown = SHOWN[what]
    assert repr(make()) == shown


def test_a_store_in_a_file_shows_its_path(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    assert repr(SQLiteStore(path)) == f"<SQLiteStore {str(path)!r}>"
