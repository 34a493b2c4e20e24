"""Fakes: stand-ins that look like the values they stand for, and belong to nobody.

- mail addresses at example.com (RFC 2606, section 3): `user-7kq4tw3@example.com`
- IPv6 addresses in 2001:db8::/32 (RFC 3849): `2001:db8:3:9ac2:410f::1`
- card numbers whose check digit is wrong (ISO/IEC 7812-1, annex B): `4000012345678901`

Each contains a whole id, so that nobody writes one by chance. Reserved ranges too small for an id
(telephone numbers, IPv4 addresses) are not used: an example from a model, or what a user types,
would be taken for a stand-in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import regex

from guardstream.policy.validators import luhn
from guardstream.vault.ids import SYMBOLS, hash_of, is_hash, number_of

_LOWER = SYMBOLS.lower()
_BEFORE = r"(?<![0-9A-Za-z.+%@\-])(?<![0-9A-Za-z]_)"
_AFTER = r"(?![0-9A-Za-z@\-]|[._][0-9A-Za-z])"


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of fakes: the labels and values that it fits, and how it writes and reads an id."""

    label: str
    fits: Callable[[str, str], bool]
    written: Callable[[str], str]
    pattern: str
    read: Callable[[str], str | None]


def _is_mail(label: str, value: str) -> bool:
    return "MAIL" in label and bool(regex.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value))


def _read_mail(text: str) -> str | None:
    found = text.removeprefix("user-").removesuffix("@example.com").upper()
    return found if is_hash(found) and _mail(found) == text else None


def _mail(found: str) -> str:
    return f"user-{found.lower()}@example.com"


def _is_ipv6(label: str, value: str) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return "IP" in label


def _ipv6(found: str) -> str:
    number = number_of(found)
    return f"2001:db8:{number >> 32:x}:{number >> 16 & 0xFFFF:x}:{number & 0xFFFF:x}::1"


def _read_ipv6(text: str) -> str | None:
    number = 0
    for group in text.removeprefix("2001:db8:").removesuffix("::1").split(":"):
        number = number << 16 | int(group, 16)
    found = hash_of(number)
    return found if found and _ipv6(found) == text else None


def _is_card(label: str, value: str) -> bool:
    return "CARD" in label and bool(regex.fullmatch(r"(?:[0-9][ \-]?){12,18}[0-9]", value))


def _card(found: str) -> str:
    number = f"4000{number_of(found):012}"
    return number if not luhn(number) else f"4001{number[4:]}"


def _read_card(text: str) -> str | None:
    found = hash_of(int(text[4:]))
    return found if found and _card(found) == text else None


SHAPES = {
    shape.label: shape
    for shape in (
        Shape(
            "a mail address",
            _is_mail,
            _mail,
            rf"{_BEFORE}user-[{_LOWER}]{{7}}@example\.com{_AFTER}",
            _read_mail,
        ),
        Shape(
            "an address of IPv6",
            _is_ipv6,
            _ipv6,
            rf"{_BEFORE}(?<!:)2001:db8(?::[0-9a-f]{{1,4}}){{3}}::1{_AFTER}(?!:[0-9A-Za-z:])",
            _read_ipv6,
        ),
        Shape("a card", _is_card, _card, rf"{_BEFORE}400[01][0-9]{{12}}{_AFTER}", _read_card),
    )
}
"""The shapes by label; no rule has such a label."""


def shape_of(label: str, value: str) -> str:
    """Return the label of the shape that fits a value; `label`, the rule's own, if none does."""
    return next((each for each, shape in SHAPES.items() if shape.fits(label, value)), label)
