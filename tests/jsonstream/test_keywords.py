"""Keywords of a schema that are probably misspelt; those of others are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream.jsonstream.schema.dialects import DIALECTS
from guardstream.jsonstream.schema.keywords import slips
from tests.jsonstream import bfcl
from tests.jsonstream.corpora import DRAFTS, needs_corpus, schema_groups, schema_suite


@pytest.mark.parametrize(
    ("schema", "path", "meant"),
    [
        ({"propertys": {}}, ("propertys",), "properties"),
        ({"requried": ["a"]}, ("requried",), "required"),
        ({"items": [{}, {"maxLenght": 1}]}, ("items", 1, "maxLenght"), "maxLength"),
        ({"properties": {"1": {"typ": "x"}}}, ("properties", "1", "typ"), "type"),
        ({"$defs": {"a/b~c": {"enums": []}}}, ("$defs", "a/b~c", "enums"), "enum"),
        ({"ref": "#/a"}, ("ref",), "$ref"),
    ],
)
def test_a_slip_is_named_with_its_place(schema: Any, path: tuple[Any, ...], meant: str) -> None:
    assert list(slips(schema)) == [(path, meant)]


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"properties": {"propertys": {"const": {"requried": 1}}}, "default": {"typ": 1}},
        {"x-propertys": {}, "X-Requried": []},
        {"note": "a", "label": "b", "$comment": "c", "description": "d", "comment": "e"},
        {"discriminator": {}, "example": 1, "nullable": True, "propertyOrdering": []},
        *({keyword: 1 for keyword in dialect.keywords if keyword != "dependencies"}
          for dialect in DIALECTS.values()),
    ],
)  # fmt: skip
def test_what_is_no_slip_is_left_alone(schema: Any) -> None:
    assert list(slips(schema)) == []


@needs_corpus
@pytest.mark.corpus
def test_the_schemas_of_the_corpora_have_no_slips() -> None:
    schemas = [schema for schema, _ in bfcl.cases()]
    for draft in DRAFTS:
        if schema_suite(draft) is not None:
            schemas += [group["schema"] for _, group in schema_groups(draft)]
    assert len(schemas) > 500
    assert [slip for schema in schemas for slip in slips(schema)] == []
