"""A mask yields to another by name: what it would have swallowed is kept."""

from __future__ import annotations

from itertools import product

import pytest

from guardstream import Finding, Guard, Policy, PolicyError, Text
from tests.support.reference import check_whole

POLICY = """
%s
rules:
  - {id: mail, pattern: '[a-z]+@[a-z]+', yields: [pass]}
  - {id: pass, pattern: ':(?<value>[a-z]+)@', group: value, severity: high%s}
"""

TEXTS = ["".join(parts) for n in range(1, 6) for parts in product("a:@", repeat=n)]


def guard(settings: str = "", rule: str = "") -> Guard:
    return Guard(Policy.parse(POLICY % (settings, rule)))


def test_what_begins_in_a_match_of_the_other_is_kept() -> None:
    shown = guard().check("x :abc@host, ann@host").text
    assert shown == "x :[pass]@host, [mail]"


def test_a_match_with_one_of_the_other_inside_is_refused() -> None:
    text = "rules: [{id: all, pattern: '<[^>]*>', yields: [no]}, {id: no, pattern: '[0-9]+'}]"
    assert Guard(Policy.parse(text)).check("<a 12> <b> <c").text == "<a [no]> [all] <c"


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_as_the_reference_says_in_any_chunks(text: str) -> None:
    yields = guard()
    expected = check_whole(Policy.parse(POLICY % ("", "")).built.rulesets["text"].rules, text)
    session = yields.session()
    events = [event for char in text for event in session.feed(char)] + session.finish()
    shown = "".join(event.text for event in events if isinstance(event, Text))
    found = [event for event in events if isinstance(event, Finding)]
    assert (shown, sorted(found, key=lambda f: (f.start, f.end))) == expected
    assert yields.check(text).text == shown


@pytest.mark.parametrize(
    ("settings", "rule"),
    [("on_error: allow", ""), ("", ", enabled: false"), ("", ", channels: [tool_args]")],
)
def test_nothing_yields_to_a_rule_that_may_not_mask(settings: str, rule: str) -> None:
    assert "abc" not in guard(settings, rule).check(":abc@host").text


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{id: a, pattern: x, yields: [pas]}, {id: pass, pattern: y}", "did you mean 'pass'?"),
        ("{id: a, pattern: x, yields: [b]}, {id: b, words: [y]}", "has no pattern"),
        ("{id: a, pattern: x, yields: [b]}, {id: b, pattern: y, action: monitor}", "only a mask"),
        ("{id: a, pattern: x, yields: [b], action: block}, {id: b, pattern: y}", "only a mask"),
        ("{id: a, pattern: x, yields: [b], severity: high}, {id: b, pattern: y}", "more severe"),
        ("{id: a, pattern: x, yields: [b]}, {id: b, pattern: y, yields: [a]}", "yields to it"),
        ("{id: a, pattern: x, yields: [a]}", "yields to it"),
    ],
)
def test_what_cannot_be_yielded_to_is_refused(rules: str, message: str) -> None:
    with pytest.raises(PolicyError, match=r"p:1:\d+: rule 'a': ") as refused:
        Policy.parse(f"rules: [{rules}]", name="p")
    assert message in str(refused.value)
