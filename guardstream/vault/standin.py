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

_OPENS = r"(?:\[|［|&#0{0,5}91;|&#[xX]0{0,4}5[bB];|&(?:lbrack|lsqb);|%5[bB])"
_CLOSES = r"(?:\\?\]|］|&#0{0,5}93;|&#[xX]0{0,4}5[dD];|&(?:rbrack|rsqb);|%5[dD])"
_LINE = r"(?:\\?_|＿|&#0{0,5}95;|&#[xX]0{0,4}5[fF];|&(?:lowbar|UnderBar);|%5[fF])"
_SPACES = " \u00a0\u2009\u200b\u202f\u2060\u3000\ufeff"
_BETWEEN = rf"(?:[{_SPACES}]{{0,2}}[*_`~]{{0,3}}[{_SPACES}]{{0,2}})"
_MARKS = "[*`~]{0,3}"
_JOINT = rf"(?:{_MARKS}[{_SPACES}]?{_LINE}[{_SPACES}]?{_MARKS}|[{_SPACES}\-])"
_JOINED = r"[0-9A-Za-z_０-９Ａ-Ｚａ-ｚ＿]"

# Behind a stand-in: the rest of a host's name that has two labels more, or a path, query or port.
_HOST = (
    r"(?:[0-9A-Za-z_\-]{0,63}\.[0-9A-Za-z_\-]{1,63}\.[0-9A-Za-z]"
    r"|[0-9A-Za-z_\-.:@%]{0,63}\.[0-9A-Za-z_\-]{1,63}(?:[/?#]|:[0-9]))"
)


def _either_width(char: str) -> str:
    """A character class of one letter or digit: either case, half and full width."""
    forms = {char.upper(), char.lower()}
    forms |= {chr(ord(form) + 0xFEE0) for form in forms}
    return "[" + "".join(sorted(forms)) + "]"


_SYMBOL = "[" + "".join(_either_width(symbol)[1:-1] for symbol in SYMBOLS) + "]"
_IDS = {"hash": f"{_SYMBOL}{{{LENGTH + 1}}}", "number": "[1-9１-９][0-9０-９]{0,8}"}

LONGEST = 320
"""Code points in a stand-in as it may be written, with a host behind it."""


@lru_cache(maxsize=256)
def patterns(labels: frozenset[str], ids: Ids) -> tuple[str, str]:
    """Patterns that find stand-ins with these labels: in brackets, and without.

    Where what follows makes it part of a host's name, the match has as much of that as says so.
    """
    within, bare = _forms(labels, ids)
    return f"{within}{_HOST}?", f"{bare}{_HOST}?"


def _forms(labels: frozenset[str], ids: Ids) -> tuple[str, str]:
    ways = "|".join(
        "".join(_LINE if char == "_" else _either_width(char) for char in label)
        for label in sorted(labels)
    )
    inside = f"(?:{ways}){_JOINT}{_IDS[ids]}"
    bare = f"(?:{ways}){_LINE}{_IDS[ids]}"
    # A backslash before one bracket alone is not of the stand-in.
    return (
        rf"(?:\\\[{_BETWEEN}{inside}{_BETWEEN}\\\]|{_OPENS}{_BETWEEN}{inside}{_BETWEEN}{_CLOSES})",
        f"(?:(?<!{_JOINED}){bare}(?!{_JOINED})"
        # In emphasis by lines: `_EMAIL_7KQ4TWY_`
        f"|(?<=(?<!{_JOINED})_{{1,3}}){bare}(?=_{{1,3}}(?!{_JOINED})))",
    )


@lru_cache(maxsize=64)
def each_in(labels: frozenset[str], ids: Ids) -> regex.Pattern[str]:
    """What finds stand-ins alone in a text that `patterns` have found."""
    return regex.compile("|".join(_forms(labels, ids)))


_encoded = regex.compile("%5([bdf])", regex.IGNORECASE)
_dropped = str.maketrans(dict.fromkeys("\\*`~\u200b\u2060\ufeff"))


@lru_cache(maxsize=4_096)
def read(text: str, labels: frozenset[str]) -> Name | None:
    """The stand-in that `text`, found by `patterns`, is; None if it is none."""
    plain = _encoded.sub(lambda match: chr(int(match[0][1:], 16)), html.unescape(text))
    plain = unicodedata.normalize("NFKC", plain).upper().translate(_dropped)
    plain = plain.strip(" []_").replace("-", "_")
    plain = regex.sub(" *_ *| +", "_", plain)
    label, _, found = plain.rpartition("_")
    return Name(label, found) if label in labels and is_id(found) else None


def labels_of(rules: Collection[str]) -> frozenset[str]:
    """The labels of some rules' stand-ins, with that of what is escaped."""
    return frozenset((ESCAPED, *map(label_of, rules)))
