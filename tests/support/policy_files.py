"""Policies of other systems, as files to import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

POLICY = """\
rules:
  - id: word
    description: a reason
    words: [secret, 敏感词]
    normalize: [case, width]
    replacement: "*"
    tests: [{input: "a Secret", output: "a ******"}, {clean: secrets}]
  - id: card
    pattern: '(?<![0-9])[0-9]{16}(?![0-9])'
    validate: luhn
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def dataset(folder: Path, *records: object) -> Path:
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path
