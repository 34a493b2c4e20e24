"""The recorded run in docs/benchmarks.md: what `python -m benchmarks` printed, word for word.

python -m benchmarks > run.md; python -m benchmarks.recorded run.md    # records it, in both files
"""

from __future__ import annotations

import sys
from pathlib import Path

RECORD = Path(__file__).resolve().parent / "recorded.md"

PAGE = RECORD.parents[1] / "docs" / "benchmarks.md"

BEGIN, END = "<!-- benchmarks -->\n\n", "\n<!-- /benchmarks -->"


def shown(page: str) -> str:
    """Return the run that a page shows."""
    return page.split(BEGIN)[1].split(END)[0]


def record(run: str) -> None:
    """Keep a run, and show it on the page, one level of headings deeper."""
    run = run.replace("\n## ", "\n### ")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.replace(shown(page), run), encoding="utf-8")
    RECORD.write_text(run, encoding="utf-8")


def rows(run: str, title: str) -> dict[str, list[str]]:
    """Return the rows of a table by their first cell."""
    part = run.split(f"### {title}")[1].split("###")[0]
    cells = [[each.strip() for each in line.split("|")[1:-1]] for line in part.splitlines()]
    return {row[0].strip("*"): row[1:] for row in cells if row}


if __name__ == "__main__":
    record(Path(sys.argv[1]).read_text(encoding="utf-8"))
