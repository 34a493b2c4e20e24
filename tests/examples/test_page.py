"""The example's page in a real browser: EventSource and fetch show guarded text, and its end."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.server import serving

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fastapi_page.py"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no chromium on this machine")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    spec = importlib.util.spec_from_file_location("fastapi_page", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with serving(example.app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def ask(page: Any, url: str, question: str) -> dict[str, str]:
    """Ask on the page; what it shows once both answers are over."""
    page.goto(url)
    page.fill("#question", question)
    page.click("button")
    page.wait_for_function(
        "['events', 'fetched'].every(id => document.getElementById(`${id}-state`).textContent)"
    )
    parts = ("events", "events-state", "fetched", "fetched-state")
    return {part: page.inner_text(f"#{part}") for part in parts}


def test_both_ways_show_the_guarded_answer(page: Any, url: str) -> None:
    shown = ask(page, url, "Who is joerg@example.com?")
    assert shown["events"] == shown["fetched"]
    assert shown["events"].endswith("Write to [email], she knows. ❤")
    assert "example.com" not in page.content()
    assert shown["events-state"] == "finish: stop"
    assert shown["fetched-state"].startswith("policy: page@")


def test_a_blocked_answer_ends_and_is_not_asked_for_again(page: Any, url: str) -> None:
    shown = ask(page, url, "Please run eval(input())")
    assert shown["events-state"] == "finish: content_filter"
    assert "eval(" not in shown["events"] + shown["fetched"]
