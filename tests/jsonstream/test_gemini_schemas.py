"""Schemas as Gemini has them: types in capitals, counts as strings, `nullable`."""

import json

import pytest

from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict

SCHEMA = {
    "type": "OBJECT",
    "properties": {
        "name": {"type": "STRING", "maxLength": "3", "nullable": True},
        "type": {"type": "STRING", "format": "enum", "enum": ["a", "b"], "nullable": True},
        "sizes": {"type": "ARRAY", "minItems": "1", "items": {"type": "INTEGER"}},
        "either": {"anyOf": [{"type": "NUMBER"}, {"type": "BOOLEAN"}], "nullable": True},
        "free": {"type": "TYPE_UNSPECIFIED"},
    },
    "required": ["name"],
    "propertyOrdering": ["name", "type"],
    "example": {"type": "STRING"},
}


def allows(schema, value, **options):
    text = json.dumps(value)
    found = {verdict(cut, Schema(schema, **options)) is None for cut in ([text], list(text))}
    (allowed,) = found
    return allowed


@pytest.mark.parametrize("options", [{}, {"draft": "openapi-3.0"}])
@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ({"name": "abc"}, True),
        ({"name": None, "type": None, "either": None, "free": [1]}, True),
        ({"name": "abc", "type": "b", "sizes": [1], "either": True, "more": 1}, True),
        ({"name": "abcd"}, False),
        ({"name": "abc", "type": "c"}, False),
        ({"name": "abc", "sizes": []}, False),
        ({"name": "abc", "sizes": [1.5]}, False),
        ({"name": "abc", "sizes": None}, False),
        ({"name": "abc", "either": "x"}, False),
        ({"type": "a"}, False),
        ([], False),
    ],
)
def test_they_are_read_as_what_they_mean(value, allowed, options):
    assert allows(SCHEMA, value, **options) == allowed


def test_null_is_allowed_wherever_it_is_said():
    schema = {
        "type": "OBJECT",
        "properties": {
            "nothing": {"type": "NULL", "nullable": True},
            "named": {"ref": "#/$defs/n", "nullable": True},
        },
        "defs": {"n": {"type": "INTEGER"}},
    }
    assert allows(schema, {"nothing": None, "named": None})
    assert allows(schema, {"named": 1})
    assert not allows(schema, {"named": "x"})


def test_keywords_may_have_underscores_as_the_python_packages_write_them():
    items = {"type": "STRING", "max_length": 1}
    schema = {"any_of": [{"type": "ARRAY", "max_items": 2, "items": items}, {"type": "NULL"}]}
    assert allows(schema, ["a", "b"])
    assert allows(schema, None)
    assert not allows(schema, ["ab"])
    assert not allows(schema, ["a", "b", "c"])


def test_a_schema_stays_as_it_is():
    before = json.dumps(SCHEMA)
    Schema(SCHEMA)
    assert json.dumps(SCHEMA) == before


@pytest.mark.parametrize(
    ("schema", "options"),
    [
        ({"type": "STRING"}, {"draft": "2020-12"}),
        ({"type": "Strings"}, {}),
        ({"type": "OBJECT", "properties": {"a": {"type": "Object"}}}, {}),
        ({"type": "ARRAY", "minItems": "some"}, {}),
    ],
)
def test_what_is_none_is_refused(schema, options):
    with pytest.raises(SchemaError):
        Schema(schema, **options)


def test_a_deep_one_is_an_error():
    schema = {"type": "STRING"}
    for _ in range(3_000):
        schema = {"type": "ARRAY", "items": schema}
    with pytest.raises(SchemaError, match="nested too deeply"):
        Schema(schema)
