"""A policy may be extended in some channels only."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream import Guard, Policy, PolicyError

BASE = """
rules:
  - {id: word, words: [bluebird]}
  - {id: args, words: [redbird], channels: [tool_args]}
input: {rules: [{id: asked, words: [greenbird]}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    return tmp_path


def shown(folder: Path, policy: str) -> dict[str, str]:
    guard = Guard(Policy.parse(policy, folder=folder))
    text = "bluebird redbird"
    return {each: guard.check(text, each).text for each in ("text", "thinking", "tool_args")}


def test_its_rules_apply_in_these_channels_alone(folder: Path) -> None:
    assert shown(folder, "extends: [{policy: base.yaml, channels: [text]}]") == {
        "text": "[word] redbird",
        "thinking": "bluebird redbird",
        "tool_args": "bluebird redbird",
    }
    assert shown(folder, "extends: {policy: base.yaml, channels: [text, tool_args]}") == {
        "text": "[word] redbird",
        "thinking": "bluebird redbird",
        "tool_args": "[word] [args]",
    }


def test_a_later_entry_narrows_an_earlier_one_and_the_file_itself_both(folder: Path) -> None:
    extends = "extends: [base.yaml, {policy: base.yaml, channels: [thinking]}]\n"
    assert shown(folder, extends)["text"] == "bluebird redbird"
    own = shown(folder, f"{extends}rules: [{{id: word, channels: [tool_args]}}]")
    assert [own["thinking"], own["tool_args"]] == ["bluebird redbird", "[word] redbird"]


def test_it_holds_for_what_goes_into_a_model(folder: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '"greenbird"'}}
    messages = [{"role": "user", "content": "greenbird", "tool_calls": [call]}]
    for entry in ("{policy: base.yaml, channels: [tool_args]}", "base.yaml"):
        guard = Guard(Policy.parse(f"extends: {entry}", folder=folder))
        (checked,) = guard.check_messages(messages).messages
        assert (checked["content"] == "greenbird") == (entry != "base.yaml")
        assert checked["tool_calls"][0]["function"]["arguments"] == '"[asked]"'


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("{policy: base.yaml}", "missing key 'channels'"),
        ("{policy: base.yaml, channels: []}", "must not be empty"),
        ("{policy: base.yaml, channels: [txt]}", "did you mean 'text'"),
        ("{polcy: base.yaml, channels: [text]}", "did you mean 'policy'"),
        ("{policy: nope.yaml, channels: [text]}", "cannot extend 'nope.yaml'"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, entry: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        Policy.parse(f"extends: [{entry}]", folder=folder)
