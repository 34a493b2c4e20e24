"""What is public: help lines and the numbers of companies, and what documentation reserves.

A rule says by `public` of which kind its matches may be, the policy by its own `public` which of
these are shown. Each check gets a match and the text before it.

Telephone numbers are judged by the metadata of phonenumbers, which `tools/public_numbers.py` keeps
in `public_numbers.json`. Only the help lines, in `help_lines.json`, are a list of our own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from guardstream.stages.rules import Public

Kind: TypeAlias = Literal["help_lines", "reserved_names", "test_cards", "documentation_tokens"]

_FOLDER = Path(__file__).parent

# Whose number it is decides before its range does.
_PERSONAL = re.compile(
    r"(?i)(?:\b(?:my|his|her|their|mobile|cell(?:ular|phone)?|handy|m[oó]vil|celular|portable"
    r"|cellulare|mobiel|mobil\w{0,8}|kom[oó]rk\w|cep|mein\w?|mio|meu|mijn|m[oó]j|mon|min|mitt|benim)"
    r"(?![^\W_])|手机|手機|携帯|我的|私の|휴대|내 |มือถือ|ของฉัน|मोबाइल|मेरा)[^.;!?。\n]{0,24}\Z"
)
_HELP = re.compile(
    r"(?i)suicid|crisis|helpline|hotline|help line|lifeline|support|counsel|abuse|poison|violence"
    r"|samaritan|distress|emergenc|krise|notruf|seelsorge|sucht|secours|écoute|aide|ayuda|esperanza"
    r"|aiuto|telefono amico|ajuda|vida|hulp|zelfmoord|pomoc|zaufania|hjälp|självmord|kriisi|yardım"
    r"|자살|상담|いのち|相談|ホットライン|自杀|自殺|心理|危机|危機|热线|熱線|生命線|สายด่วน|สุขภาพจิต|हेल्पलाइन"
)


@dataclass(frozen=True, slots=True)
class _Country:
    """How a country's numbers are read: its calling code, the prefix before national numbers, the
    ranges of companies and of persons, and how numbers are grouped."""

    code: str
    prefix: str
    public: re.Pattern[str]
    personal: re.Pattern[str]
    groups: tuple[tuple[re.Pattern[str], re.Pattern[str], bool], ...]

    def is_public(self, number: str) -> bool:
        """Whether a number without prefixes is a company's, and no person's."""
        return bool(self.public.fullmatch(number)) and not self.personal.fullmatch(number)

    def writes(self, number: str) -> Iterator[tuple[bool, tuple[int, ...]]]:
        """Yield the lengths of a number's groups: without the national prefix, with it as a group
        of its own, and before the first group; and whether the country writes it so."""
        for lead, shape, prefixed in self.groups:
            if lead.match(number) and (found := shape.fullmatch(number)):
                sizes = tuple(map(len, found.groups()))
                yield not prefixed, sizes
                yield True, (len(self.prefix), *sizes)
                yield True, (len(self.prefix) + sizes[0], *sizes[1:])
                return

    def nationals(self, digits: str) -> Iterator[str]:
        """Yield what written digits may be without the national prefix."""
        yield digits
        if self.prefix and digits.startswith(self.prefix):
            yield digits.removeprefix(self.prefix)


@dataclass(frozen=True, slots=True)
class _Numbers:
    countries: tuple[_Country, ...]
    free: Mapping[str, re.Pattern[str]]
    help_lines: frozenset[str]


@cache
def _numbers() -> _Numbers:
    """Read what is known of numbers, when a policy first asks."""
    data = json.loads((_FOLDER / "public_numbers.json").read_text(encoding="utf-8"))
    lines = json.loads((_FOLDER / "help_lines.json").read_text(encoding="utf-8"))
    countries = tuple(
        _Country(
            code=str(each["code"]),
            prefix=each["prefix"],
            public=re.compile(each["public"]),
            personal=re.compile(each["personal"]),
            groups=tuple((re.compile(a), re.compile(b), c) for a, b, c in each["groups"]),
        )
        for each in data["countries"].values()
    )
    free = {code: re.compile(pattern) for code, pattern in data["free"].items()}
    known = frozenset(digits for numbers in lines.values() for digits in numbers)
    return _Numbers(countries, MappingProxyType(free), known)


def help_line(text: str, before: str) -> bool:
    """Whether a telephone number is one that anyone may call: of a range for companies, written
    internationally or grouped as no person's number is; or a listed help line beside a word for it.

    Digits without groups are nobody's known number, nor is what an extension or a PIN follows, or
    what somebody calls theirs.
    """
    if any(map(str.isalpha, text)) or _PERSONAL.search(before):
        return False
    lead = _LEAD.search(before)
    number = f"{lead[0]}{text}" if lead else text
    groups = re.findall("[0-9]+", number)
    digits = "".join(groups)
    if _is_listed(digits) and _HELP.search(before):
        return True
    if "+" in number or "\uff0b" in number:
        return _is_free_abroad(digits)
    return len(groups) > 1 and _is_grouped_as_public(digits, tuple(map(len, groups)))


_LEAD = re.compile(r"[0-9+(][0-9+(). \u2010\u2011-]*\Z")
"""What of a number may stand before the part of it that a rule matches."""


def _is_listed(digits: str) -> bool:
    known = _numbers()
    return digits in known.help_lines or any(
        digits.startswith(country.code)
        and {digits.removeprefix(country.code), country.prefix + digits.removeprefix(country.code)}
        & known.help_lines
        for country in known.countries
    )


def _is_free_abroad(digits: str) -> bool:
    """Whether an international number is a company's. A country writes `(0)` into it at times."""
    known = _numbers()
    sharing = [each for each in known.countries if digits.startswith(each.code)]
    for each in sharing:
        rest = digits.removeprefix(each.code)
        numbers = {rest, rest.removeprefix(each.prefix)}
        if any(other.personal.fullmatch(n) for other in sharing for n in numbers):
            return False
    if sharing:
        return any(
            each.is_public(number)
            for each in sharing
            for number in each.nationals(digits.removeprefix(each.code))
        )
    codes = (digits[:size] for size in (3, 2, 1))
    code = next((code for code in codes if code in known.free), None)
    return code is not None and bool(known.free[code].fullmatch(digits.removeprefix(code)))


