"""`guardstream bulk`: files in, files and numbers out, exit statuses and one-line errors."""

from __future__ import annotations

import errno
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from guardstream.bulk import files
from tests.support.command_line import Cli, guardstream

pytest.importorskip("fsspec")


POLICY = "rules: [{id: bird, words: [bluebird], replacement: '[bird]'}]"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run `guardstream bulk` in a folder with a policy and a file."""
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY)
    Path("none.yaml").write_text("rules: [{id: oak, words: [oak]}]")
    Path("in.jsonl").write_text('{"text": "a bluebird", "id": "bluebird"}\n{"text": "x"}\n')

    return partial(guardstream, "bulk")


def test_redact_writes_the_file_and_prints_the_report(cli: Cli) -> None:
    status, out, err = cli("redact", "policy.yaml", "in.jsonl", "out.jsonl", "--column", "text")
    assert (status, err) == (0, "")
    assert "changed     1 (50.00 %)" in out
    assert "1  bird (mask)" in out
    first = Path("out.jsonl").read_text().splitlines()[0]
    assert json.loads(first) == {"text": "a [bird]", "id": "bluebird"}


def test_only_parquet_needs_pyarrow(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyarrow", "pyarrow.parquet", "pyarrow.types"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it was not installed
    assert cli("redact", "policy.yaml", "in.jsonl", "out.jsonl")[0] == 0
    assert "a [bird]" in Path("out.jsonl").read_text()
    Path("in.parquet").write_bytes(b"PAR1")
    status, _, err = cli("eval", "policy.yaml", "in.parquet")
    assert (status, err) == (2, "Parquet needs pyarrow: pip install 'guardstream[bulk]'\n")


def test_eval_writes_nothing(cli: Cli) -> None:
    before = sorted(Path().iterdir())
    status, out, _ = cli("eval", "policy.yaml", "in.jsonl", "--json")
    assert status == 0
    assert json.loads(out)["findings"] == {"bird": {"mask": 2}}
    assert sorted(Path().iterdir()) == before


def test_diff_exits_1_and_names_the_records(cli: Cli) -> None:
    status, out, _ = cli("diff", "none.yaml", "policy.yaml", "in.jsonl")
    assert status == 1
    assert "differ      1 (50.00 %)" in out
    assert "0 → 2  bird (mask)" in out
    assert "in.jsonl: byte 0" in out
    assert cli("diff", "policy.yaml", "policy.yaml", "in.jsonl")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["redact", "policy.yaml", "in.jsonl", "in.jsonl"], "already exists"),
        (["redact", "policy.yaml", "no.jsonl", "out.jsonl"], "no such file or directory"),
        (["redact", "no.yaml", "in.jsonl", "out.jsonl"], "no such file"),
        (["eval", "policy.yaml", "in.jsonl", "--column", "txt"], "no column 'txt'"),
        (["eval", "policy.yaml", "in.jsonl", "--format", "xml"], "unknown format 'xml'"),
        (["eval", "policy.yaml", "in.jsonl", "--engine", "dask"], "unknown engine 'dask'"),
        (["eval", "policy.yaml", "policy.yaml"], "name a format"),
        (["eval", "policy.yaml", "in.jsonl", "--jobs", "0"], "'--jobs'"),
    ],
)
def test_what_is_wrong_is_one_line(cli: Cli, arguments: list[str], said: str) -> None:
    status, out, err = cli(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_full_disk_is_the_machines_fault(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_arguments: object, **_options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(files._READ, "jsonl", write)
    status, out, err = cli("redact", "policy.yaml", "in.jsonl", "out.jsonl")
    assert (status, out) == (4, "")
    assert err.endswith("out.jsonl.guardstream/000000: no space left on device\n")
