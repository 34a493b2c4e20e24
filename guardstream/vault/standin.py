"""What stands in for a value: `[EMAIL_7KQ4TWY]`, a rule's label, six symbols and a check symbol.

The symbols are a keyed hash of the value, so that every worker and every turn writes the same, and
nobody can guess one. The check symbol is the sum of the others, each times its place, modulo 29:
as 29 is a prime, one symbol that is wrong, or two that are swapped, never make another stand-in
(the reasoning of ISO/IEC 7064).

Models change stand-ins a little: case, spaces, escapes, entities, full width, emphasis, lost
brackets. Such a stand-in is still read, as long as every symbol of it is there and right.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import regex

Ids: TypeAlias = Literal["hash", "number"]
"""What stands after the label: a keyed hash, or a number that counts up."""

SYMBOLS = "23456789ABCDEFGHJKMNPQRTVWXYZ"
"""Letters and digits but those that look like another: 0 and O, 1, I and L, U and V, 5 and S."""

LENGTH = 6
"""Symbols of the hash: 29 to the sixth power are 594,823,321."""

LONGEST_LABEL = 24

ESCAPED = "TEXT"
"""The label of what only looked like a stand-in when it came."""


class Name(NamedTuple):
    """A stand-in without its brackets: its label and its id."""

    label: str
    id: str

    def __str__(self) -> str:
        return f"[{self.label}_{self.id}]"


def label_of(rule: str) -> str:
    """The label of a rule's stand-ins: its id in capitals, `VALUE` where that has no letters."""
    plain = regex.sub("[^A-Z0-9]+", "_", rule.upper())[:LONGEST_LABEL].strip("_")
    label = plain.lstrip("0123456789_") or "VALUE"
    return "VALUE" if label == ESCAPED else label


def hashed(key: bytes, conversation: str, rule: str, value: str, attempt: int = 0) -> str:
    """The id of a value; `attempt` gives others, where one is taken."""
    parts = (conversation, rule, value, str(attempt))
    told = b"".join(
        len(data).to_bytes(8, "big") + data
        for data in (part.encode("utf-8", "surrogatepass") for part in parts)
    )
    number = int.from_bytes(hmac.digest(key, told, hashlib.sha256), "big")
    symbols = ""
    for _ in range(LENGTH):
        number, digit = divmod(number, len(SYMBOLS))
        symbols += SYMBOLS[digit]
    return symbols + check_symbol(symbols)


def check_symbol(symbols: str) -> str:
    """The symbol that completes an id."""
    total = sum(place * SYMBOLS.index(symbol) for place, symbol in enumerate(symbols, 1))
    return SYMBOLS[total % len(SYMBOLS)]


def is_id(text: str) -> bool:
    """Whether `text` is an id: a hash whose check symbol is right, or a number."""
    if text.isdecimal() and text.isascii() and text[0] != "0":
        return True
    right = len(text) == LENGTH + 1 and all(symbol in SYMBOLS for symbol in text)
    return right and check_symbol(text[:-1]) == text[-1]


# How a stand-in is found, whatever a model has made of it.

_OPENS = r"(?:\[|［|&#91;|&#[xX]5[bB];|&(?:lbrack|lsqb);)"
_CLOSES = r"(?:\\?\]|］|&#93;|&#[xX]5[dD];|&(?:rbrack|rsqb);)"
_LINE = r"(?:\\?_|＿|&#95;|&#[xX]5[fF];|&lowbar;)"
_BETWEEN = r"(?:[ \u00a0\u3000]{0,2}[*_`~]{0,3}[ \u00a0\u3000]{0,2})"
_JOINT = rf"(?:[ \u00a0\u3000]?{_LINE}[ \u00a0\u3000]?|[ \u00a0\u3000\-])"
_JOINED = r"[0-9A-Za-z_０-９Ａ-Ｚａ-ｚ＿]"


def _either_width(char: str) -> str:
    """A character class of one letter or digit: either case, half and full width."""
    forms = {char.upper(), char.lower()}
    forms |= {chr(ord(form) + 0xFEE0) for form in forms}
    return "[" + "".join(sorted(forms)) + "]"


_SYMBOL = "[" + "".join(_either_width(symbol)[1:-1] for symbol in SYMBOLS) + "]"
_IDS = {"hash": f"{_SYMBOL}{{{LENGTH + 1}}}", "number": "[1-9１-９][0-9０-９]{0,8}"}

LONGEST = 140
"""Code points in a stand-in as it may be written; the longest are those of entities."""


@lru_cache(maxsize=256)
def patterns(labels: frozenset[str], ids: Ids) -> tuple[str, str]:
    """Patterns that find stand-ins with these labels: in brackets, and without."""
    ways = "|".join(
        "".join(_LINE if char == "_" else _either_width(char) for char in label)
        for label in sorted(labels)
    )
    inside = f"(?:{ways}){_JOINT}{_IDS[ids]}"
    bare = f"(?:{ways}){_LINE}{_IDS[ids]}"
    # A backslash before one bracket alone is not of the stand-in.
    return (
        rf"(?:\\\[{_BETWEEN}{inside}{_BETWEEN}\\\]|{_OPENS}{_BETWEEN}{inside}{_BETWEEN}{_CLOSES})",
        f"(?<!{_JOINED}){bare}(?!{_JOINED})",
    )


_plain = str.maketrans({"\\": None, "*": None, "`": None, "~": None, "\u3000": " ", "\u00a0": " "})


@lru_cache(maxsize=4_096)
def read(text: str, labels: frozenset[str]) -> Name | None:
    """The stand-in that `text`, found by `patterns`, is; None if it is none."""
    plain = unicodedata.normalize("NFKC", html.unescape(text)).upper().translate(_plain)
    plain = plain.strip(" []_").replace("-", "_")
    plain = regex.sub(" *_ *| +", "_", plain)
    label, _, found = plain.rpartition("_")
    return Name(label, found) if label in labels and is_id(found) else None


def labels_of(rules: Collection[str]) -> frozenset[str]:
    """The labels of some rules' stand-ins, with that of what is escaped."""
    return frozenset((ESCAPED, *map(label_of, rules)))
