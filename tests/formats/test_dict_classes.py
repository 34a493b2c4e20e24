"""Chunks of dicts with classes of their own: every way to read them shows guarded text."""

from __future__ import annotations

from collections import ChainMap, OrderedDict, UserDict
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from guardstream.formats.toolkit.fields import fields_of, only, replaced
from tests.laws.asked import GUARD, cuttings
from tests.support.samples.dict_classes import Choice, Chunk, Delta, Twice

TEXT = "it is a secret."
MASKED = "it is a ######."


def chunk(delta: Delta, finish: str | None = None) -> Chunk:
    return Chunk([Choice(0, delta, finish)])


class Mirrored(dict[str, Any]):
    """A dict whose attributes are its items."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(fields)
        self.__dict__ = self


def test_what_a_whole_text_repeats_is_guarded_in_both() -> None:
    @dataclass
    class Token(Twice):
        text: str

    @dataclass
    class Generated(Twice):
        token: Token
        generated_text: str | None = None

    source = [Generated(Token("a sec")), Generated(Token("ret"), "a secret")]
    *_, last = GUARD.wrap_sync(source)
    assert last.generated_text == last["generated_text"] == "a ######"


def test_attributes_that_are_no_items_are_guarded_too() -> None:
    class Noted(dict[str, Any]):
        note = ""

    noted = Noted(choices=[{"index": 0, "delta": {"content": "well"}}])
    noted.note = "a secret"
    (out,) = GUARD.wrap_sync([noted])
    assert "secret" not in out.note


@pytest.mark.parametrize("make", [Mirrored, lambda **fields: OrderedDict(fields)])
def test_copies_have_what_their_class_shows(make: Any) -> None:
    copied = replaced(make(a="secret", b="so"), {"a": "######"})
    assert list(copied.items()) == [("a", "######"), ("b", "so")]
    assert list(only(copied, {"b": "then"}).items()) == [("b", "then")]
    assert getattr(copied, "a", "######") == "######"
    assert type(copied) is type(make())
    assert dict(fields_of(copied)) == {"a": "######", "b": "so"}


class Update(MutableMapping[str, Any]):
    """A mapping that is no dict, and has attributes, as the objects of Azure's packages."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = dict(data)

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._data[name] = value

    def __delitem__(self, name: str) -> None:
        del self._data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def choices(self) -> Sequence[Any]:
        choices: Sequence[Any] = self._data["choices"]
        return choices


class Named(Update):
    """One that is not made of a mapping."""

    def __init__(self, name: str, **data: Any) -> None:
        super().__init__(data)
        self.name = name


@pytest.mark.parametrize("kind", [Update, UserDict, ChainMap])
@pytest.mark.parametrize("pieces", list(cuttings(TEXT)))
def test_mappings_keep_their_classes(kind: Any, pieces: list[str]) -> None:
    source = [
        kind({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]})
        for delta in ({"content": piece} for piece in pieces)
    ]
    out = list(GUARD.wrap_sync(source))
    assert {type(chunk) for chunk in out} == {kind}
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in out) == MASKED
    source.append(kind({"choices": [{"index": 0, "delta": {"content": "a forbidden word"}}]}))
    out = list(GUARD.wrap_sync(source))
    assert {type(chunk) for chunk in out} == {kind}
    assert out[-1]["choices"][0]["finish_reason"] == "content_filter"


class Shown(dict[str, Any]):
    """A dict whose items are attributes, as DashScope's responses are."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


@pytest.mark.parametrize("kind", [Shown, UserDict, OrderedDict])
def test_mappings_keep_their_classes_where_names_change(kind: Any) -> None:
    (out,) = GUARD.wrap_sync([{"more": kind({"a secret": "a secret", "so": "so"})}])
    assert type(out["more"]) is kind
    assert dict(out["more"]) == {"a ######": "a ######", "so": "so"}


def test_a_mapping_whose_class_asks_for_more_becomes_a_dict() -> None:
    assert replaced(Named("a", text="so"), {"text": "it"}) == {"text": "it"}
    assert type(replaced(Named("a", text="so"), {"text": "it"})) is dict
