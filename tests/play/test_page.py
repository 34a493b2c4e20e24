"""The page in a real browser, as a person would use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardstream.play import app
from tests.play.conftest import TOKEN
from tests.play.recordings import AFTER_A_CALL, CALLS, PARALLEL
from tests.support.chromium import chromium
from tests.support.optional import leave_out, needs

sync_api = needs("playwright.sync_api")


POLICY = "version: 1\nrules:\n  - id: name\n    words: [bluebird]\n    acton: mask\n"

TEXT = "Ask the bluebird, and Bluebird will sing; bluebirds are others."


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, opened; it complains of nothing and asks nobody else."""
    with watched(browser, address) as page:
        open_at(page, address)
        yield page


class watched:  # noqa: N801  (a context manager)
    """A page whose complaints, and requests to others, fail the test."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self._page = browser.new_page(**options)
        self._address = address
        self._wrong: list[str] = []
        self._page.on("console", lambda said: self._wrong.append(said.text))
        self._page.on("pageerror", lambda error: self._wrong.append(str(error)))
        self._page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self._address, "blob:", "data:")):
            self._wrong.append(request.url)

    def __enter__(self) -> Any:
        return self._page

    def __exit__(self, *raised: object) -> None:
        self._page.close()
        if raised[0] is None:
            assert self._wrong == []


def open_at(page: Any, address: str, fragment: str = "") -> None:
    page.goto(f"{address}/{TOKEN}/{fragment}")
    page.wait_for_selector("html[data-ready]")


def expect(page: Any, selector: str, text: str | re.Pattern[str]) -> None:
    sync_api.expect(page.locator(selector)).to_contain_text(text, timeout=60_000)


def write(page: Any, policy: str) -> None:
    """Replace the policy, as by pasting: typing would indent by itself."""
    page.click(".cm-content")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(policy)


def stream(page: Any, text: str) -> str:
    page.fill("#input", text)
    page.locator("#speed").fill("6")
    page.click("#play")
    expect(page, "#status", "Ended: ")
    return str(page.inner_text("#released"))


def test_a_person_writes_a_policy_plays_it_tests_it_and_shares_it(
    page: Any, browser: Any, address: str
) -> None:
    write(page, POLICY)
    expect(page, "#problems", "unknown key 'acton', did you mean 'action'?")
    expect(page, "#verdict", "1 error")
    assert page.inner_text(".cm-lintRange-error") == "acton"
    page.click("#problems button")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("i")
    expect(page, "#verdict", "valid, 1 warning")
    assert page.locator(".cm-lintRange-error").count() == 0

    released = stream(page, TEXT)
    assert released == "Ask the [name], and [name] will sing; bluebirds are others."
    assert page.locator("#came mark").all_inner_texts() == ["bluebird", "Bluebird"]
    sync_api.expect(page.locator("#shadow")).to_have_text(TEXT)  # it is shown a frame later
    sync_api.expect(page.locator("#enforce")).to_have_text(released)
    expect(page, "#chunkings-said", f"yes: all {len(TEXT) - 1 + 1 + 200}")

    for size in ("1", "12"):
        page.locator("#size").fill(size)
        expect(page, "#status", "The same answer as with chunks of")
        assert page.inner_text("#released") == released

    page.locator("#findings button").first.click()
    expect(page, "#status", "A test of name is in the policy now.")
    expect(page, ".cm-content", f'input: "{TEXT}"')

    page.click("#share")
    shared = sync_api.expect(page.locator("#share-link"))
    shared.to_have_value(re.compile("#gs1"))
    without = page.input_value("#share-link")
    page.check("#share-text")
    shared.not_to_have_value(without)  # it is packed anew
    link = page.input_value("#share-link")
    assert TOKEN not in link
    with watched(browser, address) as other:
        open_at(other, address, link[link.index("#") :])
        expect(other, ".cm-content", f'input: "{TEXT}"')
        sync_api.expect(other.locator("#input")).to_have_value(TEXT)
        expect(other, "#verdict", "valid")


def test_a_link_has_the_text_only_if_that_is_ticked(page: Any) -> None:
    page.fill("#input", TEXT)
    page.click("#share")
    sync_api.expect(page.locator("#share-link")).to_have_value(re.compile("#gs1"))
    without = page.input_value("#share-link")
    page.click("#share-dialog button[value=close]")
    page.fill("#input", "another")
    page.click("#share")
    page.fill("#open-link", without)
    page.click("#open")
    sync_api.expect(page.locator("#share-dialog")).to_be_hidden()
    assert page.input_value("#input") == "another"
    page.click("#share")
    page.fill("#open-link", "https://example.com/#nothing")
    page.click("#open")
    expect(page, "#open-said", "That is no link of a playground.")


def test_keys_and_values_are_completed_from_the_schema(page: Any) -> None:
    write(page, "version: 1\nrules:\n  - id: a\n    words: [b]\n    ")
    page.keyboard.type("act")
    expect(page, ".cm-tooltip-autocomplete [aria-selected]", "action")
    page.wait_for_timeout(150)  # what has only just come up takes no Enter
    page.keyboard.press("Enter")
    page.keyboard.type("b")
    expect(page, ".cm-tooltip-autocomplete", "block")
    page.wait_for_timeout(150)
    page.keyboard.press("Enter")
    expect(page, ".cm-content", "action: block")
    write(page, "extends: gua")
    page.keyboard.type("r")
    expect(page, ".cm-tooltip-autocomplete", "guardstream/chat")


def test_a_mark_says_why_to_the_pointer_and_to_the_keyboard(page: Any) -> None:
    page.select_option("#start", label="Mask words and numbers")
    stream(page, "the bluebird")
    page.hover("#came mark")
    expect(page, "#tip", "codename: mask")
    expect(page, "#tip", "why: Projects have names until they are announced.")
    page.keyboard.press("Escape")
    sync_api.expect(page.locator("#tip")).to_be_hidden()
    page.locator("#came").focus()
    page.keyboard.press("Tab")
    expect(page, "#tip", "codename: mask")


def test_a_recording_plays_as_recorded_and_recut(page: Any) -> None:
    page.select_option("#start", label="A recorded chat, by the pack")
    page.locator("#speed").fill("6")
    page.click("#play")
    expect(page, "#status", "Ended: ")
    assert page.inner_text("#released") == "Write to [email], or call. Bye"
    page.locator("#size").fill("3")
    expect(page, "#status", "The same answer as with chunks of the recorded sizes.")


def test_a_stream_can_be_stopped_and_played_again(page: Any) -> None:
    page.fill("#input", "slowly " * 200)
    page.locator("#speed").fill("0")
    page.click("#play")
    expect(page, "#held-count", "nothing")
    page.click("#stop")
    expect(page, "#status", "Stopped.")
    assert len(page.inner_text("#released")) < 1_000
    assert stream(page, "a bluebird") == "a [codename]"


def test_of_a_long_text_a_part_is_drawn(page: Any) -> None:
    text = ("the bluebird sings of SUP-1234567 all day long; " * 2_100)[:100_000]
    stream(page, text)
    expect(page, "#came-count", "100,000 characters")
    assert len(page.inner_text("#came")) < 6_000
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000
    sync_api.expect(page.locator("#chunkings")).to_be_hidden()


def test_the_timeline_is_saved_as_a_file(page: Any) -> None:
    stream(page, "a bluebird")
    with page.expect_download() as download:
        page.click("#timeline")
    svg = Path(download.value.path()).read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "bluebird" not in svg


def test_what_a_policy_may_not_say_here_is_marked(page: Any) -> None:
    write(page, "version: 1\ngate: []\nrules:\n  - id: a\n    words: {file: /etc/passwd}\n")
    expect(page, "#problems", "only rules run here: leave 'gate' out")
    expect(page, "#problems", "no word files are read here")
    page.click("#play")
    expect(page, "#status", "policy.yaml:2:1: only rules run here")


def test_a_text_that_looks_like_markup_is_text(page: Any) -> None:
    text = "<img src=x onerror=alert(1)><script>alert(2)</script> bluebird"
    assert stream(page, text) == text.replace("bluebird", "[codename]")


def test_the_focus_goes_through_the_page_in_its_order(page: Any) -> None:
    page.locator("body").focus()
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('cm-content')"):
            seen.append("editor")
            page.keyboard.press("Escape")  # then Tab leaves it
            continue
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    wanted = ["skip", "start", "share", "editor", "input", "size", "speed", "play"]
    assert [each for each in seen if each in wanted] == wanted


def test_everything_that_is_used_has_a_name(page: Any) -> None:
    stream(page, "a bluebird")
    page.click("#share")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, [role], progress")]
        .filter((each) => each.checkVisibility() && !each.closest("[aria-hidden=true]"))
        .filter((each) => !each.getAttribute("aria-label") && !each.getAttribute("aria-labelledby")
            && !each.labels?.length && !each.textContent.trim()
            && !["status", "tooltip"].includes(each.role))
        .map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


MODULES = Path(__file__).resolve().parents[2] / "tools" / "play" / "node_modules"

AXE = MODULES / "axe-core" / "axe.min.js"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 360])
def test_axe_finds_no_violation(browser: Any, address: str, scheme: str, width: int) -> None:
    if not AXE.exists():
        leave_out("axe-core")
    viewport = {"width": width, "height": 800}
    with watched(browser, address, viewport=viewport, color_scheme=scheme) as page:
        open_at(page, address)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert violations(page) == []
        write(page, POLICY)
        expect(page, "#verdict", "1 error")
        assert violations(page) == []
        write(page, POLICY.replace("acton", "action"))
        expect(page, "#verdict", "valid")
        stream(page, TEXT)
        play_both(page)
        assert violations(page) == []
        page.click("#share")
        assert violations(page) == []


def violations(page: Any) -> list[str]:
    """What axe-core has against the page as it stands: the rule, and where."""
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


def play_both(page: Any) -> None:
    page.click("#compare")
    expect(page, "#compare", "Play both")
    expect(page, "#shadow-came-count", "characters")


def test_both_modes_play_side_by_side_lane_by_lane(page: Any) -> None:
    page.select_option("#start", label="Mask words and numbers")
    stream(page, "the bluebird sings")
    assert not page.is_visible("#enforce-came")
    play_both(page)
    for mode, released in (("enforce", "the [codename] sings"), ("shadow", "the bluebird sings")):
        assert page.inner_text(f"#{mode}-came") == "the bluebird sings"
        assert page.inner_text(f"#{mode}-came mark") == "bluebird"
        assert page.inner_text(f"#{mode}") == released
    page.locator("#speed").fill("0")
    page.click("#compare")
    expect(page, "#enforce-held-count", re.compile(r"\d characters"))
    expect(page, "#shadow-held-count", "nothing")
    page.click("#compare")
    expect(page, "#compare", "Play both")


def test_findings_in_arguments_of_tools_are_marked_in_their_call(page: Any) -> None:
    page.check("input[value=recording]")
    write(page, "version: 1\nrules:\n  - id: name\n    words: [bluebird]\n")
    expect(page, "#verdict", "valid")
    stream(page, CALLS)
    assert page.locator("#came mark").all_inner_texts() == ["bluebird", "Bluebird"]
    expect(page, "#came", "tool call 2")
    assert page.inner_text("#released").count("[name]") == 2
    stream(page, PARALLEL)
    assert page.locator("#came mark").all_inner_texts() == ["bluebird"] * 2
    expect(page, "#findings", "7–15 of tool call 3")
    expect(page, "#came", re.compile('before the bluebird, redbird"}\\s*tool call 2'))
    stream(page, AFTER_A_CALL)
    assert page.locator("#came mark").all_inner_texts() == ["bluebird"] * 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_it_fits_360_pixels_and_takes_what_the_reader_prefers(
    browser: Any, address: str, scheme: str, motion: str
) -> None:
    options = {"color_scheme": scheme, "reduced_motion": motion}
    with watched(browser, address, viewport={"width": 360, "height": 700}, **options) as page:
        open_at(page, address)
        assert stream(page, "a bluebird") == "a [codename]"
        assert page.evaluate("document.documentElement.scrollWidth") == 360


# Contrast, by WCAG 2.2, 1.4.3: at least 4.5 to 1

STYLE = (app.STATIC / "style.css").read_text(encoding="utf-8")

INKS = ("ink", "soft", "accent", "found", "warn", "released", "key", "string")


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


LIGHT = colours(STYLE.split("@media", 1)[0])
DARK = {**LIGHT, **colours(STYLE.split("prefers-color-scheme: dark", 1)[1].split("}\n}", 1)[0])}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_contrast_is_that_of_wcag_aa(scheme: dict[str, str]) -> None:
    pairs = [(ink, ground) for ink in INKS for ground in ("card", "ground")]
    pairs += [("ink", "held-ground"), ("ink", "found-ground"), ("on-accent", "accent")]
    low = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
