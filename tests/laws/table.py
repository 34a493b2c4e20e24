"""How often each law is broken today after each change, on the project's own recordings."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

from tests.laws.changes import NAMES
from tests.laws.laws import LAWS, broken, run_of
from tests.laws.recordings import recordings

FILE = Path(__file__).with_name("expected.json")


@cache
def table() -> dict[str, dict[str, int]]:
    """The counts, by change and law; what is not there is never broken."""
    counts: dict[str, dict[str, int]] = json.loads(FILE.read_text(encoding="utf-8"))
    return counts


def expected(change: str, law: str) -> int:
    """How many recordings break a law after a change."""
    return table().get(change, {}).get(law, 0)


def write() -> None:
    """Count anew."""
    counts: dict[str, Counter[str]] = {}
    for change in NAMES:
        runs = [run for each in recordings() if each.own and (run := run_of(each, change))]
        found = Counter(law for run in runs for law in LAWS if broken(run, law))
        if found:
            counts[change] = found
    FILE.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
