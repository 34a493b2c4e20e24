"""The pages of docs/reference that are generated, each by its function.

python -m tests.support.pages    # writes them
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guardstream.policy.schema import schema
from tests.support import formats, packs_page, schema_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "policy.md": lambda: schema_page.page(schema()),
    "formats.md": formats.page,
    "packs.md": packs_page.page,
}
"""What makes each page, by its name."""


if __name__ == "__main__":
    for name, made in PAGES.items():
        (FOLDER / name).write_text(made(), encoding="utf-8")
