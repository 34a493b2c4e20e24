"""The verdict on a text that must be one JSON document and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from guardstream.jsonstream.document import Checks, Document
from guardstream.jsonstream.documents import Documents, Part, Piece
from guardstream.jsonstream.errors import DocumentError, JSONSyntaxError
from guardstream.jsonstream.lexer.lexer import Limits
from guardstream.jsonstream.repair import Kind, Repair
from guardstream.jsonstream.repaired import DocumentOptions, RepairedDocument


def verdict(
    chunks: Iterable[str],
    schema: Checks | None = None,
    limits: Limits | None = None,
    *,
    duplicates: bool = False,
    offset: int = 0,
) -> DocumentError | None:
    """Return the first error in a text, or None; the text is read no further than that.

    `schema` is a `Schema` or `ModelSchema`; without one, any JSON is valid. `limits` bound the
    document. `duplicates` allows an object to repeat a key. Offsets count code points; the first
    character is at `offset` of its line.
    """
    document = Document(schema, limits, duplicates=duplicates, offset=offset, column=offset + 1)
    fed = offset
    for chunk in chunks:
        document.feed(chunk)
        fed += len(chunk)
        if document.done and document.offset < fed:
            document.lexer.feed(chunk[len(chunk) - (fed - document.offset) :])
        if document.error:
            return document.error
    document.finish()
    return document.error


@dataclass(frozen=True, slots=True)
class Repaired:
    """The result of repairing almost-JSON: the JSON so far, the repairs, and the first error."""

    text: str
    repairs: tuple[Repair, ...]
    error: DocumentError | None


def repaired(
    chunks: Iterable[str],
    repair: frozenset[Kind],
    schema: Checks | None = None,
    *,
    duplicates: bool = False,
) -> Repaired:
    """Return the text as JSON, with the repairs in `repair`; otherwise like `verdict`."""
    finder = Documents(DocumentOptions(schema, duplicates=duplicates, repair=repair), None)
    parts: list[str] = []
    repairs: list[Repair] = []
    first: Document | None = None
    fed = 0
    for piece in _pieces(finder, chunks):
        fed += len(piece.text)
        if not isinstance(piece, Part):
            continue
        document = piece.document
        first = first or document
        if document is first:
            parts.append(piece.text)
        elif not document.blank:
            return Repaired("".join(parts), tuple(repairs), _unexpected(document))
        repairs += piece.repairs
        if document.error:
            return Repaired("".join(parts), tuple(repairs), document.error)
    if first is None or first.blank:
        end = finder.document.accepted if finder.document else fed
        error = JSONSyntaxError("unexpected end of text", end, *finder.position, "")
        return Repaired("", tuple(repairs), error)
    return Repaired("".join(parts).strip(), tuple(repairs), None)


def _pieces(finder: Documents, chunks: Iterable[str]) -> Iterator[Piece]:
    for chunk in chunks:
        yield from finder.feed(chunk)
    yield from finder.finish()


def _unexpected(document: Document) -> JSONSyntaxError:
    assert isinstance(document, RepairedDocument)
    assert document.begun is not None
    place = document.begun, *document.position(document.begun)
    return JSONSyntaxError("unexpected text after the document", *place, "")
