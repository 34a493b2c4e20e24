"""Type checkers understand the public names as their users do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.optional import needs

HERE = Path(__file__).resolve().parent

ROOT = HERE.parent.parent

USAGE = HERE / "usage.py"


def checked_by_mypy(path: Path) -> tuple[str, int]:
    """What mypy says of a file, with the project's settings, and its exit status."""
    api = needs("mypy.api")
    said, failed, status = api.run(
        ["--strict", "--config-file", str(ROOT / "pyproject.toml"), str(path)]
    )
    return said + failed, status


def checked_by_pyright(folder: Path) -> list[str]:
    """What pyright has against the files that a folder's configuration names."""
    needs("pyright")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, "--project", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1
    found = report["generalDiagnostics"]
    return [f"{each['range']['start']['line'] + 1}: {each['message']}" for each in found]


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A copy of the file with two mistakes: a type that is another, an error that is none."""
    text = USAGE.read_text(encoding="utf-8")
    text = text.replace("assert_type(messages.blocked, bool)", "assert_type(messages.blocked, int)")
    text = text.replace('guard.check(b"bytes")', 'guard.check("text")')
    path = tmp_path / "usage.py"
    path.write_text(text, encoding="utf-8")
    settings = json.loads((HERE / "pyrightconfig.json").read_text(encoding="utf-8"))
    settings["extraPaths"] = [str(ROOT)]
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    return path


def test_mypy_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    said, status = checked_by_mypy(USAGE)
    assert status == 0, said


def test_mypy_would_see_what_is_wrong(wrong: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    said, status = checked_by_mypy(wrong)
    assert status == 1
    assert said.count(": error: ") == 2, said


def test_pyright_agrees() -> None:
    assert checked_by_pyright(HERE) == []


def test_pyright_would_see_what_is_wrong(wrong: Path) -> None:
    assert len(checked_by_pyright(wrong.parent)) == 2
