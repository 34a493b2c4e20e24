"""What docs/pseudonyms.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault
from guardstream.vault.ids import check_symbol

PAGE = (Path(__file__).parents[2] / "docs" / "pseudonyms.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_programs_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_KEY", "k" * 32)
    monkeypatch.setenv("VAULT_ID_KEY", "i" * 32)
    text = "import os\nfrom guardstream.vault import RedisStore\n"
    exec(text + "\n".join(PROGRAMS), {"__name__": "docs"})


def test_the_table_of_what_comes_back() -> None:
    guard = Guard(Policy.parse("rules: []"))
    vault = Vault(b"k" * 16)
    stand_in = vault.issue("email", "ann.lee@example.com")
    issued = stand_in.strip("[]").removeprefix("EMAIL_")
    other = next(symbol for symbol in "23" if symbol != issued[-1])

    def real(cell: str) -> str:
        """The page's stand-in is made up: its id becomes the one that was issued."""
        wide = "７ＫＱ４ＴＷＹ"
        cell = cell.replace(wide, "".join(chr(ord(c) + 0xFEE0) for c in issued))
        cell = cell.replace("7KQ4TW4", issued[:-1] + other).replace("7KQ4TW]", f"{issued[:-1]}]")
        return cell.replace("7KQ4TWY", issued).replace("7kq4twy", issued.lower())

    rows = re.findall(r"^\| (`.*) \| (the value.*|what the model wrote) \|$", PAGE, re.MULTILINE)
    cells = [(cell, read) for row, read in rows for cell in re.findall("`([^`]+)`", row)]
    assert len(cells) > 14
    for cell, read in cells:
        if cell.endswith("…"):
            continue
        text = real(cell)
        restored = "ann.lee@example.com" in guard.wrap_sync([text], vault=vault).text()
        assert restored == read.startswith("the value"), cell


def test_the_stand_in_of_the_page_is_one() -> None:
    assert check_symbol("7KQ4TW") == re.search(r"\[EMAIL_7KQ4TW(.)\]", PAGE)[1]  # type: ignore[index]
