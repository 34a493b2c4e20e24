"""The examples' pages in a real browser: they show guarded text and its end, or stop."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.serve.server import serving
from tests.support.chromium import chromium
from tests.support.optional import needs

sync_api = needs("playwright.sync_api")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@contextmanager
def example(name: str) -> Iterator[str]:
    """Serve the application of an example; its address."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # FastAPI looks its models' names up there
    spec.loader.exec_module(module)
    with serving(module.app) as port:
        yield f"http://127.0.0.1:{port}"
    del sys.modules[name]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with example("fastapi_page") as url:
        yield url


@pytest.fixture(scope="module")
def react() -> Iterator[str]:
    with example("react_page") as url:
        yield f"{url}/react.html"


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with chromium() as browser:
        yield browser.new_page()


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


def test_the_page_in_react_shows_a_guarded_chat(page: Any, react: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(react)
    questions = ("Who is joerg@example.com?", "Please run eval(input())")
    for count, question in enumerate(questions, 1):
        page.fill("input", question)
        page.click("button:text-is('Ask')")
        sync_api.expect(page.locator("li.assistant")).to_have_count(count)
        sync_api.expect(page.locator("[role=status]")).to_contain_text("done")
    said = page.locator("li.assistant").all_inner_texts()
    assert said[0] == "You asked: Who is [email]? Write to [email], she knows. ❤"
    assert said[1] == "You asked: Please run "
    assert page.inner_text("[role=status]") == f"{len(said[1])} characters, done"
    assert [each for each in asked if not each.startswith(react.removesuffix("/react.html"))] == []


def test_the_page_in_react_stops_an_answer(page: Any, react: str) -> None:
    page.goto(react)
    page.fill("input", "x" * 3000)
    page.click("button:text-is('Ask')")
    page.wait_for_function("document.querySelector('li.assistant')?.textContent")
    page.click("button:text-is('Stop')")
    page.wait_for_selector("button:disabled:text-is('Stop')")
    assert page.inner_text("[role=status]").endswith("characters, stopped")
    assert 0 < len(page.inner_text("li.assistant")) < 3000
