"""Reversible masking: the model sees stand-ins, the user and the tools get the real values."""

from __future__ import annotations

from guardstream.vault.stores import MemoryStore, RedisStore, SQLiteStore, Store
from guardstream.vault.vault import Counts, Entry, FullError, Vault, VaultError
from guardstream.vault.vaults import ConflictError, Vaults

__all__ = [
    "ConflictError",
    "Counts",
    "Entry",
    "FullError",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "Store",
    "Vault",
    "VaultError",
    "Vaults",
]
