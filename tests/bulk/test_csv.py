"""CSV is guarded cell by cell; what is clean keeps its bytes."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest

from tests.support.command_line import guardstream

POLICY = "rules: [{id: bird, words: [bluebird]}, {id: bad, words: [vile], action: block}]"


def redacted(folder: Path, data: bytes, *more: str, name: str = "in.csv") -> tuple[int, bytes, str]:
    """The exit status, what was written, and what was said."""
    (folder / "policy.yaml").write_text(POLICY)
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    target = folder / f"out.{name}"
    done = guardstream("bulk", "redact", folder / "policy.yaml", folder / name, target, *more)
    made = target.read_bytes() if target.exists() else b""
    return done.status, gzip.decompress(made) if name.endswith(".gz") else made, done.err


ROWS = b"""name,note
"Ann ""the"" Lee", plain
b,"a bluebird, two
lines"\r
c,a vile thing
"quoted",'x'

short
long,cell,bluebird
"""

GUARDED = b"""name,note
"Ann ""the"" Lee", plain
b,"a [bird], two
lines"\r
c,a\x20
"quoted",'x'

short
long,cell,[bird]
"""


@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz"])
def test_cells_are_guarded_and_clean_rows_keep_their_bytes(tmp_path: Path, name: str) -> None:
    status, made, _ = redacted(tmp_path, ROWS, name=name)
    assert (status, made) == (0, GUARDED)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_divides_the_names_divides_the_cells(tmp_path: Path, delimiter: str) -> None:
    rows = [["a", "b"], ["x bluebird", f"y{delimiter}z"], ["1", "2"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    name = "in.tsv" if delimiter == "\t" else "in.csv"
    status, made, _ = redacted(tmp_path, b"\xef\xbb\xbf" + text.getvalue().encode(), name=name)
    assert status == 0
    shown = list(csv.reader(io.StringIO(made.decode("utf-8-sig")), delimiter=delimiter))
    assert shown == [["a", "b"], ["x [bird]", f"y{delimiter}z"], ["1", "2"]]


def test_only_named_columns_are_guarded(tmp_path: Path) -> None:
    data = b"a,b\nbluebird,bluebird\n"
    assert redacted(tmp_path, data, "--column", "b")[1] == b"a,b\nbluebird,[bird]\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,a\n1,2\n", "two columns have the same name"),
        (b'a,"b\nc"\n1,2\n', "the first row"),
        (b"bluebird,b\n1,2\n", "is it data?"),
        (b'a,b\n"x"y,2\n', "a row is not CSV"),
        (b"a,b\n\xff,2\n", "not valid UTF-8"),
        (b'a,b\n"never closed\n', "a row is not CSV"),
    ],
)
def test_what_is_no_csv_is_refused_with_its_place(tmp_path: Path, data: bytes, why: str) -> None:
    status, made, said = redacted(tmp_path, data)
    assert status
    assert why in said
    assert made == b""


def test_an_empty_file_stays_empty(tmp_path: Path) -> None:
    assert redacted(tmp_path, b"")[:2] == (0, b"")
