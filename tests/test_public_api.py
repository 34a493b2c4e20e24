"""What is public stays as it is unless that is meant, and all that is documented is public."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

import guardstream
from tests.support.api import COMMAND, GUARDRAIL, STORED, described, public
from tests.support.optional import needs

ROOT = Path(__file__).resolve().parents[1]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_the_public_names_are_those_that_are_stored() -> None:
    stored = STORED.read_text(encoding="utf-8").splitlines()
    now = described().splitlines()
    difference = "\n".join(unified_diff(stored, now, "stored", "now", lineterm="", n=2))
    assert not difference, f"the public API changed; if that is meant, run {COMMAND}\n{difference}"


def imported(code: str) -> Iterator[tuple[str, str]]:
    """The modules of the package that code imports names from, and the names."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("guardstream"):
            yield from ((node.module or "", name.name) for name in node.names)


def documented() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in re.findall(
            r"```py(?:thon)?\n(.*?)```", page.read_text(encoding="utf-8"), re.S
        ):
            try:
                yield from imported(block)
            except SyntaxError:  # a sketch, with dots in it
                continue
    for example in EXAMPLES:
        yield from imported(example.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("module", "name"), sorted(set(documented())))
def test_what_is_documented_is_public(module: str, name: str) -> None:
    if module == GUARDRAIL:
        needs("litellm")
    modules = public()
    if f"{module}.{name}" in modules:
        return
    assert module in modules, f"{module} has no __all__"
    assert name in modules[module].__all__


@pytest.mark.parametrize("module", public())
def test_what_is_exported_is_there_and_says_what_it_is(module: str) -> None:
    found = public()[module]
    assert inspect.getdoc(found)
    for name in found.__all__:
        value = getattr(found, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"


SHOWN = ("guardstream", "guardstream.extract", "guardstream.gate", "guardstream.http")
SHOWN += ("guardstream.consumers", "guardstream.observability", "guardstream.resilience")
SHOWN += ("guardstream.sse", "guardstream.testing", "guardstream.observability.prometheus")
"""Modules whose docstrings are complete."""


def functions() -> Iterator[tuple[str, Any]]:
    """The public functions and methods of those modules that are not inherited from elsewhere."""
    for module in SHOWN:
        for name in public()[module].__all__:
            value = getattr(public()[module], name)
            if inspect.isfunction(value):
                yield f"{module}.{name}", value
            elif inspect.isclass(value):
                for member, found in vars(value).items():
                    function = getattr(found, "__func__", found)
                    if inspect.isfunction(function) and not member.startswith("_"):
                        yield f"{module}.{name}.{member}", function


@pytest.mark.parametrize(
    "function", [pytest.param(each, id=name) for name, each in dict(functions()).items()]
)
def test_a_public_function_says_what_it_does(function: Any) -> None:
    assert inspect.getdoc(function)


def parameters(function: Any) -> set[str]:
    return {
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.name not in ("self", "cls") and each.kind is not each.VAR_KEYWORD
    }


EXPLAINED = {
    guardstream.Guard: ("load", "wrap", "check"),
    guardstream.Policy: ("load", "parse"),
}
"""Methods whose docstrings name each parameter and what is raised."""


@pytest.mark.parametrize(
    ("owner", "name"),
    [(owner, name) for owner, names in EXPLAINED.items() for name in names],
)
def test_parameters_and_errors_are_explained(owner: type[Any], name: str) -> None:
    method = getattr(owner, name)
    text = inspect.getdoc(method) or ""
    assert "Raises " in text
    assert not {each for each in parameters(method) if f"`{each}`" not in text} - {"text"}


def test_what_only_servers_need_of_a_guard_reads_apart_from_the_rest() -> None:
    reference = ROOT / "docs/reference"
    (left_out,) = re.findall(r'Guard\n.*\n.*"!\^\((.*)\)\$"', (reference / "guard.md").read_text())
    elsewhere = re.findall(r"::: guardstream\.Guard\.(\w+)", (reference / "serve.md").read_text())
    said = [
        name
        for name, member in vars(guardstream.Guard).items()
        if (inspect.getdoc(member) or "").startswith("For servers: ")
    ]
    assert left_out.split("|") == elsewhere == said
