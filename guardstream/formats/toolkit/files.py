"""The files that describe formats: one in YAML for each, beside the package's modules.

A wheel has them in a form that is read without parsing YAML, made when it was built.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from guardstream.formats.toolkit.nodes import Spec
from guardstream.formats.toolkit.notation import Notation

FOLDER = Path(__file__).parent.parent
"""The folder of the files."""

TABLES = FOLDER / "tables"
"""The folder of what is told of all formats in one place."""

COMPILED = FOLDER / "formats.jsonl"
"""All descriptions, a line of JSON for each with its name in front; only in a wheel."""


class Description:
    """What the file of a format says: everything besides its events in `content`, as it stands."""

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        self.name = name
        self.content = content
        self.notation = Notation(
            {**content, **content.get("define", {})}, lambda other: described(other).notation
        )

    def spec(self, section: str = "event") -> Any:
        """Return the spec of a section, or of a definition; ValueError if the file has neither."""
        try:
            return self.notation.defined(section)
        except ValueError as error:
            raise ValueError(f"format {self.name!r}: {error}") from None


@cache
def described(name: str) -> Description:
    """Return the description of a format of this package. ValueError for an unknown name."""
    return Description(name, _content(name))


def spec_of(name: str, section: str = "event") -> Any:
    """Return the spec of a section, or of a definition, of a format's file."""
    spec: Spec = described(name).spec(section)
    return spec


def names() -> list[str]:
    """Return the names of all described formats."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def class_name(name: str) -> str:
    """Return the name of the class of a format's adapter."""
    return "".join(word.capitalize() for word in name.split("_"))


def parsed(name: str) -> dict[str, Any]:
    """Return the content of a format's file in YAML. ValueError for an unknown name."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"no format is described as {name!r}")
    return _loaded(path)


def table(name: str) -> dict[str, Any]:
    """Return a table of formats, by their names, in order: `first`, what marks the first chunks, or
    `errors`."""
    lines = _compiled()
    if lines is None:
        return _loaded(TABLES / f"{name}.yaml")
    entries: dict[str, Any] = json.loads(lines[name])
    return entries


def _loaded(path: Path) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return content


def _content(name: str) -> dict[str, Any]:
    lines = _compiled()
    if lines is None:
        return parsed(name)
    if name not in lines:
        raise ValueError(f"no format is described as {name!r}")
    content: dict[str, Any] = json.loads(lines[name])
    return content


@cache
def _compiled() -> dict[str, str] | None:
    """Return the descriptions of a wheel, in JSON, by name; None in a checkout."""
    try:
        text = COMPILED.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return dict(line.split(" ", 1) for line in text.splitlines())
