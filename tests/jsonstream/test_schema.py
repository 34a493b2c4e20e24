"""A schema refuses at the first character that leaves no valid continuation, and never before."""

from __future__ import annotations

import json
import random
import re
from collections import Counter

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from guardstream.jsonstream.document import Document
from guardstream.jsonstream.errors import SchemaError, SchemaViolationError
from guardstream.jsonstream.lexer.lexer import Limits
from guardstream.jsonstream.schema.refused import Budget
from guardstream.jsonstream.schema.schema import Schema
from tests.jsonstream import bfcl
from tests.jsonstream.corpora import cut, cuttings, needs_corpus, schema_groups
from tests.support.effort import bytes_allocated, lines_executed


def check(schema, chunks, **options):
    """The document after all chunks."""
    document = Document(schema, **options)
    for chunk in chunks:
        document.feed(chunk)
        if document.error or document.done:
            break
    document.finish()
    return document


CLOSED = {"properties": {"alpha": {}, "alter": {}}, "additionalProperties": False}
CAT = {"kind": {"const": "cat"}, "lives": {"type": "integer"}}
DOG = {"kind": {"const": "dog"}, "name": {"type": "string"}}
PET = {
    "oneOf": [
        {"properties": CAT, "required": ["kind"]},
        {"properties": DOG, "required": ["kind"]},
    ]
}

#: A schema, a text with `|` where it is refused, the keyword.
EARLIEST = [
    ({"type": "object"}, '|"x"', "type"),
    ({"type": ["string", "null"]}, "|12", "type"),
    ({"items": {"type": "integer"}}, "[1, 2.5|]", "type"),
    ({"enum": ["red", "green"]}, '"gre|y"', "enum"),
    ({"enum": ["red", "green"]}, '"gree|"', "enum"),
    ({"enum": ["red", 3, None]}, "|true", "type"),
    ({"enum": [[1, 2], {"a": 3}]}, "[1, |3]", "const"),
    ({"const": "a"}, '"\\u006|2"', "enum"),  # an escape is judged at its last character
    ({"const": "x", "enum": ["y"]}, '|""', "type"),  # no value is in both
    ({"const": {"a": [1]}}, '{"a": [1|, 2]}', "maxItems"),
    (CLOSED, '{"|beta": 1}', "additionalProperties"),
    (CLOSED, '{"al|l": 1}', "additionalProperties"),
    (CLOSED, '{"alpha|bet": 1}', "additionalProperties"),
    (CLOSED, '{"alpha": 1, "al|pha": 2}', "additionalProperties"),
    (CLOSED, '{"alpha": 1, "alter": 2|, "x": 3}', "additionalProperties"),
    ({"maxLength": 3}, '"abc|d"', "maxLength"),
    ({"minLength": 3}, '"ab|"', "minLength"),
    ({"pattern": "^a+$"}, '"aa|b"', "pattern"),
    ({"items": {"type": "string"}, "maxItems": 2}, '["a", "b"|, "c"]', "maxItems"),
    ({"maxItems": 0}, "[|1]", "maxItems"),
    ({"minItems": 2}, "[1|]", "minItems"),
    ({"prefixItems": [{}], "items": False}, "[1|, 2]", "items"),
    ({"maxProperties": 1}, '{"a": 1|, "b": 2}', "maxProperties"),
    ({"required": ["a"]}, '{"b": 1|}', "required"),
    ({"properties": {"a": False}}, '{"a|": 1}', "properties"),
    (
        {"properties": {"never": False, "a": {}}, "additionalProperties": False},
        '{"|never": 1}',
        "additionalProperties",
    ),
    ({"properties": {"a": {"maximum": 10}}}, '{"a": 11|}', "maximum"),
    ({"properties": {"a": {"minimum": 0}}}, '{"a": -|1, "b": 2}', "minimum"),
    ({"items": {"multipleOf": 3}}, "[3, 4|]", "multipleOf"),
    ({"patternProperties": {"^n_": {"type": "number"}}}, '{"n_a": |"x"}', "type"),
    ({"propertyNames": {"pattern": "^[a-z]+$"}}, '{"A|": 1}', "propertyNames"),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "|1", "type"),
    ({"anyOf": [{"const": "ab"}, {"const": "ad"}]}, '"a|c"', "anyOf"),
    ({"allOf": [{"required": ["a"]}, {"maxProperties": 1}]}, '{"b": 1|}', "required"),
    (PET, '{"kind": "dog", "name": |3}', "oneOf"),
    (PET, '{"kind": "c|ow"}', "oneOf"),
    ({"not": {"type": "string"}}, '|"a"', "type"),
    ({"uniqueItems": True}, "[1, 2, 1.0|, 3]", "uniqueItems"),
    ({"uniqueItems": True}, '[{"a": 1}, {"a": 1|}]', "uniqueItems"),
    ({"contains": {"type": "string"}}, "[1, 2|]", "contains"),
    ({"dependentRequired": {"a": ["b"]}}, '{"a": 1|}', "dependentRequired"),
    ({"properties": {"a": {}}, "unevaluatedProperties": False}, '{"|b": 1}',
     "unevaluatedProperties"),
    ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}, "type": "array"}}},
     "[[], [[|1]]]", "type"),
    ({"$ref": "#here", "$defs": {"a": {"$anchor": "here", "type": "array"}}}, "|1", "type"),
    ({"$dynamicRef": "#n", "$defs": {"a": {"$dynamicAnchor": "n", "type": "null"}}}, "|1", "type"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "marked", "keyword"), EARLIEST)
