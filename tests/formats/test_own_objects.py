"""Chunks of classes of one's own: what they hold is found, and a copy keeps the class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from google.protobuf.struct_pb2 import Struct as Mapped
from pydantic import BaseModel, ConfigDict, PrivateAttr

from guardstream import AdapterError, Guard, Policy
from guardstream.formats import JSONFormat
from guardstream.formats.toolkit.detached import detached
from guardstream.formats.toolkit.fields import fields_of
from tests.formats.xai_messages import CHUNK, message
from tests.laws.asked import EMPTY, GUARD, cuttings
from tests.support.samples.own_objects import Model, Plain

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


@dataclass(frozen=True, slots=True)
class Frozen:
    text: str
    beside: list[str] = field(default_factory=list)


class Struct(msgspec.Struct):
    text: str
    beside: list[str] = []


class FrozenStruct(msgspec.Struct, frozen=True):
    text: str
    beside: list[str] = []


class OldModel:
    """A model as pydantic's of version 1 are: copies share what they hold, and do not take all."""

    __slots__ = ("__dict__", "__fields_set__")
    __fields__ = ("text", "beside")

    def __init__(self, text: str, beside: list[str] = []) -> None:  # noqa: B006
        object.__setattr__(self, "__dict__", {"text": text, "beside": beside})
        object.__setattr__(self, "__fields_set__", {"text", "beside"})

    def __setattr__(self, name: str, value: Any) -> None:
        raise TypeError(f"{name!r} is immutable")

    def __getstate__(self) -> Any:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: Any) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def mine() -> JSONFormat:
    return JSONFormat("mine", text="$.text")


@pytest.mark.parametrize("kind", [Plain, Frozen, Struct, FrozenStruct, Model, OldModel])
def test_objects_are_guarded_by_a_format_of_ones_own(kind: Any) -> None:
    for pieces in cuttings(TEXT):
        source = [kind(text=piece, beside=["a secret"]) for piece in pieces]
        out = list(GUARD.wrap_sync(source, format=mine()))
        assert "".join(each.text for each in out) == MASKED
        assert {type(each) for each in out} == {kind}
        assert not any("secret" in str(fields_of(each)) for each in out)
        assert all(each.beside == ["a secret"] for each in source)
        same = list(EMPTY.wrap_sync(source, format=mine()))
        assert all(a is b for a, b in zip(same, source, strict=True))


@pytest.mark.parametrize("kind", [Plain, Frozen, Struct, Model])
@pytest.mark.parametrize("provider", [None, mine()])
def test_what_a_producer_adds_later_is_not_in_what_has_gone_out(kind: Any, provider: Any) -> None:
    def events() -> Iterator[Any]:
        so_far = [""]
        for piece in TEXT:
            yield kind(text=piece, beside=so_far)
            so_far[0] += piece

    out = list(GUARD.wrap_sync(events(), format=provider))
    assert not any("secret" in each.beside[0] for each in out)
    assert [each.beside[0] for each in out[:3]] == ["", "a", "a "]
    assert {type(each) for each in out} == {kind}


@pytest.mark.parametrize(
    "made",
    [
        lambda so_far: {"text": "a", "beside": so_far},
        lambda so_far: ("a", {"event": Plain("a", beside=so_far)}),
        lambda so_far: Pair("a", so_far),
        lambda so_far: [so_far],
    ],
)
@pytest.mark.parametrize("first", [[], [{"note": "a"}]])
def test_what_a_producer_adds_later_to_dicts_and_collections_has_not_gone_out(
    made: Callable[[list[str]], Any], first: list[Any]
) -> None:
    def events() -> Iterator[Any]:
        yield from first
        so_far = [""]
        for piece in TEXT:
            yield made(so_far)
            so_far[0] += piece

    assert "secret" not in repr(list(GUARD.wrap_sync(events())))


def test_bytes_that_a_producer_adds_later_have_not_gone_out() -> None:
    said = bytearray(b"so ")
    first, _ = copied = [detached(each) for each in ([said], said)]
    said += b"secret"
    assert copied == [[b"so "], b"so "]
    assert type(first[0]) is bytearray


