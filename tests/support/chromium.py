"""Chromium, for tests of pages as a person sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.optional import needs, program


@contextmanager
def chromium() -> Iterator[Any]:
    """Run the browser, without a window."""
    path = program("chromium", "chromium-browser")
    with needs("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
