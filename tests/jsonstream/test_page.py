"""The programs in the JSON pages run, and what they note after an expression is its value."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from guardstream import Policy
from guardstream.jsonstream import Document, Schema, SchemaError
from tests.jsonstream.corpora import needs_corpus, schema_groups

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [DOCS / name for name in ("json.md", "json-details.md")]
_program = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_policy = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def programs(page: Path) -> list[str]:
    return _program.findall(page.read_text(encoding="utf-8"))


def values(program: str, names: dict[str, object]) -> list[tuple[object, object]]:
    """Run a program; return the value of each expression that a comment notes, and what it says."""
    lines, found = program.splitlines(), []
    for node in ast.parse(program).body:
        noted = lines[(node.end_lineno or 0) - 1].partition("  # ")[2]
        source = ast.get_source_segment(program, node) or ""
        if isinstance(node, ast.Expr) and noted:
            found.append((eval(source, names), ast.literal_eval(noted)))
        else:
            exec(source, names)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_programs_do_what_they_note(page: Path) -> None:
    names: dict[str, object] = {"__name__": "docs"}
    noted = [each for program in programs(page) for each in values(program, names)]
    assert noted
    assert [(came, said) for came, said in noted if came != said] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_policies_load(page: Path, tmp_path: Path) -> None:
    for name in ("order", "weather", "address"):
        (tmp_path / f"{name}.schema.json").write_text('{"type": "object"}', encoding="utf-8")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "money.json").write_text('{"$id": "https://example.com/money"}')
    policies = _policy.findall(page.read_text(encoding="utf-8"))
    assert policies
    for text in policies:
        Policy.parse(text, folder=tmp_path)


def refused_early(schema: Schema, text: str) -> bool:
    """Tell whether a text is refused before its last character."""
    document = Document(schema)
    document.feed(text[:-1])
    return document.error is not None


@pytest.mark.corpus
@needs_corpus
def test_as_many_mistakes_are_refused_early_as_the_page_says() -> None:
    early: list[bool] = []
    for _, group in schema_groups():
        try:
            schema = Schema(group["schema"])
        except SchemaError:  # it refers to another file
            continue
        texts = [json.dumps(each["data"]) for each in group["tests"] if not each["valid"]]
        early += [refused_early(schema, text) for text in texts]
    page = (DOCS / "json-details.md").read_text(encoding="utf-8")
    said = re.search(r"Of the (\d+) invalid instances .*?, (\d+) are\s+refused", page, re.DOTALL)
    assert said is not None
    assert [int(each) for each in said.groups()] == [len(early), sum(early)]
