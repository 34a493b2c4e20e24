"""Shadow mode, block messages, pseudonyms, and policies that follow their files."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from guardstream import Guard, Policy, PolicyError, Text
from tests.support.chunking import play


def guard(text: str) -> Guard:
    return Guard(Policy.parse(text))


PSEUDONYM = """
rules:
  - id: customer
    pattern: 'CU-[0-9]{6}'
    replacement: {pseudonym: {key_env: TEST_KEY, prefix: customer-, length: 8}}
"""


def test_a_pseudonym_is_the_same_for_the_same_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "k")
    first, second, third = guard(PSEUDONYM).check("CU-123456 CU-123456 CU-654321").text.split()
    assert first == second != third
    assert first.startswith("customer-")
    assert len(first) == len("customer-") + 8
    monkeypatch.setenv("TEST_KEY", "other")
    assert guard(PSEUDONYM).check("CU-123456").text != first


def write(path: Path, text: str, moment: int) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (moment, moment))


def test_a_changed_file_holds_for_new_streams(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    write(path, "rules: [{id: a, words: [one]}]", 1)
    watched = Guard.load(path, reload=True)
    running = watched.session()
    write(path, "rules: [{id: a, words: [two]}]", 2)
    assert watched.check("one two").text == "one [a]"
    assert Guard.load(path).policy.rules == watched.policy.rules
    assert play(running, ["one two"])[0] != Text("one ")


def test_word_lists_and_extended_files_are_watched(tmp_path: Path) -> None:
    path, words, base = tmp_path / "p.yaml", tmp_path / "w.txt", tmp_path / "b.yaml"
    write(words, "one", 1)
    write(base, "rules: [{id: a, words: {file: w.txt}}]", 1)
    write(path, "extends: b.yaml", 1)
    watched = Guard.load(path, reload=True)
    write(words, "two", 2)
    assert watched.check("one two").text == "one [a]"
    write(base, "rules: [{id: b, words: [one]}]", 2)
    assert watched.check("one two").text == "[b] two"


def test_a_file_that_breaks_keeps_the_last_policy_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "p.yaml"
    write(path, "rules: [{id: a, words: [one]}]", 1)
    watched = Guard.load(path, reload=True)
    write(path, "rulez: []", 2)
    with caplog.at_level(logging.ERROR, "guardstream"):
        assert watched.check("one").text == "[a]"
        assert watched.check("one").text == "[a]"
    assert len(caplog.records) == 1
    assert "unknown key 'rulez'" in caplog.text
    write(path, "rules: [{id: b, words: [one]}]", 3)
    assert watched.check("one").text == "[b]"


def test_a_missing_file_that_comes_back_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    write(path, "rules: [{id: a, words: [one]}]", 1)
    watched = Guard.load(path, reload=True)
    write(path, "extends: late.yaml", 2)
    assert watched.check("one").text == "[a]"
    write(tmp_path / "late.yaml", "rules: [{id: late, words: [one]}]", 3)
    assert watched.check("one").text == "[late]"


def test_the_first_load_must_succeed(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        Guard.load(tmp_path / "none.yaml", reload=True)
