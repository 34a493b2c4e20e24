"""A short answer costs little, whatever the schema: no exponential time, no deep stack."""

from __future__ import annotations

import json
import random
import re
from collections import Counter

import pytest

from guardstream.jsonstream.document import Document
from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.schema import doubling, evaluate, parallel, prefixes
from guardstream.jsonstream.schema.dialects import DRAFT_2020
from guardstream.jsonstream.schema.doubling import may_double
from guardstream.jsonstream.schema.refs import References
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict
from guardstream.scan.regex.parser import parse
from tests.jsonstream.corpora import cuttings
from tests.support.effort import lines_executed


@pytest.fixture
def work(monkeypatch):
    """How many questions the evaluator answered, and how many runs were followed."""
    done = Counter()
    begin, run = evaluate.Evaluator._begin, parallel.Run.__init__

    def counted_begin(self, *ask):
        done["asked"] += 1
        return begin(self, *ask)

    def counted_run(self, node):
        done["followed"] += 1
        run(self, node)

    monkeypatch.setattr(evaluate.Evaluator, "_begin", counted_begin)
    monkeypatch.setattr(parallel.Run, "__init__", counted_run)
    return done


def doubled(keyword, times):
    """A schema in which each of `times` levels refers to the next one twice."""
    defs = {"a0": {"type": "integer"}}
    for at in range(1, times + 1):
        defs[f"a{at}"] = {keyword: [{"$ref": f"#/$defs/a{at - 1}"}] * 2}
    return {"$defs": defs, "$ref": f"#/$defs/a{times}"}


@pytest.mark.parametrize(("keyword", "text", "offset"), [
    ("allOf", "1 ", None), ("allOf", '"a"', 0), ("anyOf", "1 ", None), ("anyOf", '"a"', 0),
    ("oneOf", "1 ", 1), ("oneOf", '"a"', 0), ("allOf", "1.5 ", 3),
])  # fmt: skip
def test_ways_that_double_forty_times_are_gone_once(work, keyword, text, offset):
    found = verdict([text], Schema(doubled(keyword, 40)))
    assert (found and found.offset) == offset
    assert work.total() < 1_000


#: Three branches that an array of one element tells apart only in the end.
RECURSIVE = {
    "oneOf": [
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 5},
        {"type": "object"},
    ]
}


@pytest.mark.parametrize("depth", [24, 100])
def test_a_short_answer_to_a_recursive_choice_costs_little(work, depth):
    text = "[" * depth + "1" + "]" * depth
    found = {str(verdict(chunks, Schema(RECURSIVE))) for chunks in cuttings(text, _Never())}
    assert len(found) == 1
    assert "oneOf" in found.pop()
    assert work.total() < 100 * depth
    assert verdict([text.replace("1", "{}")], Schema(RECURSIVE)) is None


class _Never:
    """Cuts nowhere: what is cut at random is not what is asked here."""

    def sample(self, *_):
        return []

    def randrange(self, *_):
        return 1


def test_equal_nodes_are_followed_once_at_each_level(work):
    branches = [{"properties": {"c": {"$ref": "#"}, "k": {"const": at}}} for at in range(4)]
    schema = Schema({"anyOf": [*branches, {"type": "string"}]})
    text = '{"k": 1, "c": ' * 100 + '"x"' + "}" * 100
    assert verdict(list(text), schema) is None
    assert work["followed"] < 100 * 16


@pytest.mark.parametrize("wide", [
    {"items": doubled("anyOf", 40), **doubled("anyOf", 40)},
    RECURSIVE,
])  # fmt: skip
def test_work_grows_with_the_text_and_not_faster(work, wide):
    schema, spent = Schema({"$defs": wide.get("$defs", {}), "items": wide}), []
    for count in (100, 400):
        work.clear()
        verdict([json.dumps([[]] * count)], schema)
        spent.append(work.total())
    assert spent[1] < 5 * spent[0] + 100


@pytest.mark.parametrize("keyword", ["$ref", "allOf", "not", "properties"])
def test_long_chains_need_no_deep_stack(keyword):
    wrap = {
        "$ref": lambda to: {"$ref": to},
        "allOf": lambda to: {"allOf": [{"$ref": to}], "minimum": 0},
        "not": lambda to: {"not": {"not": {"$ref": to}}},
        "properties": lambda to: {"properties": {"a": {"$ref": to}}, "$ref": to},
    }[keyword]
    defs = {f"a{at}": wrap(f"#/$defs/a{at + 1}") for at in range(1_500)}
    schema = Schema({"$defs": defs | {"a1500": {"type": "integer"}}, "$ref": "#/$defs/a0"})
    assert verdict(["1"], schema) is None
    assert verdict(['"x"'], schema) is not None


