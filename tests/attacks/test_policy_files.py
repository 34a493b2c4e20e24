"""Files of policies that would cost much to read, or are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guardstream.errors import PolicyError
from guardstream.policy import Policy
from tests.support.policy_texts import problems


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = problems("rules: [{id: a, words: {file: pipe}}]", tmp_path)
    assert len(found) == 1
    assert "not a regular file" in found[0]
    with pytest.raises(PolicyError, match="not a regular file"):
        Policy.load(tmp_path / "pipe")


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardstream.policy.files.MAX_FILE", 4)
    (tmp_path / "p.yaml").write_text("version: 1", encoding="utf-8")
    with pytest.raises(PolicyError, match="larger than 4 bytes"):
        Policy.load(tmp_path / "p.yaml")


def test_aliases_are_followed_within_bounds() -> None:
    policy = Policy.parse("rules: [{id: a, words: &w [x]}, {id: b, words: *w}]")
    assert [rule.words for rule in policy.rules] == [("x",), ("x",)]
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "more than" in problems("\n".join(lines))[0]


def test_deep_nesting_is_refused() -> None:
    assert problems("[" * 20_000) == ["p:1:65: nested too deeply"]
