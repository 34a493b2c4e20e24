"""A run over files: its parts, its workers, the parts that are done already, and the report.

Beside the output there is a folder with the parts that are done. A run that was stopped in any way
continues where it was when it is started again, as long as policy, files and settings are the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import PurePosixPath
from secrets import token_hex
from typing import Any, TypeAlias

from guardstream.amounts import check_count
from guardstream.bulk import engines
from guardstream.bulk.compare import Comparer
from guardstream.bulk.engines import Engine
from guardstream.bulk.files import (
    FORMATS,
    Format,
    Part,
    digest_of,
    format_of,
    guard_part,
    join,
    joined_mark,
    opened,
    parts_of,
    version_of,
    writing,
)
from guardstream.bulk.records import Redactor
from guardstream.bulk.report import BulkError, Report
from guardstream.guard import Guard
from guardstream.hints import check_known
from guardstream.version import __version__

Progress: TypeAlias = Callable[[Iterable[Report], int], Iterable[Report]]


@dataclass(frozen=True, slots=True)
class Job:
    """The input of a run, how it is guarded, and where the output goes.

    - `guard`: applied to each record, and to each text.
    - `source`: a file, a folder, or a pattern such as `logs/*.jsonl`; a path, or a URL of fsspec.
    - `target`: a file, or a folder for the files of a folder or pattern; a folder, too, for one
      file if it ends with a slash. None only reports.
    - `before`: another guard, to report where the two differ; with it there is no target.
    - `columns`: the columns to guard; None guards every string.
    - `format`: what is in the files, if their names do not tell.
    - `jobs`: how many workers. `engine`: "local" processes, or "ray" for a cluster.
    - `part_size`: bytes that a worker takes at a time.
    - `overwrite`: whether an existing target is replaced.
    """

    guard: Guard
    source: str
    target: str | None = None
    before: Guard | None = None
    columns: tuple[str, ...] | None = None
    format: Format | None = None
    jobs: int = 1
    engine: Engine = "local"
    part_size: int = 4_000_000
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_known("engine", self.engine, engines.ENGINES)
        if self.format is not None:
            check_known("format", self.format, FORMATS)
        if self.before is not None and self.target is not None:
            raise ValueError("a comparison writes nothing: leave 'target' out")
        if self.overwrite and self.target is None:
            raise ValueError("'overwrite' has no effect without 'target': name one")
        for name, given in (("source", self.source), ("target", self.target)):
            if given == "":
                raise ValueError(f"{name} is empty: name a file or a folder")
        check_count("jobs", self.jobs)
        check_count("part_size", self.part_size)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a run, its parts, and its target."""

    path: str
    format: Format
    target: str | None
    parts: Sequence[Part]
    key: str = field(repr=False, default="")


def run(job: Job, progress: Progress | None = None) -> Report:
    """Run a job; return what it has found.

    `progress` is given the reports of the parts as they are done, and how many there will be. A
    policy that is reloaded when its files change is not reloaded during the run.

    Raises BulkError for files that cannot be read, or a target that exists already, PolicyError for
    a policy that cannot be used, StageError if a stage fails; what is done stays for the next run.
    """
    before = None if job.before is None else job.before.pinned()
    job = replace(job, guard=job.guard.pinned(), before=before)
    files = _planned(job)
    parts = [part for file in files for part in file.parts]
    work = Work(job.guard, job.before, job.columns, job.source, job.target and _folder(job.target))
    whole = Report()
    name = token_hex(4)
    done = _begin(job, files, name)
    for report in done.values():
        whole.add(report)
    todo = [part for part in parts if part.number not in done]
    reports: Iterable[Report] = engines.reports(job.engine, work.part, todo, job.jobs)
    try:
        for report in progress(reports, len(todo)) if progress else reports:
            whole.add(report)
        if job.target is not None:
            _finish(job, files)
    except FileNotFoundError as error:
        if job.target is None or _begun(job.target):
            raise
        raise BulkError(f"{job.target}: another run has finished it meanwhile") from error
    except BulkError:
        _discard_unless_used(job, name)
        raise
    finally:
        _leave(job, name)
    return whole


