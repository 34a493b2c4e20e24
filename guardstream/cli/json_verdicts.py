"""`guardstream json`: whether each file is one JSON document, and where it stops being one.

One JSON line for each file, in order. A file is read no further than to its first mistake.
"""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from guardstream.cli.chunks import cut
from guardstream.errors import GuardstreamError
from guardstream.jsonstream.errors import JSONSyntaxError
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict
from guardstream.policy.json_schemas import from_file
from guardstream.policy.sources import read_text

VALID, BAD_INPUT, INVALID = 0, 2, 3

_BYTES = 64 * 1024
_BOM = "\ufeff"


def schema_of(path: Path | None, draft: str | None, *, formats: bool) -> Schema | None:
    """The schema in a file; GuardstreamError for what is none, and for options without one."""
    if path is not None:
        return from_file(path, read_text, draft=draft, formats=formats)
    if draft is not None or formats:
        raise GuardstreamError("--draft and --formats are about a schema: name one with --schema")
    return None


def run(checks: Schema | None, files: Sequence[str], chunk: int | None, *, duplicates: bool) -> int:
    """Print a verdict on each of the `files` and return the exit status.

    The status is 0 if all are valid, 3 if one is not, and 2 if one cannot be read.
    """
    status = VALID
    for file in files:
        try:
            line = _verdict(file, checks, chunk, duplicates)
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            print(f"{file}: cannot be read: {reason}", file=sys.stderr)
            status = BAD_INPUT
            continue
        named = {"file": file} if len(files) > 1 else {}
        print(json.dumps(named | line), flush=True)
        if not line["valid"] and status == VALID:
            status = INVALID
    return status


def _verdict(
    file: str, schema: Schema | None, chunk: int | None, duplicates: bool
) -> dict[str, Any]:
    with _open(file) as source:
        texts = _Texts(source)
        chunks = iter(texts) if chunk is None else cut(iter(texts), chunk)
        first = next(chunks, "")
        # A byte order mark may be ignored (RFC 8259, section 8.1); offsets count it.
        start = len(_BOM) if first.startswith(_BOM) else 0
        rest = (text for part in ([first[start:]], chunks) for text in part)
        wrong = verdict(rest, schema, duplicates=duplicates, offset=start)
    # The text ends where it is no UTF-8; all that was wrong before that comes first.
    if texts.broken_at is not None and (wrong is None or wrong.offset >= texts.broken_at):
        pointer = wrong.pointer if wrong else ""
        wrong = JSONSyntaxError("not valid UTF-8", texts.broken_at, *texts.position, pointer)
    names = ("offset", "line", "column", "pointer", "message")
    if wrong is None:
        return {"valid": True, **dict.fromkeys(names)}
    found = wrong.offset, wrong.line, wrong.column, wrong.pointer, wrong.reason
    return {"valid": False, **dict(zip(names, found, strict=True))}


class _Texts:
    """The text of a source, decoded as the bytes arrive, as far as it is UTF-8.

    `broken_at` then says at which code point it is not, `position` in which line and column.
    """

    def __init__(self, source: BinaryIO) -> None:
        self.broken_at: int | None = None
        self.position = 1, 1
        self._source = source
        self._length = 0

    def __iter__(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        while True:
            data = self._source.read1(_BYTES)  # type: ignore[attr-defined]
            pending = decoder.getstate()[0]
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                text = (pending + data)[: error.start].decode()
                self._count(text)
                self.broken_at = self._length
                yield text
                return
            self._count(text)
            if text:
                yield text
            if not data:
                return

    def _count(self, text: str) -> None:
        self._length += len(text)
        line, column = self.position
        lines = text.count("\n")
        column = len(text) - text.rindex("\n") if lines else column + len(text)
        self.position = line + lines, column


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    if file != "-":
        return Path(file).open("rb")
    if sys.stdin is None:
        raise GuardstreamError("standard input is closed")
    return nullcontext(sys.stdin.buffer)
