"""A policy with every key, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream import Policy, PolicyError

FULL = r"""
version: 1
name: all-keys
description: every key once
max_holdback: 64
on_overflow: block
on_error: allow
mode: enforce
block_message: "Stopped."
limits: {max_chars: 1000, stop: [END], idle: 30s, repeat: {min_chars: 5, times: 3}}
rules:
  - id: words
    description: in line
    severity: high
    channels: [text, tool_args]
    words: [no, yes, "on"]
    ignore_case: false
    whole_word: true
    action: mask
    replacement: "*"
    allow: {words: [yes], patterns: ["n."], after: ["say "]}
    tests:
      - {input: "on", output: "**"}
      - {clean: "off"}
  - id: key
    pattern: 'key=(?<value>\w{4,8})'
    group: value
    replacement: {keep: {first: 1, last: 1}}
  - id: several
    pattern: ['ab{2}', 'cd{2}']
    action: block
  - id: off
    words: [never]
    enabled: false
  - id: checked
    words: [vier]
    normalize: [case, width]
    validate: [mod11, {entropy: 1.5}, guardstream.policy.validators.luhn]
    keywords: {words: [card], within: 20}
"""


ALLOWED = ["no:such", "math:tau", "math:nope"]


def problems(text: str, folder: Path = Path()) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, name="p", folder=folder, allow_code=ALLOWED)
    return str(caught.value).splitlines()
