"""Every law on the project's recordings after every change; what fails today is counted.

A count in `expected.json` is strict: a law that is broken less often fails, too, until the count is
lowered. `python -m tests.laws --write` writes the counts.
"""

from __future__ import annotations

import pytest

from tests.laws.changes import NAMES
from tests.laws.laws import LAWS, broken, run_of
from tests.laws.recordings import recordings
from tests.laws.table import expected, table


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("change", NAMES)
def test_law(law: str, change: str) -> None:
    runs = [run for each in recordings() if each.own and (run := run_of(each, change)) is not None]
    assert runs
    problems = {run.recording.name: problem for run in runs if (problem := broken(run, law))}
    assert len(problems) == expected(change, law), problems


def test_the_table_has_no_other_changes_or_laws() -> None:
    assert table().keys() <= {*NAMES}
    assert {law for counts in table().values() for law in counts} <= LAWS.keys()
