"""The example of mended JSON shows that it is mended: without `repair` it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "json_repair.py"


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_tells_what_was_mended() -> None:
    done = run(EXAMPLE.read_text())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "mended: json.comments, json.unquoted_keys, json.single_quotes, json.python_literals, "
        "json.trailing_commas"
    )


def test_it_fails_without_repair() -> None:
    code = EXAMPLE.read_text()
    line = next(each for each in code.splitlines() if each.strip().startswith("repair: true"))
    done = run(code.replace(line, "", 1))
    assert done.returncode == 1
    assert "JSONDecodeError" in done.stderr
