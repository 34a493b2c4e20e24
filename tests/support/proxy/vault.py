"""A proxy with a vault."""

from __future__ import annotations

from typing import Any

from guardstream import Guard, Policy
from guardstream.operations import operations

MAIL = "ann.lee@example.com"


POLICY = r"""
rules: [{id: word, words: [secret], replacement: "#"}]
input: {rules: [{id: email, pattern: '[a-z.]+@[a-z.]+\.[a-z]{2,}', reversible: true}]}
vault: {tools: {send: [to]}}
"""


def settings(policy: str = POLICY) -> dict[str, Any]:
    parsed = Policy.parse(policy)
    guard = Guard(parsed, rules_only=True)
    around = operations(parsed)
    assert around is not None
    return {"guards": {"default": guard}, "operations": {"default": around}}
