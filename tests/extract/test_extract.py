"""Extraction: typed values as they come, each once, the same in any cutting."""

from __future__ import annotations

import datetime
import itertools
import json
import random
from decimal import Decimal
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, Field

from guardstream import extract
from tests.jsonstream import bfcl
from tests.jsonstream.corpora import cut, cuttings, needs_corpus
from tests.support.extracting import Source, collect
from tests.support.values import VALUES


class Address(BaseModel):
    street: str
    zip: int = 0


class Form(BaseModel):
    name: str
    born: datetime.date | None = None
    address: Address | None = Field(None, alias="addr")
    tags: list[str] = []


FORM = (
    '{"name": "Ann \\u00e9", "born": "2001-02-03", '
    '"addr": {"street": "Main", "zip": "12"}, "tags": ["a"]}'
)


def final(*arguments, **options):
    async def run():
        return await extract.final(*arguments, **options)

    return anyio.run(run)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_snapshots_grow_into_the_model(backend):
    for chunks in cuttings(FORM, random.Random(0)):
        shown = collect(lambda chunks=chunks: extract.snapshots(Source(chunks), Form), backend)
        assert shown[-1] == Form.model_validate_json(FORM)
        for earlier, later in itertools.pairwise(shown):
            assert earlier.model_fields_set <= later.model_fields_set
            assert (later.name or "").startswith(earlier.name or "")
            assert len(earlier.tags) <= len(later.tags)


def test_snapshots_are_typed_and_do_not_change():
    shown = collect(lambda: extract.snapshots(list(FORM), Form))
    half = next(each for each in shown if each.address is not None)
    assert isinstance(half.address, Address)
    assert half.born == datetime.date(2001, 2, 3)
    assert half.address.street is extract.MISSING


def test_unfinished_strings_can_be_left_out():
    shown = collect(lambda: extract.snapshots(list(FORM), Form, partial_strings=False))
    assert {each.name for each in shown if each.name is not extract.MISSING} == {"Ann \xe9"}


def test_items_come_once_at_their_closing_bracket():
    text = '{"orders": [{"id": 1}, {"id": 2}], "rest": ' + '"x"'

    async def run():
        source = Source([*text, "}"])
        seen = [(order, source.read) async for order in extract.items(source, "orders.item")]
        return seen, source.closed

    assert anyio.run(run) == (
        [({"id": 1}, text.index("}") + 1), ({"id": 2}, text.rindex("]"))],
        True,
    )


@given(st.lists(VALUES), st.randoms(use_true_random=False))
def test_items_are_what_json_gives(values, rng):
    text = json.dumps({"a": [values], "b": 1})
    for chunks in (list(text), cut(text, rng)):
        found = collect(lambda chunks=chunks: extract.items(chunks, "a.item.item"))
        assert found == values


def test_integers_of_any_size_are_items():
    assert collect(lambda: extract.items(["[123456789012345678901234", ", 1.5]"], "item")) == [
        123456789012345678901234,
        1.5,
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.randoms(use_true_random=False))
def test_text_joined_is_the_field(value, rng):
    text = json.dumps({"other": "x", "in": {"answer": value}, "answer": "no"})
    for chunks in (list(text), cut(text, rng)):
        pieces = collect(lambda chunks=chunks: extract.text(chunks, "in.answer"))
        assert "".join(pieces) == value
        assert all(pieces)


def test_text_comes_as_it_is_written():
    assert collect(lambda: extract.text(['{"a": "b', "c", "\\u00", 'e9"}'], "a")) == [
        "b",
        "c",
        "\xe9",
    ]


def test_final_is_the_model_and_closes_the_stream():
    async def run():
        source = Source([*FORM, " and", " more"])
        return await extract.final(source, Form), source

    form, source = anyio.run(run)
    assert form == Form.model_validate_json(FORM)
    assert source.closed
    assert source.read == len(FORM)