def test_what_is_one_object_in_a_copy_stays_one() -> None:
    inner = Plain("x", beside=["a"])
    copied = detached(Plain("y", beside=[inner, inner]))  # type: ignore[list-item]
    first, second = copied.beside
    assert first is second is not inner
    assert first == inner
    inner.beside.append(inner)  # type: ignore[arg-type]
    assert detached(inner) is inner


class Pair(NamedTuple):
    text: str
    beside: list[str]


RECORDS = [Plain, Frozen, Struct, FrozenStruct, Model, OldModel]


@pytest.mark.parametrize("kind", [*RECORDS, Pair])
def test_records_of_no_known_format_are_guarded_by_path(kind: Any) -> None:
    source = [kind(text=text, beside=["a secret"]) for text in ("a sec", "ret", "no secret")]
    first, second, third = GUARD.wrap_sync(source)
    assert (first.text, third.text) == ("a sec", "no ######")
    assert "ret" not in second.text
    assert {type(each) for each in (first, second, third)} == {kind}
    assert first.beside == third.beside == ["a ######"]
    assert [each.text for each in source] == ["a sec", "ret", "no secret"]
    assert all(a is b for a, b in zip(EMPTY.wrap_sync(source), source, strict=True))
    with pytest.raises(AdapterError, match="no adapter knows chunks of type"):
        list(GUARD.wrap_sync(source, unknown="refuse"))


def test_messages_and_tuples_of_no_known_format_are_guarded_by_path() -> None:
    made = Mapped()
    made.update({"text": "a secret"})
    assert list(next(iter(GUARD.wrap_sync([made]))).items()) == [("text", "a ######")]
    assert list(GUARD.wrap_sync([("a secret", {"b": "a secret"})])) == [
        ("a ######", {"b": "a ######"})
    ]


@pytest.mark.parametrize("kind", RECORDS)
def test_a_policys_format_knows_records(kind: Any) -> None:
    guard = Guard(
        Policy.parse("formats: {mine: {text: $.text}}\nrules: [{id: w, words: [secret]}]")
    )
    source = [kind(text=piece, beside=[]) for piece in ("a sec", "ret, no sec")]
    stream = guard.wrap_sync(source)
    assert "".join(each.text for each in stream) == "a [w], no sec"


class Other:
    def __init__(self, text: str) -> None:
        self.text = text


@pytest.mark.parametrize("chunk", [Other("a"), 3, object(), {"a"}])
def test_what_is_no_record_must_be_described(chunk: Any) -> None:
    with pytest.raises(AdapterError, match="no adapter knows chunks of type"):
        list(GUARD.wrap_sync([chunk]))


class Hiding:
    __slots__ = ("__text", "beside")

    def __init__(self, text: str) -> None:
        self.__text = text
        self.beside = ""

    def __str__(self) -> str:
        return self.__text


def test_what_slots_hide_is_guarded() -> None:
    (out,) = GUARD.wrap_sync([Hiding("a secret")], format="json")
    assert type(out) is Hiding
    assert str(out) == "a ######"


