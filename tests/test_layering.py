"""Imports point one way, and the core knows no event loop, clock, file or log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.layers import CORE, DOORS, LAYERS, PACKAGE, ROOT, layer_of, member, written

MODULES = sorted(PACKAGE.rglob("*.py"))

NO_CORE = {"asyncio", "anyio", "trio", "time", "datetime", "logging"}
NO_CORE |= {"pathlib", "os", "io", "socket", "subprocess"}

SDKS = {"openai", "anthropic", "google", "ollama", "cohere", "mistralai", "boto3", "litellm"}
SDKS |= {"langchain", "langchain_core", "pydantic_ai", "kosong"}

SHARED = {"guardstream.stages.rules"}
"""Data that all stages may use."""


def imports(path: Path) -> Iterator[str]:
    """Every module that a module imports, in full."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def own(name: str) -> str | None:
    """The layer's member that an import names, None if it is not ours."""
    parts = name.split(".")
    return parts[1] if parts[0] == "guardstream" and len(parts) > 1 and parts[1] in KNOWN else None


KNOWN = {name for members in LAYERS for name in members} | DOORS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = member(path)
    for name in imports(path):
        there = own(name)
        if there is not None and there != here:
            assert there not in DOORS, f"{name}: import it from where it stands"
            assert layer_of(there) < layer_of(here) or (here, there) in PEERS


PEERS = {("errors", "events")}
"""Members of one layer of which the first may import the second."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_has_no_event_loop_clock_file_or_log(path: Path) -> None:
    if member(path) in CORE:
        assert not {name.split(".")[0] for name in imports(path)} & NO_CORE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_provider_sdk_is_imported(path: Path) -> None:
    # LiteLLM calls only guardrails of its own class.
    own = {path.stem} if path.parent.name == "integrations" and path.stem == "litellm" else set()
    assert not {name.split(".")[0] for name in imports(path)} & SDKS - own


FLOWS = sorted((PACKAGE / "stream/flows").glob("*.py"))


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_flows_know_no_driver_and_no_event_loop(path: Path) -> None:
    names = set(imports(path))
    assert not {name.split(".")[0] for name in names} & (NO_CORE - {"logging"})
    beside = {name.split(".")[2] for name in names if name.startswith("guardstream.stream.")}
    assert beside <= {"flows", "arguments", "on_block", "result", "whole"}


STAGES = ("redact", "json", "limits", "release", "custom")
"""The stages: a module or a folder each."""


@pytest.mark.parametrize("stage", STAGES)
def test_stages_never_import_each_other(stage: str) -> None:
    place = PACKAGE / "stages" / stage
    paths = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    others = tuple(f"guardstream.stages.{name}" for name in STAGES if name != stage)
    assert not [name for path in paths for name in imports(path) if name.startswith(others)]


def test_every_module_stands_in_a_layer() -> None:
    assert {member(path) for path in MODULES} == KNOWN


@pytest.mark.parametrize("door", sorted(DOORS - {"__init__", "__main__"}))
def test_doors_only_hand_on(door: str) -> None:
    body = ast.parse((PACKAGE / f"{door}.py").read_text(encoding="utf-8")).body
    assert {type(node) for node in body} == {ast.Expr, ast.ImportFrom, ast.Assign}


def test_the_architecture_shows_these_layers() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert written(page) == page, "run python -m tests.support.layers"


TABLES = ["gate", "policy", "formats/toolkit", "serve", "serve/proxy", "stream", "stream/flows"]
TABLES += ["vault", "vault/addresses"]
"""The folders of which a table names all modules."""


@pytest.mark.parametrize("folder", TABLES)
def test_a_table_of_modules_names_all_of_them(folder: str) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("| module ")]
    named = [
        {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
        for rows in tables
    ]
    modules = {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}
    assert any(modules <= names for names in named)
