"""Every draft of JSON Schema means what its own suite says, and references stay at home."""

from __future__ import annotations

import json
import random
import re

import pytest

from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.schema.dialects import named
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict
from tests.jsonstream.corpora import DRAFTS, cut, schema_groups, schema_remotes, schema_suite


def allows(schema, value, **options):
    return verdict([json.dumps(value)], Schema(schema, **options)) is None


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("http://json-schema.org/draft-04/schema#", [3]),
        ("http://json-schema.org/draft-04/schema", [3]),
        ("https://json-schema.org/draft-04/schema#", [3]),
        ("http://json-schema.org/draft-07/schema#", []),
        ("https://json-schema.org/draft/2020-12/schema", []),
        ("http://json-schema.org/schema#", []),
    ],
)
def test_the_draft_is_what_the_schema_declares(uri, allowed):
    schema = {"$schema": uri, "const": 1, "type": "integer"}  # draft-04 has no `const`
    assert [value for value in (3,) if allows(schema, value)] == allowed


@pytest.mark.parametrize(
    ("schema", "allowed", "refused"),
    [
        ({"items": [{"const": 1}, {"type": "null"}]}, [[1, None], [1]], [[2], [1, 1]]),
        ({"minimum": 3, "exclusiveMinimum": True}, [4], [3]),
        ({"prefixItems": [{"const": 1}]}, [[1, 2]], [[2]]),
    ],
)
def test_a_schema_that_names_no_draft_is_read_by_the_latest_that_allows_it(
    schema, allowed, refused
):
    assert all(allows(schema, value) for value in allowed)
    assert not any(allows(schema, value) for value in refused)


def test_a_schema_that_names_its_draft_is_read_by_no_other():
    with pytest.raises(SchemaError, match="/items: not a valid schema"):
        Schema({"$schema": "https://json-schema.org/draft/2020-12/schema", "items": [True]})
    with pytest.raises(SchemaError, match="/items: not a valid schema"):
        Schema({"items": [True]}, draft="2020-12")
    with pytest.raises(SchemaError, match="/type: not a valid schema"):
        Schema({"type": "any"})


def test_an_annotation_of_another_type_is_no_mistake():
    schema = {
        "title": 7,
        "properties": {"examples": {"type": "null", "examples": "one", "deprecated": "yes"}},
    }
    assert allows(schema, {"examples": None})
    assert not allows(schema, {"examples": "one"})
    with pytest.raises(SchemaError, match="/properties/examples: not a valid schema"):
        Schema({"title": 7, "properties": {"examples": "one"}})


