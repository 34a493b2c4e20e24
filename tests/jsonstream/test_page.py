"""The programs in docs/json.md run, and what they note beside an expression is its value."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PROGRAMS = [text for text in BLOCKS if "Schema\n" in text]  # what imports a schema is whole
_noted = re.compile(r"^(document\.\S+|stage\.\S+)  # (.+)$", re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_programs_do_what_they_note(program: str) -> None:
    names: dict[str, object] = {}
    exec(program, names)
    noted = _noted.findall(program)
    assert noted
    for expression, value in noted:
        assert eval(expression, names) == ast.literal_eval(value)


def test_there_are_programs() -> None:
    assert len(PROGRAMS) == 2
