"""Ids of stand-ins: six symbols of a keyed hash of the value, and a check symbol.

The hash is the same in every worker and every turn, and nobody can guess it. The check symbol is
the sum of the others, each times its place, modulo 29. As 29 is prime, one wrong symbol, or two
swapped ones, never make another valid id (the reasoning of ISO/IEC 7064).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal, TypeAlias

Ids: TypeAlias = Literal["hash", "number", "fake"]
"""How values are told apart: by a keyed hash after the label, by a number that counts up, or by a
fake value of the same form that contains a keyed hash, if the form has one."""

SYMBOLS = "23456789ABCDEFGHJKMNPQRTVWXYZ"
"""Digits and letters, without 0 and O, 1, I and L, which look alike, U (like V) and S (like 5)."""

LENGTH = 6
"""Symbols of the hash: 29 to the sixth power are 594,823,321."""


def hashed(key: bytes, conversation: str, rule: str, value: str, attempt: int = 0) -> str:
    """Return the id of a value. If that is taken, another `attempt` gives another id."""
    parts = (conversation, rule, value, str(attempt))
    message = b"".join(
        len(data).to_bytes(8, "big") + data
        for data in (part.encode("utf-8", "surrogatepass") for part in parts)
    )
    number = int.from_bytes(hmac.digest(key, message, hashlib.sha256), "big")
    symbols = ""
    for _ in range(LENGTH):
        number, digit = divmod(number, len(SYMBOLS))
        symbols += SYMBOLS[digit]
    return symbols + check_symbol(symbols)


def check_symbol(symbols: str) -> str:
    """Return the check symbol of an id."""
    total = sum(place * SYMBOLS.index(symbol) for place, symbol in enumerate(symbols, 1))
    return SYMBOLS[total % len(SYMBOLS)]


def is_id(text: str) -> bool:
    """Return whether `text` is an id: a hash with the right check symbol, or a number."""
    return (text.isdecimal() and text.isascii() and text[0] != "0") or is_hash(text)


def is_hash(text: str) -> bool:
    """Return whether `text` is a hash with the right check symbol."""
    right = len(text) == LENGTH + 1 and all(symbol in SYMBOLS for symbol in text)
    return right and check_symbol(text[:-1]) == text[-1]


def number_of(found: str) -> int:
    """Return a hash as a number, of at most eleven decimal digits."""
    number = 0
    for symbol in found:
        number = number * len(SYMBOLS) + SYMBOLS.index(symbol)
    return number


def hash_of(number: int) -> str | None:
    """Return the hash whose `number_of` is this number; None if there is none."""
    symbols = ""
    for _ in range(LENGTH + 1):
        number, digit = divmod(number, len(SYMBOLS))
        symbols = SYMBOLS[digit] + symbols
    return symbols if number == 0 and is_hash(symbols) else None
