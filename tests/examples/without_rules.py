"""Runs a program with every policy emptied: `python -m tests.examples.without_rules FILE`.

Whatever a program loads or parses is `version: 1`, so that no text is found, no JSON is judged and
nothing is limited. An example that still succeeds shows nothing.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from guardstream.policy import build
from guardstream.policy.build import CompiledPolicy

EMPTY = "version: 1"

parse = build.parse


def emptied(*_: Any, **__: Any) -> CompiledPolicy:
    """Stand in for `build.load` and `build.parse`."""
    return parse(EMPTY, "emptied", Path())


if __name__ == "__main__":
    build.load = build.parse = emptied
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
