"""JSON as it comes over the wire: a long document is read value by value, and says the same."""

from __future__ import annotations

import json
import threading

import pytest

from guardstream.errors import AdapterError
from guardstream.framing.json import (
    MAX_VALUES,
    TooManyValuesError,
    json_bytes,
    json_data,
    json_object,
    json_start,
)

MANY = 200_000


def long(value: str) -> str:
    """A long document of very many values, the last of which is this one."""
    return f'{{"before": [{"10000," * MANY}"\\u00e9"], "said": {value}}}'


@pytest.mark.parametrize(
    "value", ["1", "-0.5e3", '"a\\n\\ud83d\\ude00"', "[]", "{}", '[{"a": null}, true]', "NaN"]
)
def test_a_long_document_says_what_a_short_one_does(value: str) -> None:
    said = json_object(long(value))
    assert said is not None
    assert repr(said["said"]) == repr(json.loads(value))
    assert said["before"] == [10000] * MANY + ["é"]


@pytest.mark.parametrize("value", ["1,", "01", "[1", '"', "nul", "\x00", "1}}"])
def test_a_long_document_that_is_none_is_not_read(value: str) -> None:
    assert json_object(long(value)) is None
    assert json_data(long(value)) == (long(value), "text")


def test_a_long_document_that_names_a_key_twice_is_refused() -> None:
    with pytest.raises(AdapterError):
        json_object(long('{"a": 1, "a": 2}'))


@pytest.mark.parametrize(
    ("value", "most"),
    [("{}", MAX_VALUES), ('""', MAX_VALUES), ("[]", MAX_VALUES), ("17", 20 * MAX_VALUES)],
)
def test_a_document_of_too_many_values_is_not_parsed(value: str, most: int) -> None:
    few, many = (f'{{"a": [{",".join([value] * n)}]}}' for n in (most // 2, most + 1))
    assert json_object(few) is not None
    for read in (json_object, json_data, json_start):
        with pytest.raises(TooManyValuesError):
            read(many)


def test_what_a_string_has_in_it_is_no_value() -> None:
    text = json.dumps({"a": '{"[,\\ ' * MAX_VALUES})
    assert json_object(text) == json.loads(text)


def test_others_have_their_turn_while_a_long_document_is_read() -> None:
    text = long("1")
    read = threading.Event()
    reading = threading.Thread(target=lambda: (json_object(text), read.set()))
    reading.start()
    turns = 0
    while not read.wait(0.001):
        turns += 1
    reading.join()
    assert turns > 1


@pytest.mark.parametrize("value", ["é", "\ud83d", 1.5, float("nan"), None, [], {"a": [True, {}]}])
def test_a_long_value_is_written_as_a_short_one_is(value: object) -> None:
    document = {"said": [value, "\u2028"], "é": value}
    assert json_bytes(document, 10_000_000) == json_bytes(document)


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN"])
@pytest.mark.parametrize(
    "read", ['{"said":%s,"half":"\ud83d"}', '{"said":[{"deep":%s}]}', long("%s")]
)
def test_what_servers_write_in_place_of_a_number_is_written_as_it_came(
    read: str, value: str
) -> None:
    document = read % value
    assert f":{value}".encode() in json_bytes(json_object(document))


@pytest.mark.parametrize("value", ["1e999", "-1e999", f"{'9' * 400}.0"])
def test_a_number_that_is_too_large_to_be_read_is_never_written_as_another(value: str) -> None:
    for read in (json_object(f'{{"a": [1, {{"b": {value}}}]}}'), json_object(long(value))):
        assert read is not None
        with pytest.raises(AdapterError, match="too large"):
            json_bytes(read)


def test_others_have_their_turn_while_a_few_long_strings_are_read_and_written() -> None:
    document = {"messages": [{"content": "wörds " * 20_000}] * 100}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    done = threading.Event()
    written: list[bytes] = []

    def work() -> None:
        try:
            written.append(json_bytes(json_object(text), len(text)))
        finally:
            done.set()

    working = threading.Thread(target=work)
    working.start()
    turns = 0
    while not done.wait(0.0001):
        turns += 1
    working.join()
    assert written == [text.encode()]
    assert turns > 1


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": 1} rest', [{"a": 1}]),
        (' [1]\n"b"\r\t{} {c', [[1], "b", {}]),
        ('"a"', ["a"]),
        ("1 {}", []),
        ("{a: 1}", []),
        ('{"a"', []),
        ("", []),
    ],
)
def test_what_a_text_begins_with_is_read_as_json(text: str, values: list[object]) -> None:
    assert json_start(text) == values


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2} b', "[" * 100_000, "[1" + "0" * 5000 + "] b"])
def test_what_cannot_be_read_of_a_beginning_is_refused(text: str) -> None:
    with pytest.raises(AdapterError):
        json_start(text)
