"""A policy's own word files are written out when it is opened, and nothing else is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream.play.opened import LONGEST, opened
from guardstream.play.policies import built, guard_of

POLICY = """rules:
  - {id: a, words: [one]}
  - id: b
    words: {file: words/b.txt}   # ours
  - {id: c, words: {file: "c.txt"}, replacement: "*"}
input:
  rules:
    - id: d
      words:
        file: c.txt   # theirs
      severity: high
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "b.txt").write_text("# ours\n敏感词\nno\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text('a "quoted" word\n', encoding="utf-8")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return folder / "policy.yaml"


def test_word_files_are_written_out_and_the_rest_stays(folder: Path) -> None:
    text = opened(written(folder, POLICY))
    expected = POLICY.replace("{file: words/b.txt}", '["敏感词", "no"]')
    for named in ('{file: "c.txt"}', "file: c.txt"):
        expected = expected.replace(named, '["a \\"quoted\\" word"]')
    assert text == expected
    assert guard_of(text).check('说敏感词, a "quoted" word').text == "说[b], ***************"
    assert built(text).file.input is not None


@pytest.mark.parametrize(
    "text",
    [
        "rules: [{id: a, words: {file: absent.txt}}]",
        "rules: [{id: a, words: {file: ../outside.txt}}]",
        "rules: [{id: a, words: {file: empty.txt}}]",
        "rules: [{id: a, words: {file: long.txt}}]",
        "json: {schema: schema.json}",
        "rules: [",
    ],
)
def test_other_files_stay_named(folder: Path, text: str) -> None:
    (folder.parent / "outside.txt").write_text("secret", encoding="utf-8")
    (folder / "empty.txt").write_text("# none", encoding="utf-8")
    (folder / "long.txt").write_text("word\n" * LONGEST, encoding="utf-8")
    assert opened(written(folder, text)) == text


def test_a_file_that_an_alias_names_again_is_written_out_once(folder: Path) -> None:
    text = """rules:
  - {id: b, words: &ours { file: 'words/b.txt', }}
  - {id: c, words: *ours}
"""
    shown = opened(written(folder, text))
    assert shown == text.replace("{ file: 'words/b.txt', }", '["敏感词", "no"]')
    assert guard_of(shown).check("敏感词").text == "[b]"
