"""A policy that follows its files takes up what is in them last, and never half of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardstream import Guard
from guardstream.policy import reload

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
