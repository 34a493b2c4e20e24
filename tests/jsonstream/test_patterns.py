"""A schema's `pattern`: what JavaScript takes is taken, and nothing runs without a bound."""

from __future__ import annotations

import pytest

from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.schema.patterns import STEPS, check, loosened
from guardstream.jsonstream.schema.schema import Schema


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        (r"^[a-z]+$", "abc", "ab1"),
        (r"^(?!foo$)\w+$", "food", "foo"),
        (r"^(\w)\1$", "aa", "ab"),
        # What stands for itself without the flag `u` (ECMA-262, annex B.1.2).
        (r"^[\w-.]+$", "a-b.c", "a b"),
        (r"^[a-c]]?$", "a]", "ab"),
        (r"^\${.*}$", "${a}", "$a"),
        (r"^{a}{2}$", "{a}}", "{a}"),
        (r"^a{1,}{$", "aa{", "{"),
    ],
)
def test_patterns_mean_what_they_mean_elsewhere(pattern, allowed, refused):
    found = check(pattern)
    assert found(allowed)
    assert not found(refused)


@pytest.mark.parametrize("pattern", [r"^[\w-.]$", r"a{2}{", r"]", r"\]", "[a]", r"[x-\d]"])
def test_loosening_again_changes_nothing(pattern):
    assert loosened(loosened(pattern)) == loosened(pattern)


@pytest.mark.parametrize("pattern", ["(", "*a", "(?1)", "[a"])
def test_what_no_engine_runs_is_refused_with_its_place(pattern):
    with pytest.raises(SchemaError, match=r"^/properties/a: a pattern is no"):
        Schema({"properties": {"a": {"pattern": pattern}}})


def test_a_pattern_that_turns_back_too_often_refuses():
    found = check(r"^(a|aa)+$(?<!x)b?")
    assert found("a" * 10)
    assert not found("a" * (STEPS // 10) + "!")


def test_schemas_from_generators_refer_to_names_that_no_uri_has():
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/definitions/Partial<Record<string,number>>",
        "definitions": {"Partial<Record<string,number>>": {"type": "object"}},
    }
    assert Schema(schema).node.all_of


@pytest.mark.parametrize("at", ["#/properties/multipleOf", "#/definitions/positiveInteger"])
def test_a_part_of_a_metaschema_may_be_referred_to(at):
    schema = Schema({"$ref": f"http://json-schema.org/draft-04/schema{at}"}, draft="draft-04")
    assert schema.verdict(3, "3") is None
    assert schema.verdict(-3, "-3") is not None
    with pytest.raises(SchemaError, match="leads nowhere"):
        Schema({"$ref": "http://json-schema.org/draft-04/schema#/nothing"})


def test_nothing_is_fetched_for_a_document_either():
    documents = {"http://x/a": {"$defs": {"b": {"$ref": "http://localhost:9/b"}}}}
    assert Schema({"$ref": "http://x/a"}, documents=documents).verdict(1, "1") is None
    documents["http://x/a"]["$ref"] = "#/$defs/b"
    with pytest.raises(SchemaError, match="nothing is fetched"):
        Schema({"$ref": "http://x/a"}, documents=documents)
