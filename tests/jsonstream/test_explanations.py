"""A violation says what was expected and what came, without a character of the document."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field

from guardstream.jsonstream.errors import SchemaViolationError
from guardstream.jsonstream.schema.models import ModelSchema
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict
from tests.jsonstream.corpora import cuttings
from tests.support.json_cuts import SCHEMAS, Writer

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "maximum": 99},
        "name": {"$ref": "#/$defs/name"},
        "kind": {"enum": ["a", "b"]},
        "rows": {"type": "array", "maxItems": 2, "items": {"anyOf": [{"type": "null"},
                 {"type": "object", "required": ["sku"]}]}},
        "more": {"additionalProperties": {"type": "boolean"}},
        "unique": {"uniqueItems": True},
        "not": {"not": {"$ref": "#/$defs/x"}},
        "pets": {"oneOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}]},
        "mixed": {"anyOf": [
            {"properties": {"a": {"type": "null"}, "b": {"type": "string"}}},
            {"properties": {"b": {"type": "null"}}}]},
        "open": {"allOf": [{"properties": {"only": {"const": "x"}}}],
                 "unevaluatedProperties": False},
        "patterns": {"patternProperties": {"^x-": {}, "^x-no$": False},
                     "additionalProperties": False},
    },
    "required": ["id", "name"],
    "additionalProperties": False,
    "$defs": {
        "name": {"type": "string", "maxLength": 5, "pattern": "^[a-z]*$"},
        "x": {"title": "X", "required": ["x"]},
        "cat": {"type": "object", "properties": {"kind": {"const": "cat"}},
                "additionalProperties": False},
        "dog": {"type": "object", "additionalProperties": False,
                "properties": {"kind": {"const": "dog"}, "name": {"type": "string"}}},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[1]", 'at /: expected type "object", got an array'),
        ('{"id": "secret"}', 'at /id: expected type "integer", got a string'),
        ('{"id": 1.5}', 'at /id: expected type "integer", got a number'),
        ('{"id": 100}', "at /id: expected maximum 99, got a number"),
        ('{"name": "secret"}', "at /name: expected maxLength 5, got a string"),
        ('{"name": "SE"}', 'at /name: expected pattern "^[a-z]*$", '
         "got a string"),
        ('{"kind": "secret"}', 'at /kind: expected enum ["a", "b"], got a string'),
        ('{"kind": 7}', 'at /kind: expected enum ["a", "b"], got a number'),
        ('{"id": 1}', 'at /: expected required ["id", "name"], got an object with 1 member'),
        ('{"id": 1, "secret": 2}', 'at /: expected additionalProperties false beside properties '
         '["id", "name", "kind", "rows", "more", "unique", "not", "pets", "mixed", "open", '
         '"patterns"], got a key'),
        ('{"pets": {"kind": "secret"}}', 'at /pets/kind: expected enum ["cat", "dog"], '
         "got a string"),
        # The other branch was refused before: what is left is told alone.
        ('{"pets": {"kind": "dog", "name": 7}}', 'at /pets/name: expected type "string", '
         "got a number"),
        ('{"pets": {"secret": 7}}', "at /pets: expected additionalProperties false beside "
         'properties ["kind", "name"], got a key'),
        ('{"pets": {"kind": "cow"}}', 'at /pets/kind: expected enum ["cat", "dog"], '
         "got a string"),
        ('{"mixed": {"a": 1, "b": "secret"}}', 'at /mixed/b: expected type "null", '
         "got a string"),
        ('{"open": {"secret": 7}}', "at /open: expected unevaluatedProperties false beside "
         'properties ["only"], got a key'),
        ('{"open": {"only": "secret"}}', 'at /open/only: expected const "x", got a string'),
        ('{"patterns": {"secret": 7}}', "at /patterns: expected additionalProperties false beside "
         'patternProperties ["^x-", "^x-no$"], got a key'),
        ('{"patterns": {"x-no": 7}}', 'at /patterns: expected patternProperties {"^x-": {}, '
         '"^x-no$": false}, got a key'),
        ('{"rows": [null, null, 3]}', "at /rows: expected maxItems 2, "
         "got an array with 2 elements"),
        ('{"rows": [true]}', 'at /rows/0: expected type ["null", "object"], got a boolean'),
        ('{"rows": [{}]}', 'at /rows/0: expected required ["sku"], '
         "got an object with 0 members"),
        ('{"more": {"a": true, "secret": null}}', 'at /more/#2: expected type "boolean", '
         "got null"),
        ('{"unique": ["a", "a"]}', "at /unique/1: expected uniqueItems, "
         "got a string of 1 character"),
        ('{"not": {"x": 1}}', 'at /not: expected not {"required": ["x"]}, '
         "got an object with 1 member"),
    ],
)  # fmt: skip
def test_what_was_expected_and_what_came_stand_in_one_line(text, line):
    schema = Schema(ORDER)
    for chunks in cuttings(text, random.Random(0)):
        found = verdict(chunks, schema)
        assert isinstance(found, SchemaViolationError)
        assert str(found.explanation) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"kind": "cat"}', 'at /: expected required ["kind", "lives"], '
         "got an object with 1 member"),
        ('{"kind": "cat", "lives": 12}', "at /lives: expected maximum 9, got a number"),
        ('{"kind": "cat", "name": 1}', "at /: expected additionalProperties false beside "
         'properties ["kind", "lives"], got a key'),
        ('{"kind": "dog", "name": "secret"}', "at /name: expected maxLength 5, got a string"),
        # Nothing has told the branches apart yet.
        ("{}", 'at /: expected oneOf ["object"], got an object with 0 members'),
    ],
)  # fmt: skip
def test_the_branch_that_is_left_of_a_union_says_what_it_expected(text, line):
    cat = {"kind": {"const": "cat"}, "lives": {"type": "integer", "maximum": 9}}
    dog = {"kind": {"const": "dog"}, "name": {"type": "string", "maxLength": 5}}
    branches = [
        {"type": "object", "properties": each, "required": [*each], "additionalProperties": False}
        for each in (cat, dog)
    ]
    schema = Schema({"oneOf": branches})
    for chunks in cuttings(text, random.Random(0)):
        assert str(verdict(chunks, schema).explanation) == line


LATE = {
    "contains": {"type": "integer"},
    "maxContains": 1,
    "not": {"type": "object", "required": ["x"]},
    "dependentRequired": {"a": ["b"]},
    "unevaluatedItems": False,
    "if": {"required": ["c"]},
    "then": {"minProperties": 2},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", 'contains {"type": "integer"}'),
        ("[1, 2]", "maxContains 1"),
        ('[1, "a"]', "unevaluatedItems false"),
        ('{"x": 1}', 'not {"type": "object", "required": ["x"]}'),
        ('{"a": 1}', 'dependentRequired {"a": ["b"]}'),
        ('{"c": 1}', 'if {"required": ["c"]}'),
    ],
)
@pytest.mark.parametrize("schema", [LATE, {"anyOf": [LATE, {"type": "null"}]}])
def test_of_the_keywords_that_decide_at_the_end_the_one_that_refused_is_named(
    schema, text, expected
):
    compiled = Schema(schema)
    for chunks in cuttings(text, random.Random(0)):
        assert verdict(chunks, compiled).explanation.expected == expected


def test_a_condition_is_not_called_a_union():
    schema = Schema({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": False})
    found = verdict(['{"a": 1}'], schema)
    assert (found.keyword, found.explanation.expected) == ("if", 'required ["b"]')


def test_the_one_of_several_that_refuses_is_told():
    found = verdict(['"abc"'], Schema({"allOf": [{"minLength": 2}, {"minLength": 4}]}))
    assert found.explanation.expected == "minLength 4"


def test_an_encoding_is_told_as_the_schema_has_it():
    found = verdict(['"%"'], Schema({"contentEncoding": "base64"}, draft="draft-07"))
    assert (found.keyword, found.explanation.expected) == (
        "contentEncoding",
        'contentEncoding "base64"',
    )


def test_a_long_list_of_values_is_cut():
    schema = Schema({"enum": [f"value {at}" for at in range(1_000)]})
    found = verdict(['"x"'], schema)
    assert len(str(found.explanation)) < 400


def test_a_model_gives_keys_that_it_does_not_name_by_position():
    found = verdict(['{"b": "", "a": 1}'], ModelSchema(dict[str, str]))
    assert (found.pointer, found.explanation.pointer) == ("/a", "/#2")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(description="left", ge=0)]


class Dog(BaseModel):
    model_config = {"extra": "forbid"}
    kind: Literal["dog"]
    name: str | None = None
    born: date = date.min


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{}", 'at /: expected type "array", got an object'),
        ('[{"kind": "cow"}]', 'at /0/kind: expected enum ["cat", "dog"], got a string'),
        ('[{"kind": "cat"}]', 'at /0: expected required ["kind", "lives"], '
         "got an object with 1 member"),
        ('[{"kind": "cat", "lives": -1}]', 'at /0/lives: expected int {"minimum": 0, '
         '"type": "integer"}, got a number'),
        ('[{"kind": "dog", "lives": 1}]', "at /0: expected additionalProperties false beside "
         'properties ["kind", "name", "born"], got a key'),
        ('[{"kind": "dog", "name": 5}]', 'at /0/name: expected type ["string", "null"], '
         "got a number"),
        ('[{"kind": "dog", "born": "x"}]', 'at /0/born: expected date {"format": "date", '
         '"type": "string"}, got a string of 1 character'),
    ],
)  # fmt: skip
def test_a_model_says_what_its_json_schema_does(text, line):
    schema = ModelSchema(list[Annotated[Cat | Dog, Field(discriminator="kind")]])
    for chunks in cuttings(text, random.Random(0)):
        assert str(verdict(chunks, schema).explanation) == line


def even(number):
    if number % 2:
        raise ValueError("odd")
    return number


class Fox(BaseModel):
    kind: Literal["fox"] = "fox"
    dens: Annotated[int, AfterValidator(even)] = 0
    cubs: dict[str, Annotated[int, AfterValidator(even)]] = {}


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        (Fox | int, '{"dens": 1}', "at /dens: expected value_error, got a number"),
        (dict[str, Fox | Cat], '{"a": {"dens": 1}}',
         "at /#1/dens: expected value_error, got a number"),
        (Annotated[Fox | Cat, Field(discriminator="kind")], '{"kind": "fox", "cubs": {"b": 1}}',
         "at /cubs/#1: expected value_error, got a number"),
        (dict[Annotated[str, AfterValidator(int)], int], '{"one": 1}',
         "at /#1: expected value_error, got a number"),
    ],
)  # fmt: skip
def test_the_place_that_a_model_refuses_is_one_in_the_document(kind, text, line):
    for chunks in cuttings(text, random.Random(0)):
        assert str(verdict(chunks, ModelSchema(kind)).explanation) == line


def test_a_model_without_a_json_schema_says_the_keyword():
    class Other(BaseModel):
        call: Callable[[], None] | None = None
        text: str = ""

    found = verdict(['{"text": 5}'], ModelSchema(Other))
    assert found.explanation.expected == "type"
    assert found.explanation.pointer == "/#1"


@pytest.mark.parametrize("seed", range(4))
def test_explanations_do_not_depend_on_the_cut_and_show_no_text(seed):
    writer = Writer(seed)
    for _ in range(300):
        text, schema = writer.text(), writer.rng.choice(SCHEMAS[2:])
        found = {
            (str(each), str(each.explanation))
            for each in (verdict(chunks, schema) for chunks in cuttings(text, writer.rng) if text)
            if isinstance(each, SchemaViolationError)
        }
        assert len(found) < 2, (text, found)


def test_no_key_or_text_of_the_document_is_in_an_explanation():
    secret = "zzsecretzz"
    texts = [{secret: secret}, [{secret: {secret: secret}}], {"more": {secret: [secret]}}]
    model = ModelSchema(dict[str, Cat | dict[str, list[Fox]]])
    for schema in (Schema(ORDER), *SCHEMAS[2:], model):
        for value in texts:
            found = verdict([json.dumps(value)], schema)
            if isinstance(found, SchemaViolationError):
                assert secret not in str(found.explanation)
