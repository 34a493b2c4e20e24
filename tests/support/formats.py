"""A page of the formats of streams, made from the adapters and their specs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

from guardstream.formats import ADAPTERS
from guardstream.formats.answers.whole import BODIES
from guardstream.formats.toolkit import files
from guardstream.formats.toolkit.nodes import Each, Either, Leaf, Mirror, OneOf, Tree, Values

HEAD = """# All formats

What `guard.wrap` recognises, and what can be passed as `format`. Formats with whole answers also
take an answer that is not streamed. [Formats](../formats.md) says what holds for all of them.

"""

SHOWN = 2
"""How many paths a cell names for each channel."""


def leaves(spec: Any, path: str = "$", within: tuple[int, ...] = ()) -> Iterator[tuple[str, Leaf]]:
    """Each leaf of a spec, with its path; a spec that holds itself is entered once."""
    if isinstance(spec, Leaf):
        yield path, spec
        return
    if id(spec) in within or isinstance(spec, Mirror):
        return
    within = (*within, id(spec))
    if isinstance(spec, dict):
        for name, inner in spec.items():
            step = f".{name}" if name.isidentifier() else f"[{name!r}]"
            yield from leaves(inner, path + step, within)
    elif isinstance(spec, OneOf):
        for inner in [*spec.specs.values(), *([spec.other] if spec.other else [])]:
            yield from leaves(inner, path, within)
    elif isinstance(spec, (list, Each, Values)):
        step = ".*" if isinstance(spec, Values) else "[*]"
        yield from leaves(spec[0], path + step, within)
    elif isinstance(spec, Either):
        yield from leaves(spec.text, path, within)
        yield from leaves(spec.other, path, within)
    elif isinstance(spec, Tree):
        yield path, spec.leaf


def streamed(adapter: Any) -> dict[str, list[str]]:
    """The paths of the text that a format streams, by channel."""
    found: dict[str, list[str]] = {}
    for path, leaf in leaves(_spec(adapter)):
        paths = found.setdefault(leaf.channel, [])
        if leaf.kind in ("delta", "grown") and path not in paths:
            paths.append(path)
    return {channel: sorted(paths, key=len) for channel, paths in found.items() if paths}


def _spec(adapter: Any) -> Any:
    """The spec of an adapter, or of the one that it hands its chunks to."""
    inner = [value for value in vars(adapter()).values() if hasattr(value, "spec")]
    return getattr(adapter, "spec", None) or (inner[0].spec if inner else {})


def reads(name: str, adapter: Any) -> str:
    """What an adapter reads, as its file says, or else the docstring of its module, or its own if
    the module has several adapters."""
    if name in files.names():
        return str(files.described(name).content["about"])
    module = sys.modules[adapter.__module__]
    alone = sum(each.__module__ == module.__name__ for each in ADAPTERS.values()) == 1
    text = (module.__doc__ if alone else inspect.getdoc(adapter)) or ""
    first = " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".:")
    first = first.removeprefix("The adapter for ")
    return first[0].upper() + first[1:]


def table() -> str:
    """The formats as Markdown."""
    rows = ["| name | reads | whole answers | streamed text |", "|---|---|---|---|"]
    for name, adapter in ADAPTERS.items():
        cells = [
            f"{channel}: {', '.join(f'`{path}`' for path in paths[:SHOWN])}"
            + (", …" if len(paths) > SHOWN else "")
            for channel, paths in streamed(adapter).items()
        ]
        whole = "yes" if name in BODIES else ""
        rows.append(f"| `{name}` | {reads(name, adapter)} | {whole} | {'; '.join(cells)} |")
    return "\n".join(rows) + "\n"


def page() -> str:
    """Return the page as Markdown."""
    return HEAD + table()
