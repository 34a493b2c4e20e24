"""A policy that follows its files takes up what is in them last, and never half of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from guardstream import Guard
from guardstream.policy import files, reload

OLD = "rules: [{id: a, words: [old]}]"
NEW = "rules: [{id: a, words: [old, fresh]}]"
LISTED = "rules: [{id: a, words: {file: words.txt}}]"


def while_loading(patch: pytest.MonkeyPatch, *changes: Callable[[], object]) -> None:
    """Make each of `changes` after a load has read its files, and before it returns."""
    real, waiting = reload.build.load, list(changes)

    def load(*given: Any) -> Any:
        try:
            return real(*given)
        finally:
            if waiting:
                waiting.pop(0)()

    patch.setattr(reload.build, "load", load)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(OLD)
    return tmp_path / "policy.yaml"


def test_a_file_that_is_complete_only_after_it_was_read_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard.load(path, reload=True)
    path.write_text(NEW[:20])
    while_loading(monkeypatch, lambda: path.write_text(NEW))
    assert guard.check("fresh").text == "[a]"


def test_a_file_that_changes_while_it_is_read_first_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_loading(monkeypatch, lambda: path.write_text(NEW))
    assert Guard.load(path, reload=True).check("fresh").text == "[a]"


def test_a_new_file_that_changes_while_it_is_read_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard.load(path, reload=True)
    words = path.parent / "words.txt"
    words.write_text("old")
    path.write_text(LISTED)
    while_loading(monkeypatch, lambda: words.write_text("old\nfresh"))
    assert guard.check("fresh").text == "[a]"


def test_files_that_keep_changing_leave_the_last_policy_until_they_rest(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Guard.load(path, reload=True)
    grows = [lambda n=n: path.write_text(NEW + "\n" * n) for n in range(1, 4)]
    path.write_text(NEW)
    while_loading(monkeypatch, *grows)
    assert guard.check("fresh").text == "fresh"
    assert "policy.yaml: its files change while they are read" in caplog.text
    assert guard.check("fresh").text == "[a]"


def test_a_folder_that_is_exchanged_by_a_link_is_read_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "words.txt").write_text(name)
        (tmp_path / name / "policy.yaml").write_text(f"extends: [own.yaml]\nname: {name}")
        (tmp_path / name / "own.yaml").write_text(LISTED)
    link = tmp_path / "current"
    link.symlink_to("one")
    guard = Guard.load(link / "policy.yaml", reload=True)

    def exchange() -> None:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(link)

    (tmp_path / "one" / "own.yaml").write_text(LISTED + "\n")
    while_loading(monkeypatch, exchange)
    assert (guard.policy.file.name, guard.check("one two").text) == ("two", "one [a]")


def settled(guard: Guard) -> None:
    """Let so much time pass, as the guard sees it, that it trusts the stamps of its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "monotonic", lambda: monotonic() + 10)
        assert guard.check("old").text == "[a]"


def rewrite_unseen(path: Path, text: str) -> None:
    """Write a file in place such that neither its size nor its time of change differ."""
    found = path.stat()
    assert len(text) == found.st_size
    with path.open("r+") as file:
        file.write(text)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_a_file_of_the_same_size_and_time_is_read_again(path: Path) -> None:
    guard = Guard.load(path, reload=True)
    settled(guard)
    rewrite_unseen(path, OLD.replace("old", "new"))
    assert guard.check("old new").text == "old [a]"


@pytest.mark.parametrize("name", ["policy.yaml", "words.txt"])
def test_a_file_that_is_written_twice_within_a_tick_of_the_clock_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The clock of the file system stands still: all stamps of a file are the same."""
    monkeypatch.setattr(files, "_stamp_of", lambda _: (1, 1, 1, 1))
    (path.parent / "words.txt").write_text("old")
    path.write_text(LISTED)
    guard = Guard.load(path, reload=True)
    assert guard.check("old").text == "[a]"
    changed = path.parent / name
    changed.write_text(changed.read_text().replace("words: {file: words.txt}", "words: [new]"))
    changed.write_text(changed.read_text().replace("old", "new"))
    assert guard.check("old new").text == "old [a]"


def test_a_file_at_rest_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard.load(path, reload=True)
    settled(guard)
    monkeypatch.setattr(files, "read_bytes", lambda _: pytest.fail("read"))
    assert guard.check("old").text == "[a]"


def test_a_file_that_is_only_touched_is_not_loaded_again(path: Path) -> None:
    guard = Guard.load(path, reload=True)
    policy = guard.policy
    path.touch()
    path.write_text(OLD)
    assert guard.policy is policy


def test_a_file_that_could_not_be_read_for_a_while_is_read_as_soon_as_it_can(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Too many files are open, for example: nothing about the file itself changes."""
    guard = Guard.load(path, reload=True)
    path.write_text(NEW)
    real = Path.open

    def refused(*_given: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "open", refused)
    for _ in range(3):
        assert guard.check("old fresh").text == "[a] fresh"
    assert caplog.text.count("too many open files") == 1
    monkeypatch.setattr(Path, "open", real)
    assert guard.check("old fresh").text == "[a] [a]"


def test_a_relative_path_names_the_same_file_wherever_the_process_goes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    guard = Guard.load("policy.yaml", reload=True)
    monkeypatch.chdir("/")
    path.write_text(NEW)
    assert guard.check("fresh").text == "[a]"