def test_documents_can_stand_in_fences():
    assert final(["Here:\n```json\n", FORM, "\n```"], Form, fences="strip").name == "Ann \xe9"


@pytest.mark.parametrize("value", ["1", "1.5", "true", "{}", "[]"])
def test_another_value_in_place_of_a_text_is_an_error(value):
    with pytest.raises(extract.ExtractError, match="there is no string at 'note'"):
        list(extract.text_sync(list(f'{{"note": {value}}}'), "note"))


@pytest.mark.parametrize("value", ["null", '""'])
def test_a_text_that_is_empty_or_null_yields_nothing(value):
    assert list(extract.text_sync(list(f'{{"note": {value}}}'), "note")) == []


def test_chunks_may_be_anything_with_a_text():
    assert final([{"text": "[1,"}, {"text": "2]"}], list[int], text_of=lambda c: c["text"]) == [
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("text", "offset", "partial"),
    [
        ('{"name": "x", "addr": [3', 22, {"name": "x"}),
        ('{"name": "x", "tags": ["a", tru}', 28, {"name": "x", "tags": ["a"]}),
        ('{"name": "x"', 12, {"name": "x"}),
        ('{"name": "x", "born": "never"}', 28, {"name": "x"}),
        ("", 0, None),
    ],
)
def test_errors_carry_the_partial_value(text, offset, partial):
    for chunks in cuttings(text, random.Random(0)):
        with pytest.raises(extract.ExtractError) as caught:
            final(chunks, Form)
        assert (caught.value.offset, caught.value.partial) == (offset, partial)


@pytest.mark.parametrize(
    ("text", "partial", "options"),
    [
        ('[1, 2, "x", 4, 5]', [1, 2, "x"], {}),
        ("[1, 2, 3.5, 4, 5]", [1, 2, 3.5], {}),
        ("[1, 2, [[3]], 4, 5] and more", [1, 2, [[3]]], {}),
        ('[1, 2, {"a": [3], "b": "c"}, {"d": 1}]', [1, 2, {"a": [3], "b": "c"}], {}),
        ("[1, /* 2 */ 2, 'x', 4,]", [1, 2, "x"], {"repair": True}),
        ('[0]\n[1]\n["x", 2]\n[3]', ["x"], {"documents": "many"}),
    ],
)
def test_the_partial_value_ends_at_the_item_that_was_refused(text, partial, options):
    for chunks in cuttings(text, random.Random(0)):
        with pytest.raises(extract.ExtractError) as caught:
            list(extract.items_sync(chunks, "item", int, **options))
        assert (caught.value.index, caught.value.partial) == (2, partial)


@pytest.mark.parametrize(
    ("marked", "path", "options"),
    [
        ('[{"street": "a"}, {"zip": 1}|, {"street": "b"}] and more', "item", {}),
        ("So: [{zip: 'x',}|, {}] and more", "item", {"repair": True, "fences": "strip"}),
        ('[{"zip": "x|', "item", {"repair": ["truncated"]}),
        ('{"a": 1}| and more', "b", {"fences": "strip"}),
        ('{"a": 1} and {"a": 1} and more|', "b", {"fences": "strip", "documents": "many"}),
    ],
)
def test_where_an_item_is_refused_or_missing_does_not_depend_on_the_cut(marked, path, options):
    text = marked.replace("|", "")
    for chunks in cuttings(text, random.Random(0)):
        with pytest.raises(extract.ExtractError) as caught:
            list(extract.items_sync(chunks, path, Address, **options))
        assert caught.value.offset == marked.index("|")


def test_items_before_an_error_are_given():
    async def run():
        items = extract.items(list('[{"street": "a"}, {"zip": 1}]'), "item", Address)
        found = [await anext(items)]
        with pytest.raises(extract.ExtractError):
            await anext(items)
        return found

    assert anyio.run(run) == [Address(street="a")]


