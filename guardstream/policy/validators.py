"""Checks of matched values: check digits, and how random a text looks.

Each takes the matched text, with the white space, hyphens and dots that people write between
digits, and tells whether it can be such a value. They are pure: no state, no clock, no I/O.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from operator import sub
from types import MappingProxyType

from guardstream.policy.national import CHECKS
from guardstream.stages.rules import Validator

_EXTENSION = re.compile(r"[Ee]?[Xx]")
_ESCAPE = re.compile(r"%(?:25)?[0-9A-Fa-f]{2}")


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1 annex B: the check digit of payment cards; not all zeros."""
    digits = _digits(text)
    if len(digits) < 2 or not any(digits):
        return False
    doubled = [_digit_sum(2 * digit) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _digit_sum(number: int) -> int:
    return number - 9 if number > 9 else number


def iban(text: str) -> bool:
    """ISO 13616-1: the country's length where it is known, and ISO 7064 mod 97-10."""
    plain = _plain(text).upper()
    if not 15 <= len(plain) <= 34 or not plain.isascii() or not plain.isalnum():
        return False
    if not (plain[:2].isalpha() and plain[2:4].isdigit()):
        return False
    length = _IBAN_LENGTHS.get(plain[:2])
    if length is not None and len(plain) != length:
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def mod11(text: str) -> bool:
    """GB 11643: a Chinese identity number, ISO 7064 mod 11-2, with a birth date that can be."""
    plain = _plain(text).upper()
    if len(plain) != 18 or not (plain[:17].isascii() and plain[:17].isdigit()):
        return False
    year, month, day = int(plain[6:10]), int(plain[10:12]), int(plain[12:14])
    if not (1800 <= year <= 2199 and 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(plain[:17], _ID_WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == plain[17]


def aba(text: str) -> bool:
    """The American Bankers Association's routing number: weights 3, 7, 1 over nine digits."""
    digits = _digits(text)
    if len(digits) != 9 or not _aba_prefix(10 * digits[0] + digits[1]):
        return False
    return (
        sum(digit * weight for digit, weight in zip(digits, (3, 7, 1) * 3, strict=True)) % 10 == 0
    )


def _aba_prefix(prefix: int) -> bool:
    return prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80


def uscc(text: str) -> bool:
    """GB 32100: a unified social credit code, ISO 7064 mod 31-3 over 18 characters."""
    plain = _plain(text).upper()
    if len(plain) != 18 or any(character not in _USCC for character in plain):
        return False
    values = [_USCC.index(character) for character in plain]
    total = sum(value * pow(3, place, 31) for place, value in enumerate(values[:17]))
    return (31 - total % 31) % 31 == values[17]


def ssn(text: str) -> bool:
    """The US Social Security Administration's rules for numbers it has never assigned."""
    digits = "".join(map(str, _digits(text)))
    if len(digits) != 9 or len(set(digits)) == 1 or digits in ("123456789", "078051120"):
        return False
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def nhs(text: str) -> bool:
    """The NHS number's check digit: weights 10 to 2, modulus 11."""
    digits = _digits(text)
    if len(digits) != 10:
        return False
    total = sum(digit * (10 - place) for place, digit in enumerate(digits[:9]))
    return (11 - total % 11) % 11 == digits[9]


def verhoeff(text: str) -> bool:
    """Verhoeff's dihedral check, as the Indian Aadhaar number uses it."""
    digits = _digits(text)
    if not digits:
        return False
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _dihedral(check, _permuted(place, digit))
    return check == 0


def _dihedral(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def _permuted(place: int, digit: int) -> int:
    for _ in range(place % 8):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit


def bitcoin(text: str) -> bool:
    """A Bitcoin address: Base58Check, or Bech32 and Bech32m of BIP 173 and BIP 350."""
    return _bech32(text) if text[:3].lower() == "bc1" else _base58(text)


def _base58(text: str) -> bool:
    if not 26 <= len(text) <= 35 or any(character not in _BASE58 for character in text):
        return False
    number = 0
    for character in text:
        number = 58 * number + _BASE58.index(character)
    if number.bit_length() > 200:
        return False
    data = number.to_bytes(25, "big")
    return sha256(sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def _bech32(text: str) -> bool:
    if text not in (text.lower(), text.upper()) or not 14 <= len(text) <= 90:
        return False
    prefix, _, data = text.lower().rpartition("1")
    if any(character not in _BECH32 for character in data):
        return False
    expanded = [ord(character) >> 5 for character in prefix] + [0]
    expanded += [ord(character) & 31 for character in prefix]
    return _polymod(expanded + [_BECH32.index(character) for character in data]) in (1, 0x2BC830A3)


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATORS):
            check ^= generator if top >> bit & 1 else 0
    return check


def phone(text: str) -> bool:
    """ITU-T E.164: eight to fifteen digits, country code included where there is one.

    An extension, such as `x12` or `ext. 12`, does not count, nor does an escape of a URL.
    """
    number: str = _EXTENSION.split(_ESCAPE.sub("", text), maxsplit=1)[0]
    return 8 <= sum(character.isdigit() for character in number) <= 15


def ip(text: str) -> bool:
    """An IPv4 or IPv6 address, or a network with its prefix length (RFC 791, RFC 4291)."""
    try:
        if "/" in text:
            ip_network(text, strict=False)
        else:
            ip_address(text)
    except ValueError:
        return False
    return True


def entropy(bits: float) -> Validator:
    """Return a check that a text has at least `bits` of Shannon entropy a character."""

    def enough(text: str) -> bool:
        return _has_entropy(text, bits)

    return enough


def _has_entropy(text: str, bits: float) -> bool:
    """Return whether a text has this many bits per character. The number of different characters
    often decides, and is faster to count than how often each occurs."""
    sure = _least_entropy(len(text), len(set(text))) > bits + 1e-9
    return sure or shannon(text) >= bits


@lru_cache(maxsize=4096)
def _least_entropy(size: int, different: int) -> float:
    """Return the least entropy of a text of `size` characters: all but one of them occur once."""
    often = size - different + 1
    return math.log2(size) - often * math.log2(often) / size if size else 0.0


def shannon(text: str) -> float:
    """Return the Shannon entropy of the characters of `text`, in bits per character."""
    size = len(text)
    often = [count for count in Counter(text).values() if count > 1]
    return math.log2(size) - sum(n * math.log2(n) for n in often) / size if size else 0.0


def mixed(text: str) -> bool:
    """Contains a digit and a letter, as random keys do, unlike words and numbers."""
    return any(c.isdigit() for c in text) and any(c.isalpha() for c in text)


def random(text: str) -> bool:
    """Looks drawn at random: letters and digits that alternate, and no run of the alphabet.

    Of random text in base 36, 62 or 64 at least every sixth character is of another kind (digit,
    small or capital letter) than the one before it; of words joined by digits hardly any is.
    """
    if text.isascii():
        plain = text.encode()
        kinds = plain.translate(_ASCII_KINDS, _NEITHER)
        letters: Sequence[int] = plain.lower().translate(None, _NEITHER)
    else:
        kinds = "".join(map(_kind, text)).encode()
        letters = list(map(ord, "".join(filter(str.isalnum, text)).lower()))
    if len(kinds) < 12 or 6 * _changes(kinds) < len(kinds):
        return False
    both = b"\1" in kinds and kinds.strip(b"\1") and (text.isascii() or mixed(text))
    return bool(both) and _has_entropy(text, 2.7) and not _counts(letters)


def _kind(char: str) -> str:
    """Return the kind of a character, a bit; empty if it is neither a letter nor a number."""
    return (
        "" if not char.isalnum() else "\1" if char.isdigit() else "\2" if char.isupper() else "\4"
    )


_ASCII_KINDS = b"".join((_kind(chr(code)) or "-").encode() for code in range(256))
_NEITHER = bytes(code for code in range(128) if not chr(code).isalnum())


def _changes(kinds: bytes) -> int:
    """Return how many kinds, each a bit, differ from the one before."""
    number = int.from_bytes(kinds, "big")
    # Of the first kind one bit is left, and two where two kinds differ.
    return (number ^ number >> 8).bit_count() // 2


def _counts(codes: Sequence[int]) -> bool:
    """Return whether characters, or bytes in hexadecimal, count up: `123456`, `000102030405`."""
    return _ascends(codes) or _ascends(codes[::2]) or _ascends(codes[1::2])


def _ascends(codes: Sequence[int]) -> bool:
    """Return whether six characters in a row are consecutive, as in `123456` and `abcdef`."""
    # One of the five steps between them begins at a multiple of five.
    if 1 not in map(sub, codes[1::5], codes[::5]):
        return False
    follows = bytes(map((1).__eq__, map(sub, codes[1:], codes)))
    return bytes([1] * 5) in follows


def password(text: str) -> bool:
    """Looks made up: often of another kind than the character before, or with a mark inside.

    The kinds are digits, small letters, capitals, and each mark. Of characters drawn from all of
    them five in six differ in kind from the one before, in names and sentences one or two in ten:
    two in five are enough. What has white space, or begins with a quote, has only this to go by;
    else a mark that no name, number or path has may stand among letters and digits.
    """
    kinds = [_kind(char) or char for char in text if not char.isspace()]
    changes = sum(map(str.__ne__, kinds, kinds[1:]))
    if 5 * changes >= 2 * (len(kinds) - 1) and len(set(kinds)) > 2 and len(kinds) > 7:
        return True
    whole = len(kinds) == len(text) and text[:1] not in _QUOTES
    return whole and mixed(text) and not _STRONG.isdisjoint(text[1:-1])


_QUOTES = "\"'`"
_STRONG = frozenset("!#$%&()*+;<>?[]^{|}~,") | frozenset(_QUOTES)
"""Marks that no word, name, number or path has between its letters."""


def basic_credentials(text: str) -> bool:
    """RFC 7617: base64 of a user name, a colon and a password, all of them printable."""
    try:
        user, colon, password = b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return False
    return bool(user and colon and password) and (user + password).isprintable()


def varied(text: str) -> bool:
    """Is not a placeholder: it has at least six different letters or digits."""
    return len({character for character in text if character.isalnum()}) >= 6


def _plain(text: str) -> str:
    return text.translate(_SEPARATORS)


def _digits(text: str) -> list[int]:
    """Return the digits of `text`; none if it contains anything but digits and separators."""
    plain = _plain(text)
    return [int(digit) for digit in plain] if plain.isascii() and plain.isdigit() else []


_SPACES = filter(str.isspace, map(chr, range(0x3001)))  # no white space has a higher code point
_SEPARATORS = dict.fromkeys(map(ord, (*_SPACES, *"-.‐‑–")))
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

# The SWIFT IBAN registry, for the countries that publish a length.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA",
        30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip

NAMED: Mapping[str, Validator] = MappingProxyType(
    {
        **CHECKS,
        **{
            check.__name__: check
            for check in (
                *(luhn, iban, mod11, aba, uscc, ssn, nhs, verhoeff, bitcoin, phone, ip),
                *(mixed, varied, random, password, basic_credentials),
            )
        },
    }
)
"""The checks that a policy names without a dotted path; `entropy` needs a number of bits."""


def names() -> Iterator[str]:
    """Yield the names that `validate` knows."""
    yield from (*NAMED, "entropy")
