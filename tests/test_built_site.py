"""The site as it is built: opened from a folder or from a server, on a phone, without a network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from tests.serve.server import serving
from tests.support.chromium import chromium
from tests.support.optional import needs

sync_api = needs("playwright.sync_api")
needs("mkdocs")


ROOT = Path(__file__).resolve().parents[1]

PHONE = {"width": 390, "height": 844}

WIDER = """() => [...document.querySelectorAll(".md-content *")].filter(each => {
    if (each.getBoundingClientRect().right <= innerWidth + 1) return false
    for (let outer = each.parentElement; outer; outer = outer.parentElement)
        if (getComputedStyle(outer).overflowX !== "visible") return false
    return true
}).map(each => each.outerHTML.slice(0, 80))"""
"""What reaches over the screen's edge and does not scroll in itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder: Path = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir"]
    done = subprocess.run(
        [*command, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=["a folder", "a server"])
def place(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Where its pages are opened from."""
    if request.param == "a folder":
        yield site.as_uri()
        return
    app = Starlette()
    app.mount("/", StaticFiles(directory=site))
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(browser: Any, place: str) -> Iterator[Any]:
    """A page that asks nobody else for anything."""
    page, others = browser.new_page(viewport=PHONE), []
    page.on("request", lambda asked: others.append(asked.url))
    yield page
    page.close()
    assert [url for url in others if not url.startswith((place, "data:", "blob:"))] == []


@pytest.mark.parametrize("start", ["index.html", "start/openai.html"])
def test_its_search_finds_pages(page: Any, place: str, start: str) -> None:
    page.goto(f"{place}/{start}")
    page.click("header [for=__search]")
    page.locator(".md-search__input").press_sequentially("holdback")
    found = page.locator(".md-search-result__link", has_text="Concepts").first
    sync_api.expect(found).to_be_visible(timeout=20_000)
    found.click()
    sync_api.expect(page).to_have_title("Concepts - guardstream")


def test_its_pages_fit_a_phone(browser: Any, site: Path) -> None:
    page, wider = browser.new_page(viewport=PHONE), {}
    for path in site.rglob("*.html"):
        page.goto(path.as_uri())
        wider[str(path.relative_to(site))] = page.evaluate(WIDER)
    page.close()
    assert len(wider) > 40
    assert {name: found for name, found in wider.items() if found} == {}
