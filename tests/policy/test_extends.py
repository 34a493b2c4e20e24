"""A policy extends others: their rules come first, later ones override by id, errors say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream import Guard, Policy, PolicyError
from guardstream.policy import inline

BASE = """\
max_holdback: 99
on_overflow: block
rules:
  - id: a
    words: [aaa]
    severity: high
    tests: [{input: aaa, output: "[a]"}]
  - id: b
    pattern: 'b(?<x>[0-9]{2})'
    group: x
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    return tmp_path


def load(folder: Path, text: str, name: str = "top.yaml") -> Policy:
    (folder / name).write_text(text, encoding="utf-8")
    return Policy.load(folder / name)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load(folder, text)
    return str(caught.value).replace(str(folder) + "/", "").splitlines()


def test_inherited_rules_and_settings_hold(base: Path) -> None:
    policy = load(base, "extends: base.yaml\nrules: [{id: c, words: [c]}]")
    assert [rule.id for rule in policy.rules] == ["c", "a", "b"]
    assert (policy.file.max_holdback, policy.file.on_overflow) == (99, "block")
    assert Guard(policy).check("aaa b12 c").text == "[a] b[b] [c]"


def test_own_settings_come_before_inherited_ones(base: Path) -> None:
    policy = load(base, "extends: [./base.yaml]\nmax_holdback: 7")
    assert (policy.file.max_holdback, policy.file.on_overflow) == (7, "block")


def test_a_rule_without_words_changes_what_it_names(base: Path) -> None:
    policy = load(
        base, "extends: base.yaml\nrules: [{id: a, action: block}, {id: b, severity: low}]"
    )
    a, b = policy.rules
    assert (a.action, a.severity, a.words) == ("block", "high", ("aaa",))
    assert (b.severity, b.patterns, b.group) == ("low", ("b(?<x>[0-9]{2})",), "x")


def test_a_rule_with_words_takes_the_others_place(base: Path) -> None:
    rule = load(base, "extends: base.yaml\nrules: [{id: a, words: [x]}]").rules[0]
    assert (rule.words, rule.severity) == (("x",), "medium")


def test_a_rule_is_switched_off_by_its_id(base: Path) -> None:
    policy = load(base, "extends: base.yaml\nrules: [{id: a, enabled: false}]")
    assert [rule.id for rule in policy.rules] == ["b"]
    assert (
        load(base, "extends: top.yaml\nrules: [{id: a, enabled: true}]", "on.yaml").rules[0].words
    )


def test_later_files_override_earlier_ones(base: Path) -> None:
    (base / "other.yaml").write_text("rules: [{id: a, words: [zzz]}]", encoding="utf-8")
    assert load(base, "extends: [base.yaml, other.yaml]").rules[0].words == ("zzz",)
    assert load(base, "extends: [other.yaml, base.yaml]").rules[0].words == ("aaa",)


def test_a_file_that_comes_by_two_ways_keeps_what_one_of_them_changed(base: Path) -> None:
    load(base, "extends: base.yaml\nrules: [{id: a, action: stop}]", "left.yaml")
    load(base, "extends: base.yaml", "right.yaml")
    assert load(base, "extends: [left.yaml, right.yaml]").rules[0].action == "stop"


def test_packs_are_extended_by_name(base: Path) -> None:
    policy = load(
        base, "extends: [guardstream/pii-en, base.yaml]\nrules: [{id: email, action: stop}]"
    )
    assert policy.rules[0].action == "stop"
    assert policy.rules[-1].id == "b"


def test_tests_run_where_they_stand(base: Path) -> None:
    policy = load(base, "extends: base.yaml\nrules: [{id: c, words: [c], tests: [{clean: x}]}]")
    assert [outcome.rule for outcome in inline.run(policy.built)] == ["c"]
    everything = [outcome.rule for outcome in inline.run(policy.built, inherited=True)]
    assert everything == ["c", "a"]


def test_a_changed_rule_does_not_keep_tests_of_what_it_did_before(base: Path) -> None:
    policy = load(base, "extends: base.yaml\nrules: [{id: a, action: block}]")
    assert policy.tests["a"] == []
    policy = load(base, "extends: base.yaml\nrules: [{id: a, severity: low}]")
    assert len(policy.tests["a"]) == 1


def test_cycles_are_refused(base: Path) -> None:
    (base / "one.yaml").write_text("extends: two.yaml", encoding="utf-8")
    (base / "two.yaml").write_text("name: x\nextends: [./one.yaml]", encoding="utf-8")
    found = problems(base, "extends: one.yaml")
    assert (
        "two.yaml:2:11: cannot extend './one.yaml': that would be a cycle: it extends this file "
        "itself" in found
    )
    assert problems(base, "extends: top.yaml") == [
        "top.yaml:1:10: cannot extend 'top.yaml': that would be a cycle: it extends this file "
        "itself"
    ]


def test_errors_name_the_file_where_the_rule_stands(base: Path) -> None:
    (base / "bad.yaml").write_text(
        "rules:\n  - {id: x, pattern: 'a('}\n  - {id: y, words: [y]}", encoding="utf-8"
    )
    found = problems(base, "extends: bad.yaml\nrules: [{id: x, action: block}]")
    assert len(found) == 1
    assert found[0].startswith("bad.yaml:2:24: rule 'x': ")
    found = problems(base, "extends: bad.yaml\nrules: [{id: y, validate: lun}]")
    assert found[0].startswith("top.yaml:2:27: rule 'y': unknown check 'lun'")


def test_all_files_errors_are_said_at_once(base: Path) -> None:
    (base / "bad.yaml").write_text("nme: x\nrules: [{id: q}]", encoding="utf-8")
    assert problems(base, "extends: bad.yaml\nrulez: []") == [
        "top.yaml:1:10: 'bad.yaml', which it extends, is not valid",
        "top.yaml:2:1: unknown key 'rulez', did you mean 'rules'?",
        "bad.yaml:1:1: unknown key 'nme', did you mean 'name'?",
    ]


def test_a_change_of_no_rule_names_the_nearest(base: Path) -> None:
    (base / "base.yaml").write_text("rules: [{id: email, words: [x]}]", encoding="utf-8")
    assert problems(base, "extends: base.yaml\nrules: [{id: emial, enabled: false}]") == [
        "top.yaml:2:9: no rule 'emial' to disable is inherited, did you mean 'email'?"
    ]
    assert problems(base, "extends: base.yaml\nrules: [{id: emial, action: block}]") == [
        "top.yaml:2:9: rule 'emial' looks for nothing: give it words or a pattern; "
        "no rule of that id is inherited, did you mean 'email'?"
    ]
    assert problems(base, "rules: [{id: a, enabled: false}]") == [
        "top.yaml:1:9: no rule 'a' to disable is inherited"
    ]


def test_a_tie_goes_to_the_policys_own_rule(base: Path) -> None:
    own = "{id: z, words: [aaa], severity: high, replacement: OWN}"
    policy = load(base, f"extends: base.yaml\nrules: [{own}]")
    assert Guard(policy).check("aaa").text == "OWN"
    heir = load(base, "extends: top.yaml", "heir.yaml")
    assert Guard(heir).check("aaa").text == "OWN"