@dataclass(frozen=True, slots=True)
class Work:
    """Everything a worker needs besides its part; it can be pickled."""

    guard: Guard
    before: Guard | None
    columns: tuple[str, ...] | None
    source: str
    folder: str | None

    def part(self, part: Part) -> Report:
        """Guard a part; write it and its report, if there is a folder."""
        fs, _ = opened(self.source)
        redactor = Redactor(self.guard, self.columns)
        if self.before is not None:
            redactor = Comparer(self.before, self.guard, self.columns)
        if self.folder is None:
            guard_part(redactor, fs, part, None)
            return redactor.report
        there, folder = opened(self.folder)
        path = f"{folder}/{part.number:06}"
        digest = sha256()
        with writing(there, path, compressed=part.path.endswith(".gz"), digest=digest) as out:
            guard_part(redactor, fs, part, out)
        done = {"report": redactor.report.as_dict(), "sha256": digest.hexdigest()}
        with writing(there, f"{path}.json") as out:
            out.write(json.dumps(done).encode())
        return redactor.report


_BESIDE = ("_SUCCESS", "_metadata", "_common_metadata")


def _planned(job: Job) -> list[File]:
    fs, path = opened(job.source)
    try:
        found = _found(fs, path)
    except OSError as error:
        raise BulkError(f"{job.source}: {_reason(error)}") from error
    if not found:
        missing = "there is no file in it" if fs.isdir(path) else "no such file or directory"
        raise BulkError(f"{job.source}: {missing}")
    inside = job.target is not None and opened(job.target)[1].startswith(f"{path}/")
    if inside and fs.isdir(path):
        raise BulkError(f"{job.target}: is inside the folder that is read: name another one")
    single = len(found) == 1 and found[0] == path
    top = path if not single and fs.isdir(path) else _parent(path)
    files: list[File] = []
    count = 0
    for name in found:
        kind = job.format or format_of(name)
        if kind is None:
            known = ", ".join(FORMATS)
            raise BulkError(
                f"{name}: cannot tell the format; name a format: {known}; read CSV, Excel and "
                "other tables in Python, and give them to guardstream.bulk.redact"
            )
        if job.columns is not None and kind in ("text", "lines"):
            raise BulkError(f"{name}: a text has no columns: leave them out")
        if fs.info(name).get("type") == "other":
            raise BulkError(f"{name}: is not a regular file")
        target = _target(job.target, name, top, single=single)
        if target is not None:
            _check_name(target, name, kind)
        parts = parts_of(fs, name, kind, job.part_size, count)
        count += len(parts)
        files.append(File(name, kind, target, parts, version_of(fs, name)))
    return files


_OTHER_TABLES = (".csv", ".tsv", ".json", ".xlsx")


def _check_name(target: str, source: str, kind: Format) -> None:
    """Raise BulkError if the name of an output suggests another format than the input has."""
    named, suffix = format_of(target), PurePosixPath(target).suffix.lower()
    if suffix and target.endswith(".gz") != source.endswith(".gz"):
        how = "end its name with .gz" if source.endswith(".gz") else "leave .gz out of its name"
        raise BulkError(f"{target}: the output is compressed only if the input is: {how}")
    other = named is not None and (named == "parquet") != (kind == "parquet")
    if other or (suffix in _OTHER_TABLES and not source.lower().endswith(suffix)):
        raise BulkError(
            f"{target}: the output has the format {kind!r}, like the input: choose another name"
        )


def _found(fs: Any, path: str) -> list[str]:
    if any(sign in path for sign in "*?[") and not fs.isfile(path):
        return sorted(name for name in fs.glob(path) if not fs.isdir(name))
    if fs.isdir(path):
        return sorted(name for name in fs.find(path) if not _hidden(name.removeprefix(path)))
    return [path] if fs.exists(path) else []


def _hidden(name: str) -> bool:
    """Return whether a file contains no data: if it is hidden, or one that engines add."""
    parts = name.split("/")
    return any(part.startswith(".") for part in parts) or parts[-1] in _BESIDE


def _parent(path: str) -> str:
    fixed = path
    for sign in "*?[":
        fixed = fixed.partition(sign)[0]
    return fixed.rpartition("/")[0]


def _target(target: str | None, name: str, top: str, *, single: bool) -> str | None:
    if target is None:
        return None
    path = opened(target)[1]
    if single and not target.endswith("/"):
        return path
    return f"{path}/{name.removeprefix(top).lstrip('/')}"


def _folder(target: str) -> str:
    return f"{target.rstrip('/')}.guardstream"


def _begun(target: str) -> bool:
    """Return whether a run has begun and is not finished."""
    fs, folder = opened(_folder(target))
    return bool(fs.exists(folder))


