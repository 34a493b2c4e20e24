"""The verdict on a text that is to be one JSON document and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from guardstream.jsonstream.document import Checks, Document
from guardstream.jsonstream.errors import DocumentError
from guardstream.jsonstream.lexer.lexer import Limits


def verdict(
    chunks: Iterable[str],
    schema: Checks | None = None,
    limits: Limits | None = None,
    *,
    duplicates: bool = False,
    offset: int = 0,
) -> DocumentError | None:
    """Return what is wrong with the text first, or None; it is read no further than that.

    `duplicates` allows an object to name a key twice. Offsets count code points; the first
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
