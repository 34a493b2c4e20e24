"""Reversible masking: the model sees stand-ins, the user and the tools get the real values."""

from __future__ import annotations

from guardstream.vault.vault import Counts, Entry, FullError, Vault, VaultError

__all__ = ["Counts", "Entry", "FullError", "Vault", "VaultError"]