def _begin(job: Job, files: Sequence[File], name: str) -> Mapping[int, Report]:
    """Create the folder of the parts, and mark it as used by the run `name`; return the reports of
    those that are done."""
    if job.target is None:
        return {}
    fs, path = opened(job.target)
    folder = opened(_folder(job.target))[1]
    if fs.exists(path) and not job.overwrite and not fs.exists(f"{folder}/joining"):
        raise BulkError(
            f"{job.target}: already exists: name another target, or replace it by overwrite=True, "
            "or --overwrite"
        )
    plan = json.dumps(_plan(job, files)).encode()
    try:
        fs.makedirs(folder, exist_ok=True)
        # Before the plan is looked for: a run that fails in between leaves the folder.
        fs.touch(f"{folder}/{name}{_RUNS}")
    except NotImplementedError as error:
        raise BulkError(f"{job.target}: cannot be written to: name another target") from error
    if not fs.exists(f"{folder}/job.json"):
        with writing(fs, f"{folder}/job.json") as out:
            out.write(plan)
    elif fs.cat_file(f"{folder}/job.json") != plan:
        _leave(job, name)
        raise BulkError(
            f"{folder}: holds parts of a run with other files, other settings or another policy: "
            "remove it to start over"
        )
    return dict(_done(fs, folder, files))


_RUNS = ".run"
"""The suffix of the marks of the runs that use a folder."""


def _leave(job: Job, name: str) -> None:
    """Remove the mark of a run, if its folder still exists."""
    if job.target is not None:
        fs, folder = opened(_folder(job.target))
        with suppress(FileNotFoundError):
            fs.rm(f"{folder}/{name}{_RUNS}")


def _discard_unless_used(job: Job, name: str) -> None:
    """Remove the folder of a run that has failed before any part was done, unless another run uses
    it."""
    if job.target is None or not _begun(job.target):
        return
    fs, folder = opened(_folder(job.target))
    others = {each.rpartition("/")[2] for each in fs.ls(folder, detail=False)}
    others -= {"job.json", f"{name}{_RUNS}"}
    if any(each.endswith((".json", _RUNS)) for each in others):
        return
    for each in others | {"job.json"}:
        with suppress(FileNotFoundError):
            fs.rm(f"{folder}/{each}")
    _leave(job, name)
    with suppress(OSError):  # another run has begun meanwhile
        fs.rmdir(folder)


def _plan(job: Job, files: Sequence[File]) -> Mapping[str, Any]:
    """Return the settings that must be the same for a run to continue."""
    listed = [(file.path, file.format, file.target, file.key) for file in files]
    return {
        "version": __version__,
        "policy": job.guard.policy.fingerprint,
        "columns": job.columns,
        "parts": sum(len(file.parts) for file in files),
        "size": job.part_size,
        "files": sha256(repr(listed).encode()).hexdigest(),
    }


def _done(fs: Any, folder: str, files: Sequence[File]) -> Iterator[tuple[int, Report]]:
    """Yield the parts that are done and whole, with their reports; all others are done again."""
    for file in files:
        joined = _joined(fs, folder, file)
        for part in file.parts:
            path = f"{folder}/{part.number:06}"
            with suppress(FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
                done = json.loads(fs.cat_file(f"{path}.json"))
                report = Report.of(done["report"])
                digest = digest_of(fs, path)
                if digest == done["sha256"] or (joined and digest is None):
                    yield part.number, report


def _joined(fs: Any, folder: str, file: File) -> bool:
    """Return whether a file was joined, so that its parts may be gone."""
    mark = joined_mark(f"{folder}/{file.parts[0].number:06}")
    return bool(fs.exists(mark) and fs.exists(file.target))


def _finish(job: Job, files: Sequence[File]) -> None:
    """Join the parts of each file, and remove the folder.

    Parts are removed once their file exists, so that a run that stops here continues here.
    """
    assert job.target is not None
    fs, folder = opened(_folder(job.target))
    fs.touch(f"{folder}/joining")
    for file in files:
        assert file.target is not None
        parent = file.target.rpartition("/")[0]
        if parent:
            fs.makedirs(parent, exist_ok=True)
        paths = [f"{folder}/{part.number:06}" for part in file.parts]
        there = [path for path in paths if fs.exists(path)]
        if there == paths or not _joined(fs, folder, file):
            join(fs, paths, file.format, file.target)
        else:
            for path in there:
                fs.rm(path)
    fs.rm(folder, recursive=True)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
