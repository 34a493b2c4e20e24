"""What stands beside the code is true: links lead somewhere, and the pinned versions fit."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import guardstream

ROOT = Path(__file__).resolve().parent.parent

PAGES = ("CONTRIBUTING.md", "SECURITY.md")

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

LOCK = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")


def headings(path: Path) -> set[str]:
    """The anchors that a page's headings have where it is shown."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in found}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, anchor in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", text):
        path = ROOT / (name or page)
        assert path.exists(), name
        assert not anchor or anchor in headings(path), anchor


@pytest.mark.parametrize("page", PAGES)
def test_the_files_and_commands_it_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:tests|tools|docs|benchmarks|examples)/[\w./-]+)", text):
        assert (ROOT / name).exists(), name
    for target in re.findall(r"`make ([\w-]+)", text):
        assert re.search(rf"^[\w\- ]*\b{target}\b[\w\- ]*:", MAKEFILE, re.MULTILINE), target
    for module in re.findall(r"`python -m ((?:tests|benchmarks)[\w.]*)", text):
        place = ROOT.joinpath(*module.split("."))
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module


def test_the_package_says_the_projects_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert guardstream.__version__ == project["project"]["version"]


def wanted() -> Iterator[Requirement]:
    """What the package, its extras and its development need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    groups.pop("release")  # in an environment of its own
    lists = [project["project"]["dependencies"], *groups.values()]
    lists += project["project"]["optional-dependencies"].values()
    for each in lists:
        for text in filter(lambda text: isinstance(text, str), each):  # not another group
            requirement = Requirement(text)
            if requirement.name != project["project"]["name"]:
                yield requirement


def test_every_dependency_is_pinned_to_a_version_that_fits() -> None:
    pinned: dict[str, list[str]] = {}
    for line in LOCK.splitlines():
        if line and not line.startswith("#"):
            name, version = line.partition(";")[0].strip().split("==")
            pinned.setdefault(canonicalize_name(name), []).append(version)
    for requirement in wanted():
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not pinned: run `make lock`"
        fits = partial(requirement.specifier.contains, prereleases=True)
        assert all(map(fits, versions)), requirement.name


def test_no_source_is_made_while_the_package_runs() -> None:
    """Policies are other people's text: nothing in them becomes code."""
    made = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "guardstream").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in ("exec", "eval", "compile")
    }
    assert made == set()


def imported(path: Path) -> Iterator[str]:
    """The modules that a module imports, and the names that it takes from them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)


def test_no_module_imports_a_module_of_tests() -> None:
    for path in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        found = [name for name in imported(path) if re.match(r"tests\..*\btest_", name)]
        assert not found, f"{path.relative_to(ROOT)}: what is shared belongs into tests/support"


def test_no_test_is_longer_than_a_screen() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or 0) - node.lineno
                assert lines < 60 or not node.name.startswith("test_"), node.name