@pytest.mark.parametrize(
    ("draft", "schema", "allowed", "refused"),
    [
        ("draft-04", {"minimum": 3, "exclusiveMinimum": True}, [4], [3]),
        ("draft-04", {"maximum": 3, "exclusiveMaximum": False}, [3], [4]),
        ("draft-04", {"id": "http://x/y", "$ref": "#/definitions/a", "type": "null",
                      "definitions": {"a": {"type": "string"}}}, ["a"], [None, 1]),
        ("draft-04", {"type": "integer"}, [1, 10], [1.0, 1.5]),
        ("draft-04", {"oneOf": [{"type": "integer"}, {"type": "number"}]}, [1.0, 1.5], [1]),
        ("draft-06", {"type": "integer"}, [1, 1.0], [1.5]),
        ("openapi-3.0", {"type": ["integer", "string"]}, [1, "a"], [1.0]),
        ("draft-06", {"contains": {"const": 1}}, [[1, 2]], [[2]]),
        ("draft-06", {"if": True, "then": False}, [1], []),
        ("draft-07", {"items": [{"type": "string"}], "additionalItems": False}, [["a"]],
         [["a", 1], [1]]),
        ("draft-07", {"additionalItems": False}, [[1]], []),
        ("draft-07", {"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, [{"a": 1, "b": 1}],
         [{"a": 1}, {"c": 1}]),
        ("draft-07", {"definitions": {"a": {"$id": "#anchor", "type": "null"}}, "$ref": "#anchor"},
         [None], [1]),
        ("draft-07", {"contentEncoding": "base64", "contentMediaType": "application/json"},
         ["e30="], ["%%%", "eyI="]),
        ("2019-09", {"$recursiveAnchor": True, "items": {"$recursiveRef": "#"}, "minItems": 1},
         [[[1]]], [[[]]]),
        ("2019-09", {"contains": {"const": 1}, "unevaluatedItems": False}, [], [[1]]),
        ("2020-12", {"contains": {"const": 1}, "unevaluatedItems": False}, [[1]], [[1, 2]]),
        ("openapi-3.0", {"type": "string", "nullable": True}, ["a", None], [1]),
        ("openapi-3.0", {"type": "string", "nullable": False}, ["a"], [None]),
        ("openapi-3.0", {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, [2], [1]),
    ],
)  # fmt: skip
def test_each_draft_has_its_own_rules(draft, schema, allowed, refused):
    assert [each for each in allowed if not allows(schema, each, draft=draft)] == []
    assert [each for each in refused if allows(schema, each, draft=draft)] == []


def extended(part, own, loose):
    """The schema `part`, in which `#node` is `loose`, reached from one in which it is `own`."""
    base = {"$id": "base", **part, "$defs": {"node": {"$dynamicAnchor": "node", **loose}}}
    return Schema(
        {
            "$id": "https://example.com/extended",
            "$ref": "base",
            "$defs": {"node": {"$dynamicAnchor": "node", **own}, "base": base},
        }
    )


EITHER = {"items": {"oneOf": [{"$dynamicRef": "#node"}, {"type": ["object", "number"]}]}}
NAMES = {"propertyNames": {"$dynamicRef": "#node"}}


@pytest.mark.parametrize(
    ("part", "own", "loose", "text"),
    [
        (EITHER, {"minimum": 5}, {}, "[1]"),
        (EITHER, {"required": ["a"]}, {}, "[{}]"),
        (NAMES, {}, {"maxLength": 1}, '{"ab": 1}'),
        ({"allOf": [NAMES]}, {}, {"allOf": [{"maxLength": 1}]}, '{"ab": 1}'),
    ],
)
def test_a_part_is_judged_by_the_dynamic_anchors_of_what_it_was_reached_from(
    part, own, loose, text
):
    assert verdict([text], extended(part, own, loose)) is None
    assert verdict(text, extended(part, own, loose)) is None
    assert verdict([text], extended(part, loose, own)) is not None


def test_names_without_a_dynamic_reference_are_refused_at_once_beside_one():
    names = {"propertyNames": {"anyOf": [{"maxLength": 1}]}}
    schema = extended({"items": EITHER, **names}, {}, {"type": "object"})
    assert verdict(['{"ab": 1}'], schema).offset == 4


def test_an_array_of_items_is_refused_while_it_arrives():
    schema = Schema({"items": [{"type": "string"}], "additionalItems": False}, draft="draft-07")
    assert verdict(['["a", 1]'], schema).offset == 4
    assert verdict(["[1]"], schema).offset == 1


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ({"type": "RegExp"}, "/properties/z/type: not a valid schema: unknown type 'RegExp'"),
        ({"required": True}, "/properties/z/required: not a valid schema: true is not of type"),
    ],
)
def test_a_mistake_is_told_from_what_is_valid_in_an_older_draft(more, mistake):
    older = {"title": 7, "items": [{}], "minimum": 1, "exclusiveMinimum": True}
    with pytest.raises(SchemaError, match=f"^{mistake}"):
        Schema({"properties": {"a": older, "z": more}})


def test_an_unknown_draft_is_refused():
    with pytest.raises(SchemaError, match="unknown draft 'draft-05'; use one of draft-04"):
        Schema({}, draft="draft-05")


def test_formats_are_asserted_where_that_is_asked_for():
    schema = {"properties": {"on": {"format": "date"}}}
    assert allows(schema, {"on": "soon"})
    assert not allows(schema, {"on": "soon"}, formats=True)
    assert allows(schema, {"on": "2026-11-20"}, formats=True)
    assert allows({"format": "a format of our own"}, "x", formats=True)


def test_references_lead_into_the_documents_that_were_given():
    documents = {"https://example.com/defs.json": {"$defs": {"id": {"type": "integer"}}}}
    schema = {"properties": {"id": {"$ref": "https://example.com/defs.json#/$defs/id"}}}
    assert verdict(['{"id": "x"}'], Schema(schema, documents=documents)).offset == 7
    with pytest.raises(SchemaError, match="nothing is fetched"):
        Schema(schema)


