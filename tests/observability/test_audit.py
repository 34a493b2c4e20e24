"""An audit log has one line for each stream, whoever writes it, and stays readable."""

from __future__ import annotations

import gc
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import pytest

from guardstream.observability import AuditLog, Torn, read_audit
from guardstream.stream.observers import ObserverError
from tests.support.sources import gen
from tests.support.watching import watched

CHUNKS = ["a ", "sec", "ret", " and", " more"]


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a log, which has nothing else."""
    records = list(read_audit(path))
    assert not [each for each in records if isinstance(each, Torn)]
    return [each for each in records if isinstance(each, dict)]


def stream(log: AuditLog, **options: Any) -> None:
    watched(log).wrap_sync(gen(CHUNKS), **options).text()


def test_a_record_has_all_but_the_text(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    stream(AuditLog(path), attributes={"user": "ü1"})
    (record,) = read(path)
    assert record.keys() == {
        *("v", "id", "started", "policy", "fingerprint", "shadow", "attributes", "format"),
        *(
            "finish",
            "blocked_by",
            "error",
            "attempts",
            "seconds",
            "first_received",
            "first_released",
        ),
        *("chunks_in", "chunks_out", "characters_in", "characters_out"),
        *("held_mean", "held_max", "held_seconds", "input_tokens", "output_tokens", "findings"),
    }
    assert (record["v"], record["finish"], record["attributes"]) == (1, "stop", {"user": "ü1"})
    assert record["findings"] == [
        {
            "rule": "word",
            "action": "mask",
            "severity": "medium",
            "kind": "match",
            "channel": "text",
            "choice": 0,
            "start": 2,
            "end": 8,
        }
    ]
    assert "secret" not in path.read_text()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    stream(AuditLog(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_starts_show_streams_that_never_ended(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, starts=True)
    stream(log)
    guarded = watched(log).wrap_sync(gen(CHUNKS))
    next(guarded)
    began, ended, open_ = read(path)
    assert began["begins"] is open_["begins"] is True
    assert began["id"] == ended["id"] != open_["id"]
    guarded.close()


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for _ in range(2):
        log = AuditLog(path, fsync=True)
        stream(log)
        log.close()
        stream(log)
        log.close()
    assert len(read(path)) == 4


def test_a_log_that_is_dropped_closes_its_file(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.open()
    file = log._file
    assert file is not None
    del log
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


@pytest.mark.parametrize(
    "copied",
    [copy, deepcopy, lambda log: pickle.loads(pickle.dumps(log))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_of_a_log_has_its_own_open_file(
    tmp_path: Path, copied: Callable[[AuditLog], AuditLog]
) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", starts=True, chain=True)
    for observer in (log, copied(log)):
        watched(observer).wrap_sync(["a"]).text()
    other = copied(log)
    log.close()
    watched(other).wrap_sync(["a"]).text()
    assert len(list(read_audit(log.path))) == 6
    assert log._file is None


def test_a_log_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"
    log = AuditLog(path)
    stream(log)
    path.rename(old)
    stream(log)
    stream(log)
    path.unlink()
    stream(log)
    assert (len(read(old)), len(read(path))) == (1, 1)


@pytest.mark.parametrize("value", ["\udcff", 'a "quote"\n', "\u2028", '{"v":1,"id":"x"}'])
def test_attributes_may_hold_anything(value: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    stream(AuditLog(path), attributes={"x": value})
    (record,) = read(path)
    assert record["attributes"] == {"x": value}


def test_attributes_that_are_no_text_do_not_lose_the_record(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    stream(AuditLog(path), attributes={"x": Path("y")})
    assert read(path)[0]["attributes"] == {"x": "y"}


def test_threads_share_a_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)

    def work() -> None:
        for _ in range(25):
            stream(log)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record["id"] for record in read(path)}) == 100


# Processes


WRITER = """
import sys
from guardstream import Guard, Policy
from guardstream.observability import AuditLog

