"""A pydantic model's early schema refuses nothing that the model accepts."""

from __future__ import annotations

import datetime
import decimal
import enum
import random
from typing import Annotated, Any, Literal

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    OnErrorOmit,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from typing_extensions import TypeAliasType

from guardstream import extract
from guardstream.jsonstream.document import Document
from guardstream.jsonstream.schema.models import ModelSchema
from guardstream.jsonstream.verdict import verdict
from tests.jsonstream.corpora import cuttings


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    color: Color | None = None
    note: Annotated[str, Field(max_length=3)] = ""

    @field_validator("id")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError("must be positive")
        return value


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    count: int
    on: bool = False


class Loose(BaseModel):
    value: Annotated[int, BeforeValidator(lambda value: len(value))] = 0
    many: int = Field(0, validation_alias=AliasChoices("many", "a"))

    @model_validator(mode="before")
    @classmethod
    def wrap(cls, value: Any) -> Any:
        return {"value": value} if isinstance(value, list) else value


class Order(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)
    items: list[Item] = []
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    day: datetime.date | None = None
    total: decimal.Decimal = Field(decimal.Decimal(0), alias="Total")
    parts: list[Order] = []
    pair: tuple[int, str] | None = None
    counts: dict[str, int] = {}
    loose: Loose | None = None
    strict: Strict | None = None


SCHEMA = ModelSchema(Order)


def check(text, chunks=None):
    document = Document(SCHEMA)
    for chunk in chunks or [text]:
        document.feed(chunk)
    document.finish()
    return document


@pytest.mark.parametrize(
    ("marked", "keyword"),
    [
        ("|[1]", "type"),
        ('{"items": [{"id": "5"}, {"id": -1|}]}', "model"),
        ('{"items": [{"id": 1, "|x": 2}]}', "additionalProperties"),
        ('{"items": [{"color": "red"|}]}', "required"),
        ('{"items": [{"id": 1, "color": "|blue"}]}', "enum"),
        ('{"items": [{"id": 1, "note": "abc|d"}]}', "maxLength"),
        ('{"pet": {"kind": "c|ow"}}', "anyOf"),
        ('{"pet": {"kind": "dog", "name": |3}}', "anyOf"),
        ('{"parts": [{"items": |{}}]}', "type"),
        ('{"pair": [1, "b"|, 3]}', "maxItems"),
        ('{"strict": {"count": |"1"}}', "type"),
        ('{"day": |[1]}', "type"),
        ('{"day": "2020-13-01|"}', "date"),
    ],
)
def test_it_refuses_as_early_as_the_model_allows(marked, keyword):
    offset, text = marked.index("|"), marked.replace("|", "")
    for chunks in cuttings(text, random.Random(0)):
        error = check(text, chunks).error
        assert error is not None
        assert (error.offset, error.keyword) == (offset, keyword)


@pytest.mark.parametrize(
    ("kind", "marked"),
    [
        (Item, '{"id": 1|"note": "a"}'),
        (list[float], "[2.5|x]"),
        (list[int | str], '[1, 2|"a"]'),
        (dict[str, datetime.timedelta], '{"a": 1e1|-1}'),
    ],
)
def test_what_follows_a_number_is_not_the_models_mistake(kind, marked):
    offset, text = marked.index("|"), marked.replace("|", "")
    for chunks in cuttings(text, random.Random(0)):
        document = Document(ModelSchema(kind))
        for chunk in chunks:
            document.feed(chunk)
        assert document.error is not None
        assert document.error.offset == offset
        assert document.error.reason.startswith("expected ','")


@pytest.mark.parametrize("after", ["x", '"', "{", "-1", "```"])
def test_a_number_that_is_the_whole_document_ends_before_anything_else(after):
    for chunks in cuttings(f"12{after}", random.Random(0)):
        assert extract.final_sync(chunks, int) == 12


Omitted = TypeAliasType("Omitted", OnErrorOmit[int])


@pytest.mark.parametrize("element", [OnErrorOmit[int], OnErrorOmit[int] | None, Omitted])
def test_elements_that_a_model_leaves_out_do_not_count(element):
    kind = Annotated[list[element], Field(max_length=2)]
    for chunks in cuttings('["a", 1, 2]', random.Random(0)):
        assert extract.final_sync(chunks, kind) == [1, 2]
    assert verdict(["[1, 2, 3]"], ModelSchema(kind)) is not None