class Private(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str
    _more: dict[str, Any] = PrivateAttr(default_factory=dict)
    _last: str = PrivateAttr("")

    def __str__(self) -> str:
        return f"{self._more}{self._last}"

    def with_more(self, more: dict[str, Any], last: str = "") -> Private:
        self._more, self._last = more, last
        return self


class Copied(Private):
    """A class with a way of its own to copy."""

    def model_copy(self, **options: Any) -> Any:
        return super().model_copy(**options)


@pytest.mark.parametrize("kind", [Private, Copied])
def test_private_attributes_of_models_are_guarded(kind: Any) -> None:
    def source() -> list[Any]:
        said = {"say": "a secret", "a secret": 1, "so": "so"}
        return [kind(text="so", other="a secret").with_more(said, "a secret")]

    (out,) = GUARD.wrap_sync(source(), format=mine())
    assert type(out) is kind
    assert "secret" not in f"{out!r}{out}"
    assert out._more["so"] == "so"
    assert (out.text, out.other) == ("so", "a ######")
    held = source()
    assert next(iter(EMPTY.wrap_sync(held, format=mine()))) is held[0]


@pytest.mark.parametrize("kind", [Private, Copied])
def test_private_attributes_are_guarded_in_chunks_that_are_alike(kind: Any) -> None:
    source = [kind(text="so ").with_more({}) for _ in range(9)]
    source[5].with_more({"say": "a secret"})
    source[7].with_more({}, "a secret")
    out = list(GUARD.wrap_sync(source, format=mine()))
    assert len(out) == len(source)
    assert "secret" not in "".join(map(str, out))


def test_a_block_leaves_private_attributes_as_their_methods_need_them() -> None:
    source = [
        Private(text="all for").with_more({"say": "so"}),
        Private(text="bidden").with_more({"say": "so"}),
    ]
    out = list(GUARD.wrap_sync(source, format=mine()))
    assert "".join(each.text for each in out) == "all "
    assert all(isinstance(each._more, dict) for each in out)


def said(text: str) -> Any:
    return message({"delta": {"content": text, "toolCalls": [{"id": "1"}]}})


def test_messages_of_protocol_buffers_are_guarded_by_a_format_of_ones_own() -> None:
    own = JSONFormat("mine", text="$.outputs[*].delta.content")
    for pieces in cuttings(TEXT):
        source = [said(piece) for piece in pieces]
        out = list(GUARD.wrap_sync(source, format=own))
        assert "".join(each.outputs[0].delta.content for each in out) == MASKED
        assert {type(each) for each in out} == {CHUNK}
        assert out[0].outputs[0].delta.tool_calls[0].id == "1"
        assert source == [said(piece) for piece in pieces]
        same = list(EMPTY.wrap_sync(source, format=own))
        assert all(a is b for a, b in zip(same, source, strict=True))


def test_messages_of_protocol_buffers_are_guarded_where_nothing_is_known_of_them() -> None:
    held = Mapped()
    held.update({"a": "a secret", "b": [1, "a secret", "so"], "a secret": {"c": True}})
    (out,) = GUARD.wrap_sync([{"id": "1", "more": held}])
    assert "secret" not in repr(out)
    assert type(out["more"]) is Mapped
    assert (out["more"]["a"], out["more"]["b"][2]) == ("a ######", "so")
    assert held["a"] == "a secret"


@pytest.mark.parametrize("where", ["$.text", "$.said"])
def test_what_the_class_of_a_message_does_not_know_is_refused(where: str) -> None:
    told = CHUNK.FromString(said("so").SerializeToString() + b"\xfa\x07\x06secret")
    with pytest.raises(AdapterError, match=r"text at .*'unknown fields'.* cannot be read"):
        list(GUARD.wrap_sync([{"said": told}], format=JSONFormat("mine", text=where)))


class Anything:
    """An object that says that it has any attribute, such as a proxy."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __getattr__(self, name: str) -> Any:
        return lambda: name


def test_an_object_that_says_it_has_any_attribute_is_read() -> None:
    assert fields_of(Anything(TEXT)) == {"text": TEXT}
    assert fields_of(Anything(MASKED)) == {"text": MASKED}  # what is known of its class


@pytest.mark.parametrize("value", [np.array(["a secret"]), {"a": "a secret"}.values()])
def test_what_hides_text_where_it_has_no_fields_is_refused(value: Any) -> None:
    for chunks in ([Plain("x"), value], [Plain("x", beside=value)]):
        with pytest.raises(AdapterError, match="cannot be read: it is a") as caught:
            list(GUARD.wrap_sync(iter(chunks)))
        assert "secret" not in str(caught.value)


def test_arrays_of_numbers_pass() -> None:
    chunk = Plain("x", beside=np.ones((2, 2)))  # type: ignore[arg-type]
    [guarded] = GUARD.wrap_sync(iter([chunk]))
    assert guarded.text == "x"
    assert guarded.beside is chunk.beside
