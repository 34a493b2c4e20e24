"""Hypothesis profiles, and what all tests need of the run."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in GENERATED:
            item.add_marker("generated")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what lives to the end, two million objects."""
    gc.collect()
    gc.freeze()
