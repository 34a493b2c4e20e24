"""A source may yield one object again and again, each time with other content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.support.samples.formats import FORMATS

GUARD = Guard(Policy.parse("rules: [{id: word, words: [bluebird], replacement: '<w>'}]"))
PIECES = ("a ", "blue", "bird and ", "more ", "bluebird", ", ")

SOURCES = {name: list(make(PIECES)) for name, make in FORMATS.items()}
DICTS = [name for name, chunks in SOURCES.items() if all(type(each) is dict for each in chunks)]


def in_one(chunks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same chunks, all in one dict."""
    one: dict[str, Any] = {}
    for each in chunks:
        one.clear()
        one |= deepcopy(each)
        yield one


def in_one_tree(chunks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same chunks, all in one dict with the same dicts and lists in it."""
    one: dict[str, Any] = {}
    for each in chunks:
        fill(one, each)
        yield one


def fill(one: Any, other: Any) -> None:
    """Give a dict or a list the content of another, in the same dicts and lists where it can be."""
    if isinstance(one, dict):
        kept = {**one}
        one.clear()
        for name, value in other.items():
            one[name] = kept_or(kept.get(name), value)
    else:
        kept_items = [*one, *[None] * len(other)]
        one[:] = [kept_or(*each) for each in zip(kept_items, other, strict=False)]


def kept_or(old: Any, new: Any) -> Any:
    if type(old) is type(new) and isinstance(new, (dict, list)):
        fill(old, new)
        return old
    return deepcopy(new)


@pytest.mark.parametrize("how", [in_one, in_one_tree])
@pytest.mark.parametrize("name", DICTS)
def test_it_is_guarded_like_new_objects(name: str, how: Any) -> None:
    chunks = SOURCES[name]
    expected = [shown(each) for each in GUARD.wrap_sync(deepcopy(chunks))]
    assert [shown(each) for each in GUARD.wrap_sync(how(chunks))] == expected


def shown(chunk: Any) -> str:
    """A chunk as it is now, without the addresses of objects."""
    return re.sub(r" at 0x\w+", "", repr(chunk))


def test_what_is_beside_a_text_may_change_in_place() -> None:
    calls: list[dict[str, Any]] = []

    def chunk(said: str) -> dict[str, Any]:
        return {"model": "m1", "message": {"content": said, "tool_calls": calls}, "done": False}

    def source() -> Iterator[dict[str, Any]]:
        yield chunk("so ")
        yield chunk("it ")
        calls.append({"function": {"name": "find", "arguments": {"q": "bluebird"}}})
        yield chunk("is")

    out = [shown(each) for each in GUARD.wrap_sync(source(), format="ollama")]
    assert "bluebird" not in out[-1]
