"""Runs tests with the search stepped by the C extension and again in Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from guardstream.scan.regex import forms
from guardstream.scan.regex.fragments import ASCII

BUILT = forms.NATIVE

FORMS = (True, False) if BUILT else (False,)
"""Whether the search is native: for tests that try each case on both forms, because to judge a case
takes as long as to search it."""


@contextmanager
def searching(native: bool) -> Iterator[None]:
    """Search in one form. In Python, few patterns are searched separately, as many are, and little
    text is read at load, because that takes longer than most tests."""
    before = forms.NATIVE, forms.PYTHON
    forms.NATIVE, forms.PYTHON = native, forms.PYTHON._replace(few=0, warm=ASCII)
    try:
        yield
    finally:
        forms.NATIVE, forms.PYTHON = before


@pytest.fixture(
    scope="module",
    autouse=True,
    params=[
        pytest.param(
            True,
            id="native",
            marks=pytest.mark.skipif(not BUILT, reason="the C extension is not built"),
        ),
        pytest.param(False, id="python"),
    ],
)
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    """The form of the search that a module's tests run on."""
    with searching(request.param):
        yield forms.form()