rules = [f"  - {{id: rule-{n}, words: [w{n}], action: monitor}}" for n in range(200)]
guard = Guard(
    Policy.parse("version: 1\\nrules:\\n" + "\\n".join(rules)),
    observers=[AuditLog(sys.argv[1], starts=True)],
)
text = " ".join(f"w{n}" for n in range(200))
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    guard.wrap_sync([text], attributes={"number": str(number)}).text()
"""


def writer(path: Path, streams: int) -> subprocess.Popen[str]:
    """A process that writes records of some 20 KB each."""
    command = [sys.executable, "-c", WRITER, str(path), str(streams)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_share_a_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    processes = [writer(path, 40) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)
    records = read(path)
    ended = [record for record in records if "finish" in record]
    assert len(ended) == len({record["id"] for record in ended}) == 120
    assert all(len(record["findings"]) == 200 for record in ended)


def test_a_process_that_is_killed_leaves_a_readable_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    random_moment = random.Random(4)
    for killed in range(1, 5):
        before = path.stat().st_size if path.exists() else 0
        process = writer(path, 1_000_000)
        enough = before + random_moment.randrange(30_000, 400_000)
        while not path.exists() or path.stat().st_size < enough:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        found = list(read_audit(path))
        assert sum(isinstance(each, Torn) for each in found) <= killed
        assert isinstance(found[-2], dict)
    stream(AuditLog(path))
    last = list(read_audit(path))[-1]
    assert isinstance(last, dict)
    assert last["finish"] == "stop"


@pytest.mark.parametrize("cut", [1, 30, -30, -2, -1])
def test_what_a_killed_process_left_does_not_spoil_what_follows(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    stream(log)
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(whole[:cut])
    stream(AuditLog(path))
    records = list(read_audit(path))
    lost = [] if cut == -1 else [Torn(str(path), 2)]
    assert [each for each in records if isinstance(each, Torn)] == lost
    assert len(records) == 3


def test_what_another_process_wrote_behind_a_torn_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    stream(log)
    with path.open("ab") as file:
        file.write(path.read_bytes()[:40])
    stream(log)
    first, torn, second = read_audit(path)
    assert torn == Torn(str(path), 2)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert second["finish"] == "stop"


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"null\n", b"[" * 100_000 + b"\n", b'{"id": 1}\n'])
def test_lines_that_are_no_records_are_named(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"\n" + line)
    assert list(read_audit(path)) == [Torn(str(path), 2)]


# A full disk


def test_a_full_disk_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    guard = watched(AuditLog("/dev/full"))
    assert guard.wrap_sync(gen(CHUNKS)).text() == "a ****** and more"
    assert "'AuditLog' failed (OSError: No space left on device)" in caplog.text


@pytest.mark.parametrize("starts", [True, False])
def test_a_full_disk_ends_streams_if_that_is_asked_for(starts: bool) -> None:
    log: list[str] = []
    guard = watched(AuditLog("/dev/full", starts=starts), observer_errors="raise")
    stream = guard.wrap_sync(gen(CHUNKS, log))
    with pytest.raises(ObserverError, match="No space left"):
        stream.text()
    assert stream.finish == ("error" if starts else "stop")
    assert log == ([] if starts else ["closed"])


def test_a_record_that_was_written_in_part_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:50]))
    stream(log)
    assert "No space left on device" in caplog.text
    monkeypatch.setattr(os, "write", write)
    stream(log)
    torn, record = read_audit(path)
    assert torn == Torn(str(path), 1)
    assert json.loads(path.read_bytes().splitlines()[1]) == record


def test_a_folder_that_is_not_there_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AuditLog(tmp_path / "none" / "audit.jsonl")
    stream(log)
    assert "No such file or directory" in caplog.text
    (tmp_path / "none").mkdir()
    stream(log)
    assert len(read(log.path)) == 1
