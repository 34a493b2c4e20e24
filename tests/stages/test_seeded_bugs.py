"""Bugs seeded into the engine: the comparison with the reference must find every one.

A bug takes the place of a function that a module of the engine offers to the others, so that it
stays where it is when the function's own lines change. Patterns are stepped in Python here; the C
extension has bugs of its own in test_seeded_native.py.
"""

from __future__ import annotations

from itertools import islice

import pytest

from guardstream.scan.regex import forms
from tests.support.first_cases import known
from tests.support.harness import hunt, told
from tests.support.seeded_bugs import BUGS, ENOUGH, differences


@pytest.fixture(autouse=True)
def _in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "NATIVE", False)


def test_the_sound_engine_shows_no_difference() -> None:
    found = hunt(range(300))
    assert not found, told(found)


@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, function, made_wrong = BUGS[name]
    monkeypatch.setattr(owner, function, made_wrong(getattr(owner, function)))
    found = differences(known("python").get(name))
    assert list(islice(found, 1)), f"not found in {ENOUGH} cases"
