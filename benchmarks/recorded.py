"""The recorded runs: what benchmarks printed, word for word, and the pages that show it.

python -m benchmarks.recorded                  # runs them all and records what they print
python -m benchmarks.recorded json closing     # or some of them
python -m benchmarks.recorded json=run.md      # or a run that is there already
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.arguments import parser

ROOT = Path(__file__).resolve().parents[1]

RECORDS = Path(__file__).resolve().parent / "records"

COMMANDS = {
    "guard": ["benchmarks"],
    "search": ["benchmarks.search", "forms"],
    "json": ["benchmarks.json_stream"],
    "proxy": ["benchmarks.serve_load", "100", "50", "8"],
    "closing": ["benchmarks.closing"],
    "observing": ["benchmarks.observing"],
}
"""The modules that make the records, and their arguments."""

_BLOCK = re.compile(
    r"(<!-- recorded: (\w+) -->\n\n)((?:(?!<!-- ).)*?)(\n<!-- /recorded -->)", re.DOTALL
)


def pages() -> list[Path]:
    """The pages that may show records."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shown(page: str) -> dict[str, str]:
    """Return the records that a page shows, by name."""
    return {name: text for _, name, text, _ in _BLOCK.findall(page)}


def read(name: str) -> str:
    """Return a record."""
    return (RECORDS / f"{name}.md").read_text(encoding="utf-8")


def record(name: str, run: str) -> None:
    """Keep a run, and show it on the pages, one level of headings deeper."""
    run = run.replace("\n## ", "\n### ")
    (RECORDS / f"{name}.md").write_text(run, encoding="utf-8")
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = _BLOCK.sub(lambda m: m[1] + (run if m[2] == name else m[3]) + m[4], text)
        if new != text:
            page.write_text(new, encoding="utf-8")


def run(name: str) -> str:
    """Run a benchmark, and return what it printed, which is seen meanwhile."""
    command = [sys.executable, "-m", *COMMANDS[name]]
    printed: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            printed.append(line)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed: nothing of it was recorded")
    return "".join(printed)


def rows(run: str, title: str) -> dict[str, list[str]]:
    """Return the rows of a table by their first cell."""
    part = run.split(f"### {title}")[1].split("###")[0]
    cells = [[each.strip() for each in line.split("|")[1:-1]] for line in part.splitlines()]
    return {row[0].strip("*"): row[1:] for row in cells if row}


def main(asked: list[str]) -> None:
    """Record what is asked for."""
    for name, _, path in (each.partition("=") for each in asked or list(COMMANDS)):
        if name not in COMMANDS:
            sys.exit(f"no record is named {name!r}, there are: {', '.join(COMMANDS)}")
        record(name, Path(path).read_text(encoding="utf-8") if path else run(name))


if __name__ == "__main__":
    asks = parser(__doc__)
    asks.add_argument("records", nargs="*", metavar="NAME[=FILE]", help=", ".join(COMMANDS))
    main(asks.parse_args().records)
