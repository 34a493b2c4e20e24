"""Hypothesis profiles, and what all tests need of the run."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import optional

os.environ.setdefault("SSL_CERT_DIR", str(Path(__file__).parent))
"""A folder without certificates: a client of httpx would read 150 of them, for 40 ms."""

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
settings.register_profile("fuzz", settings.get_profile("default"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

GENERATED = ("stages", "scan", "jsonstream")
"""Folders whose thousands of generated cases would take many times as long under coverage."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the folder of what needs SDKs if only the core is tested."""
    return True if optional.MODE == "core" and collection_path.name == "sdks" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spell halves of surrogate pairs in a failure, which no worker could send otherwise."""
    report = yield
    if report.longrepr is not None and not isinstance(report.longrepr, tuple):
        text = str(report.longrepr)
        if not text.isascii():
            report.longrepr = text.encode("utf-8", "backslashreplace").decode()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was left out."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [each.longrepr[2] for each in skipped if isinstance(each.longrepr, tuple)]
    wanting = [reason for reason in reasons if "needs " in reason]
    if wanting:
        terminalreporter.write_line(optional.summary(wanting))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in GENERATED:
            item.add_marker("generated")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what lives to the end, two million objects."""
    gc.collect()
    gc.freeze()
