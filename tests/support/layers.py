"""The layers of the package: what may import what, and ARCHITECTURE's table of it.

python -m tests.support.layers    # writes the table into ARCHITECTURE.md
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PACKAGE = ROOT / "guardstream"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("amounts", "errors", "events", "forks", "hints", "jsonpath", "lazy", "per_loop", "version"),
    ("scan", "framing"),
    ("jsonstream",),
    ("stages",),
    ("policy", "formats"),
    ("stream", "vault"),
    ("prompts", "extract", "gate", "resilience", "consumers", "observability"),
    ("receipts",),
    ("operations",),
    ("guard",),
    ("http", "testing", "bulk"),
    ("serve", "play", "integrations"),
    ("envoy",),
    ("cli",),
)
"""A layer may import the layers before it, and a member its own modules."""

CORE = frozenset({"errors", "events", "scan", "jsonstream", "stages"})
"""The members that know no event loop, clock, file or log."""

DOORS = frozenset({"__init__", "__main__", "sse", "transport", "runnable", "body", "validators"})
"""Files at the top that only export, under its documented name, what is defined elsewhere."""

BEGIN, END = "<!-- layers: begin -->\n", "<!-- layers: end -->\n"


def member(path: Path) -> str:
    """The layer's member that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(name: str) -> int:
    """The number of a member's layer; doors are above all layers."""
    return next((n for n, members in enumerate(LAYERS) if name in members), len(LAYERS))


def table() -> str:
    """The layers as Markdown, each member with the first sentence of its docstring."""
    rows = ["| layer | module | what it is |", "|---|---|---|"]
    for number, members in enumerate(LAYERS, 1):
        for name in members:
            shown = f"`{name}/`" if (PACKAGE / name).is_dir() else f"`{name}`"
            rows.append(f"| {number} | {shown} | {_summary(name)} |")
    return "\n".join(rows) + "\n"


def _summary(name: str) -> str:
    folder = PACKAGE / name / "__init__.py"
    path = folder if folder.exists() else PACKAGE / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").removesuffix(".")


def written(page: str) -> str:
    """The page with the current table between its marks."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    architecture = ROOT / "ARCHITECTURE.md"
    architecture.write_text(written(architecture.read_text(encoding="utf-8")), encoding="utf-8")
