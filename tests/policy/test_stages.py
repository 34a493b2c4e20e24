"""The section `stages` of a policy: stages of other packages, by entry point or dotted path."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream import Guard, Policy, PolicyError

MODULE = """
from guardstream import Text

class Shout:
    def __init__(self, mark="!"):
        self.mark = mark
    def feed(self, text):
        return [Text(text.upper())]
    def finish(self):
        return [Text(self.mark)]

class Half:
    def feed(self, text):
        return []

def count(text):
    return len(text)
"""

RULES = "rules: [{id: word, words: [secret], replacement: '*'}]\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that is installed and has entry points."""
    (tmp_path / "loud_stages.py").write_text(MODULE, encoding="utf-8")
    info = tmp_path / "loud_stages-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud-stages\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[guardstream.stages]\nshout = loud_stages:Shout\nhalf = loud_stages:Half\n"
        "gone = loud_stages:Gone\n[guardstream.counters]\nletters = loud_stages:count\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def policy(section: str) -> Policy:
    code = ["loud_stages:Shout", "loud_stages:Gone"]
    return Policy.parse(section + "\n" + RULES, name="p", allow_code=code)


def refusal(section: str) -> str:
    with pytest.raises(PolicyError) as caught:
        policy(section)
    return str(caught.value)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["shout", "loud_stages.Shout"])
def test_a_stage_is_named_by_entry_point_or_path(name: str) -> None:
    assert Guard(policy(f"stages: [{{use: {name}}}]")).check("a secret").text == "A ******!"


@pytest.mark.usefixtures("installed")
def test_a_stage_has_options_a_position_and_channels() -> None:
    made = policy(
        "stages: [{use: shout, options: {mark: '?'}, position: before, channels: [thinking]}]"
    )
    assert Guard(made).check("a secret").text == "a ******"
    assert Guard(made).check("a secret", channel="thinking").text == "A ******?"


@pytest.mark.usefixtures("installed")
def test_stages_are_inherited_unless_a_policy_states_its_own(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("stages: [{use: shout}]\n" + RULES, encoding="utf-8")
    heir = Policy.parse("extends: base.yaml", folder=tmp_path)
    other = Policy.parse("extends: base.yaml\nstages: []", folder=tmp_path)
    assert [Guard(made).check("a").text for made in (heir, other)] == ["A!", "a"]


@pytest.mark.usefixtures("installed")
def test_a_counter_is_named_by_entry_point() -> None:
    made = policy("limits: {tokens: {max: 5, counter: letters}}")
    assert Guard(made).check("three four").text == "three"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("stages: [{use: shut}]",
         "p:1:16: no 'shut' among the entry points 'guardstream.stages', did you mean 'shout'?"),
        ("stages: [{use: 'company.stages:Shout'}]",
         "p:1:16: 'company.stages:Shout' has a colon: write 'company.stages.Shout'"),
        ("stages: [{use: gone}]", "p:1:16: cannot import 'gone': AttributeError"),
        ("stages: [{use: half}]",
         "p:1:16: stage 'half' cannot be created: stage 'half' has no method 'finish'"),
        ("stages: [{use: loud_stages.Gone}]",
         "p:1:16: cannot import 'loud_stages.Gone': 'loud_stages' has no 'Gone'"),
        ("stages: [{use: shout, positon: after}]",
         "p:1:23: unknown key 'positon', did you mean 'position'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(section: str, problem: str) -> None:
    assert refusal(section) == problem


@pytest.mark.usefixtures("installed")
def test_options_that_a_stage_does_not_take_are_refused() -> None:
    assert refusal("stages: [{use: shout, options: {volume: 3}}]").startswith(
        "p:1:16: stage 'shout' cannot be created: "
    )