def test_a_value_is_not_judged_if_its_key_is_left_out():
    kind = dict[OnErrorOmit[int], list[int]]
    for chunks in cuttings('{"a": "b", "1": [2]}', random.Random(0)):
        assert extract.final_sync(chunks, kind) == {1: [2]}
    assert verdict(['{"1": "b"}'], ModelSchema(kind)) is not None


SCALARS = st.sampled_from(
    [
        '"5"',
        "5",
        "-1",
        "1.0",
        "true",
        "null",
        '"red"',
        '"yes"',
        '"2020-01-02"',
        '"abcd"',
        "[1]",
        "{}",
    ]
)
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2).map(lambda each: f"[{', '.join(each)}]")
    | st.dictionaries(
        st.sampled_from(
            ["items", "pet", "kind", "id", "color", "note", "Total", "total", "parts", "pair",
             "counts", "loose", "value", "many", "a", "strict", "count", "on", "day", "name"]
        ),
        inner,
        max_size=4,
    ).map(lambda each: "{" + ", ".join(f'"{k}": {v}' for k, v in each.items()) + "}"),
    max_leaves=8,
)  # fmt: skip


@given(OBJECTS, st.sampled_from([Order, list[Item], Cat | Dog, Loose, Strict, dict[str, Item]]))
def test_the_verdict_is_the_models(text, model):
    try:
        TypeAdapter(model).validate_json(text)
        valid = True
    except ValidationError:
        valid = False
    document = Document(ModelSchema(model))
    document.feed(text)
    document.finish()
    assert document.done == valid


class Left(BaseModel):
    next: Left | Right | None = None


class Right(BaseModel):
    next: Left | Right | None = None
    weight: int = 0


class Tagged(BaseModel):
    kind: Literal["tagged"] = "tagged"
    next: Annotated[Tagged | Other, Field(discriminator="kind")] | None = None


class Other(BaseModel):
    kind: Literal["other"] = "other"


class Shade(enum.Enum):
    DARK = "dark"

    @classmethod
    def _missing_(cls, value: object) -> Shade | None:
        return cls.DARK if value == "DARK" else None


def test_an_enum_may_make_a_member_of_another_text():
    assert verdict(['"DARK"'], ModelSchema(Shade)) is None
    assert verdict(['["DARK", "dark", "light"]'], ModelSchema(list[Shade])) is not None


def nested(depth, inner, key='"next"'):
    return f"{{{key}: " * depth + inner + "}" * depth


@pytest.mark.parametrize(("depth", "keyword"), [(8, None), (100, "union")])
def test_unions_that_multiply_are_refused_before_the_model_tries_them(depth, keyword):
    found = verdict([nested(depth, "null")], ModelSchema(Left))
    assert (found and found.keyword) == keyword
    listed = verdict([f"[{nested(depth, 'null')}]"], ModelSchema(list[Left]))
    assert (listed is None) == (keyword is None)


def test_the_error_for_unions_that_multiply_says_what_to_change():
    found = verdict([nested(100, "null")], ModelSchema(Left))
    assert found
    assert "less nesting of the model's unions, which have no discriminator" in found.advice


def test_unions_with_a_tag_do_not_multiply():
    text = nested(100, '{"kind": "other"}', '"kind": "tagged", "next"')
    assert verdict([text], ModelSchema(Tagged)) is None


@pytest.mark.parametrize("model", [Left, list[Left], dict[str, Left], tuple[Left, ...]])
def test_what_is_extracted_is_not_tried_too_often_either(model):
    value = nested(100, "null")
    text = {Left: value, dict[str, Left]: f'{{"a": {value}}}'}.get(model, f"[{value}]")

    async def run():
        with pytest.raises(extract.ExtractError, match="union"):
            await extract.final([text], model)
        with pytest.raises(extract.ExtractError, match="unions would be tried too often"):
            [each async for each in extract.items([f"[{text}]"], "item", model)]

    anyio.run(run)
