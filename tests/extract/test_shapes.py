"""Snapshots are of the declared types as soon as these are certain; fields that lack say so."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections import Counter, OrderedDict
from collections.abc import Set as AbstractSet
from enum import Enum
from ipaddress import IPv4Network
from itertools import groupby
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    OnErrorOmit,
    PrivateAttr,
    RootModel,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import ReadOnly, TypeAliasType, TypedDict
from typing_extensions import TypeVar as TypeVarWithDefault

from guardstream import extract


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    born: datetime.date
    name: str = "Rex"


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid")
    radius: float


@dataclasses.dataclass
class Point:
    x: float
    y: float
    tags: list[str] = dataclasses.field(default_factory=list)


@pydantic_dataclass
class Named:
    name: str
    size: int = Field(default=3)


class Row(TypedDict):
    day: datetime.date
    count: int


class Pets(RootModel[list[Cat | Dog]]):
    pass


class Pet(RootModel[Annotated[Cat | Dog, Field(discriminator="kind")]]):
    pass


class CatOrSizes(RootModel[Cat | dict[str, int]]):
    pass


class Zoo(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    shape: Closed | Circle | None = None
    point: Point
    named: Named
    row: Row
    pets: Pets
    when: set[datetime.date]
    note: str


ZOO: dict[str, Any] = {
    "pet": {"kind": "dog", "born": "2020-01-02"},
    "shape": {"radius": 2},
    "point": {"x": 1, "y": 2},
    "named": {"name": "n"},
    "row": {"day": "2020-01-02", "count": 1},
    "pets": [{"lives": 9, "kind": "cat"}],
    "when": ["2020-01-02"],
    "note": "x",
}


def grown(text: str, model: Any) -> list[Any]:
    return list(extract.snapshots_sync(list(text), model))


def seen(text: str, model: Any, field: str) -> list[Any]:
    """What a field was, one after the other."""
    found: list[Any] = []
    for each in grown(text, model):
        value = getattr(each, field)
        if not found or repr(found[-1]) != repr(value):
            found.append(value)
    return found


TEXT = json.dumps(ZOO)


def test_a_field_that_has_not_come_is_missing_or_its_default():
    first = grown(TEXT, Zoo)[0]
    assert first.note is extract.MISSING
    assert not first.note
    assert first.shape is None
    assert first.model_fields_set == set()
    assert grown(TEXT, Zoo)[-1] == Zoo.model_validate_json(TEXT)


def test_a_tag_decides_a_union():
    pets = seen(TEXT, Zoo, "pet")
    assert pets[:2] == [extract.MISSING, {}]
    assert [type(each) for each in pets[-2:]] == [Dog, Dog]
    assert pets[-2].born is extract.MISSING
    assert pets[-1].born == datetime.date(2020, 1, 2)
    assert pets[-1].name == "Rex"


def test_a_key_decides_between_closed_models():
    shapes = seen(TEXT, Zoo, "shape")
    assert shapes == [None, {}, Circle(radius=2)]


def test_what_came_before_the_tag_is_typed_with_it():
    pets = seen(TEXT, Zoo, "pets")
    assert [each.root for each in pets if each and each.root][-1] == [Cat(kind="cat", lives=9)]


def test_dataclasses_and_typed_dicts_grow():
    points = seen(TEXT, Zoo, "point")
    assert points[1] == Point(extract.MISSING, extract.MISSING, [])
    assert points[-1] == Point(1, 2)
    assert seen(TEXT, Zoo, "named")[-1] == Named("n", 3)
    assert seen(TEXT, Zoo, "row")[1:] == [
        {},
        {"day": datetime.date(2020, 1, 2)},
        {"day": datetime.date(2020, 1, 2), "count": 1},
    ]
    assert seen(TEXT, Zoo, "when")[-1] == {datetime.date(2020, 1, 2)}


@pytest.mark.parametrize("model", [Point, Row, Pets, list[Cat | Dog], Annotated[Cat | Dog, "x"]])
def test_any_type_may_be_the_root(model):
    value: Any = {"x": 1, "y": 2, "day": "2020-01-02", "count": 1, "kind": "cat", "lives": 1}
    if model in (Pets, list[Cat | Dog]):
        value = [value]
    elif model is Row:
        value = {"day": "2020-01-02", "count": 1}
    shown = grown(json.dumps(value), model)
    assert repr(shown[-1]) == repr(extract.final_sync([json.dumps(value)], model))
    assert type(shown[-2]) is type(shown[-1])


T = TypeVar("T")


@dataclasses.dataclass
class Box(Generic[T]):
    inner: T


class Sheet(TypedDict, Generic[T]):
    rows: list[T]


class Interval(NamedTuple):
    start: datetime.date
    days: int


class Color(Enum):
    red = "red"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["s"]
    days: Annotated[set[datetime.date], Field(strict=True)]


Maybe = TypeAliasType("Maybe", T | None, type_params=(T,))  # `type Maybe[T] = T | None`
DAY = datetime.date(2024, 5, 6)


@pytest.mark.parametrize(
    ("model", "text", "complete"),
    [
        (Maybe[datetime.date], '"2024-05-06"', DAY),
        (Maybe[list[Maybe[datetime.date]]], '["2024-05-06"]', [DAY]),
        (Box[datetime.date], '{"inner": "2024-05-06"}', Box(DAY)),
        (Box[Box[datetime.date]], '{"inner": {"inner": "2024-05-06"}}', Box(Box(DAY))),
        (Sheet[datetime.date], '{"rows": ["2024-05-06"]}', {"rows": [DAY]}),
        (Interval, '["2024-05-06", 3]', Interval(DAY, 3)),
        (dict[datetime.date, int], '{"2024-05-06": 3}', {DAY: 3}),
        (dict[Color, list[int]], '{"red": [3]}', {Color.red: [3]}),
        # Of these types only the list may be an array.
        (datetime.date | list[datetime.date], '["2024-05-06"]', [DAY]),
        (IPv4Network | list[IPv4Network], '["10.0.0.0/8"]', [IPv4Network("10.0.0.0/8")]),
        # Where pydantic prefers a date, the string is none.
        (datetime.date | str, '"2024-05-06"', DAY),
        # A strict type takes a text for a date, in JSON alone.
        (Strict | Cat, '{"days": ["2024-05-06"], "kind": "s"}', Strict(kind="s", days={DAY})),
        (Pet, '{"kind": "cat", "lives": 2}', Pet(Cat(kind="cat", lives=2))),
        (Pet | None, '{"lives": 2, "kind": "cat"}', Pet(Cat(kind="cat", lives=2))),
        (CatOrSizes, '{"kind": "cat", "lives": 2}', CatOrSizes(Cat(kind="cat", lives=2))),
        (Cat | dict[str, int], '{"kind": "cat", "lives": 2}', Cat(kind="cat", lives=2)),
        (Interval, '{"start": "2024-05-06", "days": 3}', Interval(DAY, 3)),
        (OrderedDict[str, datetime.date], '{"a": "2024-05-06"}', OrderedDict(a=DAY)),
        (Counter[str], '{"a": 2}', Counter(a=2)),
        (AbstractSet[datetime.date], '["2024-05-06"]', frozenset({DAY})),
        (Annotated[int | str, Field(union_mode="left_to_right")], '"3"', 3),
    ],
)
def test_what_is_complete_has_its_type_before_the_end(model, text, complete):
    *growing, last = extract.snapshots_sync(["[", text, ", 1]"], tuple[model, int])
    assert growing[-1] == [complete]
    assert type(growing[-1][0]) is type(complete)
    assert last == (complete, 1)


def test_a_root_model_shows_the_model_that_a_tag_decides_while_it_grows():
    shown = list(extract.snapshots_sync(['{"born": "2020-01-02"', ', "kind": "dog"', "}"], Pet))
    assert [type(each.root) for each in shown] == [dict, Dog, Dog]
    assert shown[1] == shown[2]


def test_a_dataclass_may_derive_from_a_type_that_is_built_in():
    @dataclasses.dataclass(eq=False)
    class FailedError(Exception):
        code: int
        note: str = ""

    shown = list(extract.snapshots_sync(['{"code": 4, ', '"note": "a"}'], FailedError))
    assert [(each.code, each.note) for each in shown] == [(4, ""), (4, "a")]


def test_a_dataclass_of_pydantic_is_filled_by_its_aliases():
    @pydantic_dataclass
    class Parcel:
        weight: int = Field(alias="kg")
        to: str = Field(default="", validation_alias=AliasChoices("recipient", "to"))

    text = ['{"kg": 3', ', "recipient": "An', 'n"', "}"]
    *growing, last = extract.snapshots_sync(text, Parcel)
    assert growing[-1] == last == Parcel(kg=3, to="Ann")


@pytest.mark.parametrize("make", [dataclasses.dataclass, pydantic_dataclass])
def test_a_field_that_a_dataclass_sets_itself_is_not_filled_from_the_text(make):
    @make
    class Parcel:
        weight: int
        size: int = dataclasses.field(default=4, init=False)

    text = ['{"size": "large"', ', "weight": 3', ', "to": ', '"Ann"}']
    *growing, last = extract.snapshots_sync(text, Parcel)
    assert [each.size for each in growing] == [4] * len(growing)
    assert (last.weight, last.size) == (3, 4)


class Spot(BaseModel):
    x: int
    label: str = ""


class Partial(TypedDict):
    spot: NotRequired[OnErrorOmit[Spot]]
    size: NotRequired[OnErrorOmit[int]]


class Wide(TypedDict):
    kind: Literal["wide"]
    made: NotRequired[OnErrorOmit[datetime.date]]
    size: NotRequired[OnErrorOmit[int]]


class High(TypedDict):
    kind: Literal["high"]
    made: NotRequired[OnErrorOmit[datetime.date]]
    size: NotRequired[OnErrorOmit[str]]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    sizes: list[list[OnErrorOmit[int]]] = []


class Sized(BaseModel):
    size: OnErrorOmit[int] = 0


_T = TypeVar("_T")
Count = TypeAliasType("Count", OnErrorOmit[int])
Several = TypeAliasType("Several", list[OnErrorOmit[_T]], type_params=(_T,))
Nested = TypeAliasType("Nested", list[OnErrorOmit["Nested"]] | int)


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        (list[OnErrorOmit[int]], '["no", 1, {}, "2"]', [[], [1], [1, 2]]),
        (list[OnErrorOmit[str]], '["ab", 1, "c"]', [[], ["ab"], ["ab", "c"]]),
        (list[OnErrorOmit[Spot]], '[{"x": "a"}, {"x": "1", "label": "b"}, {}]',
         [[], [Spot(x=1, label="b")]]),
        (list[list[OnErrorOmit[int]]], '[[1, "a"], ["2"]]',
         [[], [[]], [[1]], [[1], []], [[1], [2]]]),
        (dict[str, OnErrorOmit[int]], '{"a": [1], "b": 2}', [{}, {"b": 2}]),
        (Partial, '{"spot": {"x": 1, "label": []}, "size": 2}', [{}, {"size": 2}]),
        (dict[OnErrorOmit[Literal["a", "b"]], list[int]], '{"c": [1], "a": [2]}',
         [{}, {"a": []}, {"a": [2]}]),
        (dict[OnErrorOmit[int], str], '{"c": "d", "1": "a"}', [{}, {1: ""}, {1: "a"}]),
        (RootModel[dict[OnErrorOmit[int], int]], '{"c": 1, "1": 2}',
         [RootModel[dict[OnErrorOmit[int], int]](each) for each in ({}, {1: 2})]),
        (list[OnErrorOmit[int] | None], '["no", null, [], 1]', [[], [None], [None, 1]]),
        (list[OnErrorOmit[list[int]] | int], '[["no"], 1, [2]]', [[], [1], [1, [2]]]),
        (list[Count], '["no", 1, {}, "2"]', [[], [1], [1, 2]]),
        (Several[int], '["no", 1]', [[], [1]]),
        (Nested, '["no", 1]', [[], [1]]),
        (RootModel[list[OnErrorOmit[int]]], '["no", "1"]',
         [RootModel[list[OnErrorOmit[int]]](each) for each in ([], [1])]),
        (list[RootModel[OnErrorOmit[int]]], '["no", "1"]', [[], [RootModel[OnErrorOmit[int]](1)]]),
        (tuple[OnErrorOmit[int], str], '["no", "yes"]', [[], [""], ["y"], ["ye"], ["yes"],
         ("yes",)]),
        (list[tuple[OnErrorOmit[int], int]], '[[[], "2"]]',
         [[], [[]], [[2]], [(2,)]]),
        (Strict, '{"sizes": [["1", 2]]}', [Strict(sizes=each) for each in ([], [[]], [[2]])]),
        (list[Sized], '[{"size": "1"}]', [[], [Sized()], [Sized(size=1)]]),
    ],
)  # fmt: skip
def test_what_may_be_left_out_is_shown_when_it_is_known_to_stay(kind, text, shown):
    found = list(extract.snapshots_sync(text, kind))
    assert [each for each, _ in groupby(found)] == shown
    assert found[-1] == extract.final_sync([text], kind)


def test_the_keys_of_a_root_model_have_their_type_as_soon_as_they_are_there():
    kind = RootModel[dict[int, str]]
    *growing, last = extract.snapshots_sync(['[{"1": "a"', ', "2": "b"}', ", {}]"], list[kind])
    assert growing == [[kind({1: "a"})], [kind({1: "a", 2: "b"})]]
    assert last == [kind({1: "a", 2: "b"}), kind({})]


def test_what_is_left_out_by_the_member_of_a_union_goes_when_that_is_known():
    text = ['{"size": 1.5, ', '"kind": "wide"', "}"]
    found = list(extract.snapshots_sync(text, Wide | High))
    assert found == [{"size": 1.5}, {"kind": "wide"}, {"kind": "wide"}]


def test_what_all_members_of_a_union_may_leave_out_stays_if_it_is_valid(monkeypatch):
    monkeypatch.setattr("guardstream.extract._validated._MOST_TYPES", 1)  # of those that are kept
    text = ['{"made": "2024-05-06"', ', "kind": "wide", "size": 1', "}"]
    found = list(extract.snapshots_sync(text, Wide | High))
    assert found == [{"made": DAY}, {"made": DAY, "kind": "wide"},
                     {"made": DAY, "kind": "wide", "size": 1}]  # fmt: skip


class Letter(TypedDict):
    __pydantic_config__ = ConfigDict(alias_generator=str.upper)
    sent: datetime.date
    to: NotRequired[Annotated[str, Field(validation_alias=AliasChoices("recipient", "to"))]]
    text: ReadOnly[str]


class Tagged(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")
    id: int


@pytest.mark.filterwarnings("ignore:.*ReadOnly.*")  # pydantic says that it protects nothing
def test_a_typed_dict_has_the_keys_that_it_has_in_the_end():
    pieces = ['{"x": 1, "SENT": "2024-05-06"', ', "recipient": "An', 'n", "TEXT": "H', 'i"', "}"]
    *growing, last = extract.snapshots_sync(pieces, Letter)
    assert growing == [
        {"sent": DAY},
        {"sent": DAY, "to": "An"},
        {"sent": DAY, "to": "Ann", "text": "H"},
        {"sent": DAY, "to": "Ann", "text": "Hi"},
    ]
    assert last == growing[-1]
    *growing, last = extract.snapshots_sync(['{"id": 1, "b": 2', ', "c": 3', "}"], Tagged)
    assert growing == [{"id": 1}, {"id": 1, "b": 2}]
    assert last == {"id": 1, "b": 2, "c": 3}


def test_nothing_is_shown_of_a_value_whose_text_is_not_its_value():
    assert list(extract.snapshots_sync(['"2024-05', "-06", '"'], datetime.date)) == [DAY]
    shown = list(extract.snapshots_sync(['{"day": "2024', '-05-06", "count": 1', "}"], Row))
    assert shown == [{}, {"day": DAY}, {"day": DAY, "count": 1}]


def test_snapshots_do_without_what_a_model_does_after_its_validation():
    class Greeting(BaseModel):
        name: str
        times: int
        _length: int = PrivateAttr(0)

        def model_post_init(self, _: Any, /) -> None:
            self._length = len(self.name) * self.times

    *growing, last = extract.snapshots_sync(['{"name": "Ad', 'a", "times"', ": 2}"], Greeting)
    assert [each._length for each in growing] == [0, 0]
    assert last._length == 6


class Cue(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    title: Annotated[str, Field(pattern="^(?!-)")] | None = None
    lines: list[str]


@pytest.mark.parametrize("title", ["one", None])
def test_a_pattern_may_be_for_the_engine_of_its_model(title):
    text = json.dumps({"title": title, "lines": ["two"]})
    shown = list(extract.snapshots_sync(list(text), Cue))
    assert shown[-1] == Cue(title=title, lines=["two"])
    assert shown[-2].title == title


def test_a_default_that_is_made_of_other_fields_waits_for_them():
    class Account(BaseModel):
        host: str
        path: str
        file: str = Field(default_factory=lambda data: data["path"].split("/")[1])

    text = ['{"path": "', "srv/", 'a", "host": ', '"h"', "}"]
    *growing, last = extract.snapshots_sync(text, Account)
    assert [each.file for each in growing] == [extract.MISSING] * (len(growing) - 1) + ["a"]
    assert last.file == "a"


def test_a_name_that_is_the_alias_of_another_field_is_not_taken_for_it():
    class Swapped(BaseModel):
        source: int = Field(alias="target")
        target: str = Field(alias="source")

    *growing, last = extract.snapshots_sync(['{"target": 12, "source": "a', '"', "}"], Swapped)
    assert {(each.source, each.target) for each in [*growing, last]} == {(12, "a")}


class Mood(Enum):
    GOOD = 1
    BAD = -1


def test_a_field_is_refused_as_soon_as_it_is_over():
    class Form(BaseModel):
        age: Annotated[int, Field(gt=0)]
        day: datetime.date
        name: str
        level: Literal[1, 2] = 1
        mood: Literal[Mood.GOOD] | None = None
        moods: list[Mood] = []
        pair: tuple[int, str] | None = None

    for text, offset in [
        ('{"age": -5, "name": "', 10),
        ('{"day": "never", "', 14),
        ('{"name": 5', 9),
        ('{"level": 3, "', 11),
        ('{"level": null, "', 13),
        ('{"mood": 0, "', 10),
        ('{"moods": [1, 7, "', 15),
        ('{"pair": [1, "a", 3', 16),
    ]:
        with pytest.raises(extract.ExtractError) as caught:
            grown(text, Form)
        assert caught.value.offset == offset


Bound = TypeVar("Bound", bound=Closed)
Constrained = TypeVar("Constrained", Cat, list[datetime.date])
Defaulted = TypeVarWithDefault("Defaulted", default=Closed)


class Open(BaseModel, Generic[Bound, Constrained, Defaulted]):
    bound: list[Bound]
    constrained: Constrained
    defaulted: Defaulted
    name: str


def test_a_type_variable_of_which_nothing_was_said_is_what_it_may_be_at_most():
    text = (
        '{"bound": [{"size": 1}], "constrained": ["2024-01-02"], '
        '"defaulted": {"size": 2}, "name": "x"}'
    )
    *_, before, last = extract.snapshots_sync(text, Open)
    assert last == Open.model_validate_json(text) == before
    assert isinstance(before.bound[0], Closed)
    assert before.constrained == [datetime.date(2024, 1, 2)]


def test_the_order_of_a_union_is_that_of_its_model():
    class Binary(BaseModel):
        name: bytes | str
        size: int

    class Textual(BaseModel):
        name: str | bytes
        size: int

    for model, first in ((Binary, bytes), (Textual, str), (Binary, bytes)):
        shown = extract.snapshots_sync(['{"name": "a"', ', "size": 1}'], model)
        assert {type(each.name) for each in shown} == {first}
