"""A model is read once, however many streams it is extracted from, and anew when it is rebuilt."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, TypeAdapter

from guardstream import extract
from guardstream.jsonstream import Document, ModelSchema
from guardstream.jsonstream.schema import models


@pytest.fixture
def read(monkeypatch):
    """How often a core schema was read, and a JSON Schema made."""
    counts = {"early": 0, "json": 0}

    def counted(name, function):
        def call(*args, **kwargs):
            counts[name] += 1
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(models, "early", counted("early", models.early))
    made = counted("json", TypeAdapter.json_schema)
    monkeypatch.setattr(TypeAdapter, "json_schema", made)
    return counts


@pytest.mark.parametrize("adapted", [False, True])
def test_a_model_is_read_for_its_first_stream(read, adapted):
    class Order(BaseModel):
        id: int

    model = TypeAdapter(Order) if adapted else Order
    for number in range(5):
        assert extract.final_sync([f'{{"id": {number}}}'], model) == Order(id=number)
        if not adapted:
            assert list(extract.snapshots_sync(['{"id": 7}'], model)) == [Order(id=7)]
    assert read == {"early": 1, "json": 0}


def test_what_was_expected_is_made_at_the_first_refusal(read):
    class Order(BaseModel):
        id: int

    schema = ModelSchema(Order)
    for _ in range(5):
        document = Document(schema)
        document.feed('{"id": []}')
        assert document.error is not None
        assert document.error.advice == 'at /id: expected type "integer", got an array'
        with pytest.raises(extract.ExtractError, match='expected type "integer"'):
            extract.final_sync(['{"id": []}'], Order)
    assert read == {"early": 2, "json": 2}


def test_a_model_that_was_rebuilt_is_read_again():
    class Order(BaseModel):
        id: int = 0

    assert extract.final_sync(['{"note": 1}'], Order) == Order()
    Order.model_config["extra"] = "forbid"
    Order.model_rebuild(force=True)
    for function in (extract.final_sync, lambda *args: list(extract.snapshots_sync(*args))):
        with pytest.raises(extract.ExtractError):
            function(['{"note": 1}'], Order)
    with pytest.raises(extract.ExtractError):
        list(extract.items_sync(['[{"note": 1}]'], "item", Order))


def test_types_that_are_equal_but_not_alike_stay_apart():
    """`int | float` equals `float | int`, and pydantic makes of 1 what the first takes."""
    for first, second in ((int | bool, bool | int), (int | float, float | int)):
        for kind in (first, second, first):
            made = extract.final_sync(["1"], kind)
            assert type(made) is type(TypeAdapter(kind).validate_json("1"))