def test_it_refuses_at_the_earliest_character(schema, marked, keyword):
    offset, text = marked.index("|"), marked.replace("|", "")
    for chunks in cuttings(text, random.Random(0)):
        error = check(Schema(schema), chunks).error
        assert isinstance(error, SchemaViolationError)
        assert (error.offset, error.keyword) == (offset, keyword)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer"}, "1.0"),
        ({"type": "integer"}, "10e-1"),
        ({"maximum": 10}, "100e-1"),
        ({"const": 1}, "1.0"),
        ({"enum": ["a", "ab"]}, '"ab"'),
        ({"anyOf": [{"maxLength": 2}, {"minLength": 5}]}, '"abcdef"'),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, '{"c": 1, "b": 2}'),
        (PET, '{"name": "x", "kind": "dog"}'),
        (
            {"oneOf": [{"uniqueItems": True}, {"properties": {"b": {"type": "null"}}}]},
            '{"a": "x", "b": "x"}',
        ),
        ({"anyOf": [{"items": {}}, {"items": {}}], "uniqueItems": True}, '[{"a": [1], "b": [1]}]'),
        (
            {"properties": {"a": {"anyOf": [{"uniqueItems": True, "minItems": 1}, {"const": 1}]}}},
            '{"a": {"b": [], "c": []}}',
        ),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, '{"b": 1, "a": 2}'),
        ({"if": {"enum": ["a"], "const": "b"}, "then": False}, '"a"'),
    ],
)
def test_it_refuses_no_beginning_of_a_valid_document(schema, text):
    for chunks in cuttings(text, random.Random(0)):
        assert check(Schema(schema), chunks).done


SCHEMAS = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number", "null"]),
            "enum": st.lists(st.sampled_from(["a", "ab", 1, 2.5, None, [1], {"a": 1}]), min_size=1,
                             unique_by=json.dumps),
            "maxLength": st.integers(0, 3), "minLength": st.integers(0, 2),
            "maximum": st.integers(0, 5), "multipleOf": st.sampled_from([1, 2, 0.5]),
            "maxItems": st.integers(0, 2), "uniqueItems": st.booleans(),
            "required": st.lists(st.sampled_from("ab"), unique=True),
            "maxProperties": st.integers(0, 2),
            "properties": st.dictionaries(st.sampled_from(["a", "ab", "b"]), SCHEMAS, max_size=2),
            "additionalProperties": st.booleans() | SCHEMAS,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), SCHEMAS, max_size=1),
            "unevaluatedProperties": st.booleans(),
            "items": SCHEMAS, "prefixItems": st.lists(SCHEMAS, min_size=1, max_size=2),
            "unevaluatedItems": st.booleans(), "contains": SCHEMAS,
            "anyOf": st.lists(SCHEMAS, min_size=1, max_size=3),
            "oneOf": st.lists(SCHEMAS, min_size=1, max_size=3),
            "allOf": st.lists(SCHEMAS, min_size=1, max_size=2),
            "not": SCHEMAS, "if": SCHEMAS, "then": SCHEMAS, "else": SCHEMAS,
            "$ref": st.just("#"),
        },
    )
)  # fmt: skip
INSTANCES = st.recursive(
    st.sampled_from(["", "a", "ab", "abc", 0, 1, 2.5, 3, None, True]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "ab", "b"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(SCHEMAS, INSTANCES, st.randoms(use_true_random=False))
def test_the_verdict_is_jsonschemas_in_any_cutting(schema, instance, rng):
    if schema.get("$ref"):  # in place it would be a loop
        schema = {"items": schema, "properties": {"a": schema}}
    text = json.dumps(instance)
    compiled = Schema(schema)
    valid = jsonschema_rs.Draft202012Validator(schema).is_valid(instance)
    outcomes = set()
    for chunks in ([text], list(text), cut(text, rng)):
        document = check(compiled, chunks)
        assert document.done == valid
        outcomes.add((str(document.error), document.offset))
    assert len(outcomes) == 1


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"$ref": "https://example.com/a.json"}, "nothing is fetched"),
        ({"$ref": "#/$defs/nothing"}, "leads nowhere in this schema"),
        ({"allOf": [{}], "$ref": f"#/allOf/{5_000 * '1'}"}, "leads nowhere in this schema"),
        ({"items": {"$ref": "http://[::1"}}, "/items: the reference 'http://[::1' is not a URI"),
        ({"items": {"$id": "//[::1"}}, "/items/$id: the identifier '//[::1' is not a URI"),
        ({"properties": {"a": {"type": "dict"}}}, "/properties/a/type"),
        ({"pattern": "(a"}, "/: a pattern is not a regular expression"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "$schema"),
    ],
)
def test_what_cannot_be_checked_is_refused_when_loaded(schema, part):
    with pytest.raises(SchemaError, match=re.escape(part)):
        Schema(schema)


