"""The packs do what their own tests say, cut anywhere, and are fit to be read and extended."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from guardstream import Guard, Policy, PolicyError, Text
from guardstream.policy import inline, packs, schema
from guardstream.policy.lint import warnings

NAMES = packs.names()


@cache
def policy(name: str) -> Policy:
    return Policy.load(packs.pack(name))


OVERFLOWING = {
    "aws-secret-key",
    "dropbox-token",
    "email",
    "flyio-token",
    "framework-key",
    "google-oauth",
    "jwt",
    "link-signature",
    "onepassword-secret",
    "paseto-token",
    "private-key",
    "workato-token",
}
"""Rules for values that are longer than anyone would hold back; they overflow into a mask."""


@pytest.mark.parametrize("name", NAMES)
def test_inline_tests_hold_in_every_chunking(name: str) -> None:
    outcomes = list(inline.run(policy(name).built))
    assert [outcome for outcome in outcomes if outcome.problem] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_has_tests_for_both_sides(name: str) -> None:
    assert inline.untested(policy(name).built) == []


@pytest.mark.parametrize("name", NAMES)
def test_lint_warns_only_of_what_must_overflow(name: str) -> None:
    lines = [line for line in warnings(policy(name).built) if "the rest overflows" not in line]
    assert lines == []


def test_only_long_values_overflow() -> None:
    lines = warnings(policy("secrets").built)
    assert {line.split("'")[1] for line in lines} <= OVERFLOWING | {"url-password", "curl-password"}


@pytest.mark.parametrize("name", NAMES)
def test_the_header_says_what_it_covers_and_from_where(name: str) -> None:
    text = packs.pack(name).read_text(encoding="utf-8")
    head = text.split("version: 1")[0]
    assert head.startswith("# yaml-language-server: $schema=./policy.schema.json\n")
    assert "# Covers: " in head or "# Masks: " in head
    assert "# Sources: " in head
    assert policy(name).name == name


@pytest.mark.parametrize("name", sorted({*NAMES} - {"extraction"}))  # it drops prose
@pytest.mark.parametrize("white", [" ", "\t", "\n"], ids=["space", "tab", "line"])
def test_white_space_is_not_held(name: str, white: str) -> None:
    white *= 100
    events = Guard(policy(name)).session().feed(f"| a cell{white}")
    released = "".join(event.text for event in events if isinstance(event, Text))
    assert len(released) > len(white)


def test_secrets_knows_sixty_kinds() -> None:
    assert len(policy("secrets").rules) >= 60


def test_the_schema_for_editors_is_that_of_the_model() -> None:
    file: Path = packs.folder() / "policy.schema.json"
    assert file.read_text(encoding="utf-8") == schema.text(), "run: guardstream schema"


def test_editors_are_told_what_each_key_is_for() -> None:
    made = schema.schema()
    for name, shape in {"": made, **made["$defs"]}.items():
        for key, said in shape.get("properties", {}).items():
            assert said.get("description"), (name, key)


def test_that_packs_are_not_there_as_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "folder", lambda: tmp_path / "app.zip" / "policies")
    with pytest.raises(PolicyError, match="install the package unpacked"):
        packs.pack("chat")


ESCAPED = (
    "a\\n%s\\n",
    "\\u003c%s\\u003e",
    "\\u201c%s\\u201d",
    "\\x22%s\\x22",
    "q=1%%26v%%3D%s%%26",
    "u=a%%253Dv%%2522%s%%2522",
    "v=3D%s=",
    "a\\0%s\\0",
    "v%%20%s",
    "\x1b[1;32m%s\x1b[0m",
)
"""A value where code, JSON, addresses and terminals put it: at the end of an escape."""


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("pii-")])
def test_a_value_that_is_found_alone_is_found_after_an_escape(name: str) -> None:
    guard = Guard(policy(name))
    inputs = [case.input for rule in policy(name).file.rules for case in rule.tests if case.input]
    values = {text[f.start : f.end] for text in inputs for f in guard.check(text).findings}
    found_alone = [value for value in values if guard.check(value).text != value]
    planted = [(value, way % value) for value in found_alone for way in ESCAPED]
    assert [text for value, text in planted if value in guard.check(text).text] == []


@pytest.mark.parametrize("name", sorted({*NAMES} - {"extraction"}))  # it drops prose
def test_what_begins_a_text_is_found_after_an_escaped_line_break(name: str) -> None:
    guard = Guard(policy(name))
    cases = [case for rule in policy(name).file.rules for case in rule.tests]
    begun = [case.input for case in cases if case.input and case.input[0].isalnum()]
    escapes = ("a\\n", "a\\\\n")  # in JSON, and in JSON inside JSON
    missed = [
        escape + text
        for text in begun
        for escape in escapes
        if guard.check(escape + text).text != escape + guard.check(text).text
    ]
    assert missed == []
