"""Policies of the page name packs and nothing else; what they may not say is marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream import PolicyError
from guardstream.play.examples import examples, started_from
from guardstream.play.policies import built, guard_of, judged
from guardstream.policy import inline, packs
from guardstream.policy.model import OPERATIONAL
from tests.play.recordings import DEMO

REFUSED = {
    "extends: other.yaml": ("only packs can be extended", 1, 10),
    "extends: [guardstream/chat, /etc/passwd]": ("only packs can be extended", 1, 29),
    "input: {extends: ../other.yaml}": ("only packs can be extended", 1, 18),
    "rules: [{id: a, words: {file: /etc/passwd}}]": ("files are read here", 1, 24),
    "input: {rules: [{id: a, words: {file: a.txt}}]}": ("files are read here", 1, 32),
    "rules: [{id: a, words: [b], validate: os.system}]": ("code", 1, 39),
    "rules: [{id: a, words: [b], validate: [luhn, os.system]}]": ("code", 1, 46),
    "rules: [{id: a, words: [b], replacement: {pseudonym: {key_env: HOME}}}]": (
        "environment",
        1,
        43,
    ),
    "json: {schema: a.json}": ("files are read here", 1, 16),
    "json: {schema: {type: object}, schemas: [b.json]}": ("files are read here", 1, 32),
    "json: {tools: {send: {schema: a.json}}}": ("files are read here", 1, 31),
    "json: {tools: from_request}": ("needs a request", 1, 15),
    "limits: {tokens: {max: 3, encoding: o200k_base}}": ("'tokens'", 1, 10),
    "limits: {tokens: {max: 3, counter: os.getpid}}": ("'tokens'", 1, 10),
    "stages: [{use: os.system}]": ("code", 1, 1),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_reaches_outside_is_refused_in_its_place(text: str) -> None:
    message, line, column = REFUSED[text]
    notes = [note for note in judged(text) if (note.line, note.column) == (line, column)]
    assert [note.level for note in notes] == ["error"]
    assert message in notes[0].message
    with pytest.raises(PolicyError):
        built(text)


@pytest.mark.parametrize("section", OPERATIONAL)
def test_what_is_about_more_than_rules_is_refused(section: str) -> None:
    notes = judged(f"version: 1\n{section}: true\n")
    assert (notes[0].line, notes[0].column, notes[0].level) == (2, 1, "error")
    assert repr(section) in notes[0].message


@pytest.mark.parametrize(
    "schema", ['{$ref: "FILE"}', '{properties: {a: {$ref: "FILE#/x"}}}', "{$ref: other.json}"]
)
def test_a_schema_leads_to_no_file(tmp_path: Path, schema: str) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}', encoding="utf-8")
    notes = judged(f"json: {{schema: {schema.replace('FILE', file.as_uri())}}}")
    assert [note.level for note in notes] == ["error"]


def test_a_file_of_a_packs_name_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "guardstream" / "mine"
    file.parent.mkdir()
    file.write_text("version: 1", encoding="utf-8")
    assert "no pack 'mine'" in judged("extends: guardstream/mine")[0].message


def test_other_mistakes_are_told_beside_those() -> None:
    notes = judged("gate: []\nrulez: []\n")
    assert [note.line for note in notes] == [1, 2]
    assert "did you mean 'rules'?" in notes[1].message


@pytest.mark.parametrize("pack", packs.names())
def test_every_pack_can_be_started_from(pack: str) -> None:
    assert built(started_from(pack)).source.name == "policy.yaml"


@pytest.mark.parametrize("example", examples(DEMO), ids=lambda example: example.title)
def test_the_examples_are_sound_and_show_something(example: object) -> None:
    policy, text = example.policy, example.text or "Write to ann@example.com"  # type: ignore[attr-defined]
    assert [note for note in judged(policy) if note.level == "error"] == []
    assert [outcome for outcome in inline.run(built(policy, "test")) if outcome.problem] == []
    assert guard_of(policy).check(text).findings


def test_a_policy_is_played_in_either_mode() -> None:
    policy = "mode: shadow\nrules: [{id: a, words: [bird]}]"
    assert guard_of(policy).check("a bird").text == "a bird"
    assert guard_of(policy, "enforce").check("a bird").text == "a [a]"