@pytest.mark.parametrize(
    ("wrapped", "place"),
    [
        ({"type": "json_schema", "json_schema": {"schema": {}}}, "'json_schema.schema'"),
        ({"type": "function", "function": {"parameters": {}}}, "'function.parameters'"),
        ({"type": "function", "name": "f", "parameters": {}}, "'parameters'"),
        ({"format": {"type": "json_schema", "schema": {}}}, "'format.schema'"),
        ({"name": "f", "inputSchema": {}}, "'inputSchema'"),
        ({"name": {"type": "string"}}, "put members under 'properties'"),
        ({"functionDeclarations": [{"parameters": {}}]}, "no keyword of JSON Schema"),
    ],
)
def test_what_has_a_schema_in_it_is_refused_with_where_it_is(wrapped, place):
    with pytest.raises(SchemaError, match=re.escape(place)):
        Schema(wrapped)


@pytest.mark.parametrize("plain", [{}, {"title": "X"}, {"$comment": "x", "more": {}}, {"x": "y"}])
def test_a_schema_may_say_nothing(plain):
    assert check(Schema(plain), ["[1]"]).done


def test_what_is_no_schema_is_named():
    class Order(BaseModel):
        id: int

    with pytest.raises(TypeError, match="Order': use ModelSchema"):
        Schema(Order)
    for other in ('{"type": "object"}', [{"type": "object"}], Order(id=1), None):
        with pytest.raises(TypeError, match="a schema is a mapping, True or False, not"):
            Schema(other)


def test_a_pattern_that_explodes_elsewhere_is_linear():
    schema = Schema({"pattern": "^(a+)+$"})
    document = check(schema, ['"' + "a" * 100_000 + 'b"'])
    assert isinstance(document.error, SchemaViolationError)


@pytest.mark.parametrize(
    ("schema", "begun"),
    [
        ({"pattern": "^a"}, '"'),
        ({"anyOf": [{"pattern": "^a"}, {"pattern": "^aa"}]}, '"'),
        ({"anyOf": [{"required": ["x"]}, {"minProperties": 1}]}, '{"'),
        ({"patternProperties": {"^a": {}}, "additionalProperties": False}, '{"'),
    ],
)
def test_a_character_costs_the_same_however_long_its_string_is(schema, begun):
    def cost(size):
        document = Document(Schema(schema))
        document.feed(begun + "a" * size)
        document.feed("a")
        lines = lines_executed(lambda: document.feed("a"))
        copied = bytes_allocated(lambda: document.feed("a"))
        assert document.error is None
        return lines, copied

    (few, little), (many, much) = cost(100), cost(1_000_000)
    assert many < 2 * few
    assert much < little + 100_000


def test_branches_that_multiply_are_bounded():
    branch = {"items": {"$ref": "#"}}
    schema = Schema({"anyOf": [branch, {**branch, "minItems": 0}, {**branch, "maxItems": 9}]})
    text = "[" * 60 + "]" * 60
    assert check(schema, [text]).done


