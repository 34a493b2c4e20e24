"""Runs over files: the same answer for every cut into parts; nothing is lost by stopping one."""

from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.bulk import BulkError, Job, Report, run
from guardstream.bulk.files import opened, version_of, writing
from guardstream.bulk.report import FullError
from guardstream.bulk.workers import by_processes
from guardstream.cli.bulk import job as of_command
from tests.support.optional import needs

pytest.importorskip("fsspec")

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: '[bird]'}
  - {id: key, pattern: 'BEGIN(?s:.{1,200}?)END'}
  - {id: stop, words: [forbidden], action: block}
block_message: no
max_holdback: 300
"""
GUARD = Guard(Policy.parse(POLICY))
OTHER = Guard(Policy.parse("rules: [{id: oak, words: [oak]}]"))

ROWS: list[Any] = [
    {"n": 0, "text": "the bluebird"},
    {"n": 1.50, "text": "nothing", "x": None},
    "a bluebird alone",
    {"text": "\u9752 forbidden \u9e1f"},
    ["bluebird", 1],
    {"text": "\ud83d"},
    {"text": ""},
] * 9


def lines(rows: list[Any]) -> bytes:
    """Rows as lines of JSON, with blank lines and both kinds of line ends among them."""
    ends = ["\n", "\r\n", "\n\n"]
    return "".join(json.dumps(row) + ends[i % 3] for i, row in enumerate(rows)).encode()


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def job(source: Path, target: Path | None = None, **options: Any) -> Job:
    guard = options.pop("guard", GUARD)
    return Job(guard, str(source), None if target is None else str(target), **options)


def shown(value: Any) -> Any:
    """What becomes of a row."""
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shown(each) for each in value]
    return GUARD.check(value).text if isinstance(value, str) else value


@pytest.mark.parametrize("size", [1, 7, 40, 41, 100, 10_000])
def test_every_cut_gives_the_same_lines(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS))
    report = run(job(source, target, part_size=size))
    assert read(target) == [shown(row) for row in ROWS]
    assert report.records == len(ROWS)
    assert report.findings == {("bird", "mask"): 27, ("stop", "block"): 9}
    assert [path.name for path in tmp_path.iterdir() if path not in (source, target)] == []


def test_a_line_in_which_nothing_is_found_stays_byte_for_byte(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    data = '\ufeff{"a" :1.10, "b": "\\u9752"}\r\n\n  \n{"big": 12345678901234567890123}'.encode()
    source.write_bytes(data)
    run(job(source, target))
    assert target.read_bytes() == data


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567890.123",
        "1e400",
        "-0",
        "1.10",
        "1E5",
        "7",
        "9" * 5_000,
        "NaN",
        "-Infinity",
    ],
)
def test_numbers_of_a_line_come_out_as_they_came_in(tmp_path: Path, number: str) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    line = '{"text": "%s", "n": %s, "in": [%s, {"ü": true}, null]}\n'
    source.write_text(line % ("a bluebird", number, number), encoding="utf-8")
    run(job(source, target))
    assert target.read_text(encoding="utf-8") == line % ("a [bird]", number, number)


@pytest.mark.parametrize("depth", [100, *range(800, 1_000, 10), 5_000])
def test_a_line_that_is_nested_deeply_is_written_or_refused(tmp_path: Path, depth: int) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    line = '{"text": "%s", "deep": ' + "[" * depth + "]" * depth + "}"
    source.write_text(line % "bluebird")
    try:
        run(job(source, target, columns=("text",)))
    except BulkError:
        assert depth > 100
    else:
        assert target.read_text() == line % "[bird]"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{'a': 1}", "not JSON"),
        (b'{"a": "bluebird", "a": 1}', "repeats a key"),
        (b'"\xff"', "UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_line_that_cannot_be_read_names_its_place(tmp_path: Path, line: bytes, said: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"a": 1}\n' + line + b"\n")
    with pytest.raises(BulkError, match=rf"in\.jsonl: byte 9: .*{said}"):
        run(job(source, tmp_path / "out.jsonl"))
    assert not (tmp_path / "out.jsonl").exists()


def test_a_file_may_be_named_as_a_pattern_is(tmp_path: Path) -> None:
    source, target = tmp_path / "chats [2026].jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS))
    run(job(source, target))
    assert read(target) == [shown(row) for row in ROWS]


def test_keys_of_a_line_are_guarded(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines([{"bluebird": 1}]))
    run(job(source, target))
    assert read(target) == [{"[bird]": 1}]


def test_a_text_is_guarded_as_a_whole(tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    text = "\u9752" * 65_530 + "BEGIN\nsecret\nlines\nEND and bluebird\r\n" * 3
    source.write_bytes(text.encode())
    report = run(job(source, target, part_size=10))
    assert target.read_bytes().decode() == GUARD.check(text).text
    assert (report.records, report.findings["key", "mask"]) == (1, 3)
    source.write_bytes(b"bluebird (forbidden) more")
    run(job(source, target, overwrite=True))
    assert target.read_text() == GUARD.check("bluebird (forbidden) more").text


def test_lines_of_a_text_can_be_texts_of_their_own(tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("a bluebird\nforbidden x\n\nlast")
    run(job(source, target, format="lines", part_size=3))
    assert target.read_text() == "a [bird]\nno\n\nlast"


def test_parquet_keeps_its_schema_in_any_parts(tmp_path: Path) -> None:
    pyarrow = needs("pyarrow")
    parquet = needs("pyarrow.parquet")
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    texts = [f"{number} bluebird" if number % 3 else "\u9752" for number in range(1000)]
    table = pyarrow.table({"text": texts, "n": range(1000)}).replace_schema_metadata({"a": "b"})
    parquet.write_table(table, source, row_group_size=130, compression="zstd")
    run(job(source, target, part_size=1, columns=("text",)))
    made = parquet.read_table(target)
    assert made.schema.equals(table.schema, check_metadata=True)
    assert made.column("text").to_pylist() == [GUARD.check(text).text for text in texts]
    assert parquet.ParquetFile(target).metadata.row_group(0).column(0).compression == "ZSTD"
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(BulkError, match=r"bad\.parquet: is not Parquet"):
        run(job(tmp_path / "bad.parquet"))


def test_a_folder_becomes_a_folder(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    (source / "a.jsonl").write_bytes(lines(ROWS))
    (source / "deep" / "b.txt").write_text("bluebird")
    (source / "_SUCCESS").write_text("")
    with gzip.open(source / "c.jsonl.gz", "wb") as file:
        file.write(lines(ROWS))
    run(job(source, target, part_size=50))
    assert read(target / "a.jsonl") == [shown(row) for row in ROWS]
    assert (target / "deep" / "b.txt").read_text() == "[bird]"
    assert gzip.decompress((target / "c.jsonl.gz").read_bytes()).count(b"[bird]") == 27
    assert sorted(path.name for path in target.rglob("*.*")) == ["a.jsonl", "b.txt", "c.jsonl.gz"]
    picked = run(job(source / "*.jsonl"))
    assert picked.records == len(ROWS)


def test_a_comparison_counts_and_names_what_differs(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"a": "oak"}\n{"a": "bluebird"}\n{"a": "x"}\n')
    report = run(job(source, before=OTHER))
    assert (report.records, report.differ) == (3, 2)
    assert report.places == [f"{source}: byte 0", f"{source}: byte 13"]
    assert (report.before, report.findings) == ({("oak", "mask"): 1}, {("bird", "mask"): 1})
    (tmp_path / "in.txt").write_text("oak " * 50_000)
    assert run(job(tmp_path / "in.txt", before=OTHER)).differ == 1
    assert run(job(tmp_path / "in.txt", before=GUARD)).differ == 0


# Stopping, and going on


def killed(command: list[str], folder: Path, parts: int) -> None:
    """Start a run and kill it when so many parts are done."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    while len(list(folder.glob("*.json"))) <= parts and process.poll() is None:
        time.sleep(0.005)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_the_processes_of_a_run_that_is_killed_end_with_it(
    tmp_path: Path, stop: signal.Signals
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS * 30))
    script = tmp_path / "program.py"
    script.write_text(
        "from guardstream import Guard, Policy; from guardstream.bulk import Job, run\n"
        "if __name__ == '__main__':\n"
        f"    guard = Guard(Policy.parse({POLICY!r}))\n"
        f"    run(Job(guard, {str(source)!r}, {str(target)!r}, jobs=2, part_size=400))\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        folder = Path(f"{target}.guardstream")
        while not list(folder.glob("0*.json")) and process.poll() is None:
            time.sleep(0.005)
        assert process.poll() is None
        process.send_signal(stop)
        try:
            process.communicate(timeout=60)  # its processes have the same standard output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path, jobs: int) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS * 30))
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    program = (
        "from guardstream import Guard; from guardstream.bulk import Job, run\n"
        "if __name__ == '__main__':\n"
        f"    guard = Guard.load({str(policy)!r})\n"
        f"    run(Job(guard, {str(source)!r}, {str(target)!r}, jobs={jobs}, part_size=400))\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    killed([sys.executable, str(script)], Path(f"{target}.guardstream"), 5)
    done = len(list(Path(f"{target}.guardstream").glob("0*.json")))
    assert done
    assert not target.exists()
    seen: list[int] = []

    def progress(reports: Any, total: int) -> Any:
        seen.append(total)
        return reports

    guard = Guard.load(policy)
    report = run(job(source, target, guard=guard, part_size=400), progress)
    assert seen == [-(-source.stat().st_size // 400) - done]
    assert report == run(job(source, guard=guard))
    assert read(target) == [shown(row) for row in ROWS * 30]


def test_a_run_that_is_stopped_while_it_joins_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a", "b", "c"):
        (source / f"{name}.jsonl").write_bytes(lines(ROWS))
    joined: list[str] = []

    def stops(fs: Any, paths: Any, kind: Any, path: str) -> None:
        if joined:
            raise KeyboardInterrupt
        joined.append(path)
        real(fs, paths, kind, path)
        Path(paths[0]).write_bytes(b"a part that was not yet cleared away")

    import guardstream.bulk.job as module

    real = module.join
    with monkeypatch.context() as patched:
        patched.setattr(module, "join", stops)
        with pytest.raises(KeyboardInterrupt):
            run(job(source, target, part_size=300))
    report = run(job(source, target, part_size=300))
    assert report.records == 3 * len(ROWS)
    for name in ("a", "b", "c"):
        assert read(target / f"{name}.jsonl") == [shown(row) for row in ROWS]


def test_a_run_of_other_settings_does_not_go_on(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"a": "bluebird"}\n{"a": \n')
    with pytest.raises(BulkError, match="byte 18"):
        run(job(source, target, part_size=18))
    with pytest.raises(BulkError, match="parts of a run with other files"):
        run(job(source, target, part_size=19))
    with pytest.raises(BulkError, match="parts of a run with other files"):
        run(job(source, target, part_size=18, guard=OTHER))
    source.write_bytes(b'{"a": "bluebird"}\n{"a": 1}\n')
    with pytest.raises(BulkError, match="parts of a run with other files"):
        run(job(source, target, part_size=18))


def test_a_run_that_did_nothing_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"a": "bluebird"}\n')
    with pytest.raises(BulkError, match="no column 'b'"):
        run(job(source, target, columns=("b",)))
    run(job(source, target, columns=("a",)))
    assert read(target) == [{"a": "[bird]"}]


def test_a_run_that_fails_leaves_the_folder_that_another_one_uses(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS))

    def fails(_: Iterable[Report], __: int) -> Iterable[Report]:
        raise BulkError("a worker died")

    def meanwhile(reports: Iterable[Report], _: int) -> Iterable[Report]:
        with pytest.raises(BulkError, match="a worker died"):
            run(job(source, target, part_size=300), fails)
        return reports

    run(job(source, target, part_size=300), meanwhile)
    assert read(target) == [shown(row) for row in ROWS]
    assert set(tmp_path.iterdir()) == {source, target}


def test_an_output_named_like_another_format_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"a": "bluebird"}\n')
    for name in ("out.parquet", "out.csv", "out.json"):
        with pytest.raises(BulkError, match="has the format 'jsonl', like the input"):
            run(job(source, tmp_path / name))
    with pytest.raises(BulkError, match=r"leave \.gz out of its name"):
        run(job(source, tmp_path / "out.jsonl.gz"))
    zipped = tmp_path / "in.jsonl.gz"
    zipped.write_bytes(gzip.compress(source.read_bytes()))
    with pytest.raises(BulkError, match=r"end its name with \.gz"):
        run(job(zipped, tmp_path / "out.jsonl"))


def test_an_output_with_a_slash_is_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'"bluebird"\n')
    run(Job(GUARD, str(source), f"{tmp_path}/clean/"))
    assert (tmp_path / "clean" / "in.jsonl").read_text() == '"[bird]"\n'


def test_what_is_there_is_not_lost(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'"bluebird"\n')
    target.write_text("mine")
    with pytest.raises(BulkError, match="already exists"):
        run(job(source, target))
    assert target.read_text() == "mine"
    run(job(source, target, overwrite=True))
    assert target.read_text() == '"[bird]"\n'
    with pytest.raises(BulkError, match="inside the folder that is read"):
        run(job(tmp_path, tmp_path / "out"))


def test_wrong_jobs_say_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_text("a")
    (tmp_path / "b.txt").write_text("a")
    with pytest.raises(BulkError, match=r"a\.xls: cannot tell the format; name a format: jsonl"):
        run(job(tmp_path / "a.xls"))
    with pytest.raises(BulkError, match="no such file or directory"):
        run(job(tmp_path / "none.jsonl"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BulkError, match="there is no file in it"):
        run(job(tmp_path / "empty"))
    with pytest.raises(BulkError, match="a text has no columns"):
        run(job(tmp_path / "b.txt", columns=("text",)))
    with pytest.raises(BulkError, match="nosuch"):
        run(job(Path("nosuch://x")))
    for options in ({"format": "xls"}, {"jobs": 0}, {"engine": "dask"}, {"before": GUARD}):
        with pytest.raises(ValueError, match=r"unknown|at least 1|writes nothing"):
            job(tmp_path, tmp_path / "out", **options)
    with pytest.raises(ValueError, match="source is empty: name a file"):
        Job(GUARD, "")
    with pytest.raises(ValueError, match="target is empty: name a file"):
        Job(GUARD, "in.jsonl", "")


def test_an_empty_file_stays_empty(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.txt", "c.log"):
        (tmp_path / name).write_text("")
        report = run(job(tmp_path / name, tmp_path / f"out-{name}"))
        assert (tmp_path / f"out-{name}").read_text() == ""
        assert report.characters == 0
    assert Report().as_dict()["findings"] == {}


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.jsonl")
    with pytest.raises(BulkError, match="is not a regular file"):
        run(job(tmp_path / "in.jsonl", tmp_path / "out.jsonl"))


def test_two_who_write_a_part_at_once_both_leave_it_whole(tmp_path: Path) -> None:
    fs, path = opened(str(tmp_path / "part"))
    with writing(fs, path) as one:
        one.write(b"the ")
        with writing(fs, path) as other:
            other.write(b"the whole")
        assert (tmp_path / "part").read_bytes() == b"the whole"
        one.write(b"whole")
    assert (tmp_path / "part").read_bytes() == b"the whole"
    assert [each.name for each in tmp_path.iterdir()] == ["part"]


def test_maps_in_parquet_stay_maps(tmp_path: Path) -> None:
    pyarrow, parquet = needs("pyarrow"), needs("pyarrow.parquet")
    kind = pyarrow.map_(pyarrow.string(), pyarrow.string())
    rows = pyarrow.array([[("a", "the bluebird")], [("b", "x")], None], kind)
    parquet.write_table(pyarrow.table({"m": rows}), tmp_path / "in.parquet")
    run(job(tmp_path / "in.parquet", tmp_path / "out.parquet"))
    made = parquet.read_table(tmp_path / "out.parquet")
    assert made.schema.field("m").type == kind
    assert made.column("m").to_pylist() == [[("a", "the [bird]")], [("b", "x")], None]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    fs, path = opened(str(tmp_path / "part"))
    with pytest.raises(BulkError, match="part: no space left on device"), writing(fs, path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), writing(fs, path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []  # or each attempt would take more of the disk


def test_the_command_writes_to_no_memory_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(ROWS))
    with pytest.raises(BulkError, match="gone when the command ends"):
        of_command(
            GUARD,
            str(tmp_path / "in.jsonl"),
            "memory://out.jsonl",
            columns=None,
            form=None,
            jobs=1,
            engine="local",
            part_size=4,
        )


def test_a_target_on_a_file_system_without_writing_is_refused(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    (tmp_path / "in.jsonl").write_bytes(lines(ROWS))

    class Published(fsspec.AbstractFileSystem):  # type: ignore[misc]  # what is published over HTTP
        def exists(self, path: str, **_options: Any) -> bool:
            return not path

        def _open(self, *_given: Any, **_options: Any) -> Any:
            raise NotImplementedError

    class Unreachable(fsspec.AbstractFileSystem):  # type: ignore[misc]
        def __init__(self) -> None:
            raise ConnectionError("no route to the host")

    fsspec.register_implementation("published", Published, clobber=True)
    fsspec.register_implementation("unreachable", Unreachable, clobber=True)
    source = str(tmp_path / "in.jsonl")
    with pytest.raises(BulkError, match=r"published://x\.jsonl: cannot be written to"):
        run(Job(GUARD, source, "published://x.jsonl"))
    with pytest.raises(BulkError, match=r"unreachable://x\.jsonl: no route to the host"):
        run(Job(GUARD, "unreachable://x.jsonl"))


def test_no_thread_of_the_processes_outlives_the_work() -> None:
    assert list(by_processes(str, range(3), jobs=1)) == ["0", "1", "2"]
    left = [each for each in threading.enumerate() if "Executor" in type(each).__name__]
    assert left == []


def interrupted(source: Path, target: Path, after: int) -> Path:
    """Stop a run after some parts; return the folder of those that are done."""

    def stops(reports: Any, _total: int) -> Any:
        for number, report in enumerate(reports):
            if number == after:
                raise KeyboardInterrupt
            yield report

    with pytest.raises(KeyboardInterrupt):
        run(job(source, target, part_size=300), stops)
    return Path(f"{target}.guardstream")


@pytest.mark.parametrize("name", ["000001", "000001.json"])
@pytest.mark.parametrize("left", [None, b"", b"{}", b"[]", b"\xff\xfe", b'{"n": 0}\n'])
def test_a_part_that_was_damaged_is_done_again(
    tmp_path: Path, name: str, left: bytes | None
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS))
    whole = run(job(source, tmp_path / "whole.jsonl", part_size=300))
    damaged = interrupted(source, target, 3) / name
    damaged.unlink()
    if left is not None:
        damaged.write_bytes(left)
    assert run(job(source, target, part_size=300)) == whole
    assert target.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("size", [300, 10_000])
def test_a_run_that_stops_before_its_folder_goes_is_finished(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "a.jsonl").write_bytes(lines(ROWS))
    fs, _ = opened(str(target))
    remove = fs.rm

    def stops(path: str, recursive: bool = False) -> None:
        if recursive:
            raise KeyboardInterrupt
        remove(path)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(fs), "rm", lambda _, *given, **named: stops(*given, **named))
        with pytest.raises(KeyboardInterrupt):
            run(job(source, target, part_size=size))
    assert run(job(source, target, part_size=size)).records == len(ROWS)
    assert read(target / "a.jsonl") == [shown(row) for row in ROWS]
    assert not Path(f"{target}.guardstream").exists()


@pytest.mark.parametrize("change", [b"", lines(ROWS[:5] * 12), lines([*ROWS, "more"])])
def test_a_file_that_changes_while_it_is_read_is_not_mixed(tmp_path: Path, change: bytes) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS))

    def changes(reports: Any, _total: int) -> Any:
        for number, report in enumerate(reports):
            if number == 1:
                source.write_bytes(change)
            yield report

    with pytest.raises(BulkError, match=r"in\.jsonl: changed while it was read"):
        run(job(source, target, part_size=300), changes)
    assert not target.exists()


