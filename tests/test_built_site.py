"""The site as it is built: opened from a folder or from a server, on a phone, without a network."""

from __future__ import annotations

import re
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

MOST = 77_000
"""Words of the whole site, of which those about each name in Python are a third."""

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


QUESTIONS = {
    "phone numbers": "how-to/personal-data.html",
    "SSN": "how-to/personal-data.html",
    "login token": "start/fastapi.html",
    "API key": "how-to/personal-data.html",
    "手机号": "how-to/personal-data.html",
    "stop early": "how-to/stop-early.html",
    "LiteLLM": "start/litellm.html",
    "tool arguments": "how-to/tools.html",
    "what is masked": "reference/packs.html",
    "false positives": "how-to/false-positives.html",
}
"""What people ask, and the page that answers."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_leads_to_the_page_that_answers(browser: Any, site: Path, question: str) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(f"{site.as_uri()}/index.html")
    page.click("header [for=__search]")
    page.fill(".md-search__input", question)
    page.press(".md-search__input", "End")  # a key, as of one who types
    found = page.locator(".md-search-result__link").first
    sync_api.expect(found).to_be_visible(timeout=20_000)
    page.wait_for_timeout(500)  # until the last letter's results are there
    address = str(found.evaluate("each => each.href"))
    page.close()
    assert (
        address.removeprefix(f"{site.as_uri()}/").split("?")[0].split("#")[0]
        == (QUESTIONS[question])
    )


def test_its_pages_fit_a_phone(browser: Any, site: Path) -> None:
    page, wider = browser.new_page(viewport=PHONE), {}
    for path in site.rglob("*.html"):
        page.goto(path.as_uri())
        wider[str(path.relative_to(site))] = page.evaluate(WIDER)
    page.close()
    assert len(wider) > 40
    assert {name: found for name, found in wider.items() if found} == {}


INLINE = re.compile(r"</?(?:a|b|code|em|i|span|strong)\b[^>]*>")


def words(page: Path) -> int:
    """How many words a reader sees in a page, beside the navigation."""
    (shown,) = re.findall(r"<article.*?</article>", page.read_text(encoding="utf-8"), re.DOTALL)
    shown = re.sub(r"<(script|style|svg).*?</\1>", "", shown, flags=re.DOTALL)
    return len(re.sub(r"<[^>]+>", " ", INLINE.sub("", shown)).split())


def test_it_says_no_more_than_is_read(site: Path) -> None:
    pages = [path for path in site.rglob("*.html") if "<article" in path.read_text("utf-8")]
    assert sum(map(words, pages)) <= MOST


def test_programs_find_its_pages(site: Path) -> None:
    listed = re.findall(r"\]\(([^)]+)\)", (site / "llms.txt").read_text(encoding="utf-8"))
    assert len(listed) > 60
    assert [name for name in listed if not (site / name).exists()] == []