def test_relative_references_start_from_the_base():
    documents = {"file:///schemas/defs.json": {"type": "integer"}}
    schema = {"$ref": "defs.json"}
    found = Schema(schema, documents=documents, base="file:///schemas/order.json")
    assert verdict(['"x"'], found).offset == 0


def test_a_document_may_be_of_another_draft():
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 3,
           "exclusiveMaximum": True}  # fmt: skip
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "https://x/old"}
    assert not allows(schema, 3, documents={"https://x/old": old})


def test_a_document_that_is_no_schema_is_named():
    documents = {"https://x/bad": {"type": 3}}
    with pytest.raises(SchemaError, match="the document 'https://x/bad': /type: not a valid"):
        Schema({"$ref": "https://x/bad"}, documents=documents)


def test_a_metaschema_may_be_referred_to():
    schema = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    assert allows(schema, {"type": "string"})
    assert not allows(schema, {"type": "strung"})


PARTS = (".", "optional", "optional/format")


@pytest.mark.corpus
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("folder", DRAFTS)
def test_the_suite_of_each_draft(folder, part, capsys):
    suite = schema_suite(folder)
    if suite is None or not (suite / part).is_dir():
        pytest.skip("the suite is not here; SCHEMA_SUITE names a checkout of it")
    rng, remotes, judged, refused = random.Random(0), schema_remotes(), 0, 0
    for keyword, group in schema_groups(folder, part):
        try:
            schema = _schema(group["schema"], DRAFTS[folder], remotes, "format" in part)
        except SchemaError:
            assert "localhost:1234" in json.dumps(group["schema"])
            refused += len(group["tests"])
            continue
        for case in group["tests"]:
            text = json.dumps(case["data"])
            for chunks in ([text], cut(text, rng)):
                found = verdict(chunks, schema, duplicates=True)
                assert (found is None) == case["valid"], (keyword, group["description"], case)
            judged += 1
    with capsys.disabled():
        print(f"\n{folder}/{part}: {judged} as expected, {refused} refused for what is not there")
    assert judged > 50


def _schema(schema, draft, remotes, formats):
    declares = isinstance(schema, dict) and "$schema" in schema
    return Schema(schema, draft=None if declares else draft, documents=remotes, formats=formats)


@pytest.mark.parametrize("draft", ["2019-09", "2020-12"])
def test_a_reference_to_a_part_of_a_metaschema_leads_there(draft):
    uri = f"https://json-schema.org/draft/{draft}/meta/validation#/$defs/stringArray"
    schema = Schema({"items": {"$ref": uri}})
    assert verdict(['[["a"]]'], schema) is None
    assert verdict(["[[1]]"], schema) is not None


@pytest.mark.parametrize(
    ("uri", "draft"),
    [
        ("http://json-schema.org/draft-05/schema#", "draft-04"),
        ("https://spec.openapis.org/oas/3.1/dialect/base", "2020-12"),
        ("https://json-schema.org/draft-7/schema", "draft-07"),
        ("http://json-schema.org/2019-09/schema#", "2019-09"),
        ("json-schema.org/draft-07/schema#", "draft-07"),
        ("http://json-schema.org/draft-06/schema#/", "draft-06"),
        ("//json-schema.org/draft/2019-09/schema", "2019-09"),
        ("http://json-schema.org/draft-07/schema.json", "draft-07"),
    ],
)
def test_slips_in_the_address_of_a_draft_are_understood(uri, draft):
    found = named(uri)
    assert found is not None
    assert found.name == draft
    assert Schema({"$schema": uri, "type": "string"})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("String", "did you mean 'string'?"),
        ("int", "did you mean 'integer'?"),
        ("float", "the types are: array, boolean, integer, null, number, object, string"),
    ],
)
def test_a_type_that_there_is_not_is_told_with_the_one_that_is_meant(name, said):
    with pytest.raises(SchemaError) as refused:
        Schema({"items": {"type": name}})
    message = f"/items/type: not a valid schema: unknown type {name!r}: {said}"
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("schema", "end"),
    [
        ({"properties": [{"id": each} for each in range(3_000)]}, 'is not of type "object"'),
        ({"items": ["x" * 90] * 300}, 'is not of types "boolean", "object"'),
        ({"required": "x" * 9_000}, 'is not of type "array"'),
        ({"type": "x" * 9_000}, "boolean, integer, null, number, object, string"),
    ],
)
def test_what_is_wrong_in_a_schema_is_told_in_short(schema, end):
    with pytest.raises(SchemaError) as refused:
        Schema(schema)
    said = str(refused.value)
    assert " … " in said
    assert said.endswith(end)
    assert len(said) < 300


