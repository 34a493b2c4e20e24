"""Bytes behind a gate."""

from __future__ import annotations

from guardstream import Guard, Policy

POLICY = """
rules: [{id: w, words: [bluebird]}]
gate: [{use: 'gate_checks:check', id: mine, action: block}]
"""


def guarded(policy: str = POLICY) -> Guard:
    return Guard(Policy.parse(policy, allow_code=["gate_checks:check"]))
