"""A few of the generated attacks: `make weekly-attacks` runs them all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guardstream import Guard, Policy
from tests.attacks import suite

SURFACES = suite.surfaces(600, 1)


@pytest.mark.parametrize("surface", SURFACES)
def test_no_client_reads_the_word(surface: str) -> None:
    cases: Iterator[suite.Case] = suite.surfaces(600, 1)[surface]
    tried = [(case, attempt()) for n, (case, attempt) in enumerate(cases) if n % 37 == 0]
    assert tried
    assert [each for each in tried if each[1]] == []


@pytest.mark.parametrize("surface", SURFACES)
def test_without_rules_the_word_is_read(surface: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Guard(Policy.parse("input: {rules: []}"))
    cases = list(suite.surfaces(600, 1)[surface])[::37]
    monkeypatch.setattr(suite, "MASKING", nothing)
    monkeypatch.setattr(suite, "BLOCKING", nothing)
    assert any(attempt() for _, attempt in cases)
