"""Values with control characters in them; `tests.support.controls` tries all of them."""

from __future__ import annotations

import unicodedata
from random import Random

import pytest

from guardstream.scan.unseen import unseen
from tests.support.controls import KINDS, PLACES, Trial, trials

SAMPLE = 320

ZERO_WIDTH = [
    char
    for char in map(chr, range(0x80, 0xE0200))
    if unseen().match(char) and unicodedata.category(char) != "Cn"
]


def test_values_with_control_characters_are_found_in_every_split() -> None:
    tried = Random(2026).sample(list(trials()), SAMPLE)
    assert not [(trial, how) for trial in tried if (how := trial.missed())]


@pytest.mark.parametrize("kind", KINDS)
def test_values_with_zero_width_characters_are_found(kind: str) -> None:
    tried = Random(kind).sample(ZERO_WIDTH, 24)
    for place in PLACES:
        assert not [char for char in tried if Trial(kind, place, char).missed()]
