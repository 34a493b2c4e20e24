"""The chunks of a response of Mirascope, as objects of classes that have their fields."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, make_dataclass
from types import ModuleType
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.formats import detect
from tests.laws.asked import ARGUMENTS, GUARD, MASKED, cuttings, guarded, left_raw

PARTS = {"text": [], "thought": [], "tool_call": ["id"]}


def classes() -> ModuleType:
    """The module that exports the classes of chunks, which take keyword arguments only."""
    module = ModuleType("mirascope.llm")
    for part, own in PARTS.items():
        for edge, more in (("start", ["name"] if own else []), ("chunk", ["delta"]), ("end", [])):
            kind = f"{part}_chunk" if edge == "chunk" else f"{part}_{edge}_chunk"
            name = kind.title().replace("_", "")
            fixed = [("type", str, kind), ("content_type", str, part)]
            fields = [*[(each, str) for each in own + more], *fixed]
            setattr(module, name, make_dataclass(name, fields, kw_only=True))
    return module


CLASSES = classes()


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mirascope.llm", CLASSES)


def part(name: str, pieces: Sequence[str], *, ends: bool = True, **own: Any) -> list[Any]:
    """The chunks of a part of a response."""
    title = name.title().replace("_", "")
    tool = {"name": "find"} if own else {}
    made = [getattr(CLASSES, f"{title}StartChunk")(**own, **tool)]
    made += [getattr(CLASSES, f"{title}Chunk")(**own, delta=piece) for piece in pieces]
    return [*made, getattr(CLASSES, f"{title}EndChunk")(**own)] if ends else made


def answer(pieces: Sequence[str]) -> list[Any]:
    return [
        *part("thought", pieces),
        *part("text", pieces),
        *part("tool_call", pieces, id="call_1"),
    ]


def kinds(chunks: Sequence[Any]) -> list[str]:
    """The types of chunks, those in a row once."""
    found = [each.type for each in chunks]
    return [kind for place, kind in enumerate(found) if found[place - 1 : place] != [kind]]


def said(chunks: Sequence[Any], kind: str = "text_chunk") -> str:
    return "".join(each.delta for each in chunks if each.type == kind)


def test_every_text_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = answer(pieces)
        before = deepcopy(source)
        out, result = guarded(source, "mirascope")
        assert kinds(out) == kinds(source)
        assert said(out) == said(out, "thought_chunk") == said(out, "tool_call_chunk") == MASKED
        assert result.finish == "stop"
        assert source == before


def test_dicts_are_read_as_objects_are() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = answer(pieces)
        out, _ = guarded([asdict(each) for each in source], "mirascope")
        assert out == [asdict(each) for each in GUARD.wrap_sync(source)]


@pytest.mark.parametrize("place", range(9))
def test_a_stream_may_begin_with_any_chunk(place: int) -> None:
    first = answer(["so"])[place]
    assert detect(first).name == "mirascope"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "text_chunk", "content_type": "thought"},
        {"type": "text_chunk", "content_type": ["text"]},
        {"type": ["text_chunk"], "content_type": "text"},
        {"type": "text_chunk"},
    ],
)
def test_other_formats_may_have_fields_of_the_same_names(fields: dict[str, Any]) -> None:
    assert detect({**fields, "delta": "so"}).name == "json"  # type: ignore[attr-defined]


def test_consecutive_texts_are_one_text() -> None:
    out: list[Any] = list(GUARD.wrap_sync([*part("text", ["a sec"]), *part("text", ["ret it is"])]))
    assert said(out) == "a ###### it is"
    edges = ["text_start_chunk", "text_chunk", "text_end_chunk"]
    assert kinds(out) == [*edges, "text_start_chunk", "text_chunk", "text_end_chunk"]


def test_a_call_separates_texts() -> None:
    call = part("tool_call", ["{}"], id="call_1")
    source = [*part("text", ["a sec"]), *call, *part("text", ["ret it is"])]
    stream = GUARD.wrap_sync(source)
    out: list[Any] = list(stream)
    assert said(out) == "a secret it is"
    assert kinds(out)[:4] == [*("text_start_chunk", "text_chunk", "text_end_chunk"), call[0].type]


def test_calls_that_take_turns_are_texts_of_their_own() -> None:
    one = part("tool_call", ['{"q": "a sec', 'ret"}'], id="call_1")
    two = part("tool_call", ['{"q": "no sec', 'ret"}'], id="call_2")
    source = [*one[:2], *two[:2], *one[2:], *two[2:]]
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    found = [(call.id, call.arguments, call.complete) for call in stream.result.tool_calls]
    assert found == [
        ("call_1", '{"q": "a ######"}', True),
        ("call_2", '{"q": "no ######"}', True),
    ]


@pytest.mark.parametrize("made", [list, lambda chunks: [asdict(each) for each in chunks]])
def test_a_block_ends_the_open_part(made: Callable[[list[Any]], list[Any]]) -> None:
    stream = GUARD.wrap_sync(made(part("text", ["it is for", "bidden", " it"])))
    assert list(stream) == made(part("text", ["it is "]))
    assert stream.finish == "content_filter"


def test_a_call_that_is_cut_does_not_end() -> None:
    """Nothing else would tell it from a complete one."""
    stream = GUARD.wrap_sync(part("tool_call", ['{"q": "for', 'bidden"}'], id="call_1"))
    assert list(stream) == part("tool_call", ['{"q": "'], id="call_1", ends=False)
    assert [call.complete for call in stream.result.tool_calls] == [False]


def test_a_message_after_a_block_stands_in_a_text() -> None:
    policy = "rules: [{id: w, words: [forbidden], action: block}]\nblock_message: No."
    guard = Guard(Policy.parse(policy))
    text = part("text", ["so for", "bidden it"])
    assert list(guard.wrap_sync(text)) == part("text", ["so ", "No."])
    thought = part("thought", ["so ", "forbidden it"])
    assert list(guard.wrap_sync(thought)) == [*part("thought", ["so "]), *part("text", ["No."])]


def test_held_text_at_the_source_s_end_goes_out() -> None:
    cut = part("tool_call", ['{"q": "a sec'], id="call_1", ends=False)
    for source in (cut, part("text", ["a sec"], ends=False)):
        out: list[Any] = list(GUARD.wrap_sync(source))
        assert "".join(each.delta for each in out[1:]) == source[-1].delta


def test_an_id_that_a_rule_matches_comes_out_of_no_chunk() -> None:
    out = list(GUARD.wrap_sync(part("tool_call", ['{"q": "a sec'], id="a secret", ends=False)))
    assert not left_raw(out)
    assert {each.id for each in out} == {""}
