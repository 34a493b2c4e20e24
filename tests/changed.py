"""Run the tests that a change can break: `python -m tests.changed [--since REF] [PYTEST OPTIONS]`.

No import runs upwards through the layers, so a change in `formats/` cannot break `scan/`. What
is not named after a member of a layer, such as `tests/test_docs.py`, always runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.layers import LAYERS, ROOT, layer_of

TESTS = ROOT / "tests"

MEMBERS = frozenset(name for members in LAYERS for name in members)

DATA = {"policies": "policy"}
"""Folders beside the package, and the member that reads them."""


def changed(since: str) -> list[Path]:
    """The files that differ from a commit, and those that are new, from the root on."""
    commands = (
        ["git", "diff", "--name-only", since],
        ["git", "ls-files", "--others", "--exclude-standard"],
    )
    out = "".join(
        subprocess.run(each, cwd=ROOT, capture_output=True, check=True, text=True).stdout
        for each in commands
    )
    return [Path(line) for line in out.splitlines()]


def affected(paths: Sequence[Path]) -> list[str]:
    """The tests that a change of these files can break, as arguments for pytest."""
    lowest = {member for path in paths if (member := _member(path)) is not None}
    if "" in lowest or any(layer_of(member) == 0 for member in lowest):
        return ["tests"]
    chosen = {path for path in map(str, paths) if _is_test(Path(path))}
    for path in sorted(TESTS.iterdir()):
        if not (path.is_dir() or path.name.startswith("test_")):
            continue
        own = path.name if path.name in MEMBERS else ""
        if not own or own in lowest or any(layer_of(own) > layer_of(name) for name in lowest):
            chosen.add(str(path.relative_to(ROOT)))
    return sorted(chosen)


def _member(path: Path) -> str | None:
    """The member of a layer that a file belongs to; "" if all depends on it, None if nothing."""
    first, *rest = path.parts
    if first == "guardstream" and rest:
        name = rest[0].removesuffix(".py")
        return name if name in MEMBERS else ""
    if first == "tests" and not _is_test(path):
        return rest[0] if rest and rest[0] in MEMBERS else ""
    return DATA.get(first)


def _is_test(path: Path) -> bool:
    exists = (ROOT / path).exists()
    return exists and path.parts[0] == "tests" and path.name.startswith("test_")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", default="HEAD", help="the commit to compare with")
    options, rest = parser.parse_known_args()
    tests = affected(changed(options.since))
    print(" ".join(tests), flush=True)
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", *tests, *rest], cwd=ROOT).returncode)
