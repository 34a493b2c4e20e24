"""Each tool's arguments are judged by that tool's schema, each call by itself, and none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream.errors import PolicyError
from guardstream.policy import Policy


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("json:\n  tools:\n    a: {schema: {type: int}}\n", "p.yaml:3:24: cannot use the schema: "),
        ("json:\n  tools:\n    a: {schema: no.json}\n", "p.yaml:3:17: cannot use the schema: "),
        ("json:\n  tools: {a: {scheme: x}}\n", "p.yaml:2:15: unknown key 'scheme', did you mean"),
        ("json:\n  channels: [tool_args]\n  tools: {a: {}}\n",
         "p.yaml:3:10: the channel 'tool_args' has a schema too: leave it out of 'channels'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tool_is_named_where_it_stands(policy, message):
    with pytest.raises(PolicyError) as caught:
        Policy.parse(policy, name="p.yaml")
    assert str(caught.value).startswith(message)


def test_the_schema_of_a_tool_may_be_a_file_of_another_draft(tmp_path: Path):
    (tmp_path / "old.json").write_text('{"minimum": 3, "exclusiveMinimum": true}')
    policy = "json: {draft: '2020-12', tools: {a: {schema: old.json, draft: draft-04}}}\n"
    stages = Policy.parse(policy, folder=tmp_path).stages("tool_args", "a")
    assert stages[0].feed("3 ")[-1].reason == "content_filter"
