"""What is public: numbers that anyone may call are shown, and no person's number is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from re import _parser as sre  # type: ignore[attr-defined]
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.policy import public

DATA = json.loads(Path(public.__file__).with_name("public_numbers.json").read_text("utf-8"))
COUNTRIES: dict[str, dict[str, Any]] = DATA["countries"]
CHAT = Guard.load("guardstream/chat")

HELP = {
    "US": "If you think of suicide, call 1-800-273-8255 or +1 (800) 273-8255.",
    "CA": "Kids Help Phone: call 1-800-668-6868",
    "GB": "Call Samaritans on 116 123, or Childline on 0800 1111; Papyrus: phone 0800 068 4141",
    "IE": "Samaritans: phone +353 1800 247 247",
    "AU": "Lifeline: phone 13 11 14, Kids Helpline: call 1800 551 800",
    "NZ": "Lifeline Aotearoa: call +64 800 543 354",
    "DE": "Telefonseelsorge, Tel. 0800 1110111",
    "AT": "Telefon +43 800 222555, Frauenhelpline gegen Gewalt",
    "CH": "Hilfe bei Krisen: Telefon 0800 123 456",
    "FR": "SOS Amitié, écoute: tél. 09 72 39 40 50; Enfance: tél. 0800 23 52 36",
    "ES": "Teléfono de la Esperanza, tel. 717 003 717",
    "IT": "Telefono Amico Italia: tel. 02 2327 2327",
    "PT": "Linha de ajuda: telefone +351 800 209 899",
    "NL": "Zelfmoordpreventie, telefoon 0800-0113",
    "PL": "Telefon zaufania: tel. 800 120 002",
    "SE": "Röda Korset: telefon 020-22 00 60, självmord",
    "ZA": "Suicide Crisis Line: phone 0800 567 567",
    "IN": "iCall helpline: phone 9152987821; KIRAN: call 1800-599-0019",
    "CN": "心理危机热线，电话 010-8295-1332",
    "HK": "Suicide prevention: phone 2389 2222",
    "JP": "いのちの電話 0120-783-556",
    "KR": "자살예방 상담전화 1577-0199, call 1577-0199",
    "SG": "Samaritans of Singapore, crisis: phone 1800-221-4444",
    "TH": "สายด่วนสุขภาพจิต โทร 02-113-6789",
}

PERSONAL = [
    "my number is 1-800-273-8255",
    "her mobile: 1-800-273-8255",
    "phone 18002738255",
    "mobile 8887654321, phone 8009832891",
    "call 1-800-273-8255 ext. 12",
    "call 1-800-273-8255, PIN 4411",
    "tel 070 1234 5678",
    "phone 0906 123 4567, phone 900-555-1234",
    "phone 9152987821",
    "call me at 555-123-4567",
]


def drawn(pattern: str, random: Random) -> str:
    """A text that a pattern of the metadata matches."""

    def of(tree: Any) -> Iterator[str]:
        for what, value in tree:
            match str(what):
                case "LITERAL":
                    yield chr(value)
                case "IN":
                    yield chr(random.choice(list(_members(value))))
                case "MAX_REPEAT":
                    least, most, inner = value
                    for _ in range(random.randint(least, most)):
                        yield from of(inner)
                case "BRANCH":
                    yield from of(random.choice(value[1]))
                case "SUBPATTERN":
                    yield from of(value[3])
                case _:
                    raise AssertionError(what)

    return "".join(of(sre.parse(pattern)))


def _members(members: Any) -> Iterator[int]:
    for what, value in members:
        if str(what) == "RANGE":
            yield from range(value[0], value[1] + 1)
        elif str(what) == "CATEGORY":
            yield from map(ord, "0123456789")
        else:
            yield value


def written(country: dict[str, Any], number: str) -> Iterator[str]:
    """A number without groups, and as its country and others write it."""
    code, prefix = country["code"], country["prefix"]
    yield from (number, f"{prefix}{number}", f"+{code}{number}", f"{code}{number}")
    own = public._Country("", prefix, re.compile(""), re.compile(""), _groups(country))
    for _, sizes in own.writes(number):
        digits = number if sum(sizes) == len(number) else prefix + number
        parts, at = [], 0
        for size in sizes:
            parts.append(digits[at : at + size])
            at += size
        kept = [part for part in parts if part]
        yield from (sign.join(kept) for sign in " -.")
        if digits == number:
            yield f"+{code} {' '.join(kept)}"


def _groups(country: dict[str, Any]) -> Any:
    compiled = public.re.compile
    return tuple(
        (compiled(lead), compiled(shape), usual) for lead, shape, usual in country["groups"]
    )


def shown(code: str, count: int) -> list[str]:
    """What is taken for a help line of so many numbers of persons."""
    random, country = Random(code), COUNTRIES[code]
    numbers = [drawn(country["personal"], random) for _ in range(count)]
    lines = (line for number in numbers for line in written(country, number))
    return [line for line in lines if public.help_line(line, "Call us at ")]


@pytest.mark.parametrize("code", HELP)
def test_a_number_that_anyone_may_call_is_shown(code: str) -> None:
    text = HELP[code]
    assert CHAT.check(text).text == text
    session = CHAT.session()
    parts = [event for character in text for event in session.feed(character)]
    assert not [event for event in [*parts, *session.finish()] if hasattr(event, "rule")]


@pytest.mark.parametrize("text", PERSONAL)
def test_a_number_of_a_person_is_masked(text: str) -> None:
    masked = CHAT.check(text).text
    assert sum(map(str.isdigit, masked)) <= 4


@pytest.mark.parametrize("code", COUNTRIES)
def test_no_number_of_a_person_is_taken_for_a_help_line(code: str) -> None:
    assert shown(code, 100) == []


@pytest.mark.weekly
@pytest.mark.parametrize("code", COUNTRIES)
def test_of_10_000_numbers_of_persons_none_is_taken_for_a_help_line(code: str) -> None:
    assert shown(code, 10_000) == []


RULES = """
public: {%s}
rules:
  - {id: address, pattern: '[a-z]+@[a-z.]+', public: reserved_names}
  - {id: host, pattern: '(?<![0-9.])[0-9]+[.][0-9.]+', public: reserved_names}
  - {id: card, pattern: '(?<![0-9])[0-9]{13,16}', public: test_cards}
  - {id: key, pattern: 'AKIA[A-Z0-9]{16}', public: documentation_tokens}
