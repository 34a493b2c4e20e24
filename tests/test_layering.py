"""Imports point one way, and the core knows no event loop, clock, file or log."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "guardstream"

MODULES = sorted(ROOT.rglob("*.py"))

LAYERS = [
    {"errors", "events", "validators"},
    {"scan", "jsonstream"},
    {"stages"},
    {"pipeline"},
    {"policy", "providers", "stats"},
    {"sse"},
    {"flow", "runtime"},
    {"delivered", "observers", "deadlines", "messages", "messages_shapes"},
    {"hooks"},
    {"delivery"},
    {"guarded", "guarded_sync", "extract"},
    {"guard"},
    {
        "wire",
        "prompts",
        "gate",
        "testing",
        "body",
        "resilience",
        "consumers",
        "observability",
        "runnable",
    },
    {"serve", "transport"},
    {"cli", "__init__", "__main__"},
]
"""Each layer may import those above it in this list, and its own modules."""

CORE = {"errors", "events", "scan", "jsonstream", "stages", "pipeline"}

NO_CORE = {"asyncio", "anyio", "trio", "time", "datetime", "logging"}
NO_CORE |= {"pathlib", "os", "io", "socket", "subprocess"}

SDKS = {"openai", "anthropic", "google", "ollama", "cohere", "mistralai", "boto3", "litellm"}
SDKS |= {"langchain", "langchain_core", "pydantic_ai", "kosong"}

SHARED = {"guardstream.stages.rules"}
"""Data that all stages may use."""


def part(path: Path) -> str:
    """The layer's member that a module belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a module imports, in full."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def layer(name: str) -> int:
    return next(number for number, members in enumerate(LAYERS) if name in members)


def own(name: str) -> str | None:
    """The layer's member that an import names, None if it is not ours."""
    parts = name.split(".")
    known = {member for members in LAYERS for member in members}
    return parts[1] if parts[0] == "guardstream" and len(parts) > 1 and parts[1] in known else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    here = part(path)
    for name in imports(path):
        there = own(name)
        if there is not None and there != here:
            assert layer(there) < layer(here) or (layer(there) == layer(here) and here in PEERS)


PEERS = {"guarded_sync", "errors", "events", "__main__"}
"""Members that may import another of their own layer."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_has_no_event_loop_clock_file_or_log(path: Path) -> None:
    if part(path) in CORE:
        assert not {name.split(".")[0] for name in imports(path)} & NO_CORE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_provider_sdk_is_imported(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & SDKS


STAGES = ("redact", "structure", "limits")


@pytest.mark.parametrize("stage", STAGES)
def test_stages_never_import_each_other(stage: str) -> None:
    path = ROOT / "stages" / f"{stage}.py"
    if path.exists():
        others = {f"guardstream.stages.{name}" for name in STAGES if name != stage}
        assert not others & set(imports(path))


def test_every_module_stands_in_a_layer() -> None:
    known = {member for members in LAYERS for member in members}
    assert {part(path) for path in MODULES} <= known