def _is_grouped_as_public(digits: str, sizes: Sequence[int]) -> bool:
    """Whether a country writes a company's number so, and none a person's."""
    public = False
    for country in _numbers().countries:
        for number in country.nationals(digits):
            is_person = bool(country.personal.fullmatch(number))
            if not is_person and not country.public.fullmatch(number):
                continue
            ways = [usual for usual, way in country.writes(number) if way == sizes]
            if is_person and ways:
                return False
            public = public or any(ways)
    return public


_RESERVED = re.compile(
    r"(?i)(?:.*[.@/]|\A)(?:example\.(?:com|net|org)|(?:test|example|invalid|localhost))\.?\Z"
)
_DOCUMENTED = tuple(
    map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
)


def reserved_name(text: str, _before: str) -> bool:
    """Whether a name or address is reserved for documentation: RFC 2606, 6761, 5737 and 3849."""
    if _RESERVED.fullmatch(text):
        return True
    try:
        address = ip_address(text.partition("/")[0])
    except ValueError:
        return False
    return any(address in network for network in _DOCUMENTED)


TEST_CARDS: Final = frozenset(
    (
        "4242424242424242",
        "4000056655665556",
        "5555555555554444",
        "2223003122003222",
        "5200828282828210",
        "5105105105105100",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "6011000990139424",
        "6011981111111113",
        "3056930009020004",
        "36227206271667",
        "6555900000604105",
        "3566002020360505",
        "6200000000000005",
        "4111111111111111",
        "4012888888881881",
        "4222222222222",
    )
)
"""Numbers of cards for tests, by Stripe's and PayPal's documentation."""


def card_for_tests(text: str, _before: str) -> bool:
    """Whether a card's number is published for tests."""
    return "".join(filter(str.isdigit, text)) in TEST_CARDS


_DOCUMENTATION = re.compile(
    r"(?:AKIA|ASIA)[A-Z0-9]{9}EXAMPLE|.{0,40}EXAMPLEKEY"
    r"|eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwi"
    r"(?:aWF0IjoxNTE2MjM5MDIyfQ|YWRtaW4iOnRydWUsImlhdCI6MTUxNjIzOTAyMn0)\.[A-Za-z0-9_-]{20,90}"
)


def documentation_token(text: str, _before: str) -> bool:
    """Whether a token is one that AWS's or jwt.io's documentation shows."""
    return bool(_DOCUMENTATION.fullmatch(text))


CHECKS: Final[Mapping[Kind, Public]] = MappingProxyType(
    {
        "help_lines": help_line,
        "reserved_names": reserved_name,
        "test_cards": card_for_tests,
        "documentation_tokens": documentation_token,
    }
)
"""What tells whether a match is public, by kind."""
