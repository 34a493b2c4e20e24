"""What docs/formats.md shows is true: its programs run, and it names every adapter of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from guardstream.formats import ADAPTERS
from tests.support import formats

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")

PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_programs_run(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    exec(program, names)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_format_has_a_row(name: str) -> None:
    assert f"| `{name}` |" in formats.table()
