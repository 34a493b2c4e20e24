"""The files of a run, in parts that workers take, and how a part is read and written.

JSON lines and lines of text are cut between lines, Parquet between row groups. A text that is not
read line by line is one part, since a match may span several lines; so is a compressed file.
"""

from __future__ import annotations

import codecs
import gzip
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from errno import EDQUOT, EFBIG, ENOSPC
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import PurePosixPath
from secrets import token_hex
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from guardstream.bulk.batches import guarded
from guardstream.bulk.csv_rows import guard_rows
from guardstream.bulk.records import Redactor
from guardstream.bulk.report import BulkError, FullError

if TYPE_CHECKING:
    from hashlib import _Hash

Format: TypeAlias = Literal["jsonl", "parquet", "csv", "text", "lines"]

FORMATS: tuple[str, ...] = get_args(Format)

SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".log": "lines",
}
"""The format of a file, by the suffix of its name; `.gz` may follow."""

_PIECE = 1 << 16
"""Bytes of a text that are read at a time."""

_ROWS = 16_384
"""Rows of a Parquet file in memory at a time, and in a row group that is written."""

_FULL = (ENOSPC, EDQUOT, EFBIG)
"""Errors of a full disk, of a user's quota, and of a limit on the size of files."""

_WIDE = re.compile(r"(?:[\x01-\x7f](?:\0|\0{3})(?!\0)){4}")
"""Text in UTF-16 or UTF-32 that was decoded as UTF-8: four ASCII characters, and their zeros."""


@dataclass(frozen=True, slots=True)
class Part:
    """The work of one worker at a time: a file from `start` to `end`, in bytes or row groups.

    `number` counts the parts of a run, from 0. `version` distinguishes the file from one that takes
    its place later; None is not checked.
    """

    number: int
    path: str
    format: Format
    start: int
    end: int
    version: str | None = None


def opened(url: str) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path in it. Raises BulkError."""
    try:
        fs, path = import_module("fsspec.core").url_to_fs(url)
    except ModuleNotFoundError as error:
        needs = "fsspec, and pyarrow for Parquet: pip install 'guardstream[bulk]'"
        raise BulkError(f"bulk needs {needs}" if error.name == "fsspec" else str(error)) from error
    except (ImportError, OSError, ValueError) as error:
        raise BulkError(f"{url}: {error}") from error
    return fs, path


def format_of(path: str) -> Format | None:
    """Return the format of a file by its name; None if the name does not tell."""
    return SUFFIXES.get(PurePosixPath(path.removesuffix(".gz")).suffix.lower())


def version_of(fs: Any, path: str) -> str:
    """Return a value that changes with the file. Raises FileNotFoundError."""
    info = dict(fs.info(path))
    if info.pop("time", None) is None:
        return str(fs.ukey(path))
    return sha256(repr(info).encode()).hexdigest()  # over SFTP, "time" is when it was last read


def parts_of(fs: Any, path: str, kind: Format, size: int, first: int) -> list[Part]:
    """Cut a file into parts of about `size` bytes; `first` is the number of the first."""
    version = version_of(fs, path)
    if kind == "parquet":
        bounds = _row_groups(fs, path, size)
    elif kind in ("text", "csv") or path.endswith(".gz"):
        bounds = [(0, sys.maxsize)]
    else:
        whole = fs.size(path)
        bounds = [(start, start + size) for start in range(0, whole, size)] or [(0, 0)]
    return [
        Part(first + i, path, kind, start, end, version) for i, (start, end) in enumerate(bounds)
    ]


def _row_groups(fs: Any, path: str, size: int) -> list[tuple[int, int]]:
    with reading(fs, path) as file, _parquet(path, file) as opened_file:
        metadata = opened_file.metadata
        bounds, start, held = [], 0, 0
        for group in range(metadata.num_row_groups):
            held += metadata.row_group(group).total_byte_size
            if held >= size:
                bounds.append((start, group + 1))
                start, held = group + 1, 0
        if start < metadata.num_row_groups or not bounds:
            bounds.append((start, metadata.num_row_groups))
    return bounds


@contextmanager
def reading(fs: Any, path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading; one that is compressed is decompressed."""
    with fs.open(path, "rb") as file:
        if path.endswith(".gz"):
            with gzip.open(file, "rb") as inner:
                yield cast("IO[bytes]", inner)
        else:
            yield file