def test_a_union_of_many_resources_is_followed():
    kinds = [f"Kind{at}" for at in range(200)]
    resources = {
        kind: {"properties": {"type": {"const": kind}, kind: {}}, "additionalProperties": False}
        for kind in kinds
    }
    union = {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds], "$defs": resources}
    error = check(Schema(union), ['{"type": "Kind199", "Kind1": {}}']).error
    assert (error.offset, error.keyword) == (26, "oneOf")


def test_a_union_that_stays_open_is_followed_in_part():
    budget = Budget(0)
    assert budget.runs() == 256
    for _ in range(9):
        budget.follow(budget.runs())
    assert budget.runs() == 136


def test_a_value_whose_key_comes_again_leaves_no_verdict_behind():
    tagged = {"required": ["tag"]}
    free = {"not": {"$ref": "#/$defs/tagged"}}
    members = {"free": free, "tagged": {"not": free}}
    schema = Schema({"properties": members, "$defs": {"tagged": tagged}})
    text = "{" + '"free": {"a": {}}, "tagged": {"tag": [1]}, "other": {}, ' * 100 + '"end": 1}'
    assert check(schema, [text], duplicates=True).error is None


def test_a_scalar_document_is_judged_at_its_end():
    assert check(Schema({"minimum": 5}), ["4"]).error.offset == 1
    assert check(Schema({"minimum": 5}), ["55 "]).done


def test_violations_name_the_value():
    error = check(Schema({"items": {"required": ["a"]}}), ['[{"a": 1},\n {"b": 1}]']).error
    assert (error.pointer, error.line, error.column) == ("/1", 2, 9)


def test_limits_hold_with_a_schema():
    assert check(Schema({}), ["[" * 200], limits=Limits(depth=10)).error.offset == 10


@pytest.mark.parametrize("schema", [True, {"type": "integer"}, {"enum": [1]}, {"multipleOf": 7}])
def test_no_integer_is_longer_than_python_reads(schema):
    limits = Limits(digits=10_000)
    error = check(Schema({"items": schema}), ["[" + "7" * 5_000], limits=limits).error
    assert error.offset <= 1 + 4_300
    assert check(None, ["[" + "7" * 5_000 + "]"], limits=limits).done


def _is_refused(schema):
    try:
        Schema(schema)
    except SchemaError:
        return True
    return False


@needs_corpus
@pytest.mark.corpus
def test_the_schema_suite_and_the_share_refused_early(capsys):
    rng = random.Random(0)
    refused, early, invalid = 0, Counter(), Counter()
    for keyword, group in schema_groups():
        if "localhost:1234" in json.dumps(group["schema"]) and _is_refused(group["schema"]):
            # It refers to documents that are not in the suite's own file.
            refused += len(group["tests"])
            continue
        schema = Schema(group["schema"])
        for case in group["tests"]:
            text = json.dumps(case["data"], ensure_ascii=rng.random() < 0.5)
            outcomes = set()
            for chunks in cuttings(text, rng):
                document = check(schema, chunks)
                assert document.done == case["valid"], (group["description"], case["description"])
                assert not document.done or document.value == case["data"]
                outcomes.add((str(document.error), document.offset))
            assert len(outcomes) == 1
            if not case["valid"]:
                invalid[keyword] += 1
                early[keyword] += document.offset < len(text) - 1
    with capsys.disabled():
        print(f"\nrefused before the last character: {early.total()} of {invalid.total()}")
        print(", ".join(f"{each} {early[each]}/{invalid[each]}" for each in sorted(invalid)))
    assert refused == 49
    assert early.total() / invalid.total() > 0.6


@needs_corpus
@pytest.mark.corpus
def test_tool_calls_are_accepted_as_jsonschema_accepts_them():
    rng = random.Random(0)
    valid = 0
    for schema, text in bfcl.cases():
        expected = jsonschema_rs.Draft202012Validator(schema).is_valid(json.loads(text))
        for chunks in ([text], list(text), cut(text, rng)):
            document = check(Schema(schema), chunks)
            assert document.done == expected
            assert not expected or document.value == json.loads(text)
        valid += expected
    assert valid > 500


@pytest.mark.parametrize("schema", [{"properties": {"a": {}}}, {}])
def test_an_object_that_may_have_no_member_is_refused_at_its_first_key(schema):
    for chunks in cuttings('{ "a": 1, "b": 2}', random.Random(0)):
        error = check(Schema({**schema, "maxProperties": 0}), chunks).error
        assert (error.offset, error.keyword) == (2, "maxProperties")
