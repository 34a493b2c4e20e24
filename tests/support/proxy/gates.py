"""A proxy with gates."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.gate import Context
from guardstream.operations import operations

POLICY = """
rules: [{id: word, words: [secret], replacement: "#"}]
gate: [{use: 'proxy_checks:check', id: judged, action: block}]
"""


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(text: str, _: Context) -> bool:
        if "fails" in text:
            raise ValueError
        return "bad" not in text

    module = ModuleType("proxy_checks")
    module.check = check  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "proxy_checks", module)


def settings(policy: str = POLICY, *observers: Any) -> dict[str, Any]:
    parsed = Policy.parse(policy, allow_code=["proxy_checks:check"])
    around = operations(parsed)
    assert around is not None
    guard = Guard(parsed, rules_only=True, observers=observers)
    return {"guards": {"default": guard}, "operations": {"default": around}}


def guard(policy: str = POLICY) -> Guard:
    return Guard(Policy.parse(policy, allow_code=["proxy_checks:check"]))
