"""The picture of the playground in the documentation, of a real page.

python -m tests.play.picture docs/pictures/play.png
"""

from __future__ import annotations

import sys

from playwright.sync_api import expect

from guardstream.play.app import Playground, application
from guardstream.play.examples import examples
from tests.play.recordings import DEMO
from tests.serve.server import serving
from tests.support.chromium import chromium


def take(path: str) -> None:
    """Play the first example, and write what the page shows."""
    known = examples(DEMO)
    app = application(Playground(known[0].policy, known), "token")
    with serving(app, lifespan="on") as port, chromium() as browser:
        page = browser.new_page(
            viewport={"width": 1180, "height": 860}, color_scheme="light", reduced_motion="reduce"
        )
        page.goto(f"http://127.0.0.1:{port}/token/")
        page.wait_for_selector("html[data-ready]")
        page.locator("#speed").fill("6")
        page.click("#play")
        expect(page.locator("#chunkings-said")).to_contain_text("yes: all", timeout=30_000)
        page.locator("#came").focus()
        page.keyboard.press("Tab")  # to the first mark, which says why it is one
        page.screenshot(path=path)


if __name__ == "__main__":
    take(sys.argv[1])