WRAPPED = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "answer", "strict": True, "schema": WRAPPED}, "is under 'schema'"),
        ({"name": "find", "description": "d", "parameters": WRAPPED}, "is under 'parameters'"),
        ({"name": "find", "input_schema": WRAPPED}, "is under 'input_schema'"),
        ({"openapi": "3.1.0", "components": {"schemas": {"N": WRAPPED}}}, r"say which, .*'\$ref'"),
    ],
)
def test_what_only_has_a_schema_in_it_is_refused(given, message):
    with pytest.raises(SchemaError, match=message):
        Schema(given)


def test_one_schema_of_a_document_is_told_by_a_reference_beside_it():
    document = {"openapi": "3.1.0", "components": {"schemas": {"N": {"type": "integer"}}}}
    schema = Schema(document | {"$ref": "#/components/schemas/N"})
    assert schema.verdict("no", '"no"')
    assert schema.verdict(1, "1") is None


API = {
    "openapi": "3.0.3",
    "components": {
        "schemas": {
            "N": {"type": "integer", "nullable": True, "minimum": 0, "exclusiveMinimum": True}
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "documents"),
    [
        (API | {"$ref": "#/components/schemas/N"}, {}),
        (
            {"$ref": "https://example.com/api#/components/schemas/N"},
            {"https://example.com/api": API},
        ),
    ],
)
def test_a_document_of_openapi_3_0_is_read_as_such(schema, documents):
    found = Schema(schema, documents=documents)
    for allowed in ("null", "1"):
        assert verdict(list(allowed), found) is None
    for refused in ("0 ", '"a"', "1.0 "):
        assert verdict(list(refused), found) is not None


@pytest.mark.parametrize("draft", ["draft-04", "openapi-3.0"])
def test_a_required_of_no_names_requires_nothing(draft):
    schema = {"properties": {"a": {"required": [], "minProperties": 1}}, "required": []}
    found = Schema(schema, draft=draft)
    assert verdict(list('{"a": {"b": 1}}'), found) is None
    assert verdict(list('{"a": {}}'), found) is not None
    with pytest.raises(SchemaError, match="/required/0"):
        Schema({"required": [1]}, draft=draft)


@pytest.mark.parametrize("version", ["3.1.0", "3.2.0"])
def test_later_versions_of_openapi_know_no_nullable(version):
    schema = Schema({"openapi": version, "type": "string", "nullable": True})
    assert verdict(["null"], schema) is not None


def test_other_fields_beside_keywords_are_left_alone():
    assert Schema({"type": "string", "parameters": {}}).verdict("yes", '"yes"') is None
    assert Schema({"title": "anything", "x-note": 1}).verdict(1, "1") is None


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"$defs": {"q": {"type": 1}}, "$ref": "#/$defs/q"}, "/$defs/q/type"),
        ({"$defs": {"q": {"$id": "#x", "type": 1}}, "$ref": "#x"}, "/$defs/q/type"),
        ({"$defs": {"q": {"not": {"type": 1}}}, "$ref": "#/$defs/q/not"}, "/$defs/q/not/type"),
        ({"properties": {"b": {"$ref": 1.5}}}, "/properties/b/$ref"),
    ],
)
def test_what_a_reference_leads_to_is_checked_in_drafts_that_do_not_look_there(given, where):
    with pytest.raises(SchemaError, match="^" + re.escape(f"{where}: ")):
        Schema(given)
    with pytest.raises(SchemaError):
        Schema(given, draft="draft-07")


def test_text_that_is_no_unicode_is_no_schema():
    with pytest.raises(SchemaError, match="not a valid schema"):
        Schema({"type": "\ud800"})
