"""A large choice asks the branches that the text of one member leaves, and answers as before."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from guardstream.jsonstream.schema.evaluate import Evaluator
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.schema.tags import Tags
from guardstream.jsonstream.verdict import verdict


def branch(kind, way):
    """A branch for one kind, which says so directly, in a list or in a part."""
    tag = {"kind": {"enum": [kind, f"{kind}-old"] if way == "list" else [kind]}}
    body = {"properties": {**tag, "size": {"type": "integer"}}, "required": ["kind"]}
    return {"allOf": [body]} if way == "part" else body


def union(size, keyword="oneOf"):
    kinds = [f"kind{at}" for at in range(size)]
    ways = ("direct", "list", "part")
    defs = {kind: branch(kind, ways[at % 3]) for at, kind in enumerate(kinds)}
    listed = [{"$ref": f"#/$defs/{kind}"} for kind in kinds]
    return {"items": {keyword: listed}, "$defs": defs}


def test_a_large_choice_asks_the_branches_of_the_text_alone(monkeypatch):
    asked = Counter()
    begin = Evaluator._begin

    def counted(self, *ask):
        asked["times"] += 1
        return begin(self, *ask)

    monkeypatch.setattr(Evaluator, "_begin", counted)
    items = [{"size": at, "kind": f"kind{at * 7}"} for at in range(40)]
    assert verdict([json.dumps(items)], Schema(union(400))) is None
    assert asked["times"] < 1_000


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
@pytest.mark.parametrize("draft", ["2020-12", "draft-04"])
def test_the_answer_is_that_of_all_branches(monkeypatch, keyword, draft):
    rng = random.Random(0)
    schema = union(12, keyword)
    schema["items"][keyword] += [
        {"properties": {"kind": {"enum": [3]}}, "required": ["kind"]},
        {"type": "array"},
        {"properties": {"kind": {"type": "string", "maxLength": 5}}, "required": ["size"]},
    ]
    kinds = ["kind1", "kind1-old", "kind4-old", "kind11", "other", "", 3, None, ["kind1"]]
    compiled = Schema(schema, draft=draft)
    compiled._fast = None
    values = []
    for _ in range(300):
        members = [("kind", rng.choice(kinds)), ("size", rng.choice([1, "x"])), ("more", 1)]
        values.append(rng.choice([dict(rng.sample(members, rng.randint(0, 3))), [], "kind1"]))
    found = [verdict([json.dumps([each])], compiled) is None for each in values]
    monkeypatch.setattr(Tags, "left", lambda _self, branches, _value: branches)
    assert found == [verdict([json.dumps([each])], compiled) is None for each in values]
    assert len(set(found)) == 2


def counting(base):
    """A type of values that count how often one is compared."""

    class Counting(base):
        compared = 0

        def __eq__(self, other):
            Counting.compared += 1
            return base.__eq__(self, other)

        def __lt__(self, other):
            Counting.compared += 1
            return base.__lt__(self, other)

        __hash__ = base.__hash__

    return Counting


@pytest.mark.parametrize("base", [str, int])
def test_a_value_of_a_long_enum_is_looked_up(base):
    made = counting(base)
    values = [made(at) for at in range(10_000, 15_000)]
    schema = Schema({"items": {"enum": values}})
    loading, made.compared = made.compared, 0
    assert verdict([json.dumps(values[-1:] * 100)], schema) is None
    assert made.compared < 100 * 40
    assert loading < 5_000 * 40
