"""Batches of any engine: guarded as by `check`, and of the kind that they were."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

import pytest

from guardstream import Guard, Policy, PolicyError
from guardstream.bulk import BulkError, Report, redact
from tests.support.optional import needs

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: '[bird]'}
  - {id: stop, words: [forbidden], action: block}
block_message: no
"""
GUARD = Guard(Policy.parse(POLICY))
TEXTS = ["the bluebird sings", "a forbidden word", "nothing", "", "bluebird bluebird"]


def one(batch: Any, **options: Any) -> Any:
    """Guard one batch."""
    (made,) = redact([batch], GUARD, **options)
    return made


def test_texts_are_guarded_as_by_check_and_counted() -> None:
    report = Report()
    (made,) = redact([TEXTS], GUARD, report=report)
    assert made == [GUARD.check(text).text for text in TEXTS]
    assert (report.records, report.changed, report.blocked) == (5, 3, 1)
    assert report.findings == {("bird", "mask"): 3, ("stop", "block"): 1}
    assert report.characters == sum(map(len, TEXTS))
    assert Report.of(json.loads(json.dumps(report.as_dict()))) == report


def test_texts_at_any_depth_of_a_row_are_guarded() -> None:
    row = {
        "id": 7,
        "text": "bluebird",
        "when": date(2026, 1, 1),
        "messages": [{"role": "user", "content": ["bluebird", {"bluebird": None}]}],
        "call": {"arguments": '{"q": "blue\\u0062ird"}'},
    }
    (made,) = one([row])
    assert json.loads(made.pop("call")["arguments"]) == {"q": "[bird]"}
    assert made == {
        "id": 7,
        "text": "[bird]",
        "when": date(2026, 1, 1),
        "messages": [{"role": "user", "content": ["[bird]", {"[bird]": None}]}],
    }


def test_a_row_in_which_nothing_is_found_is_the_same_object() -> None:
    row = {"text": "nothing", "parts": [{"a": ("x", 1, None)}]}
    assert one([row])[0] is row


def test_only_columns_that_are_named_are_guarded() -> None:
    row = {"a": "bluebird", "b": "bluebird"}
    assert one([row], columns=["b"]) == [{"a": "bluebird", "b": "[bird]"}]
    with pytest.raises(BulkError, match="no column 'c', known: a, b"):
        one([row], columns=["a", "c"])
    with pytest.raises(BulkError, match=r"no column 'c', known: \[bird\]$"):
        one([{"bluebird": 1}], columns=["c"])
    with pytest.raises(BulkError, match="leave them out"):
        one(["bluebird"], columns=["a"])
    with pytest.raises(TypeError, match="columns= needs a list"):
        redact([], GUARD, columns="text")


def test_bytes_are_refused_unless_they_are_left_out() -> None:
    rows = [{"text": "bluebird", "image": b"\0"}]
    with pytest.raises(BulkError, match="'image' holds bytes"):
        one(rows)
    assert one(rows, columns=["text"]) == [{"text": "[bird]", "image": b"\0"}]


@pytest.mark.parametrize("value", [PurePath("bluebird"), deque(["bluebird"]), {b"bluebird": 1}])
def test_objects_that_cannot_be_searched_are_refused(value: Any) -> None:
    with pytest.raises(BulkError, match="which are not searched"):
        one([{"a": value}])


def test_sets_are_guarded_and_values_without_text_stay() -> None:
    today = datetime(2026, 1, 2, tzinfo=UTC)
    plain = [Decimal("1.50"), today, today.date(), timedelta(1), UUID(int=7), 1j, None]
    (row,) = one([{"a": {"bluebird", 1}, "b": frozenset({"bluebird"}), "c": plain}])
    assert row == {"a": {"[bird]", 1}, "b": frozenset({"[bird]"}), "c": plain}
    assert row["c"] is plain


def test_missing_values_and_periods_of_pandas_stay() -> None:
    pandas = needs("pandas")
    rows = [{"a": [pandas.NA, pandas.NaT, pandas.Period("2026"), pandas.Interval(0, 1)]}]
    assert one(rows)[0] is rows[0]


def test_two_keys_do_not_become_one() -> None:
    with pytest.raises(BulkError, match="two keys"):
        one([{"a": {"bluebird": 1, "[bird]": 2}}])


def test_keys_of_a_record_are_guarded_and_names_of_columns_stay() -> None:
    rows = [{"bluebird": {"bluebird": 1}, "a": 2}, {"a": 3, "bluebird": 4}]
    shown = [{"[bird]": {"[bird]": 1}, "a": 2}, {"a": 3, "[bird]": 4}]
    assert one(rows) == shown
    assert one(rows, columns=["bluebird"])[0] == {"bluebird": {"[bird]": 1}, "a": 2}
    assert one({"bluebird": ["a bluebird"]}) == {"bluebird": ["a [bird]"]}


