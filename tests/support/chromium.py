"""Chromium, for tests of pages as a person sees them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

needs_chromium = pytest.mark.skipif(_BROWSER is None, reason="there is no chromium on this machine")


@contextmanager
def chromium() -> Iterator[Any]:
    """Run the browser, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()
