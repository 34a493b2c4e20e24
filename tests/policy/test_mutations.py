"""Broken policies, made by mutating good ones: positioned errors, never a traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from guardstream import Policy, PolicyError, pack
from tests.support.policy_texts import FULL

GOOD = [FULL.lstrip(), pack("pii-zh").read_text(encoding="utf-8")]

POSITION = re.compile(r"^p:[1-9]\d*:[1-9]\d*: \S")


def drop_line(lines: list[str], random: Random) -> None:
    del lines[random.randrange(len(lines))]


def repeat_line(lines: list[str], random: Random) -> None:
    place = random.randrange(len(lines))
    lines.insert(place, lines[place])


def swap_lines(lines: list[str], random: Random) -> None:
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]


def indent_line(lines: list[str], random: Random) -> None:
    place = random.randrange(len(lines))
    lines[place] = " " * random.randrange(1, 5) + lines[place]


def misspell_key(lines: list[str], random: Random) -> None:
    keys = [n for n, line in enumerate(lines) if re.match(r"[ -]*\w+:", line)]
    place = random.choice(keys)
    lines[place] = re.sub(r"(\w)(\w*):", r"\2\1:", lines[place], count=1)


def change_value(lines: list[str], random: Random) -> None:
    keys = [n for n, line in enumerate(lines) if re.match(r"[ -]*\w+: ", line)]
    place = random.choice(keys)
    value = random.choice(["5", "[]", "{}", "true", "null", "-1", "{a: b}", "*a", "'", "(", "!t x"])
    lines[place] = re.sub(r": .*", ": " + value, lines[place], count=1)


def insert_character(lines: list[str], random: Random) -> None:
    place = random.randrange(len(lines))
    at = random.randrange(len(lines[place]) + 1)
    character = random.choice("[]{}'\":,-#&*!|>%@`\t\\()?\x00\ufeff\ud800")
    lines[place] = lines[place][:at] + character + lines[place][at:]


MUTATIONS: list[Callable[[list[str], Random], None]] = [
    drop_line,
    repeat_line,
    swap_lines,
    indent_line,
    misspell_key,
    change_value,
    insert_character,
]


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_a_mutated_policy_gives_positioned_errors(
    mutate: Callable[[list[str], Random], None],
) -> None:
    random = Random(mutate.__name__)
    broken = 0
    for number in range(60):
        lines = GOOD[number % 2].split("\n")
        mutate(lines, random)
        try:
            Policy.parse("\n".join(lines), name="p")
        except PolicyError as error:
            broken += 1
            lines = str(error).split("\n")
        else:
            continue
        assert all(POSITION.match(line) for line in lines), lines
    assert broken >= 15, "too few of the mutations break anything"
