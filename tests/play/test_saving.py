"""A finding becomes a test in the policy's text, which otherwise stays as it is."""

from __future__ import annotations

import pytest

from guardstream import PolicyError
from guardstream.play.policies import built
from guardstream.play.saving import saved
from guardstream.policy import inline

TEXT = 'the bluebird, "quoted", of ann@example.com\n\ttab'

POLICIES = [
    "version: 1\nrules:\n  - id: name\n    words: [bluebird]\n",
    "version: 1\nrules:\n- words:\n  - bluebird\n  id: name\n\n# the end\n",
    "version: 1\nrules:\n  - id: name  # a comment\n    words: [bluebird]  # another\n\nname: x\n",
    "rules: [{id: name, words: [bluebird]}]",
    "{rules: [{id: name, words: [bluebird],}]}",
    "rules: [{id: name, words: [bluebird], tests: []}]",
    "rules:\n  - id: name\n    words: [bluebird]\n    tests: [{clean: a bird}]\n",
    "rules:\n  - id: name\n    words: [bluebird]\n    tests:\n      - clean: a bird\n"
    "    description: |\n      Several\n      lines\n\n  - id: other\n    words: [tea]\n",
    "rules:\n  - id: name\n    tests:\n    - input: bluebird\n      output: '[name]'\n"
    "    pattern: >-\n      bluebird",
    "rules:\n  - id: name\n    words: ['bluebird']\n    action: block\n",
]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_test_is_there_and_passes(policy: str) -> None:
    start = TEXT.index("bluebird")
    made = saved(policy, "name", TEXT, start, start + 8)
    rule = built(made.policy, "test").file.rules[0]
    assert rule.tests[-1].input == made.input == TEXT
    assert len(rule.tests) == len(built(policy, "test").file.rules[0].tests) + 1
    assert [outcome for outcome in inline.run(built(made.policy, "test")) if outcome.problem] == []


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_else_changes(policy: str) -> None:
    start = TEXT.index("bluebird")
    made = saved(policy, "name", TEXT, start, start + 8).policy
    left = iter(made)
    assert all(character in left for character in policy.rstrip())  # a subsequence of the new text
    before, after = built(policy, "test").file, built(made, "test").file
    without = [rule.model_copy(update={"tests": []}) for rule in before.rules]
    assert [rule.model_copy(update={"tests": []}) for rule in after.rules] == without


@pytest.mark.parametrize(
    "policy",
    [
        "version: 1\nextends: guardstream/pii-en\n",
        "{extends: guardstream/pii-en}",
        "extends: guardstream/pii-en\nrules:\n  - id: name\n    words: [bluebird]\n",
        "extends: guardstream/pii-en\nrules: []\n",
        "extends: guardstream/pii-en\nrules:\n  - id: email\n    severity: low\n",
    ],
)
def test_an_inherited_rule_gets_an_entry_of_its_own(policy: str) -> None:
    start = TEXT.index("ann@")
    made = saved(policy, "email", TEXT, start, start + 15)
    after = built(made.policy, "test")
    (email,) = [placed for placed in after.placed if placed.rule.id == "email"]
    assert email.origin_of("tests").source is after.source
    assert [outcome.problem for outcome in inline.run(after)] == [""]


def test_of_a_long_text_only_what_is_near_becomes_the_test() -> None:
    text = "lorem ipsum " * 100 + "bluebird" + " dolor sit" * 100
    start = text.index("bluebird")
    made = saved(POLICIES[0], "name", text, start, start + 8)
    assert "bluebird" in made.input
    assert len(made.input) < 100


def test_what_cannot_be_seen_is_written_as_escapes() -> None:
    text = "\u200bbluebird\x7f\u2028\x85"
    made = saved(POLICIES[0], "name", text, 1, 9)
    assert "\\u200b" in made.policy
    assert built(made.policy, "test").file.rules[0].tests[0].input == text


@pytest.mark.parametrize(
    ("rule", "text"), [("other", "bluebird"), ("name", "no such bird"), ("name", "")]
)
def test_what_is_not_found_is_not_saved(rule: str, text: str) -> None:
    with pytest.raises(PolicyError, match=r"no test|no rule"):
        saved(POLICIES[0], rule, text, 0, len(text))
