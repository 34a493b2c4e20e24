"""Encrypts the entries of a store: AES-256-GCM (NIST SP 800-38D), bound to their places."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any, Protocol

from guardstream.vault.vault import VaultError

_NONCE = 12
_NAME = 4


class Sealing(Protocol):
    """Converts an entry's content to its stored form and back."""

    def seal(self, content: Sequence[str], place: str) -> bytes:
        """Encrypt `content`; it can only be decrypted for the same place."""
        ...

    def open(self, sealed: bytes, place: str) -> list[str]:
        """Decrypt an entry. Raises VaultError if it was not encrypted for this place."""
        ...

    def is_outdated(self, sealed: bytes) -> bool:
        """Return whether an entry that can be decrypted would be encrypted with another key now."""
        ...


class Plain:
    """Does not encrypt: for entries that never leave the process."""

    def seal(self, content: Sequence[str], place: str) -> bytes:
        return json.dumps([place, *content]).encode()

    def open(self, sealed: bytes, place: str) -> list[str]:
        found = json.loads(sealed)
        if found[0] != place:
            raise VaultError("an entry of the store belongs to another place")
        return [str(each) for each in found[1:]]

    def is_outdated(self, sealed: bytes) -> bool:
        del sealed
        return False


class AESGCM:
    """Encrypts with the first of several keys and decrypts with any of them, for key rotation."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Each key has at least 16 bytes. Raises VaultError if `cryptography` is not installed."""
        try:
            from cryptography.hazmat.primitives.ciphers import aead
        except ImportError as error:
            raise VaultError(
                "cryptography is not installed: pip install 'guardstream[vault]'"
            ) from error
        self._ciphers: dict[bytes, Any] = {}
        for key in keys:
            derived = hmac.digest(key, b"guardstream vault: sealing", hashlib.sha256)
            name = hashlib.sha256(derived).digest()[:_NAME]
            self._ciphers.setdefault(name, aead.AESGCM(derived))
        self._first = next(iter(self._ciphers))

    def seal(self, content: Sequence[str], place: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        data = json.dumps(list(content)).encode()
        cipher = self._ciphers[self._first]
        return bytes(self._first + nonce + cipher.encrypt(nonce, data, place.encode()))

    def open(self, sealed: bytes, place: str) -> list[str]:
        name, nonce = sealed[:_NAME], sealed[_NAME : _NAME + _NONCE]
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise VaultError("an entry of the store was sealed with another key")
        try:
            data = cipher.decrypt(nonce, sealed[_NAME + _NONCE :], place.encode())
        except Exception as error:  # InvalidTag, ValueError
            raise VaultError("an entry of the store was changed, or moved") from error
        return [str(each) for each in json.loads(data)]

    def is_outdated(self, sealed: bytes) -> bool:
        return not sealed.startswith(self._first)
