"""Parts that the patterns of a file share, which they call as `(?&name)`."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from guardstream import Guard, Policy, PolicyError
from guardstream.policy import build, lint, schema

SHARED = r"""
version: 1
subpatterns:
  start: '(?<![A-Za-z0-9])'
  check: '[0-9]{2}|x[0-9]'
  number: 'no\. [0-9]{4}-(?&check)'
rules:
  - {id: order, pattern: ['(?i)(?&start)(?<name>ORD) (?&number)', 'order (?&check){2}$'], group: 0}
  - {id: invoice, words: [invoice], allow: {patterns: ['inv(?&check)?oice']}}
  - {id: ref, words: [ref], allow: {after: ['no (?&check) ']}}
"""


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("subpatterns: {s: 'a(b'}", "1:20: subpattern 's': missing ')'"),
        ("subpatterns: {s: 'a)(b'}", "1:20: subpattern 's': unbalanced parenthesis"),
        ("subpatterns: {s: '(a)'}", "1:18: subpattern 's': its groups would be counted"),
        ("subpatterns: {s: 'a(?i)b'}", "1:20: subpattern 's': flags would hold for all"),
        ("subpatterns: {s: '(?&t)', t: a}", "1:19: no subpattern 't' above it, known: escape"),
        ("subpatterns: {s: '(?&s)'}", "1:19: no subpattern 's' above it, known: escape"),
        ("subpatterns: {1st: a}", "1:15: a subpattern's name has up to 100 letters, digits"),
        ("subpatterns: {s: [a]}", "1:18: expected text, not a list"),
        ("subpatterns: {s: }", "1:15: 's' has no value: expected text"),
    ],
)
def test_a_subpattern_that_is_not_valid_is_reported_at_its_place(
    written: str, message: str
) -> None:
    with pytest.raises(PolicyError) as error:
        Policy.parse(written)
    assert str(error.value).startswith(f"<policy>:{message}")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("pattern: 'a(?&strat)'", "no subpattern 'strat' in 'subpatterns' of this file, did you"),
        ("pattern: 'a(?&start'", "missing '\\)': a call is written as in \\(\\?&name\\)"),
        ("words: [a], allow: {patterns: [b, '(?&t)']}", "no subpattern 't' in 'subpatterns'"),
        ("pattern: '(?&start)(?&start)a*'", "the pattern can match the empty string"),
    ],
)
def test_a_wrong_call_is_reported_at_its_place(rule: str, message: str) -> None:
    with pytest.raises(PolicyError, match=rf"^<policy>:2:[0-9]+: .*{message}"):
        Policy.parse(f"subpatterns: {{start: '(?<!b)'}}\nrules: [{{id: a, {rule}}}]")


def test_an_error_after_calls_is_placed_where_it_is_written() -> None:
    rule = r"{id: a, pattern: 'a(?&long)b(?&long)\X'}"
    with pytest.raises(PolicyError) as error:
        Policy.parse(f"subpatterns: {{long: {'x' * 50}}}\nrules: [{rule}]")
    column = len("rules: [") + rule.index(r"\X") + 1
    assert str(error.value).startswith(rf"<policy>:2:{column}: rule 'a': \X needs all")


def test_an_error_in_what_is_called_is_placed_at_the_call() -> None:
    rule = "{id: a, pattern: '(?<w>b+)(?<=(?&any))c'}"
    with pytest.raises(PolicyError, match=r"^<policy>:2:[0-9]+: rule 'a': "):
        Policy.parse(f"subpatterns: {{any: 'x*'}}\nrules: [{rule}]")


def test_calls_that_multiply_are_refused() -> None:
    calls = [f"s{n}: '{f'(?&s{n - 1})' * 10}'" for n in range(1, 12)]
    with pytest.raises(PolicyError, match="longer than 100000 with what it calls"):
        Policy.parse(f"subpatterns: {{s0: a, {', '.join(calls)}}}")


def test_subpatterns_are_those_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SHARED)
    (tmp_path / "own.yaml").write_text(
        "extends: base.yaml\nsubpatterns: {start: b}\nrules: [{id: own, pattern: 'a(?&start)'}]"
    )
    guard = Guard.load(tmp_path / "own.yaml")
    assert guard.check("ab, ORD no. 2044-x3").text == "[own], [order]"
    (tmp_path / "own.yaml").write_text(
        "extends: base.yaml\nrules: [{id: own, pattern: 'a(?&start)'}]"
    )
    with pytest.raises(PolicyError, match="no subpattern 'start' in 'subpatterns' of this file"):
        Guard.load(tmp_path / "own.yaml")


def test_rules_for_prompts_call_them_too() -> None:
    policy = "subpatterns: {s: xy}\ninput: {rules: [{id: r, pattern: 'a(?&s)b'}]}"
    guard = Guard(Policy.parse(policy))
    checked = guard.check_messages([{"role": "user", "content": "axyb"}])
    assert checked.messages == [{"role": "user", "content": "[r]"}]


@pytest.mark.parametrize("written", [{"1st": "a"}, {"a-b": "a"}, {"é": "a"}, {"a": ""}, {"a": 1}])
def test_the_json_schema_refuses_what_the_loader_refuses(written: dict[str, object]) -> None:
    policy = {"subpatterns": written}
    with pytest.raises(PolicyError):
        Policy.parse(json.dumps(policy))
    judge = jsonschema_rs.validator_for(schema.schema())
    assert not judge.is_valid(policy)
    assert judge.is_valid({"subpatterns": {"start_1": "a"}})


def test_lint_warns_of_what_no_pattern_calls(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("subpatterns: {s: xy, t: z}\nrules: [{id: r, pattern: 'a(?&t)', tests: []}]")
    first = lint.warnings(build.load(path))[0]
    assert first == (
        f"{path}:1:15: warning: no pattern of this file calls the subpattern 's': leave it out"
    )