def test_columns_stay_arrays_or_lists() -> None:
    numpy = needs("numpy")
    batch = {"text": numpy.array(TEXTS, dtype=object), "n": numpy.arange(5), "other": list(TEXTS)}
    made = one(batch)
    assert isinstance(made["text"], numpy.ndarray)
    assert list(made["text"]) == made["other"] == [GUARD.check(text).text for text in TEXTS]
    assert made["n"] is batch["n"]
    fixed = one({"text": numpy.array(["bluebird"])})["text"]
    assert (fixed.tolist(), fixed.dtype.kind) == (["[bird]"], "U")


def test_arrow_tables_keep_their_schema() -> None:
    pyarrow = needs("pyarrow")
    message = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    schema = pyarrow.schema(
        [
            pyarrow.field("text", pyarrow.large_string(), metadata={"a": "b"}),
            ("kind", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
            ("messages", pyarrow.list_(message)),
            ("price", pyarrow.decimal128(9, 2)),
        ]
    )
    rows = [
        {"text": text, "kind": text, "messages": [{"role": "user", "content": text}], "price": None}
        for text in TEXTS
    ]
    rows[0]["price"] = Decimal("1.10")
    table = pyarrow.Table.from_pylist(rows, schema=schema)
    made = one(table)
    assert made.schema.equals(schema, check_metadata=True)
    wanted = [GUARD.check(text).text for text in TEXTS]
    assert made.column("text").to_pylist() == made.column("kind").to_pylist() == wanted
    assert [row[0]["content"] for row in made.column("messages").to_pylist()] == wanted
    assert made.column("price") == table.column("price")
    batch = table.to_batches()[0]
    assert one(batch).column("text").to_pylist() == wanted


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_data_frames_come_back_as_they_were(name: str) -> None:
    frames = needs(name)
    frame = frames.DataFrame({"text": TEXTS, "n": range(5)})
    made = one(frame)
    assert type(made) is type(frame)
    assert list(made["text"]) == [GUARD.check(text).text for text in TEXTS]
    assert list(made["n"]) == list(range(5))
    assert list(frame["text"]) == TEXTS
    assert made["text"].dtype == frame["text"].dtype


def test_columns_of_a_data_frame_may_have_numbers_as_names() -> None:
    pandas = needs("pandas")
    assert one(pandas.DataFrame([["bluebird", "x"]])).to_dict("split")["data"] == [["[bird]", "x"]]


def test_the_texts_in_an_index_are_guarded_like_those_in_columns() -> None:
    pandas = needs("pandas")
    frame = pandas.DataFrame({"n": [1, 2], "text": TEXTS[:2]}, index=["a bluebird", "b"])
    frame.index.name = "n"
    made = one(frame)
    assert (list(made.index), made.index.name) == (["a [bird]", "b"], "n")
    assert list(made["text"]) == [GUARD.check(text).text for text in TEXTS[:2]]
    assert list(frame.index) == ["a bluebird", "b"]
    assert list(one(frame, columns=["text"]).index) == ["a bluebird", "b"]
    several = one(frame.set_index([pandas.Index([7, 8], name="m"), frame.index]))
    assert several.index.tolist() == [(7, "a [bird]"), (8, "b")]
    assert several.index.names == ["m", "n"]


def test_texts_that_no_row_has_any_more_do_not_come_out() -> None:
    pyarrow, parquet = needs("pyarrow"), needs("pyarrow.parquet")
    pandas, polars = needs("pandas"), needs("polars")
    texts = pyarrow.array(["x", "a bluebird"])
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 0]), texts)
    nested = pyarrow.ListArray.from_arrays(pyarrow.array([0, 1, 2], pyarrow.int32()), column)
    table = pyarrow.table({"a": column, "b": nested})
    made = one(table)
    assert (made.schema, made.to_pydict()) == (table.schema, table.to_pydict())
    file = BytesIO()
    parquet.write_table(made, file)
    assert b"bluebird" not in file.getvalue()
    index = pandas.MultiIndex.from_tuples([("k", 1), ("the bluebird", 2)])
    frame = pandas.DataFrame({"a": pandas.Categorical(["x", "a bluebird"])}, index=index).iloc[:1]
    made = one(frame)
    assert (list(made["a"]), list(made["a"].cat.categories)) == (["x"], ["x"])
    assert made.index.tolist() == [("k", 1)]
    assert list(made.index.levels[0]) == ["k"]
    frame = pandas.DataFrame({"a": pandas.Categorical(["x"], ["x", "y"], ordered=True)})
    assert one(frame)["a"].dtype == frame["a"].dtype
    enum = polars.Enum(["x", "a bluebird"])
    assert "bluebird" not in str(one(polars.DataFrame({"a": ["x"]}, schema={"a": enum})).schema)


