"""JSON Schemas in files: a schema, and the files that it refers to.

A relative `$ref` starts from the folder of the file it is in, even if that one has an `$id`
elsewhere, on the web or with a path of its own; an absolute one refers to a given file with that
`$id`. Nothing is fetched, and what could be one of several files is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from os.path import normpath
from pathlib import Path
from posixpath import normpath as normal
from posixpath import relpath
from typing import Any, TypeAlias
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from guardstream.errors import PolicyError
from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.lexer.errors import pointer_parts
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.schema.dialects import subschemas
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict
from guardstream.policy.document import Document, KeyPath, Mark
from guardstream.policy.document import read as read_yaml

_UNBOUNDED = 1 << 40
EXACT = Limits(depth=100_000, string=_UNBOUNDED, document=_UNBOUNDED)
"""For schema files and tool arguments, whose other readers accept nothing that is refused here."""

_DIGITS = 10  # of the longest index

Read: TypeAlias = Callable[[Path], str]


class SchemaFiles(Mapping[str, Any]):
    """The files that a schema may refer to, by URI; each is read when it is needed."""

    def __init__(self, read: Read, given: Sequence[Path]) -> None:
        self._read = read
        self._known: dict[str, Any] = {}
        self._folders: dict[tuple[str, Path], None] = {}  # with the prefix of their URIs
        self._beyond: set[str] = set()  # URIs of references that climb out of their host
        for path in given:
            schema = parsed(read(path), str(path))
            self._known[address(path)] = schema
            try:
                own = self.note(schema, address(path), path.parent)
            except SchemaError as error:
                raise PolicyError(f"{path}:1:1: {error}") from error
            if own is not None:
                self._known[own] = schema

    def note(self, schema: Any, base: str, folder: Path) -> str | None:
        """Register a schema's folder for its relative references, if its identifier is elsewhere
        than its file, whose URI is `base`; return its identifier then. Raises SchemaError for one
        that is not a URI, or is that of another schema."""
        own = schema.get("$id", schema.get("id")) if isinstance(schema, dict) else None
        if not isinstance(own, str):
            return None
        try:
            parts = urlsplit(own)
        except ValueError:
            raise SchemaError(f"/$id: the identifier {own!r} is not a URI") from None
        own = urljoin(base, own).rstrip("#")
        if parts.netloc or parts.path.startswith("/"):
            self._folders[urljoin(own, "."), folder] = None
            self._beyond.update(_beyond(schema, base))
        elif not parts.scheme:
            return None
        if self._known.get(own, schema) != schema:
            raise SchemaError(f"/$id: another schema has the identifier {own!r}, too")
        return own

    def __getitem__(self, uri: str) -> Any:
        if uri not in self._known:
            path = self._path(uri)
            if path is None:
                raise KeyError(uri)
            self._known[uri] = schema = parsed(self._read(path), str(path))
            self.note(schema, address(path), path.parent)
        return self._known[uri]

    def _path(self, uri: str) -> Path | None:
        """Return the file of a URI; None if there is none."""
        parts = urlsplit(uri)
        is_local = parts.scheme == "file" and not parts.netloc
        named = Path(unquote(parts.path)) if is_local else None
        found: dict[str, dict[Path, Path]] = {}  # by way and real file
        for place, folder in self._folders if uri not in self._beyond else ():
            start = urlsplit(place)
            if uri == urlunsplit((start.scheme, start.netloc, parts.path, "", "")):
                way = relpath(parts.path or "/", start.path or "/")
                path = Path(normpath(folder / unquote(way)))
                if path.is_file():
                    found.setdefault(way, {}).setdefault(path.resolve(), path)
        if not found:
            return named
        nearest = found[min(found, key=lambda way: (way.split("/").count(".."), len(way)))]
        if named is not None and named.is_file():
            nearest.setdefault(named.resolve(), named)
        first, *others = sorted(nearest.values())
        if others:
            names = " and ".join(f"'{path}'" for path in (first, *others))
            raise PolicyError(f"{first}:1:1: the schema {uri!r} could be {names}")
        return first

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _beyond(schema: Any, base: str) -> Iterator[str]:
    """Yield the URIs of relative references with more `..` than their identifier has folders.

    A URI has nothing above its host (RFC 3986, section 5.4.2), so `../a.json` would be `a.json`.
    """
    todo = [(schema, base)]
    while todo:
        each, base = todo.pop()
        if not isinstance(each, dict):
            continue
        own, reference = each.get("$id", each.get("id")), each.get("$ref")
        with suppress(ValueError):  # no URI, which is refused later
            if isinstance(own, str):
                base = urljoin(base, own)
            if isinstance(reference, str) and _climbs(reference, base):
                yield urldefrag(urljoin(base, reference)).url
        todo += ((sub, base) for _, sub in subschemas(each))


def _climbs(reference: str, base: str) -> bool:
    parts = urlsplit(reference)
    if parts.scheme or parts.netloc or parts.path.startswith("/"):
        return False
    folders = urlsplit(urljoin(base, ".")).path.strip("/")
    return normal(parts.path).split("/").count("..") > len(folders.split("/")) - (not folders)


def address(path: Path) -> str:
    """Return the URI of a file, against which its relative references are resolved."""
    return path.resolve().as_uri()


def from_file(
    path: Path,
    read: Read,
    *,
    draft: str | None,
    formats: bool,
    given: Sequence[Path],
) -> Schema:
    """Return the JSON Schema in a file; PolicyError says where it, or a file beside it, is
    wrong."""
    text, name = read(path), str(path)
    schema = parsed(text, name)
    documents, base = SchemaFiles(read, given), address(path)
    try:
        documents.note(schema, base, path.parent)
        return Schema(schema, draft=draft, formats=formats, documents=documents, base=base)
    except SchemaError as error:
        mark = mark_of(read_yaml(text), (), error)  # JSON is YAML 1.2
        raise PolicyError(f"{name}:{mark.line}:{mark.column}: {error}") from error


def parsed(text: str, name: str) -> Any:
    """Parse a schema, as strictly as a document."""
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


def mark_of(document: Document, path: KeyPath, error: SchemaError) -> Mark:
    """Return the place in the schema at `path` that the JSON pointer at the beginning of `error`
    names, or the nearest place around it."""
    for part in pointer_parts(str(error).partition(": ")[0]):
        inner = (*path, part)
        if inner not in document.values and part.isdecimal() and len(part) < _DIGITS:
            inner = (*path, int(part))
        if inner not in document.values:
            break
        path = inner
    return document.mark(path)