@pytest.mark.parametrize("options", [{}, {"repair": True}, {"schema": {"items": {"minLength": 1}}}])
@pytest.mark.parametrize("each", [extract.items_sync, extract.text_sync])
def test_what_comes_before_an_error_is_given_in_any_cutting(each, options):
    broken = '["a", "b", "\\ud800"]' if not options else '["a", "b", ""'
    for chunks in cuttings(broken, random.Random(0)):
        found: list[str] = []
        with pytest.raises(extract.ExtractError):
            found.extend(each(chunks, "item", **options))
        assert "".join(found) == "ab"


@needs_corpus
@pytest.mark.corpus
def test_tool_calls_come_out_as_json_gives_them():
    rng = random.Random(0)
    for _, text in list(bfcl.cases())[::3]:
        value = json.loads(text)
        chunks = cut(text, rng)
        assert collect(lambda chunks=chunks: extract.snapshots(chunks, dict))[-1] == value
        for name, each in value.items():
            if "." in name:
                continue
            if isinstance(each, list):
                path = f"{name}.item"
                assert collect(lambda c=chunks, p=path: extract.items(c, p)) == each
            elif isinstance(each, str):
                assert "".join(collect(lambda c=chunks, n=name: extract.text(c, n))) == each


class Aliased(BaseModel):
    amount: int = Field(default=0, validation_alias=AliasChoices("total", "sum"))
    city: str = Field(default="", validation_alias=AliasPath("address", 0, "city"))


def test_snapshots_fill_the_fields_that_aliases_mean():
    text = '{"address": [{"city": "Oslo"}], "sum": 7, "total": 5, "amount": 1}'
    *snapshots, last = collect(lambda: extract.snapshots(list(text), Aliased))
    assert last == Aliased(total=5, address=[{"city": "Oslo"}])
    assert snapshots[-1] == last
    assert {(each.amount, each.city) for each in snapshots} == {
        (0, ""), (0, "O"), (0, "Os"), (0, "Osl"), (0, "Oslo"), (7, "Oslo"), (5, "Oslo")
    }  # fmt: skip
    assert all(each.model_fields_set <= {"amount", "city"} for each in snapshots)


class Amounts(BaseModel):
    exact: Decimal
    wide: float
    when: datetime.date
    some: Any = None


@pytest.mark.parametrize("number", ["0.1", "1e2", "12345678901234567890.5", "1e400", "-0.0"])
def test_items_and_snapshots_are_what_the_whole_is(number):
    exact = number if "400" not in number else "1"
    text = f'{{"exact": {exact}, "wide": {number}, "some": {number}, "when": "2026-11-20"}}'
    whole = final([text], Amounts)
    found = collect(lambda: extract.items(list(f"[{text}]"), "item", Amounts))
    assert repr(found) == repr([whole])
    shown = collect(lambda: extract.snapshots(list(text), Amounts))
    assert [repr(each) for each in shown[-2:]] == [repr(whole)] * 2


def test_a_plain_number_that_no_float_holds_is_exact():
    text = "[1e400, 1.5, 12345678901234567890123, [-1e999]]"
    for chunks in ([text], list(text)):
        found = collect(lambda c=chunks: extract.items(c, "item"))
        assert found == [Decimal("1e400"), 1.5, 12345678901234567890123, [Decimal("-1e999")]]
        assert [type(each) for each in found] == [Decimal, float, int, list]


def test_each_value_is_given_at_its_end_and_strings_whole():
    text = '{"a": ["x\\u0061", "", {"b": []}, true, 12], "b": ["no"]}'
    for chunks in ([text], list(text)):
        assert collect(lambda c=chunks: extract.items(c, "a.item")) == [
            "xa",
            "",
            {"b": []},
            True,
            12,
        ]
    assert collect(lambda: extract.items(["7"], "")) == [7]
    assert collect(lambda: extract.items(['{"a": [1, [2]]}'], "a")) == [[1, [2]]]
