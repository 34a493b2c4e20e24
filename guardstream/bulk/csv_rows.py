"""Rows of CSV (RFC 4180), guarded cell by cell; a row in which nothing changes stays as it is."""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import IO

from guardstream.bulk.records import Redactor
from guardstream.bulk.report import BulkError

_DELIMITERS = ",;\t|"
_LONGEST = 2**31 - 1
"""How many characters a cell may have, in place of the 131,072 of Python's reader."""


class _Lines:
    """The lines of a file, decoded; `raw` are those of the row that is being read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.raw: list[bytes] = []
        self.at = 0  # the byte at which the row begins

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        self.raw.append(line)
        try:
            return line.decode("utf-8-sig" if line.startswith(BOM_UTF8) else "utf-8")
        except UnicodeDecodeError:
            raise BulkError("a row is not valid UTF-8: save the file as UTF-8") from None

    def row(self) -> bytes:
        """Return the bytes of the row that was read, and begin the next."""
        data = b"".join(self.raw)
        self.raw.clear()
        self.at += len(data)
        return data


def guard_rows(redactor: Redactor, file: IO[bytes], out: IO[bytes] | None) -> None:
    """Guard the rows of a file; the first names the columns, and shows what divides them.

    Raises BulkError for what is no CSV in UTF-8, for columns of the same name, and if a rule would
    change a name: then the file may have none, and its first row be data.
    """
    lines, first = _Lines(file), ""
    csv.field_size_limit(_LONGEST)
    for first in lines:
        if first.strip():
            break
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        names = next(csv.reader([first], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise BulkError(
            f"the first row, with the names of the columns, is no CSV: {error}"
        ) from None
    _check_names(redactor, names)
    _write(out, lines.row())
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        redactor.where = f"byte {lines.at}"
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise BulkError(f"a row is not CSV: {error}") from None
        raw = lines.row()
        if cells is None:
            return
        if not cells:  # a blank line
            _write(out, raw)
            continue
        row = dict(zip(_named(names, len(cells)), cells, strict=True))
        made = redactor.row(row)
        _write(out, raw if made is row else _line(made.values(), delimiter, raw))


def _check_names(redactor: Redactor, names: Sequence[str]) -> None:
    if len({*names}) < len(names):
        raise BulkError("two columns have the same name: give each its own")
    redactor.check_columns(names)
    if not all(redactor.keeps(name, "") for name in names):
        raise BulkError("a rule would change the first row, which names the columns: is it data?")


def _named(names: Sequence[str], count: int) -> Sequence[str]:
    """Return a name for each cell of a row, which may be shorter or longer than the first."""
    more = (f"column {at}" for at in range(len(names) + 1, count + 1))
    return [*names[:count], *more]


def _line(cells: Iterable[str], delimiter: str, raw: bytes) -> bytes:
    end = raw[len(raw.rstrip(b"\r\n")) :].decode()
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _write(out: IO[bytes] | None, data: bytes) -> None:
    if out is not None:
        out.write(data)
