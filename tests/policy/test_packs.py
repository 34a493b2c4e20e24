"""The packs do what their own tests say, cut anywhere."""

from __future__ import annotations

import pytest

from guardstream import Guard, Result
from guardstream.policy import packs
from guardstream.policy.model import CaseFile

GUARDS = {name: Guard.load(packs.pack(name)) for name in packs.names()}

CASES = [
    pytest.param(name, case, id=f"{name}-{rule}-{number}")
    for name, guard in GUARDS.items()
    for rule, cases in guard.policy.tests.items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize("name", GUARDS)
def test_every_rule_has_tests_for_both_sides(name: str) -> None:
    policy = GUARDS[name].policy
    for rule in policy.rules:
        assert [case for case in policy.tests[rule.id] if case.clean], rule.id
        assert rule.action == "monitor" or [case for case in policy.tests[rule.id] if case.input]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_inline_tests_hold_in_every_two_part_split(name: str, case: CaseFile) -> None:
    guard = GUARDS[name]
    text = case.clean if case.input is None else case.input
    expected = case.clean if case.input is None else case.output
    assert text is not None
    whole = guard.check(text)
    assert whole.text == expected
    if case.clean is not None:
        assert not [finding for finding in whole.findings if finding.action != "monitor"]
    for cut in range(len(text)):
        assert played(guard, [text[:cut], text[cut:]]) == whole
    assert played(guard, list(text)) == whole


def played(guard: Guard, chunks: list[str]) -> Result:
    stream = guard.wrap_sync(chunks)
    stream.text()
    return stream.result
