"""Shadow mode, block messages, pseudonyms, and policies that follow their files."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from random import Random

import pytest

from guardstream import Finding, Finish, Guard, Policy, PolicyError, Text
from guardstream.events import Event
from tests.support.chunking import one_by_one, play, random_split

RULES = """
rules:
  - {id: mask, words: [secret, cretaceous], severity: high}
  - {id: block, pattern: 'bad[0-9]{2}', action: block}
"""

TEXTS = ["a secret, bad12 and a secret", "secretaceous", "nothing", "", "bad1", "secre"]


def guard(text: str) -> Guard:
    return Guard(Policy.parse(text))


def chunk(text: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [choice]}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_shadow_passes_the_text_and_reports_what_enforce_would(text: str) -> None:
    real, shadow = guard(RULES), guard("mode: shadow\n" + RULES)
    result = shadow.check(text)
    assert (result.text, result.finish) == (text, "stop")
    assert result.findings == real.check(text).findings


@pytest.mark.parametrize("text", TEXTS)
def test_shadow_is_the_same_in_any_chunking_and_holds_nothing(text: str) -> None:
    shadow = guard("mode: shadow\n" + RULES)
    whole: list[Event] = play(shadow.session(), [text], limit=0)
    assert play(shadow.session(), one_by_one(text), limit=0) == whole
    assert play(shadow.session(), random_split(text, Random(1)), limit=0) == whole


def test_a_shadow_finding_stands_where_it_settled() -> None:
    events = play(guard("mode: shadow\n" + RULES).session(), ["a bad12 b"])
    finding = Finding("block", 2, 7, "block")
    assert events == [Text("a bad12"), finding, Text(" b"), Finish("stop")]


def test_a_block_message_is_a_chunk_before_the_end() -> None:
    spoken = guard('block_message: "No."' + RULES)
    stream = spoken.wrap_sync(["so b", "ad12 more"])
    assert list(stream) == ["so ", "No."]
    assert stream.result == spoken.check("so bad12 more")
    assert spoken.check("so bad1").text == "so bad1"


def test_a_block_message_goes_out_in_a_chunk_of_the_same_type() -> None:
    stream = guard('block_message: "No."' + RULES).wrap_sync(map(chunk, ["so b", "ad12"]))
    said = [c["choices"][0] for c in stream]  # type: ignore[index]
    assert [c["delta"].get("content") for c in said] == ["so ", "No.", None]
    assert said[-1]["finish_reason"] == "content_filter"
    assert stream.result.text == "so No."


def test_shadow_says_no_block_message() -> None:
    assert guard('mode: shadow\nblock_message: "No."' + RULES).check("bad12").text == "bad12"


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