@contextmanager
def writing(
    fs: Any,
    path: str,
    *,
    compressed: bool = False,
    folder: str | None = None,
    digest: _Hash | None = None,
) -> Iterator[IO[bytes]]:
    """Write a file that is complete in the end, or absent, even if others write it too.

    Until it is complete it is in `folder`, or beside the file, and it is removed on failure.
    `digest` is updated with the file's bytes. FullError if there is no space for it.
    """
    name = path if folder is None else f"{folder}/{path.rpartition('/')[2]}"
    partial = f"{name}.{token_hex(4)}.partial"
    try:
        with fs.open(partial, "wb") as opened_file:
            file = (
                opened_file if digest is None else cast("IO[bytes]", _Digested(opened_file, digest))
            )
            if compressed:
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as inner:
                    yield cast("IO[bytes]", inner)
            else:
                yield file
    except OSError as error:
        _remove(fs, partial)
        if error.errno not in _FULL:
            raise
        raise FullError(f"{path}: {os.strerror(error.errno).lower()}") from error
    except BaseException:
        _remove(fs, partial)
        raise
    fs.mv(partial, path)


class _Digested:
    """A file that updates a digest with everything that is written."""

    def __init__(self, file: IO[bytes], digest: _Hash) -> None:
        self._file, self._digest = file, digest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)


def digest_of(fs: Any, path: str) -> str | None:
    """Return the SHA-256 of a file's bytes; None if there is no file."""
    digest = sha256()
    try:
        with fs.open(path, "rb") as file:
            while data := file.read(1 << 20):
                digest.update(data)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def _remove(fs: Any, path: str) -> None:
    with suppress(Exception):  # the error that made it incomplete is the one to report
        fs.rm(path)


