"""What benchmarks print: a line that says what was measured and when, and tables in Markdown."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version


def headline() -> None:
    """Print the version, the day, and what it ran on."""
    package = f"guardstream {version('guardstream')} on {datetime.now(UTC).date()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{package}, {python}, {platform.machine()}.", flush=True)


def table(title: str, head: str, rows: Iterable[Sequence[object]]) -> None:
    """Print a table row by row."""
    print(f"\n## {title}\n\n| {head} |\n|{'---|' * (head.count('|') + 1)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)
