"""`guardstream json`: checks whether files are JSON documents, and reports the first error of each.

It prints a JSON line for each file, in order, or for each line of each file. A document is read
only up to its first error.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from guardstream.cli.chunks import cut, opened
from guardstream.cli.output import note
from guardstream.cli.schema_keywords import warnings_in
from guardstream.errors import GuardstreamError
from guardstream.framing.json import BOM
from guardstream.jsonstream.errors import DocumentError, JSONSyntaxError
from guardstream.jsonstream.repair import KINDS, USUAL, Kind, kinds_named
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import Repaired, repaired, verdict
from guardstream.policy.files import read_text
from guardstream.policy.json_schemas import from_file

VALID, BAD_INPUT, INVALID = 0, 2, 3

_BYTES = 64 * 1024


def schema_of(
    path: Path | None, draft: str | None, others: Sequence[Path], *, formats: bool
) -> Schema | None:
    """Return the schema in a file, which may refer to the `others`; warn of misspelt keywords.

    GuardstreamError if it is not a schema, and for options about a schema without one.
    """
    if path is not None:
        schema = from_file(path, read_text, draft=draft, formats=formats, given=others)
        for warning in warnings_in(path):
            note(warning)
        return schema
    if draft is not None or others or formats:
        raise GuardstreamError("--draft, --schemas and --formats have no effect without --schema")
    return None


def kinds_of(words: str | None) -> frozenset[Kind]:
    """Return the kinds of repair that an option names. GuardstreamError for an unknown kind."""
    if words is None:
        return frozenset()
    named = {"usual": USUAL, "all": KINDS}.get(words)
    if named is not None:
        return named
    try:
        return kinds_named(word.strip() for word in words.split(","))
    except ValueError as error:
        raise GuardstreamError(f"{error}; `usual` and `all` are several of them") from error


@dataclass(frozen=True)
class Options:
    """The options that apply to each document."""

    schema: Schema | None
    chunk: int | None
    duplicates: bool
    repair: frozenset[Kind]
    lines: bool


def run(options: Options, files: Sequence[str], *, fail_fast: bool, summary: bool) -> int:
    """Print a verdict on each of the `files`, or on each of their lines; return the exit status.

    The status is 0 if all are valid, 3 if one is not, and 2 if one cannot be read. `fail_fast`
    stops at the first that is not valid or cannot be read.
    """
    count = {"valid": 0, "invalid": 0, "unreadable": 0}
    for file in files:
        named = {"file": file} if len(files) > 1 else {}
        for line in _read(file, options):
            if line is None:
                count["unreadable"] += 1
                break
            print(json.dumps(named | line), flush=True)
            count["valid" if line["valid"] else "invalid"] += 1
            if fail_fast and not line["valid"]:
                break
        if fail_fast and count["invalid"] + count["unreadable"]:
            break
    if summary:
        print(json.dumps({"summary": count}), flush=True)
    return BAD_INPUT if count["unreadable"] else INVALID if count["invalid"] else VALID


def _read(file: str, options: Options) -> Iterator[dict[str, Any] | None]:
    """Yield the verdicts on a file; None, after an error message, if it cannot be read."""
    try:
        yield from _verdicts(file, options)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        note(f"{file}: cannot be read: {reason}")
        yield None


def _verdicts(file: str, options: Options) -> Iterator[dict[str, Any]]:
    with opened(file) as source:
        texts = _Texts(source)
        if options.lines:
            yield from _of_lines(texts, options)
            return
        chunks = iter(texts) if options.chunk is None else cut(iter(texts), options.chunk)
        verdict = _of_document(chunks, options)
    if verdict[0] is not None and Path(file).suffix.lower() in (".jsonl", ".ndjson"):
        note(f"{file}: if each line is a document, pass --lines")
    yield _report(texts, *verdict)


def _of_document(
    chunks: Iterator[str], options: Options
) -> tuple[DocumentError | None, Repaired | None]:
    if options.repair:
        found = repaired(chunks, options.repair, options.schema, duplicates=options.duplicates)
        return found.error, found
    first = next(chunks, "")
    # A byte order mark may be ignored (RFC 8259, section 8.1); offsets count it.
    start = len(BOM) if first.startswith(BOM) else 0
    rest = (text for part in ([first[start:]], chunks) for text in part)
    return verdict(rest, options.schema, duplicates=options.duplicates, offset=start), None


def _of_lines(texts: _Texts, options: Options) -> Iterator[dict[str, Any]]:
    """Yield a verdict on each line that is not empty; offsets count from the line's start."""
    number = 0
    for line in _lines(iter(texts)):
        number += 1
        if not line.strip(" \t\r\n" + BOM):
            continue
        chunks = iter([line]) if options.chunk is None else cut(iter([line]), options.chunk)
        yield _report(None, *_of_document(chunks, options)) | {"line": number}
    if texts.broken_at is not None:
        reason = "not valid UTF-8"
        wrong = JSONSyntaxError(reason, texts.position[1] - 1, *texts.position, "")
        yield _report(None, wrong, None)


def _lines(texts: Iterator[str]) -> Iterator[str]:
    pending: list[str] = []
    for text in texts:
        *whole, rest = text.split("\n")
        for line in whole:
            yield "".join([*pending, line])
            pending = []
        pending.append(rest)
    yield "".join(pending)


def _report(
    texts: _Texts | None, wrong: DocumentError | None, repaired: Repaired | None
) -> dict[str, Any]:
    # The text ends at the first invalid UTF-8; an error before that takes precedence.
    broken_at = texts.broken_at if texts else None
    if texts and broken_at is not None and (wrong is None or wrong.offset >= broken_at):
        pointer = wrong.pointer if wrong else ""
        wrong = JSONSyntaxError("not valid UTF-8", broken_at, *texts.position, pointer)
    names = ("offset", "line", "column", "pointer", "message")
    if wrong is None:
        report = {"valid": True, **dict.fromkeys(names)}
    else:
        found = wrong.offset, wrong.line, wrong.column, wrong.pointer, wrong.reason
        report = {"valid": False, **dict(zip(names, found, strict=True))}
    if repaired:
        repairs = [{"kind": each.kind, "offset": each.start} for each in repaired.repairs]
        report |= {"repairs": repairs, "json": None if wrong else repaired.text}
    return report


class _Texts:
    """The text of a source, decoded as its bytes arrive, up to the first invalid UTF-8.

    `broken_at` is the offset of the invalid byte in code points, `position` its line and column.
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
