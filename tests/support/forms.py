"""Runs tests with the search stepped by the C extension and again in Python."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guardstream.scan.regex import forms
from guardstream.scan.regex.fragments import ASCII

BUILT = forms.NATIVE


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
    """The form of the search that a module's tests run on. In Python its few patterns are searched
    for apart, as many are, and little is read at load, which takes longer than most tests."""
    before = forms.NATIVE, forms.PYTHON
    forms.NATIVE, forms.PYTHON = request.param, forms.PYTHON._replace(few=0, warm=ASCII)
    yield forms.form()
    forms.NATIVE, forms.PYTHON = before
