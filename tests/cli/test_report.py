"""`guardstream report`: audit logs in sum, for people and as JSON."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from guardstream.observability import AuditLog, report
from tests.support.command_line import guardstream
from tests.support.sources import gen
from tests.support.streams import chat
from tests.support.watching import watched

run = partial(guardstream, "report")


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """The log of four streams, one of which never ended; a process was killed while it wrote."""
    path = tmp_path / "audit.jsonl"
    guard = watched(AuditLog(path, starts=True))
    guard.wrap_sync(gen(["a sec", "ret b"])).text()
    guard.wrap_sync(gen(["it is forbidden"])).text()
    list(guard.wrap_sync(chat()))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[0].replace(b'"id":"', b'"id":"x'), lines[1][:50]]))
    return path


def test_it_is_for_people(audit: Path) -> None:
    done = run(audit)
    assert (done.status, done.err) == (0, "")
    assert "streams 3, unfinished 1, torn lines 1" in done.out
    assert "tokens in 7, out 9" in done.out
    for line in ("1  content_filter", "4  word (mask)", "1  bad"):
        assert line in done.out
    assert "p95" in done.out


def test_it_is_json_if_asked_for(audit: Path) -> None:
    found: dict[str, Any] = json.loads(run(audit, "--json").out)
    assert (found["streams"], found["unfinished"], found["torn"]) == (3, 1, 1)
    assert found["finishes"] == {"stop": 1, "content_filter": 1, "tool_calls": 1}
    assert found["blocks"] == {"bad": 1}
    assert found["seconds"].keys() == {"p50", "p95", "p99"}
    assert found["tokens_per_second"]["p50"] > 0


def test_several_logs_are_one_in_any_order(audit: Path, tmp_path: Path) -> None:
    lines = audit.read_bytes().splitlines(keepends=True)
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"".join(lines[:3]))
    second.write_bytes(b"".join(lines[3:]))
    together = report([str(second), str(first)]).as_dict()
    assert together == report([str(audit)]).as_dict()


def test_an_empty_log_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()
    done = run(tmp_path / "audit.jsonl")
    assert done.out.splitlines() == [
        "streams 0, unfinished 0, torn lines 0",
        "characters in 0, out 0",
        "tokens in 0, out 0",
    ]


def test_records_of_something_else_are_counted_as_torn(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"v":1,"id":"x","finish":"stop"}\n{"v":1,"id":"y"}\n')
    assert (report([str(path)]).torn, report([str(path)]).streams) == (2, 0)


def test_records_that_another_program_wrote_again_are_records(audit: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in audit.read_bytes().splitlines()[:-1]]
    again = tmp_path / "again.jsonl"
    again.write_text("".join(json.dumps(record, sort_keys=True) + "\n" for record in records))
    assert report([str(again)]).as_dict() == report([str(audit)]).as_dict() | {"torn": 0}


def test_a_record_with_a_measurement_without_bounds_is_torn(audit: Path) -> None:
    ended = audit.read_text().splitlines()[1]
    audit.write_text(ended + "\n" + re.sub('"seconds":[^,]+', '"seconds":1e999', ended) + "\n")
    found = report([str(audit)])
    assert (found.streams, found.torn) == (1, 1)


def test_a_log_that_is_not_there_is_said() -> None:
    done = run("none.jsonl")
    assert done.status == 2
    assert done.err == "none.jsonl: no such file or directory\n"


def test_it_is_a_page_if_asked_for(audit: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    done = run("--html", target, audit)
    assert (done.status, done.out, done.err) == (0, "", "")
    page = target.read_text()
    for shown in ("<dt>streams</dt><dd>3</dd>", "<td>word (mask)</td>", "<td>bad</td>", "By day"):
        assert shown in page
    assert "http" not in page
    assert "secret" not in page
    both = run("--html", target, "--json", audit)
    assert (both.status, both.out) == (2, "")
    assert "exclude each other" in both.err
