"""The example's page in a real browser: three ways show guarded text and its end, or stop."""

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
    """Ask on the page; what it shows once all answers are over."""
    page.goto(url)
    page.fill("#question", question)
    page.click("button")
    page.wait_for_selector("#stop:disabled")
    return shown_by(page)


def shown_by(page: Any) -> dict[str, str]:
    ways = ("events", "fetched", "socket")
    parts = [part for way in ways for part in (way, f"{way}-state")]
    return {part: page.inner_text(f"#{part}") for part in parts}


def test_all_ways_show_the_guarded_answer(page: Any, url: str) -> None:
    shown = ask(page, url, "Who is joerg@example.com?")
    assert shown["events"] == shown["fetched"] == shown["socket"]
    assert shown["events"].endswith("Write to [email], she knows. ❤")
    assert "example.com" not in page.content()
    assert shown["events-state"] == "finish: stop"
    assert shown["fetched-state"].startswith("policy: page@")
    assert shown["socket-state"] == "closed: 1000"


def test_a_blocked_answer_ends_and_is_not_asked_for_again(page: Any, url: str) -> None:
    shown = ask(page, url, "Please run eval(input())")
    assert shown["events-state"] == "finish: content_filter"
    assert shown["socket-state"] == "closed: 1008"
    assert "eval(" not in str(shown)


def test_a_stopped_answer_keeps_what_came(page: Any, url: str) -> None:
    page.goto(url)
    page.fill("#question", "x" * 3000)  # an answer that takes ten seconds
    page.click("button")
    page.wait_for_function(
        "['events', 'fetched', 'socket'].every(id => document.getElementById(id).textContent)"
    )
    assert page.inner_text("#events-state").endswith("characters …")
    page.click("#stop")
    shown = shown_by(page)
    assert [shown[f"{way}-state"] for way in ("events", "fetched", "socket")] == ["stopped"] * 3
    assert 0 < len(shown["socket"]) < 3000
