"""JSON Schemas in files: a schema, and the files beside it that it refers to.

A relative `$ref` leads to a file beside the one it stands in, also where that one has an `$id` of
another place; an absolute one to a file that was given and calls itself so. Nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from guardstream.errors import PolicyError
from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict
from guardstream.policy.document import Mark, read

_UNBOUNDED = 1 << 40
EXACT = Limits(depth=100_000, string=_UNBOUNDED, document=_UNBOUNDED)
"""A schema file, and arguments of tools: no reader takes what would be refused here."""

Read = Callable[[Path], str]


class SchemaFiles(Mapping[str, Any]):
    """The files that a schema may refer to, by address; each is read when it is asked for."""

    def __init__(self, read: Read, given: Sequence[Path] = ()) -> None:
        self._read = read
        self._known: dict[str, Any] = {}
        self._folders: dict[tuple[str, Path], None] = {}  # with what the addresses there begin
        for path in given:
            schema = parsed(read(path), str(path))
            self._known[address(path)] = schema
            own = self.note(schema, path.parent)
            if own is not None:
                self._known[own] = schema

    def note(self, schema: Any, folder: Path) -> str | None:
        """Take what stands beside a schema for that; returns what the schema calls itself."""
        own = schema.get("$id", schema.get("id")) if isinstance(schema, dict) else None
        if not isinstance(own, str):
            return None
        place = urljoin(own, ".")
        if urlsplit(place).netloc:
            self._folders[place, folder] = None
        return own.rstrip("#")

    def __getitem__(self, uri: str) -> Any:
        if uri not in self._known:
            path = self._path(uri)
            if path is None:
                raise KeyError(uri)
            self._known[uri] = schema = parsed(self._read(path), str(path))
            self.note(schema, path.parent)
        return self._known[uri]

    def _path(self, uri: str) -> Path | None:
        """The file that an address means; None if it means none."""
        parts = urlsplit(uri)
        if parts.scheme == "file" and not parts.netloc:
            return Path(unquote(parts.path))
        for place, folder in self._folders:
            path = folder / unquote(uri.removeprefix(place))
            if uri.startswith(place) and path.is_file():
                return path
        return None

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def address(path: Path) -> str:
    """The address of a file, from which its relative references start."""
    return path.resolve().as_uri()


def from_file(
    path: Path,
    read: Read,
    *,
    draft: str | None = None,
    formats: bool = False,
    given: Sequence[Path] = (),
) -> Schema:
    """Return the JSON Schema in a file; PolicyError says where in it, or beside it, it is wrong."""
    text, name = read(path), str(path)
    schema = parsed(text, name)
    documents, base = SchemaFiles(read, given), address(path)
    documents.note(schema, path.parent)
    try:
        return Schema(schema, draft=draft, formats=formats, documents=documents, base=base)
    except SchemaError as error:
        mark = _mark(text, error)
        raise PolicyError(f"{name}:{mark.line}:{mark.column}: {error}") from error


def parsed(text: str, name: str) -> Any:
    """The schema that `text` is, read as strictly as a document."""
    wrong = verdict([text], None, EXACT)
    if wrong is not None:
        raise PolicyError(f"{name}:{wrong.line}:{wrong.column}: {wrong.reason}")
    try:
        schema = json.loads(text)
    except (RecursionError, ValueError):
        raise PolicyError(f"{name}:1:1: the schema is nested too deeply") from None
    if not isinstance(schema, dict | bool):
        raise PolicyError(f"{name}:1:1: a schema is an object, true or false")
    return schema


def keys_of(error: SchemaError) -> tuple[str | int, ...]:
    """The keys of the JSON pointer that a message begins with."""
    parts = str(error).partition(": ")[0].split("/")[1:]
    keys = (part.replace("~1", "/").replace("~0", "~") for part in parts if part)
    return tuple(int(key) if key.isdecimal() else key for key in keys)


def _mark(text: str, error: SchemaError) -> Mark:
    """Where in the schema's text what `error` names stands; JSON is YAML 1.2."""
    return read(text).mark(keys_of(error))