def test_a_schema_that_nests_too_deeply_is_refused_as_such():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(SchemaError, match="nested too deeply"):
        Schema({"const": value})


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"anyOf": [{"$ref": "#"}, {"type": "string"}]}])
def test_a_schema_that_asks_itself_allows_what_nothing_else_refuses(schema):
    assert verdict(["1"], Schema(schema)) is None


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ({"items": [{"type": "string"}]}, "/x-defs/a/items: not a valid schema"),
        ({"allOf": 3}, "/x-defs/a/allOf: not a valid schema"),
    ],
)
def test_a_reference_below_an_unknown_keyword_is_checked_too(inner, message):
    with pytest.raises(SchemaError, match=message):
        Schema({"x-defs": {"a": inner}, "$ref": "#/x-defs/a"})


def test_of_an_old_draft_it_may_have_an_array_of_items():
    inner = {"a": {"items": [{"type": "string"}]}}
    schema = Schema({"x-defs": inner, "$ref": "#/x-defs/a"}, draft="draft-07")
    document = Document(schema)
    document.feed("[1]")
    assert document.error.offset == 1


def test_doubling_is_told_from_what_only_looks_like_it():
    def double(schema):
        return may_double(References(schema, DRAFT_2020), schema)

    tree = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert not double(tree)
    assert not double({"items": {"$ref": "#"}, "type": "array", **tree})
    assert double(RECURSIVE)
    assert double(doubled("allOf", 40))
    assert not double(doubled("allOf", 3))


def test_loading_a_schema_compiles_no_pattern_that_no_string_has_met(monkeypatch):
    compiled = []
    monkeypatch.setattr(prefixes, "parse", lambda text: compiled.append(text) or parse(text))
    schema = Schema({"properties": {f"p{at}": {"pattern": f"^{at}x"} for at in range(50)}})
    assert compiled == []
    assert verdict(['{"p7": "8"}'], schema).offset == 8
    assert len(compiled) == 1


def test_loading_a_schema_follows_what_is_unevaluated_in_bounded_time(monkeypatch):
    extended = Counter()
    extend = References._extend

    def counted(self, *args, **options):
        extended["times"] += 1
        return extend(self, *args, **options)

    monkeypatch.setattr(References, "_extend", counted)
    shared = {"allOf": [{"properties": {f"p{at}": True}} for at in range(200)]}
    asks = {"$ref": "#/$defs/x", "unevaluatedProperties": False}
    schema = Schema({"$defs": {"x": shared}, "properties": {f"q{at}": asks for at in range(400)}})
    assert extended["times"] < 30_000
    assert verdict(['{"q399": {"p7": 1}}'], schema) is None
    for first_or_last in ("q0", "q399"):
        error = verdict([json.dumps({first_or_last: {"p200": 1}})], schema)
        assert error is not None
        assert error.keyword in ("additionalProperties", "unevaluatedProperties")


def test_many_names_with_one_beginning_are_not_written_out():
    names = ["x" * 9_000 + str(at) for at in range(40)]
    schema = Schema({"properties": dict.fromkeys(names, True), "additionalProperties": False})
    text = json.dumps({names[7]: 1, names[8]: 2})
    for chunks in cuttings(text, random.Random(0)):
        assert verdict(chunks, schema) is None
    assert len(schema.node.beginnings) <= 256
    assert verdict([text[:-5] + 'y": 2}'], schema) is not None


@pytest.mark.parametrize("beside", [{}, {"minProperties": 1}])
def test_a_key_of_many_closed_names_costs_little_more_than_one_of_few(beside):
    def cost(size):
        names = [f"name{at:05}" for at in range(size)]
        closed = {"properties": dict.fromkeys(names, True), "additionalProperties": False}
        document = Document(Schema({"allOf": [closed, beside]}))
        pieces = re.findall("(?s)..?.?", json.dumps(dict.fromkeys(names, 1)))
        lines = lines_executed(lambda: [document.feed(piece) for piece in pieces])
        assert document.error is None
        return lines / size

    assert cost(4_000) < 2 * cost(500)


@pytest.mark.parametrize("extra", [{}, {"additionalProperties": {"type": "null"}}])
def test_loading_a_schema_of_many_names_asks_for_each_where_it_stands(monkeypatch, extra):
    asked = Counter()
    member = doubling._member

    def counted(read, name):
        asked["times"] += 1
        return member(read, name)

    monkeypatch.setattr(doubling, "_member", counted)
    schema = Schema({"allOf": [{"properties": {f"p{at}": True}, **extra} for at in range(800)]})
    assert asked["times"] < 250_000
    assert (verdict(['{"p7": 1}'], schema) is None) == (not extra)
