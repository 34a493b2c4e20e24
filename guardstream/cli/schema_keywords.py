"""Warns of misspelt keywords in JSON Schemas, which validators ignore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardstream.jsonstream.schema.keywords import slips
from guardstream.policy import json_schemas, problems
from guardstream.policy.document import Document, Problem, read
from guardstream.policy.files import read_text


def warnings_in(path: Path) -> list[str]:
    """Return the warnings about the schema in a file, in the form of lint's."""
    text, name = read_text(path), str(path)
    schema = json_schemas.parsed(text, name)
    return problems.warnings_of(name, misspelt(schema, read(text), ()))


def misspelt(schema: Any, document: Document, path: tuple[str, ...]) -> list[Problem]:
    """Return the problems in a schema that is at `path` in a document."""
    return [
        Problem(
            document.key_mark((*path, *slip.path)),
            f"{slip.path[-1]!r} is not a keyword of JSON Schema and has no effect, "
            f"did you mean {slip.meant!r}?",
        )
        for slip in slips(schema)
    ]
