"""Each example is listed, and fails when its policies are emptied: what it shows is the guard.

That each succeeds as it is `make examples` checks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

REASONS = ("AssertionError", "PolicyError", "JSONDecodeError")
"""What an example ends with that misses its rules; another error would prove nothing."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_fails_without_its_rules(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.examples.without_rules", str(path)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert any(reason in done.stderr for reason in REASONS), done.stderr


def test_each_is_listed() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"]({path.name})" not in page] == []
