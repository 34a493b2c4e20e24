"""Adapters are found by name and by a chunk."""

from __future__ import annotations

from copy import deepcopy

import pytest

from guardstream import AdapterError
from guardstream.formats import ADAPTERS, PlainText, detect, named
from guardstream.formats.adapter import Piece
from guardstream.formats.generic.text import SLOT


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_has_a_name(name: str) -> None:
    assert type(named(name)) is ADAPTERS[name]


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_that_is_passed_can_be_copied(name: str) -> None:
    adapter = named(name)
    assert type(deepcopy(adapter)) is type(adapter)
    # Python 3.14 copies no iterators of `itertools` any more.
    assert "itertools" not in {type(value).__module__ for value in vars(adapter).values()}


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(AdapterError, match="'x', known: text, openai_chat"):
        named("x")


def test_text_is_one_piece() -> None:
    adapter = detect("abc")
    assert isinstance(adapter, PlainText)
    assert adapter.read("abc").pieces == [Piece(SLOT, "abc")]
    assert adapter.read("").pieces == []
    assert adapter.write("abc", ["x"]) == "x"
    assert adapter.write("abc", [""]) is None
    assert adapter.extra("abc", SLOT, "rest", str) == ["rest"]
    assert adapter.end("abc", 0, "stop", str) == []