def test_texts_in_nested_enums_of_polars_are_guarded() -> None:
    polars = needs("polars")
    enum = polars.Enum(["x", "a bluebird"])
    nested = polars.List(polars.Struct({"k": enum, "ks": polars.Array(enum, 1)}))
    for text, shown in (("a bluebird", "a [bird]"), ("x", "x")):
        rows = [[{"k": text, "ks": [text]}]]
        made = one(polars.DataFrame({"a": rows}, schema={"a": nested}))
        assert made["a"].to_list() == [[{"k": shown, "ks": [shown]}]]
        assert "bluebird" not in str(made.schema)
    plain = polars.DataFrame({"a": [["x"]]}, schema={"a": polars.List(polars.Enum(["x"]))})
    assert one(plain).schema == plain.schema


def test_columns_without_texts_may_hold_any_time() -> None:
    pyarrow, polars = needs("pyarrow"), needs("polars")
    far = pyarrow.array([2**62, None], pyarrow.timestamp("us"))
    report = Report()
    made = one(pyarrow.table({"text": ["bluebird", "x"], "at": far}), report=report)
    assert made.column("text").to_pylist() == ["[bird]", "x"]
    assert made.column("at").combine_chunks().equals(far)
    assert one(pyarrow.table({"at": far}), report=report, columns=["at"]).num_rows == 2
    assert report.records == 4
    frame = polars.DataFrame({"text": ["bluebird", "x"], "at": far})
    assert one(frame)["at"].equals(frame["at"])
    inside = pyarrow.StructArray.from_arrays([pyarrow.array(["a", "b"]), far], ["text", "at"])
    with pytest.raises(BulkError, match="'both' has values beside its texts"):
        one(pyarrow.table({"both": inside}))


def test_processes_give_the_same_in_order() -> None:
    batches = [[f"{number} bluebird", "forbidden"] for number in range(20)]
    alone, together = Report(), Report()
    wanted = list(redact(batches, GUARD, report=alone))
    assert list(redact(batches, GUARD, jobs=2, report=together)) == wanted
    assert alone == together


def test_batches_are_read_as_they_are_needed() -> None:
    read: list[int] = []

    def source() -> Iterator[list[str]]:
        for number in range(1000):
            read.append(number)
            yield ["bluebird"]

    made = redact(source(), GUARD, jobs=2)
    next(made)
    assert len(read) < 10
    made.close()


def test_all_batches_get_one_policy_though_its_file_changes(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{id: bird, words: [bluebird]}]")
    made = redact([["bluebird"], ["bluebird"]], Guard.load(policy, reload=True))
    assert next(made) == ["[bird]"]
    policy.write_text("rules: []")
    assert next(made) == ["[bird]"]


def test_what_cannot_be_guarded_says_so(tmp_path: Any) -> None:
    with pytest.raises(TypeError, match="a batch of type 'set'"):
        one({"a"})
    with pytest.raises(TypeError, match="'text' has a single value instead of a list: give rows"):
        one({"text": "bluebird"})
    with pytest.raises(TypeError, match="'id' has a single value"):
        one({"id": 7, "text": ["bluebird"]})
    pandas, polars = needs("pandas"), needs("polars")
    with pytest.raises(TypeError, match="a batch of type 'Series'"):
        one(pandas.Series(["bluebird"]))
    with pytest.raises(TypeError, match="a batch of type 'LazyFrame'"):
        one(polars.LazyFrame({"text": ["bluebird"]}))
    with pytest.raises(BulkError, match="two columns have the same name"):
        one(pandas.DataFrame([["a", "b"]], columns=["text", "text"]))
    with pytest.raises(BulkError, match="column <index> holds bytes"):
        one(pandas.DataFrame({"text": ["a"]}, index=[b"a"]))
    with pytest.raises(ValueError, match="at least 1"):
        redact([], GUARD, jobs=0)
    path = tmp_path / "policy.yaml"
    path.write_text("gate:\n  - {use: openai_moderation}\nrules: []")
    with pytest.raises(PolicyError, match=r"policy\.yaml:1:1: a gate judges streams"):
        redact([], path)
    with pytest.raises(PolicyError):
        redact([], tmp_path / "none.yaml")
