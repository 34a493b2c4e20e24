"""Vaults between requests: what is kept, for whom, how long, and what happens if it cannot be."""

from __future__ import annotations

import pickle
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio.abc import TaskGroup

from guardstream.vault import ConflictError, FullError, Vault, VaultError, Vaults
from guardstream.vault.ids import Ids
from guardstream.vault.stores import MemoryStore, RedisStore, Sealed, SQLiteStore, Store
from tests.support.optional import program
from tests.support.ports import free_port

KEY, ID_KEY = b"k" * 32, b"i" * 32
MAIL = "ann.lee@example.com"


@contextmanager
def redis_at(port: int, folder: Path) -> Iterator[None]:
    """A Redis that keeps nothing on disk."""
    path = program("redis-server")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([path, *options], cwd=folder, stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with closing(socket.socket()) as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        try:
            yield
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with redis_at(port, tmp_path_factory.mktemp("redis")):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return SQLiteStore(tmp_path / "vault.db")
    url = request.getfixturevalue("redis_url")
    return RedisStore(url, prefix=f"test:{tmp_path.name}:{time.monotonic_ns()}:")


def vaults(store: Store, **options: object) -> Vaults:
    return Vaults(store, key=KEY, id_key=ID_KEY, **options)  # type: ignore[arg-type]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(tmp_path / "vault.db")
    connect = sqlite3.connect

    def full(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(sqlite3, "connect", full)
    with pytest.raises(VaultError, match=r"vault\.db' failed to add values: SQLITE_FULL$"):
        store.add("a", {"name": b"x" * 100_000})
    with pytest.raises(VaultError, match="cannot be written: no such file or directory"):
        SQLiteStore(tmp_path / "none" / "vault.db")


@pytest.mark.parametrize("path", [":memory:", "", Path(":memory:"), "file:v?mode=memory"], ids=str)
def test_what_is_no_file_is_refused(
    path: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"needs the path of a file, .* MemoryStore\(\) keeps"):
        SQLiteStore(path)
    with pytest.raises(ValueError, match="needs the path of a file"):
        SQLiteStore(tmp_path / ":memory:")  # as a policy names it
    with pytest.raises(TypeError, match="needs the path of a file, not 'NoneType'"):
        SQLiteStore(None)  # type: ignore[arg-type]
    assert [*tmp_path.iterdir()] == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"ttl": -1}, "ttl= needs a number of seconds above 0, not -1"),
    ({"ttl": 0}, "ttl= needs a number of seconds above 0, not 0"),
    ({"ttl": float("nan")}, "ttl= needs a number of seconds above 0, not nan"),
    ({"ttl": "1h"}, "ttl= needs a number of seconds, not 'str'"),
    ({"ttl": None}, "ttl= needs a number of seconds, not 'NoneType'"),
    ({"ttl": True}, "ttl= needs a number of seconds, not 'bool'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=str)
def test_a_lifetime_that_is_none_is_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    for make in (
        MemoryStore,
        partial(SQLiteStore, tmp_path / "v.db"),
        partial(RedisStore, "redis://127.0.0.1:1/0"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            make(**options)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("make", [MemoryStore, Vault, Vaults])
def test_bounds_that_are_none_are_refused(make: Callable[..., object]) -> None:
    name = "max_conversations" if make is MemoryStore else "max_entries"
    for bound in (name, "max_bytes"):
        with pytest.raises(ValueError, match=f"{bound}= needs a whole number, at least 1, not 0"):
            make(**{bound: 0})
        with pytest.raises(TypeError, match=f"{bound}= needs a whole number, not 'str'"):
            make(**{bound: "3"})


def test_times_that_a_store_cannot_wait_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="timeout= needs a number of seconds above 0"):
        SQLiteStore(tmp_path / "v.db", timeout=-1)
    with pytest.raises(TypeError, match="timeout= needs a number of seconds, not 'str'"):
        RedisStore("redis://127.0.0.1:1/0", timeout="2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ttl= needs a finite number"):
        RedisStore("redis://127.0.0.1:1/0", ttl=float("inf"))


def test_what_was_saved_is_there_again(store: Store) -> None:
    first = vaults(store).open("seven", "ann")
    stand_in = first.issue("email", MAIL)
    first.escape("[EMAIL_2222222]")
    vaults(store).save(first)
    again = vaults(store).open("seven", "ann")
    assert again.issue("email", MAIL) == stand_in
    assert again.fresh == []
    assert len(again) == 2


class Meanwhile(MemoryStore):
    """A store during whose work another thread issues a stand-in."""

    def __init__(self, issue: Callable[[], object]) -> None:
        super().__init__()
        self.issue = issue

    def add(self, conversation: str, entries: Sealed) -> Sealed:
        self.issue()
        return super().add(conversation, entries)


def test_what_is_issued_while_a_vault_is_saved_is_saved_next() -> None:
    store = Meanwhile(lambda: vault.issue("email", "bob@example.com"))
    vault = vaults(store).open("seven", "ann")
    vault.issue("email", MAIL)
    for _ in range(2):
        vaults(store).save(vault)
    assert len(vaults(store).open("seven", "ann")) == 2
    assert vault.fresh == []


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("ids", ["number", "hash", "fake"])
def test_threads_may_share_a_vault(ids: Ids) -> None:
    vault, issued = Vault(KEY, ids=ids), {}

    def issue(thread: int) -> None:
        for number in range(300):
            value = f"{thread}-{number}@example.com"
            issued[value] = vault.issue("email", value)
            vault.known()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(issue, range(8)))
    assert len({*issued.values()}) == len(vault) == len(vault.fresh) == 8 * 300


@pytest.mark.parametrize("copied", [deepcopy, lambda vault: pickle.loads(pickle.dumps(vault))])
def test_a_copy_of_a_vault_goes_on_by_itself(copied: Callable[[Vault], Vault]) -> None:
    vault = Vault(KEY, ids="number")
    mail = vault.issue("email", MAIL)
    copy = copied(vault)
    assert copy.issue("email", MAIL) == mail
    assert copy.issue("email", "bob@example.com") != mail
    assert (len(copy), len(vault)) == (2, 1)


@pytest.mark.parametrize("other", [("seven", "bob"), ("eight", "ann"), ("n", "annseve")])
def test_nobody_else_has_it(store: Store, other: tuple[str, str]) -> None:
    mine = vaults(store).open("seven", "ann")
    stand_in = mine.issue("email", MAIL)
    vaults(store).save(mine)
    theirs = vaults(store).open(*other)
    assert len(theirs) == 0
    assert theirs.issue("email", MAIL) != stand_in


def test_what_is_not_saved_is_not_kept(store: Store) -> None:
    vaults(store).open("seven").issue("email", MAIL)
    assert len(vaults(store).open("seven")) == 0


def test_a_conversation_can_be_forgotten(store: Store) -> None:
    here = vaults(store).open("seven")
    here.issue("email", MAIL)
    vaults(store).save(here)
    vaults(store).forget("seven")
    assert len(vaults(store).open("seven")) == 0


def test_of_two_that_issue_at_once_the_first_counts(store: Store) -> None:
    one, other = (vaults(store, ids="number").open("seven") for _ in range(2))
    assert one.issue("email", MAIL) == other.issue("email", "bob@example.org") == "[EMAIL_1]"
    vaults(store).save(one)
    with pytest.raises(ConflictError, match="open the vault again"):
        vaults(store).save(other)
    again = vaults(store, ids="number").open("seven")
    assert again.issue("email", "bob@example.org") == "[EMAIL_2]"


def test_a_conflict_leaves_no_second_stand_in_for_a_value(store: Store) -> None:
    one, other = (vaults(store, ids="number").open("seven") for _ in range(2))
    assert [one.issue("email", value) for value in ("a@b.example", MAIL)][1] == "[EMAIL_2]"
    assert other.issue("email", MAIL) == "[EMAIL_1]"
    vaults(store).save(other)
    with pytest.raises(ConflictError):
        vaults(store).save(one)
    again = vaults(store, ids="number").open("seven")
    assert [entry.value for entry in again.entries] == [MAIL]
    assert again.issue("email", "a@b.example") == "[EMAIL_2]"


def test_values_beside_one_that_another_worker_has_added_are_saved(store: Store) -> None:
    one, other = (vaults(store).open("seven") for _ in range(2))
    one.issue("email", MAIL)
    stand_ins = [other.issue("email", value) for value in ("a@b.example", MAIL, "c@d.example")]
    vaults(store).save(one)
    vaults(store).save(other)
    assert not other.fresh
    again = vaults(store).open("seven")
    assert sorted(str(entry.name) for entry in again.entries) == sorted(stand_ins)


def test_all_who_share_a_conversation_get_their_numbers(store: Store) -> None:
    kept = vaults(store, ids="number")
    others = [f"{number}@example.org" for number in range(8)]

    def mask(vault: Vault | None) -> str:
        assert vault is not None
        stand_in = vault.issue("email", MAIL)
        if others:  # somebody else is first, each time
            other = kept.open("seven")
            other.issue("email", others.pop())
            kept.save(other)
        return stand_in

    assert kept.masked(mask, "seven")[1] == "[EMAIL_9]"


def test_the_same_value_twice_at_once_is_no_conflict(store: Store) -> None:
    one, other = (vaults(store).open("seven") for _ in range(2))
    assert one.issue("email", MAIL) == other.issue("email", MAIL)
    vaults(store).save(one)
    vaults(store).save(other)


def test_a_request_without_a_conversation_has_the_same_stand_ins_next_time(store: Store) -> None:
    one = vaults(store).open(caller="ann")
    stand_in = one.issue("email", MAIL)
    vaults(store).save(one)
    again = vaults(store).open(caller="ann")
    assert len(again) == 0
    assert again.issue("email", MAIL) == stand_in
    assert vaults(store).open(caller="bob").issue("email", MAIL) != stand_in


def test_what_all_share_is_not_kept_for_one(store: Store) -> None:
    here = vaults(store).open("seven")
    stand_in = here.issue("email", MAIL, shared=True)
    vaults(store).save(here)
    other = vaults(store).open("eight")
    assert len(other) == 0
    assert other.issue("email", MAIL, shared=True) == stand_in


def test_nothing_of_a_value_is_readable_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    here = vaults(SQLiteStore(path)).open("seven", "ann")
    here.issue("email", MAIL)
    vaults(SQLiteStore(path)).save(here)
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"EMAIL_" in kept
    assert not any(word in kept for word in (MAIL.encode(), b"seven", b"ann."))
    assert path.stat().st_mode & 0o077 == 0


def test_what_was_changed_or_moved_in_the_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    here = vaults(SQLiteStore(path)).open("seven")
    here.issue("email", MAIL)
    here.issue("email", "bob@example.org")
    vaults(SQLiteStore(path)).save(here)
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT name, data FROM entries").fetchall()
        for (name, _), (_, data) in zip(rows, reversed(rows), strict=True):
            database.execute("UPDATE entries SET data = ? WHERE name = ?", (data, name))
        database.commit()
    with pytest.raises(VaultError, match="was changed, or moved"):
        vaults(SQLiteStore(path)).open("seven")


OLD, NEW = b"o" * 32, b"n" * 32


def test_keys_can_be_replaced(store: Store) -> None:
    old = Vaults(store, key=OLD, id_key=ID_KEY)
    here = old.open("seven")
    stand_in = here.issue("email", MAIL)
    old.save(here)
    with pytest.raises(VaultError, match="sealed with another key"):
        Vaults(store, key=NEW, id_key=ID_KEY).open("seven")
    assert Vaults(store, key=[OLD, NEW], id_key=ID_KEY).open("seven").fresh == []
    both = Vaults(store, key=[NEW, OLD], id_key=ID_KEY).open("seven")
    assert both.issue("email", MAIL) == stand_in


def test_a_conversation_outlives_the_key_that_encrypted_it(store: Store) -> None:
    old = Vaults(store, key=OLD, id_key=ID_KEY)
    here = old.open("seven")
    stand_ins = [here.issue("email", f"{number}@example.com") for number in range(3)]
    old.save(here)
    both = Vaults(store, key=[NEW, OLD], id_key=ID_KEY)
    here = both.open("seven")  # nothing is new in it
    here.issue("email", MAIL)
    both.save(here)
    again = Vaults(store, key=NEW, id_key=ID_KEY).open("seven")
    assert [again.issue("email", f"{number}@example.com") for number in range(3)] == stand_ins
    assert len(again) == 4
    with pytest.raises(VaultError, match="sealed with another key"):
        old.open("seven")


def test_only_what_is_stored_is_renewed(store: Store) -> None:
    store.add("one", {"a": b"1", "b": b"2"})
    store.renew("one", {"a": b"longer", "c": b"3"})
    assert store.load("one") == {"a": b"longer", "b": b"2"}
    store.forget("one")
    store.renew("one", {"a": b"1"})
    assert store.load("one") == {}


def test_a_store_in_memory_counts_what_was_renewed() -> None:
    store = MemoryStore(max_bytes=20)
    store.add("one", {"a": b"x" * 15})
    store.renew("one", {"a": b"x"})
    assert store.add("two", {"a": b"x" * 15}) == {}
    assert store.load("one") == {"a": b"x"}


def test_keys_are_asked_for_where_values_leave_the_process(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a 'key' and an 'id_key'"):
        Vaults(SQLiteStore(tmp_path / "v.db"), key=KEY)
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Vaults(key=b"short")
    assert Vaults().open("seven").issue("email", MAIL).startswith("[EMAIL_")


@pytest.mark.parametrize("make", [MemoryStore, SQLiteStore])
def test_what_is_not_asked_for_is_forgotten(make: Callable[..., Store], tmp_path: Path) -> None:
    now = 0.0
    where = () if make is MemoryStore else (tmp_path / "v.db",)
    store = make(*where, ttl=10, clock=lambda: now)
    here = vaults(store).open("seven")
    here.issue("email", MAIL)
    vaults(store).save(here)
    for _ in range(3):  # being asked for keeps it
        now += 8
        assert len(vaults(store).open("seven")) == 1
    now += 11
    assert len(vaults(store).open("seven")) == 0


def test_a_conversation_that_is_opened_again_soon_is_not_written(tmp_path: Path) -> None:
    path, now = tmp_path / "vault.db", [0.0]
    store = SQLiteStore(path, ttl=1000.0, clock=lambda: now[0])
    store.add("c", {"name": b"sealed"})
    written = path.read_bytes()
    now[0] = 0.9
    assert store.load("c")
    assert path.read_bytes() == written
    now[0] = 900.0
    assert store.load("c")
    now[0] = 1800.0
    assert store.load("c")


def test_a_store_in_memory_stays_within_its_bounds() -> None:
    store = MemoryStore(max_conversations=3, max_bytes=1_000)
    for number in range(50):
        here = vaults(store).open(str(number))
        here.issue("email", f"{number}@example.com")
        vaults(store).save(here)
    assert [number for number in range(50) if len(vaults(store).open(str(number)))] == [47, 48, 49]
    big = vaults(store).open("big")
    big.issue("email", "x" * 2_000)
    with pytest.raises(FullError, match="the store keeps 1000 bytes"):
        vaults(store).save(big)


def test_a_store_that_is_down_or_hangs_is_an_error_soon(tmp_path: Path) -> None:
    port = free_port()
    down = RedisStore(f"redis://:secret@127.0.0.1:{port}/3", timeout=0.2)
    why = f"the store 'redis://127.0.0.1:{port}/3' failed to load a conversation: ConnectionError"
    with pytest.raises(VaultError, match=f"^{why}$"):
        vaults(down).open("seven")
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        hangs = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", timeout=0.2)
        with pytest.raises(VaultError, match=r"'redis:.* failed to load .*: Timeout"):
            vaults(hangs).open("seven")
    with pytest.raises(VaultError, match=r"cannot be written|failed"):
        SQLiteStore(tmp_path).load("seven")
    locked = SQLiteStore(tmp_path / "v.db", timeout=0.1)
    with closing(sqlite3.connect(tmp_path / "v.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(VaultError, match=r"v\.db' failed to load a conversation: SQLITE_BUSY"):
            vaults(locked).open("seven")


class Answering:
    """A store of somebody's own that answers as it should not, or raises what it likes."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def _asked(self, *_: object) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    load = add = renew = forget = _asked


@pytest.mark.parametrize(
    "answer", [RuntimeError(MAIL), None, ["x"], {None: b"x"}, {"x": None}], ids=str
)
def test_a_store_that_fails_in_its_own_way_is_an_error_that_says_nothing(answer: object) -> None:
    kept = vaults(Answering(answer))
    with pytest.raises(VaultError, match=r"^the Answering failed to load .*: \w+Error$"):
        kept.open("c")
    assert vaults(Answering(answer), on_error="mask").masked(lambda vault: vault, "c") == (
        None,
        None,
    )


def test_a_redis_client_that_decodes_is_refused() -> None:
    with pytest.raises(ValueError, match="decode_responses"):
        RedisStore("redis://127.0.0.1:1/0?decode_responses=true")


@pytest.mark.parametrize("name", ["url", "timeout"])
def test_a_redis_client_is_refused_with_what_it_replaces(name: str) -> None:
    options: dict[str, Any] = {"url": "redis://127.0.0.1:1/0", "timeout": 2.0}
    with pytest.raises(TypeError, match=rf"^RedisStore\(\) takes client= or {name}=, not both"):
        RedisStore(client=object(), **{name: options[name]})
    with pytest.raises(TypeError, match=r"needs a URL such as .*, or client="):
        RedisStore()


def test_a_vault_is_kept_by_a_redis_client_of_the_callers_own(redis_url: str) -> None:
    from redis import Redis

    with closing(Redis.from_url(redis_url)) as client:
        store = RedisStore(client=client, prefix="own:")
        store.add("c", {"name": b"sealed"})
        assert RedisStore(redis_url, prefix="own:").load("c") == {"name": b"sealed"}


def test_a_redis_that_is_full_is_an_error(redis_url: str) -> None:
    from redis import Redis

    with closing(Redis.from_url(redis_url)) as client:
        here = vaults(RedisStore(redis_url)).open("full")
        here.issue("email", MAIL)
        client.config_set("maxmemory", "1")
        try:
            with pytest.raises(
                VaultError, match=r"redis:.* failed to add values: (?:OutOfMemory|Response)Error"
            ):
                vaults(RedisStore(redis_url)).save(here)
        finally:
            client.config_set("maxmemory", "0")


def test_threads_save_beside_each_other(store: Store) -> None:
    def work(number: int) -> None:
        here = vaults(store).open("seven")
        for each in range(20):
            here.issue("email", f"{number}-{each}@example.com")
        vaults(store).save(here)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vaults(store).open("seven")) == 160


async def test_the_same_without_blocking(store: Store) -> None:
    here = await vaults(store).aopen("seven")
    stand_in = here.issue("email", MAIL)
    await vaults(store).asave(here)
    again = await vaults(store).aopen("seven")
    assert again.issue("email", MAIL) == stand_in
    await vaults(store).aforget("seven")
    assert len(await vaults(store).aopen("seven")) == 0


pytestmark = pytest.mark.anyio


class Hanging(MemoryStore):
    """A store that does not answer until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.asked = threading.Semaphore(0)

    def load(self, conversation: str) -> Sealed:
        self.asked.release()
        self.may.wait(60)
        return super().load(conversation)


@pytest.mark.anyio
async def test_a_store_that_hangs_does_not_hold_up_other_work_of_threads() -> None:
    """A long prompt is guarded in a thread, too, with a vault or without."""
    store = Hanging()
    kept = Vaults(store)
    threads = int(anyio.to_thread.current_default_thread_limiter().total_tokens)
    async with anyio.create_task_group() as group:
        for number in range(2 * threads):
            group.start_soon(kept.aopen, str(number))
        for _ in range(threads):
            await anyio.to_thread.run_sync(store.asked.acquire, limiter=anyio.CapacityLimiter(1))
        with anyio.move_on_after(20) as scope:
            await anyio.to_thread.run_sync(int)
        store.may.set()
    assert not scope.cancelled_caught


def test_a_vault_says_nothing_of_its_values() -> None:
    here = Vault(KEY)
    here.issue("email", MAIL)
    assert MAIL not in repr(here)


def test_a_conversation_that_outgrows_memory_is_refused_not_dropped() -> None:
    store = MemoryStore(max_bytes=400)
    for size in (100, 100):
        assert not store.add("one", {f"name {len(store.load('one'))}": b"x" * size})
    with pytest.raises(FullError, match="the store keeps 400 bytes"):
        store.add("one", {"more": b"x" * 200})
    assert len(store.load("one")) == 2


def test_a_file_that_was_removed_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "vault #1?.db"
    store = SQLiteStore(path)
    path.unlink()
    with pytest.raises(VaultError, match="SQLITE_CANTOPEN"):
        store.load("one")
    assert not path.exists()


def test_the_values_of_entries_are_not_shown() -> None:
    vault = Vault(KEY)
    vault.issue("email", MAIL)
    assert MAIL not in repr(list(vault.entries))


async def all_threads_wait(kept: Vaults, store: Hanging, group: TaskGroup) -> None:
    for number in range(40):
        group.start_soon(kept.aopen, str(number))
    for _ in range(40):
        await anyio.to_thread.run_sync(store.asked.acquire, limiter=anyio.CapacityLimiter(1))


@pytest.mark.anyio
async def test_a_store_that_hangs_does_not_make_those_of_another_wait() -> None:
    store = Hanging()
    async with anyio.create_task_group() as group:
        await all_threads_wait(Vaults(store), store, group)
        with anyio.move_on_after(20) as scope:
            await Vaults().aopen("seven")
        store.may.set()
    assert not scope.cancelled_caught


@pytest.mark.anyio
async def test_a_request_waits_for_a_busy_store_no_longer_than_its_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("guardstream.vault.vaults._PATIENCE", 0.05)
    store = Hanging()
    kept = Vaults(store)
    async with anyio.create_task_group() as group:
        await all_threads_wait(kept, store, group)
        with pytest.raises(VaultError, match=r"^the Hanging is busy: 40 requests wait for it$"):
            await kept.aopen("late")
        store.may.set()
    assert len(await kept.aopen("late")) == 0


def test_a_redis_that_starts_again_is_used_again(tmp_path: Path) -> None:
    port = free_port()
    kept = vaults(RedisStore(f"redis://127.0.0.1:{port}/0"))
    with redis_at(port, tmp_path):
        here = kept.open("seven")
        before = here.issue("email", MAIL)
        kept.save(here)
    with pytest.raises(VaultError, match="failed to load a conversation: ConnectionError"):
        kept.open("seven")
    here.issue("email", "bob@example.com")
    with pytest.raises(VaultError, match="failed to add values: ConnectionError"):
        kept.save(here)
    with redis_at(port, tmp_path):
        kept.save(here)  # what could not be saved is not forgotten
        again = kept.open("seven")
        assert len(again) == 1
        assert again.issue("email", MAIL) == before