def guard_part(redactor: Redactor, fs: Any, part: Part, out: IO[bytes] | None) -> None:
    """Read a part, guard its records, and write them to `out`, if there is one.

    Raises BulkError, with file and place, for what does not have its format, or cannot be judged.
    """
    read = _READ[part.format]
    redactor.source, redactor.where = part.path, ""
    _check_version(fs, part)
    try:
        with reading(fs, part.path) as file:
            read(redactor, part, file, out)
    except BulkError as error:
        place = f": {redactor.where}" if redactor.where else ""
        raise BulkError(f"{part.path}{place}: {error}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BulkError(f"{part.path}: is incomplete, or not what its name says") from error
    _check_version(fs, part)


def _check_version(fs: Any, part: Part) -> None:
    """Raise BulkError if the file has changed since it was cut into parts."""
    if part.version is None:
        return
    try:
        version = version_of(fs, part.path)
    except FileNotFoundError as error:
        raise BulkError(f"{part.path}: was removed while it was read") from error
    if version != part.version:
        raise BulkError(
            f"{part.path}: changed while it was read: start again when nothing writes to it"
        )


def _lines(redactor: Redactor, part: Part, file: IO[bytes], out: IO[bytes] | None) -> None:
    guard_line = _json_line if part.format == "jsonl" else _text_line
    at = part.start
    if at:  # a line across the border belongs to the part before
        file.seek(at - 1)
        at += len(file.readline()) - 1
    while at < part.end:
        line = file.readline()
        if not line:
            break
        redactor.where = f"byte {at}"
        content = line.rstrip(b"\r\n")
        mark = codecs.BOM_UTF8 if at == 0 and content.startswith(codecs.BOM_UTF8) else b""
        if content[len(mark) :].strip():
            content = mark + guard_line(redactor, content[len(mark) :])
        if out is not None:
            out.write(content + line[len(line.rstrip(b"\r\n")) :])
        at += len(line)


def _text_line(redactor: Redactor, line: bytes) -> bytes:
    text = _decoded(line)
    guarded_text: str = redactor.record(text)
    return line if guarded_text is text else guarded_text.encode()


def _json_line(redactor: Redactor, line: bytes) -> bytes:
    record = _parsed(_decoded(line))
    changed = redactor.record(record)
    if changed is record:
        return line
    try:
        return _written(changed, _UNESCAPED).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return _written(changed, json.dumps).encode()
    except RecursionError:
        raise BulkError("a record is nested too deeply to be written") from None


_UNESCAPED = json.JSONEncoder(ensure_ascii=False).encode


class _Number(float):
    """A number that keeps its text, since a float loses digits."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> _Number:
        number = super().__new__(cls, text)
        number.text = text
        return number


def _written(value: Any, dumps: Callable[[Any], str]) -> str:
    """Return a value as `dumps` writes it, but with its numbers as they were read."""
    if isinstance(value, _Number):
        return value.text
    write = partial(_written, dumps=dumps)
    if isinstance(value, dict):
        items = zip(map(dumps, value), map(write, value.values()), strict=True)
        return f"{{{', '.join(map(': '.join, items))}}}"
    return f"[{', '.join(map(write, value))}]" if isinstance(value, list) else dumps(value)


def _decoded(line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise BulkError("a line is not valid UTF-8: save the file as UTF-8") from None
    _check_narrow(text)
    return text


def _check_narrow(text: str) -> None:
    """Raise BulkError for a text in which no rule could find anything."""
    if "\0" in text and _WIDE.search(text):
        raise BulkError("looks like UTF-16 or UTF-32: save the file as UTF-8")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_float=_Number, parse_int=_Number)
    except RecursionError:
        raise BulkError("a line is nested too deeply to be judged") from None
    except ValueError as error:
        reason = error.msg.lower() if isinstance(error, json.JSONDecodeError) else str(error)
        raise BulkError(f"a line is not JSON that can be judged: {reason}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):  # the texts of all but the last would be left unread
        raise ValueError("an object repeats a key")
    return made


def _text(redactor: Redactor, _part: Part, file: IO[bytes], out: IO[bytes] | None) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces = redactor.pieces()
    at = 0
    while not pieces.over:
        data = file.read(_PIECE)
        try:
            text = decoder.decode(data, not data)
        except UnicodeDecodeError as error:
            redactor.where = f"byte {at + error.start}"
            raise BulkError("not valid UTF-8: save the file as UTF-8") from None
        _check_narrow(text)
        shown = pieces.feed(text)
        at += len(data)
        if out is not None:
            out.write(shown.encode())
        if not data:
            break
    rest = pieces.finish()
    if out is not None:
        out.write(rest.encode())


def _rows(redactor: Redactor, _part: Part, file: IO[bytes], out: IO[bytes] | None) -> None:
    guard_rows(redactor, file, out)


@contextmanager
def _parquet(path: str, file: IO[bytes]) -> Iterator[Any]:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise BulkError("Parquet needs pyarrow: pip install 'guardstream[bulk]'") from error
    try:
        with parquet.ParquetFile(file) as opened_file:
            yield opened_file
    except arrow.ArrowException as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise BulkError(f"{path}: is not Parquet that can be read: {reason}") from error


def _table(redactor: Redactor, part: Part, file: IO[bytes], out: IO[bytes] | None) -> None:
    with _parquet(part.path, file) as source:
        row = sum(source.metadata.row_group(group).num_rows for group in range(part.start))
        groups = range(part.start, part.end)
        with nullcontext() if out is None else table_writer(source, out) as writer:
            for batch in source.iter_batches(batch_size=_ROWS, row_groups=groups):
                redactor.first = row
                made = guarded(redactor, batch)
                row += batch.num_rows
                if writer is not None:
                    writer.write_batch(made)


_READ = {"jsonl": _lines, "lines": _lines, "text": _text, "csv": _rows, "parquet": _table}


def table_writer(source: Any, out: IO[bytes]) -> Any:
    """Return a writer of tables with the schema and the compression of one that is read."""
    metadata = source.metadata
    codec = "snappy"
    if metadata.num_row_groups and metadata.num_columns:
        codec = metadata.row_group(0).column(0).compression
    parquet = import_module("pyarrow.parquet")
    return parquet.ParquetWriter(out, source.schema_arrow, compression=codec)


def join(fs: Any, paths: Sequence[str], kind: Format, target: str) -> None:
    """Join the parts of a file, in order, and remove them.

    A mark is made before the first is removed, and says why it is missing.
    """
    if len(paths) == 1:
        fs.touch(joined_mark(paths[0]))
        fs.mv(paths[0], target)
        return
    with writing(fs, target, folder=paths[0].rpartition("/")[0]) as out:
        if kind == "parquet":
            _join_tables(fs, paths, out)
        else:
            for path in paths:
                with fs.open(path, "rb") as file:
                    while data := file.read(1 << 20):
                        out.write(data)
    fs.touch(joined_mark(paths[0]))
    for path in paths:
        fs.rm(path)


def joined_mark(first: str) -> str:
    """Return the path of the mark of a joined file, given that of its first part."""
    return f"{first}.joined"


def _join_tables(fs: Any, paths: Sequence[str], out: IO[bytes]) -> None:
    writer = None
    for path in paths:
        with fs.open(path, "rb") as file, _parquet(path, file) as source:
            writer = writer or table_writer(source, out)
            for batch in source.iter_batches(batch_size=_ROWS):
                writer.write_batch(batch)
    if writer is not None:
        writer.close()