input:
  rules:
    - {id: number, pattern: '[0-9-]{12,14}', public: help_lines}
"""

RESERVED = "ann@example.com 192.0.2.7 4242424242424242 AKIAIOSFODNN7EXAMPLE"


def test_what_documentation_reserves_is_masked_unless_the_policy_shows_it() -> None:
    masked = Guard(Policy.parse(RULES % "help_lines: show")).check(RESERVED).text
    assert masked == "[address] [host] [card] [key]"
    kinds = "reserved_names: show, test_cards: show, documentation_tokens: show"
    assert Guard(Policy.parse(RULES % kinds)).check(RESERVED).text == RESERVED


def test_only_what_the_standards_reserve_is_reserved() -> None:
    shown = Guard(Policy.parse(RULES % "reserved_names: show"))
    assert shown.check("a@example.de b@example.company 8.8.8.8").text == (
        "[address] [address] [host]"
    )


def test_in_prompts_nothing_is_public() -> None:
    guard = Guard(Policy.parse(RULES % "help_lines: show"))
    asked = guard.check_messages([{"role": "user", "content": "call 1-800-273-8255"}])
    assert asked.messages == [{"role": "user", "content": "call [number]"}]


def test_a_policy_sets_each_kind_by_itself(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(RULES % "test_cards: show", encoding="utf-8")
    text = "extends: ./base.yaml\npublic: {documentation_tokens: show}"
    guard = Guard(Policy.parse(text, folder=tmp_path))
    shown = guard.check(RESERVED).text
    assert shown == "[address] [host] 4242424242424242 AKIAIOSFODNN7EXAMPLE"
