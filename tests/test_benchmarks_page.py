"""What the pages say of benchmarks is what was recorded."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.recorded import PAGE, RECORD, rows, shown

DOCS = Path(__file__).resolve().parents[1] / "docs"

RUN = RECORD.read_text(encoding="utf-8")

COMPARISON = (DOCS / "comparison.md").read_text(encoding="utf-8")


def test_the_page_shows_the_recorded_run() -> None:
    assert shown(PAGE.read_text(encoding="utf-8")) == RUN, "python -m benchmarks.recorded RUN"


def test_the_run_says_when_and_what_it_measured() -> None:
    assert re.match(r"guardstream \d+\.\d+\.\d+ on \d{4}-\d\d-\d\d, \w+ [\d.]+, \w+\.\n", RUN)


def test_the_comparison_says_what_was_recorded() -> None:
    recorded = rows(RUN, "Beside others: leaks")
    recorded = {name: row for name, row in recorded.items() if "mode" not in name}
    compared = re.findall(
        r"^\| \**([\w -]+?)\**(?: [\d.]+)?(?:, by hand)? \| (\d+)", COMPARISON, re.M
    )
    assert len(compared) == 7
    for name, leaked in compared:
        (row,) = (recorded[each] for each in recorded if each.split(" (")[0].startswith(name))
        assert row[2].split("/")[1] == leaked, name


def test_the_comparison_names_the_versions_that_were_measured() -> None:
    for name, version in re.findall(r"^\| ([\w-]+) ([\d.]+) \|", COMPARISON, re.M):
        assert f"{name} ({version})" in RUN


def test_the_costs_in_the_comparison_are_those_recorded() -> None:
    costs = rows(RUN, "Beside others: cost")
    theirs = next(row for name, row in costs.items() if "chunk:64" in name)
    said = re.search(r"costs less \(([\d.]+) µs a chunk against ([\d.]+)\)", COMPARISON)
    assert said is not None
    assert said.groups() == (theirs[2], costs["guardstream"][2])
