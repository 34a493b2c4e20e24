"""What the pages on formats show is true: their programs run, and every format has a row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from guardstream.formats import ADAPTERS
from tests.support import formats

PAGES = Path(__file__).resolve().parents[2] / "docs"

PAGE = (PAGES / "formats.md").read_text(encoding="utf-8")

ADAPTER = (PAGES / "how-to" / "adapter.md").read_text(encoding="utf-8")

PROGRAMS = re.findall(r"```py(?:thon)?\n(.*?)```", PAGE + ADAPTER, re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_programs_run(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    exec(program, names)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_format_has_a_row(name: str) -> None:
    assert f"| `{name}` |" in formats.table()
