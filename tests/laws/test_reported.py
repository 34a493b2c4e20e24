"""Every law on the project's recordings after what is reported of gateways and servers."""

from __future__ import annotations

import pytest

from tests.laws.laws import LAWS, Run, broken
from tests.laws.recordings import recordings
from tests.laws.reported import NAMES, changed


@pytest.mark.parametrize("name", NAMES)
def test_what_is_reported_breaks_no_law(name: str) -> None:
    found = [(each, changed(each, name)) for each in recordings() if each.own]
    runs = [Run(each, name, data) for each, data in found if data is not None]
    assert runs
    problems = {
        (run.recording.name, law): problem
        for run in runs
        for law in LAWS
        if (problem := broken(run, law))
    }
    assert problems == {}
