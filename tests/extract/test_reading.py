"""Paths, many documents, almost-JSON, options, and errors that say what was there."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any, assert_type

import anyio
import pytest
from pydantic import BaseModel

from guardstream import Guard, extract
from guardstream.jsonstream import Limits
from guardstream.policy import Policy
from tests.jsonstream.corpora import cuttings
from tests.support.extracting import Source, collect


class Order(BaseModel):
    id: int


ORDERS = '{"orders": [{"id": 1}, {"id": "x"}, {"id": 3}], "a.b": "dot", "n": {"": [["in"]]}}'


def items(text: str, path: str, model: type[BaseModel] | None = None, **options):
    """The items, the same however the text is cut, and in both forms."""
    found = []
    for chunks in cuttings(text, random.Random(0)):
        found.append(list(extract.items_sync(chunks, path, model, **options)))
        found.append(collect(lambda c=chunks: extract.items(Source(c), path, model, **options)))
    assert all(each == found[0] for each in found)
    return found[0]


@pytest.mark.parametrize(
    "path", ["orders.item.id", "$.orders[*].id", "/orders/*/id", "$['orders'][*].id"]
)
def test_a_path_is_written_in_three_ways(path):
    assert items(ORDERS, path) == [1, "x", 3]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.orders[2].id", [3]),
        ("/orders/2/id", [3]),
        ("/a.b", ["dot"]),
        ("a.b", ["dot"]),
        ('$["a.b"]', ["dot"]),
        ("/n//0/*", ["in"]),
        ("$", [json.loads(ORDERS)]),
        ("", [json.loads(ORDERS)]),
    ],
)
def test_each_way_reaches_what_it_names(path, expected):
    assert items(ORDERS, path) == expected


def test_a_path_that_cannot_be_read_is_an_error():
    with pytest.raises(ValueError, match=r"cannot read the path '\$a'"):
        extract.items_sync(["{}"], "$a")


def test_a_path_into_an_empty_object_says_that_it_has_no_keys():
    with pytest.raises(extract.ExtractError, match=r"nothing at 'a\.b': no key is there$"):
        items('{"a": {}}', "a.b")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("order.item", "the keys there are 'orders', 'a.b', 'n'"),
        ("orders.item.nr", "the keys there are 'id'"),
        ("orders.item.id.x", "there is a (number or literal|string) on the way"),
        ("$.*.id", "'*' selects the elements of an array"),
        ("$.n.x", "the keys there are ''"),
        ("orders.id", "there is an array on the way, and 'item' names its elements"),
        ("$.orders[7].id", "there is an array on the way"),
    ],
)
def test_a_path_that_was_never_met_names_the_keys_that_were_there(path, said):
    for chunks in ([ORDERS], list(ORDERS)):
        with pytest.raises(extract.ExtractError, match=said):
            list(extract.items_sync(chunks, path))
        with pytest.raises(extract.ExtractError, match=said):
            list(extract.text_sync(chunks, path))


def test_an_array_where_a_key_was_asked_for_is_an_error():
    with pytest.raises(extract.ExtractError, match="there is an array on the way"):
        items('[{"id": 1}]', "orders.item")


def test_text_before_the_json_is_an_error_that_names_the_option():
    for text in ('```json\n{"a": 1}\n```', 'Sure: {"a": 1}.'):
        with pytest.raises(extract.ExtractError, match="pass fences='strip'"):
            items(text, "a")
        assert items(text, "a", fences="strip") == [1]
    with pytest.raises(extract.ExtractError) as caught:
        items("[1, oh]", "item")
    assert "fences" not in str(caught.value)
    with pytest.raises(extract.ExtractError, match=r"expected type .*, got a number; if prose"):
        extract.final_sync(["42 things"], list[Order])


def test_a_violation_says_what_was_expected():
    with pytest.raises(extract.ExtractError) as caught:
        extract.final_sync(['{"orders": []}'], list[Order])
    assert str(caught.value).endswith('(/): expected type "array", got an object')
    with pytest.raises(extract.ExtractError, match=r'expected required .*"id".*, got an object'):
        extract.final_sync(["{}"], Order)


def test_an_empty_array_has_no_items():
    assert items('{"orders": []}', "orders.item") == []
    assert items('{"orders": []}', "orders.item.id") == []


def test_what_a_model_refuses_is_raised_with_its_index_or_skipped():
    assert items(ORDERS, "orders.item", Order, on_invalid="skip") == [Order(id=1), Order(id=3)]
    found = extract.items_sync(list(ORDERS), "orders.item", Order)
    assert next(found) == Order(id=1)
    with pytest.raises(extract.ExtractError, match="item 1") as caught:
        next(found)
    assert caught.value.index == 1


def test_lines_are_documents_of_their_own():
    text = '{"id": 1}\n{"id": 2}\n\n{"id": 3}'
    assert items(text, "", Order, documents="many") == [Order(id=1), Order(id=2), Order(id=3)]
    assert items(text, "id", documents="many") == [1, 2, 3]
    assert items("", "", documents="many") == []
    prose = 'A: {"id": 1} and {"id": 2}.'
    assert items(prose, "id", documents="many", fences="strip") == [1, 2]
    pieces = list(extract.text_sync(['{"a": "x"}', '{"a": "y"}'], "a", documents="many"))
    assert pieces == ["x", "y"]


def test_almost_json_is_mended_in_each_function():
    text = "{id: 1, /* c */}"
    for chunks in ([text], list(text)):
        assert extract.final_sync(chunks, Order, repair=True) == Order(id=1)
        assert list(extract.snapshots_sync(chunks, Order, repair=True))[-1] == Order(id=1)
        kinds = ["comments", "unquoted_keys", "trailing_commas"]
        assert list(extract.items_sync(chunks, "id", repair=kinds)) == [1]
    assert items("['a', \"b\",]", "item", repair=True) == ["a", "b"]
    assert list(extract.text_sync(list("{a: 'it\\'s'}"), "a", repair=True)) == list("it's")
    with pytest.raises(ValueError, match="'quotes'"):
        extract.items_sync([""], "", repair=["quotes"])


def test_a_truncated_document_may_be_closed():
    text = '{"id": 1, "rest": ["x", 12'
    assert extract.final_sync(list(text), Order, repair={"truncated"}) == Order(id=1)
    assert extract.final_sync([text], dict, repair={"truncated"}) == {"id": 1, "rest": ["x"]}


@pytest.mark.parametrize(
    ("text", "partial"),
    [
        ('{"a": ["x", "yz', {"a": ["x", "yz"]}),
        ('{"a": "y\\u00e9', {"a": "yé"}),
        ('"ab', "ab"),
        ('{"a": 1, "key', {"a": 1}),
        ('{"a": "', {}),
    ],
)
def test_the_partial_value_has_the_open_string(text, partial):
    for chunks in cuttings(text, random.Random(0)):
        with pytest.raises(extract.ExtractError) as caught:
            list(extract.items_sync(chunks, "none"))
        assert caught.value.partial == partial


@pytest.mark.parametrize(
    ("text", "partial"),
    [
        ('{"kind": "disc", "size": null, "more": 1}', {"kind": "disc"}),
        ('{"kind": "disc", "size": "wide", "more": 1}', {"kind": "disc"}),
        ('{"kind": "disc", "size": [1, true, 2]}', {"kind": "disc", "size": [1]}),
        ('{"kind": "cone", "size": 1}', {}),
    ],
)
def test_what_a_union_refuses_is_no_part_of_the_partial_value(text, partial):
    size = {"anyOf": [{"type": "number"}, {"items": {"type": "number"}, "type": "array"}]}
    shapes = [
        {"properties": {"kind": {"const": kind}, "size": size, "more": {}}}
        for kind in ("disc", "ring")
    ]
    for chunks in cuttings(text, random.Random(0)):
        with pytest.raises(extract.ExtractError) as caught:
            extract.final_sync(chunks, Any, schema={"type": "object", "anyOf": shapes})
        assert caught.value.partial == partial


def test_options_bound_and_judge_what_is_read():
    with pytest.raises(extract.ExtractError, match="repeats a key"):
        items('{"a": 1, "a": 2}', "a")
    assert items('{"a": 1, "a": 2}', "a", duplicates=True) == [1, 2]
    with pytest.raises(extract.ExtractError, match="nested"):
        items("[[1]]", "item", limits=Limits(depth=1))
    schema = {"items": {"type": "integer"}}
    assert items("[1, 2]", "item", schema=schema) == [1, 2]
    with pytest.raises(extract.ExtractError, match="type"):
        items('[1, "x"]', "item", schema=schema)
    with pytest.raises(TypeError, match="'scheme'"):
        extract.items_sync([""], "", scheme={})


def test_an_integer_that_python_does_not_read_is_an_error():
    text, limits = ["[" + "7" * 5_000 + "]"], Limits(digits=10_000)
    for read in (
        partial(extract.items_sync, text, "item"),
        partial(extract.snapshots_sync, text, list[int]),
        lambda **options: [extract.final_sync(text, Any, **options)],
    ):
        with pytest.raises(extract.ExtractError, match="too many digits"):
            list(read(limits=limits))


def test_an_item_that_python_does_not_read_is_an_error():
    text, limits = ["[1, " + "[" * 200_000 + "]" * 200_001], Limits(depth=1_000_000)
    found = extract.items_sync(text, "item", limits=limits)
    assert next(found) == 1
    with pytest.raises(extract.ExtractError, match=r"limits\.depth") as caught:
        next(found)
    assert caught.value.index == 1


class OfAnotherPackage:
    pass


# As a model of pydantic 1 is, whose package cannot be loaded in every Python.
OfPydantic1 = type("Order", (type("BaseModel", (), {"__module__": "pydantic.v1.main"}),), {})


@pytest.mark.parametrize("model", [OfAnotherPackage, OfPydantic1])
def test_a_class_that_pydantic_does_not_know_is_refused_with_what_to_do(model):
    with pytest.raises(TypeError, match=rf"{model.__name__}.*PlainValidator"):
        extract.final_sync(['{"id": 1}'], model)


@pytest.mark.parametrize("guarded", [False, True])
def test_a_reader_that_leaves_a_source_inside_a_scope_is_not_cancelled(guarded):
    async def source():
        with anyio.CancelScope() as scope:
            try:
                for character in ORDERS:
                    yield character
            finally:
                scope.cancel()

    async def run():
        guard = Guard(Policy.parse("rules: [{id: w, words: [dot]}]"))
        found = extract.items(guard.wrap(source()) if guarded else source(), "orders.item")
        assert await anext(found) == {"id": 1}
        await found.aclose()
        await anyio.sleep(0.01)

    anyio.run(run)


def test_a_plain_stream_is_closed_and_a_guarded_one_read():
    closed = []

    def stream():
        try:
            yield from ORDERS
        finally:
            closed.append(True)

    found = extract.items_sync(stream(), "orders.item")
    assert next(found) == {"id": 1}
    found.close()
    assert closed == [True]
    guard = Guard(Policy.parse("rules: [{id: w, words: [dot], whole_word: false}]"))
    assert list(extract.text_sync(guard.wrap_sync([ORDERS]), "/a.b")) == ["[w]"]
    with pytest.raises(TypeError, match="_sync"):
        next(extract.items_sync(Source([]), "a"))  # type: ignore[arg-type]


def test_a_stream_is_closed_although_its_iterator_cannot_be():
    class Stream:
        closed = False

        def __iter__(self):
            try:
                yield from ORDERS
            finally:
                raise OSError("the connection is gone")

        def close(self):
            self.closed = True

    stream = Stream()
    found = extract.items_sync(stream, "orders.item")
    assert next(found) == {"id": 1}
    found.close()
    assert stream.closed


def test_types_are_known_without_annotations():
    for order in extract.items_sync(["[]"], "item", Order):
        assert_type(order, Order)
    for form in extract.snapshots_sync(['{"id": 1}'], Order):
        assert_type(form, Order)
    assert_type(extract.final_sync(['{"id": 1}'], Order), Order)
    assert_type(extract.final_sync(["[1]"], list[int]), list[int])

    async def run() -> None:
        assert_type(await extract.final(['{"id": 1}'], Order), Order)
        async for order in extract.items(["[]"], "item", Order):
            assert_type(order, Order)

    anyio.run(run)
