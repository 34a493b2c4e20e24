"""Each example is listed, and fails when its policies are emptied: what it shows is the guard.

That each succeeds as it is `make examples` checks.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.examples.running import Outcome
from tests.support.optional import needs

ROOT = Path(__file__).resolve().parents[2]

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

REASONS = ("AssertionError", "PolicyError", "JSONDecodeError")
"""What an example ends with that misses its rules; another error would prove nothing."""


Run = Callable[[Path], Outcome]


@pytest.fixture(scope="module")
def emptied() -> Iterator[Run]:
    """Run an example with its policies emptied."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.examples.running", "--serve"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asked, answers = process.stdin, process.stdout
        assert asked is not None
        assert answers is not None

        def run(path: Path) -> Outcome:
            print(path, file=asked, flush=True)
            return Outcome(*json.loads(answers.readline()))

        yield run
        asked.close()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_fails_without_its_rules(emptied: Run, path: Path) -> None:
    for package in packages(path):
        needs(package)
    outcome = emptied(path)
    assert outcome.status == 1, outcome.printed
    assert any(reason in outcome.printed for reason in REASONS), outcome.printed


def packages(path: Path) -> set[str]:
    """The packages of providers and frameworks that an example imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [each.name for each in node.names]
        )
    }
    return {name for name in names if name.partition(".")[0] not in OWN}


OWN = frozenset({*sys.stdlib_module_names, "guardstream", "support", "tests"})
"""What needs no other package."""


def test_each_is_listed() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"]({path.name})" not in page] == []
