"""The first generated case that shows each seeded bug, so that the tests need not look for it.

python -m tests.support.first_cases    # looks for them all and writes them down
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("first_cases.json")


@cache
def known(form: str) -> dict[str, int]:
    """The seeds of the cases by the bug's name, for the form `native` or `python`."""
    seeds: dict[str, dict[str, int]] = json.loads(FILE.read_text(encoding="utf-8"))
    return seeds[form]


def native() -> Iterator[tuple[str, str]]:
    """Each bug of the extension, and what is printed of the first case that shows it."""
    from tests.support.extension import compiled, difference_of
    from tests.support.seeded_native import BUGS, ENOUGH

    for name, change in BUGS.items():
        with tempfile.TemporaryDirectory() as folder:
            yield name, difference_of(compiled(Path(folder), change=change), ENOUGH)


def python() -> Iterator[tuple[str, str]]:
    """Each bug of the Python form, and what is said of the first case that shows it."""
    from guardstream.scan.regex import forms
    from tests.support.seeded_bugs import BUGS, differences

    for name, (owner, function, made_wrong) in BUGS.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(forms, "NATIVE", False)
            patch.setattr(owner, function, made_wrong(getattr(owner, function)))
            yield name, next(islice(differences(), 1))


def seeds(told: Iterator[tuple[str, str]]) -> dict[str, int]:
    """The seeds that are named in what is told of each bug."""
    found = {name: re.search(r"seed (\d+)", text) for name, text in told}
    return {name: int(match[1]) for name, match in found.items() if match}


if __name__ == "__main__":
    made = {"native": seeds(native()), "python": seeds(python())}
    FILE.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
