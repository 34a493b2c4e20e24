"""Other readings of a message: what stands in it encoded, which a model reads and a rule does not.

Runs of base64 (RFC 4648, 4 and 5) and of hexadecimal digits are decoded, one level, if text comes
out. The message is also read as rot13, without leet, and without separators between single letters;
each reading by itself. Rules that block judge them; nothing in them is masked.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Final, NamedTuple

LONGEST: Final = 65_536
"""How many code points of a message are read in other ways."""

_RUN: Final = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:(?:[0-9a-fA-F]{2}){12,8192}(?![A-Za-z0-9+/_=-])"
    r"|[A-Za-z0-9+/_-]{22,16384}={0,2}(?![A-Za-z0-9+/_=-]))"
)
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_SHORTEST: Final = 24

_ROT13: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm",
)
_LEET: Final = str.maketrans("013457@$!", "oieastasi")
_LEET_WORD: Final = re.compile(r"[A-Za-z013457@$!]{2,}")
_SPELLED: Final = re.compile(
    r"(?<!\w)[^\W\d_](?P<sign>[ ._|/*-])(?:[^\W\d_](?P=sign))+[^\W\d_](?!\w)"
)


class Reading(NamedTuple):
    """A text that a message may be read as, and the span in the message that it stands for."""

    text: str
    start: int
    end: int


def readings(text: str) -> Iterator[Reading]:
    """Yield the other readings of a message's first `LONGEST` code points."""
    text = text[:LONGEST]
    for run in _RUN.finditer(text):
        if len(run[0]) >= _SHORTEST and (decoded := _decoded(run[0])):
            yield Reading(decoded, *run.span())
    for reading in (
        text.translate(_ROT13),
        _LEET_WORD.sub(_plain, text),
        _SPELLED.sub(_joined, text),
    ):
        if reading != text:
            yield Reading(reading, 0, len(text))


def _decoded(run: str) -> str:
    """Return the text that a run encodes; empty if it encodes none."""
    try:
        if _HEX.fullmatch(run):
            data = bytes.fromhex(run)
        else:
            plain = run.rstrip("=").replace("-", "+").replace("_", "/")
            data = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        decoded = data.decode()
    except ValueError:
        return ""
    shown = sum(map(str.isprintable, decoded)) + sum(map(decoded.count, "\n\t\r"))
    return decoded if shown == len(decoded) else ""


def _plain(word: re.Match[str]) -> str:
    return word[0].translate(_LEET) if any(map(str.isalpha, word[0])) else word[0]


def _joined(letters: re.Match[str]) -> str:
    return letters[0].replace(letters["sign"], "")
