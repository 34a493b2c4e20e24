"""The vaults of all conversations: opened for a request, saved before anything is sent."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from os import PathLike
from types import NoneType
from typing import Any, Literal, NoReturn, TypeVar
from uuid import UUID

from anyio import CapacityLimiter, move_on_after, to_thread

from guardstream.hints import check_known
from guardstream.per_loop import PerLoop
from guardstream.vault.ids import Ids
from guardstream.vault.sealing import AESGCM, Plain, Sealing
from guardstream.vault.standin import named
from guardstream.vault.stores import ADD, FORGET, LOAD, RENEW, MemoryStore, Store
from guardstream.vault.vault import Entry, Vault, VaultError, check_key

T = TypeVar("T")

_THREADS = 40
"""How many threads of an event loop may wait for a store. They are not shared: if a store hangs,
other stores and other work in threads, such as guarding long texts, go on."""

_PATIENCE = 30.0
"""How many seconds a request waits for one of these threads, if a store hangs or is overloaded."""


class ConflictError(VaultError):
    """Another worker has issued the same stand-in: open the vault and mask again."""


class Vaults:
    """The vaults of all conversations, in a store.

            vault = vaults.open("conversation 7", caller="alice")
            sent = guard.check_messages(messages, vault=vault)
            vaults.save(vault)
            guard.wrap(await ask(sent.messages), vault=vault)

    A conversation belongs to its caller: no other caller can open it. `aopen`, `asave` and
    `aforget` do the same without blocking an event loop.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        key: bytes | Sequence[bytes] | None = None,
        id_key: bytes | None = None,
        ids: Ids = "hash",
        max_entries: int = 10_000,
        max_bytes: int = 10_000_000,
        tools: Mapping[str, Sequence[str]] | None = None,
        on_error: Literal["block", "mask"] = "block",
    ) -> None:
        """Create the vaults of a store.

        - `store`: by default a MemoryStore.
        - `key`: encrypts the entries. Of several keys, the first encrypts and all decrypt; `open`
          encrypts entries of the others again, with the first one. Every store outside of the
          process needs a key.
        - `id_key`: the key of ids, and of the names of conversations in the store. Workers that
          share a store need the same one. With another key, all conversations start again.
        - `ids`, `max_entries`, `max_bytes`, `tools`: as for `Vault`.
        - `on_error`: what `masked` does if the store fails: "block" raises, "mask" masks without a
          vault.

        Raises ValueError for a key that is missing or has fewer than 16 bytes, TypeError for one
        that is not bytes and for a store of the wrong type, VaultError if `cryptography` is not
        installed.
        """
        if isinstance(store, (str, PathLike)):
            raise TypeError("store= needs a store, such as SQLiteStore(path) or RedisStore(url)")
        keys = [key] if isinstance(key, (bytes, str)) else list(key or ())
        for each in keys:
            check_key(each)
        inside = store is None or isinstance(store, MemoryStore)
        if not inside and (not keys or id_key is None):
            raise ValueError("a store outside of the process needs a 'key' and an 'id_key'")
        check_known("on_error", on_error, ("block", "mask"))
        self._on_error = on_error
        self._store: Store = MemoryStore() if store is None else store
        self._sealing: Sealing = AESGCM(keys) if keys else Plain()
        self._id_key = secrets.token_bytes(32) if id_key is None else id_key
        self._options: dict[str, Any] = {
            "ids": ids,
            "max_entries": max_entries,
            "max_bytes": max_bytes,
            "tools": tools,
        }
        self._limiter = PerLoop(partial(CapacityLimiter, _THREADS))
        Vault(self._id_key, **self._options)  # raises at once for invalid options

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: the keys and the connection of a store belong to one process."""
        raise TypeError(
            "Vaults cannot be pickled or copied: share them, or create them in each process, with "
            "the same keys and a store that the processes share"
        )

    def open(self, conversation: str | None = None, caller: str = "") -> Vault:
        """Return the vault of a conversation of `caller`, with its stored values.

        Without a conversation, the vault is for a single request that contains its history: the
        same values have the same stand-ins in the caller's next request, and nothing is stored.
        Raises ValueError for an empty name, VaultError if the store fails, or if an entry cannot be
        decrypted.
        """
        owner = self._owner(conversation, caller)
        entries = self._loaded(owner) if conversation is not None else []
        return Vault(self._id_key, owner, entries=entries, **self._options)

    def save(self, vault: Vault) -> None:
        """Store the new values of a vault. Call this before anything is sent.

        Raises ConflictError if another worker has issued one of its stand-ins for another value,
        VaultError if the store fails.
        """
        _check_vault(vault)
        issued = [*vault.fresh]
        fresh = [entry for entry in issued if not entry.shared]
        if fresh and vault.conversation.endswith(_KEPT):
            owner = vault.conversation
            names = {str(entry.name): entry for entry in fresh}
            sealed = {
                name: self._sealing.seal([entry.rule, entry.value], owner + name)
                for name, entry in names.items()
            }
            with self._asking(ADD):
                while sealed:
                    taken = dict(self._store.add(owner, sealed))
                    for name, data in taken.items():
                        if self._sealing.open(data, owner + name)[1] != names.pop(name).value:
                            raise ConflictError("a stand-in was issued twice: open the vault again")
                    # Others have added these values: the rest is added without them.
                    sealed = {name: sealed[name] for name in names} if taken else {}
        vault.saved(issued)

    def masked(
        self, mask: Callable[[Vault | None], T], conversation: str | None = None, caller: str = ""
    ) -> tuple[Vault | None, T]:
        """Open a vault, call `mask` with it, and save it; return the vault and the result of
        `mask`.

        If another worker has issued the same stand-in meanwhile, all of this is repeated. Raises
        VaultError if the store fails, and the exceptions of `mask`. With `on_error="mask"` the
        vault is None if the store fails, and masks are irreversible.
        """
        try:
            for left in reversed(range(_TRIES)):
                vault = self.open(conversation, caller)
                made = mask(vault)
                try:
                    self.save(vault)
                except ConflictError:
                    if not left:
                        raise
                else:
                    break
        except VaultError:
            if self._on_error == "block":
                raise
            return None, mask(None)
        return vault, made

    async def amasked(
        self, mask: Callable[[Vault | None], T], conversation: str | None = None, caller: str = ""
    ) -> tuple[Vault | None, T]:
        """Do what `masked` does in a thread."""
        masked: Callable[..., tuple[Vault | None, T]] = self.masked
        return await self._in_thread(partial(masked, mask, conversation, caller), abandon=True)

    def forget(self, conversation: str, caller: str = "") -> None:
        """Drop all values of a conversation. Raises VaultError if the store fails."""
        owner = self._owner(conversation, caller)
        with self._asking(FORGET):
            self._store.forget(owner)

    async def aopen(self, conversation: str | None = None, caller: str = "") -> Vault:
        """Do what `open` does in a thread."""
        if conversation is None:
            return self.open(None, caller)
        return await self._in_thread(partial(self.open, conversation, caller), abandon=True)

    async def asave(self, vault: Vault) -> None:
        """Do what `save` does in a thread."""
        _check_vault(vault)
        if vault.fresh:
            await self._in_thread(partial(self.save, vault))

    async def aforget(self, conversation: str, caller: str = "") -> None:
        """Do what `forget` does in a thread."""
        await self._in_thread(partial(self.forget, conversation, caller))

    def _owner(self, conversation: str | None, caller: str) -> str:
        """Return the hashed name of a caller's conversation, or of a caller."""
        if not isinstance(caller, str):
            given = type(caller).__qualname__
            raise TypeError(f"caller= needs the name of an authenticated client, not {given!r}")
        if not isinstance(conversation, (str, int, UUID, NoneType)):
            given = type(conversation).__qualname__
            raise TypeError(f"conversation= needs a name, a str, not {given!r}")
        if conversation == "":  # from a missing id: everyone without one would share a vault
            raise ValueError("conversation= is empty: give a name, or None for a single request")
        name = f"{len(caller)}:{caller}{conversation if conversation is not None else ''}"
        data = name.encode("utf-8", "surrogatepass")
        kind = _KEPT if conversation is not None else _PASSING
        return hmac.digest(self._id_key, kind.encode() + data, hashlib.sha256).hex() + kind

    def _loaded(self, owner: str) -> list[Entry]:
        entries = []
        outdated: dict[str, bytes] = {}
        with self._asking(LOAD):
            for written, sealed in self._store.load(owner).items():
                rule, value = self._sealing.open(sealed, owner + written)
                entries.append(Entry(named(written), rule, value))
                if self._sealing.is_outdated(sealed):
                    outdated[written] = self._sealing.seal([rule, value], owner + written)
        if outdated:  # so that a conversation outlives the key that encrypted it
            with self._asking(RENEW):
                self._store.renew(owner, outdated)
        return entries

    async def _in_thread(self, work: Callable[[], T], *, abandon: bool = False) -> T:
        """Run `work` in a thread; with `abandon`, a cancellation does not wait for it."""
        limiter = self._limiter()
        request = object()
        with move_on_after(_PATIENCE) as waiting:
            await limiter.acquire_on_behalf_of(request)
        if waiting.cancelled_caught:
            raise VaultError(f"the {self._kind} is busy: {_THREADS} requests wait for it")
        try:
            own = CapacityLimiter(1)
            return await to_thread.run_sync(work, abandon_on_cancel=abandon, limiter=own)
        finally:
            limiter.release_on_behalf_of(request)

    @property
    def _kind(self) -> str:
        return type(self._store).__name__

    @contextmanager
    def _asking(self, work: str) -> Iterator[None]:
        """Raise VaultError in place of any other exception of a store or of decoding its entries.
        `work` is what the store does."""
        try:
            yield
        except VaultError:
            raise
        except Exception as error:
            why = type(error).__name__
            raise VaultError(f"the {self._kind} failed to {work}: {why}") from error


def _check_vault(given: object) -> None:
    if not isinstance(given, Vault):
        kind = type(given).__qualname__
        raise TypeError(f"save() needs the vault that open() returned, not {kind!r}")


_TRIES = 20
"""How often a request is masked again because another worker has issued the same numbers. Each
time, a request of another worker has been served."""

_KEPT, _PASSING = ":kept", ":passing"
"""The suffixes of the names of conversations: of those that are stored, and those of one request.
"""
