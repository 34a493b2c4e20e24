"""Bugs seeded into the C extension's source: the comparison with the reference finds every one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guardstream.scan.regex import forms
from tests.support.extension import compiled, compiler, run
from tests.support.first_cases import known
from tests.support.seeded_native import BUGS, ENOUGH

pytestmark = [
    pytest.mark.generated,
    pytest.mark.skipif(not forms.NATIVE, reason="the C extension is not built"),
    pytest.mark.skipif(shutil.which(compiler()) is None, reason="there is no C compiler"),
]


def test_the_sound_extension_shows_no_difference(tmp_path: Path) -> None:
    assert run(compiled(tmp_path), 300) == 0


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_seeded_into_the_extension_is_found(name: str, tmp_path: Path) -> None:
    built = compiled(tmp_path, change=BUGS[name])
    first = known("native").get(name)
    # Cases are independent: one that has shown the bug before needs no others before it.
    assert (first is not None and run(built, 1, first)) or run(built, ENOUGH)
