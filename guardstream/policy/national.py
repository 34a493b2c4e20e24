"""Checks of national numbers, by name: those of python-stdnum, and a few that it lacks.

https://arthurdejong.org/python-stdnum/. Its modules are imported when a policy needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

_MODULES = (
    "au_abn", "au_acn", "au_tfn", "br_cnpj", "br_cpf", "ca_sin", "ch_ssn",
    "de_idnr", "de_vat", "es_cif", "es_dni", "es_nie", "fr_nif", "fr_nir",
    "gb_utr", "gb_vat", "in_gstin", "in_pan", "it_codicefiscale", "it_iva", "jp_in",
    "kr_rrn", "nl_bsn", "pl_nip", "pl_pesel", "se_personnummer", "sg_uen", "th_pin", "tr_tckimlik",
    "za_idnr",
)  # fmt: skip
"""Modules of python-stdnum: country and number."""

_RESERVED = {"in": "in_"}

_SEPARATED = ("se_personnummer",)
"""Numbers whose separator is a part of what they say: `+` means born a century before `-`."""

_SEPARATORS = dict.fromkeys(map(ord, ". -"))
"""Written between the groups of a number, and not removed by every module."""

_LONGEST = 40
"""The maximum length of a national number, with spaces and separators."""


def _standard(name: str) -> Callable[[str], bool]:
    parts = [_RESERVED.get(part, part) for part in name.split("_", 1)]

    def check(text: str) -> bool:
        module = import_module(".".join(["stdnum", *parts]))
        plain = text if name in _SEPARATED else text.translate(_SEPARATORS)
        return len(text) <= _LONGEST and text.isascii() and bool(module.is_valid(plain))

    check.__name__ = name
    return check


def _products(digits: Iterable[str | int], weights: Iterable[int]) -> Iterator[int]:
    """Yield each digit times its weight."""
    return (int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def _digit_sums(digits: Iterable[str | int], weights: Iterable[int]) -> int:
    """Return the sum of all digits of the products, which have two at most."""
    return sum(sum(divmod(product, 10)) for product in _products(digits, weights))


def tw_id(text: str) -> bool:
    """A Taiwanese identity number: a letter for the place, and weights 8 to 1 (and 1), modulo
    10."""
    if not (text.isascii() and len(text) == 10 and text[0].isalpha() and text[1:].isdigit()):
        return False
    place = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0].upper())
    digits = [place // 10, place % 10, *text[1:]]
    weights = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
    return sum(_products(digits, weights)) % 10 == 0


def hk_id(text: str) -> bool:
    """A Hong Kong identity card's number: weights 9 to 2, modulo 11, the last digit in brackets."""
    plain = "".join(c for c in text.upper() if c.isalnum())
    letters = plain.rstrip("0123456789A") if plain[-1:] == "A" else plain.rstrip("0123456789")
    body = plain[len(letters) : -1]
    if not (plain.isascii() and len(letters) in (1, 2) and len(body) == 6 and body.isdigit()):
        return False
    values = [36, *(ord(letter) - 55 for letter in letters)][-2:]
    total = sum(_products([*values, *body], range(9, 1, -1)))
    return "0123456789A"[-total % 11] == plain[-1]


def fi_hetu(text: str) -> bool:
    """A Finnish personal identity code, temporary ones too: a birth date, and modulo 31."""
    plain = text.upper()
    if not (plain.isascii() and len(plain) == 11 and plain[6] in "+-ABCDEFUVWXY"):
        return False
    digits = plain[:6] + plain[7:10]
    if not digits.isdigit() or not (1 <= int(plain[:2]) <= 31 and 1 <= int(plain[2:4]) <= 12):
        return False
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == plain[10]


def sg_nric(text: str) -> bool:
    """A Singaporean identity number of citizens (S, T) and foreigners (F, G, M)."""
    plain = text.upper()
    if not (text.isascii() and len(plain) == 9 and plain[0] in _SG_OFFSETS):
        return False
    if not plain[1:8].isdigit():
        return False
    total = _SG_OFFSETS[plain[0]] + sum(_products(plain[1:8], (2, 7, 6, 5, 4, 3, 2)))
    letters = {"S": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}
    kind = {"T": "S", "G": "F"}.get(plain[0], plain[0])
    place = total % 11 if kind != "M" else 10 - total % 11
    return letters[kind][place] == plain[8]


_SG_OFFSETS = {"S": 0, "F": 0, "T": 4, "G": 4, "M": 3}


def de_document(text: str) -> bool:
    """A German identity card or passport: ICAO Doc 9303's check digit, if there is one."""
    plain = text.upper().rstrip("< ").removesuffix("D")
    if not (plain.isascii() and plain.isalnum() and any(c.isdigit() for c in plain)):
        return False
    if len(plain) == 9:
        return True
    total = sum(int(c, 36) * w for c, w in zip(plain[:9], (7, 3, 1) * 3, strict=False))
    return len(plain) == 10 and plain[9].isdigit() and total % 10 == int(plain[9])


def de_rvnr(text: str) -> bool:
    """A German pension insurance number: the letter as its position, sums of digits, modulo 10.

    § 2 VKVV. Example: 15 070649 C 103.
    """
    plain = "".join(text.upper().split())
    if not (plain.isascii() and len(plain) == 12 and plain[8].isalpha()):
        return False
    digits = plain[:8] + f"{ord(plain[8]) - 64:02}" + plain[9:11]
    if not (digits + plain[11]).isdigit():
        return False
    return _digit_sums(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10 == int(plain[11])


def de_kvnr(text: str) -> bool:
    """A German health insurance number: the letter as its position, weights 1 and 2, modulo 10.

    § 290 SGB V, annex 1 of its guideline. Example: A123456780.
    """
    plain = "".join(text.upper().split())
    if not (plain.isascii() and len(plain) == 10 and plain[0].isalpha() and plain[1:].isdigit()):
        return False
    digits = f"{ord(plain[0]) - 64:02}" + plain[1:9]
    return _digit_sums(digits, (1, 2) * 5) % 10 == int(plain[9])


def au_medicare(text: str) -> bool:
    """An Australian Medicare card's number: weights 1, 3, 7, 9 over eight digits, modulo 10."""
    plain = "".join(c for c in text if c not in " -")
    if (
        not (plain.isascii() and plain.isdigit() and len(plain) in (10, 11))
        or plain[0] not in "23456"
    ):
        return False
    return sum(_products(plain[:8], (1, 3, 7, 9) * 2)) % 10 == int(plain[8])


def es_nss(text: str) -> bool:
    """A Spanish social security number: province, serial number, and both as one number modulo 97.

    As the Tesorería General de la Seguridad Social assigns them; a serial number below ten million
    has seven digits in the number that is divided. Example: 28 12345678 40.
    """
    plain = "".join(c for c in text if c not in " -/")
    if not (plain.isascii() and plain.isdigit() and len(plain) in (11, 12)):
        return False
    province, serial = plain[:2], plain[2:-2]
    if not 1 <= int(province) <= 53:
        return False
    shortened = serial[1:] if len(serial) == 8 and serial[0] == "0" else serial
    return int(province + shortened) % 97 == int(plain[-2:])


_OWN = (au_medicare, de_document, de_kvnr, de_rvnr, es_nss, fi_hetu, hk_id, sg_nric, tw_id)

CHECKS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        **{name: _standard(name) for name in _MODULES},
        **{check.__name__: check for check in _OWN},
    }
)
"""The checks by their names: country and number."""