def test_a_run_applies_one_policy_though_its_file_changes(tmp_path: Path) -> None:
    source, target, policy = (tmp_path / name for name in ("in.jsonl", "out.jsonl", "policy.yaml"))
    source.write_bytes(lines(ROWS))
    policy.write_text(POLICY)

    def changes(reports: Any, _total: int) -> Any:
        for report in reports:
            policy.write_text("rules: []")
            yield report

    run(job(source, target, guard=Guard.load(policy, reload=True), part_size=300), changes)
    assert read(target) == [shown(row) for row in ROWS]


def test_a_file_that_is_removed_while_it_is_read_is_named(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(lines(ROWS))

    def removes(reports: Any, _total: int) -> Any:
        for report in reports:
            source.unlink(missing_ok=True)
            yield report

    with pytest.raises(BulkError, match=r"in\.jsonl: was removed while it was read"):
        run(job(source, target, part_size=300), removes)


@pytest.mark.parametrize("code", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("name", ["in.txt", "in.log", "in.txt.gz"])
def test_wide_text_without_its_mark_is_refused(tmp_path: Path, name: str, code: str) -> None:
    source = tmp_path / name
    data = "the bluebird\n".encode(code)
    source.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(BulkError, match="looks like UTF-16 or UTF-32"):
        run(job(source, tmp_path / "out"))


def test_zeros_in_a_text_are_no_reason_to_refuse_it(tmp_path: Path) -> None:
    source, target = tmp_path / "in.log", tmp_path / "out.log"
    source.write_bytes(b"\0\0\0\0the bluebird\0a\0b\0\n")
    run(job(source, target))
    assert target.read_bytes() == b"\0\0\0\0the [bird]\0a\0b\0\n"


@pytest.mark.parametrize("depth", [3_000, 200_000])  # Python itself reads the first since 3.14
def test_what_is_nested_too_deeply_names_its_place(tmp_path: Path, depth: int) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"1\n" + b"[" * depth + b'"bluebird"' + b"]" * depth)
    with pytest.raises(BulkError, match=r"byte 2: .*nested too deeply"):
        run(job(source))


def test_damaged_gzip_names_the_file(tmp_path: Path) -> None:
    source = tmp_path / "in.log.gz"
    data = bytearray(gzip.compress(bytes(str(list(range(9_000))), "ascii")))
    data[20:23] = b"\xff\xff\xff"
    source.write_bytes(data)
    with pytest.raises(BulkError, match=r"in\.log\.gz: is incomplete"):
        run(job(source))


@pytest.mark.parametrize("code", [errno.EFBIG, errno.EDQUOT])
def test_a_limit_of_the_disk_names_the_file(tmp_path: Path, code: int) -> None:
    fs, path = opened(str(tmp_path / "part"))
    with pytest.raises(FullError, match=f"part: {os.strerror(code).lower()}"), writing(fs, path):
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_the_time_of_the_last_read_is_no_change() -> None:
    class Remote:
        def __init__(self, read: int) -> None:
            self.read = read

        def info(self, path: str) -> dict[str, Any]:
            return {"name": path, "size": 3, "mtime": 5, "time": self.read}

    assert version_of(Remote(1), "a") == version_of(Remote(2), "a")
