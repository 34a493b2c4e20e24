"""Reversible masking: the model sees stand-ins, the user and the tools get the real values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardstream.lazy import exporting

if TYPE_CHECKING:
    from guardstream.vault.stores import MemoryStore, RedisStore, SQLiteStore, Store
    from guardstream.vault.vault import Counts, Entry, FullError, Vault, VaultError
    from guardstream.vault.vaults import ConflictError, Vaults
else:
    __getattr__, __dir__ = exporting(
        __name__,
        {
            "ConflictError": "guardstream.vault.vaults",
            "Counts": "guardstream.vault.vault",
            "Entry": "guardstream.vault.vault",
            "FullError": "guardstream.vault.vault",
            "MemoryStore": "guardstream.vault.stores",
            "RedisStore": "guardstream.vault.stores",
            "SQLiteStore": "guardstream.vault.stores",
            "Store": "guardstream.vault.stores",
            "Vault": "guardstream.vault.vault",
            "VaultError": "guardstream.vault.vault",
            "Vaults": "guardstream.vault.vaults",
        },
    )

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
