"""The events of a response of LLM, as objects of a class that has their fields."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from tests.providers.laws import (
    ARGUMENTS,
    GUARD,
    MASKED,
    cuttings,
    guarded,
    left_raw,
    unchanged,
)


@dataclass
class StreamEvent:
    type: str
    chunk: str
    part_index: int | None = None
    tool_call_id: str | None = None
    server_executed: bool = False
    tool_name: str | None = None
    redacted: bool = False
    provider_metadata: dict[str, Any] | None = None
    message_index: int = 0


def events(kind: str, pieces: Sequence[str], **more: Any) -> list[StreamEvent]:
    return [StreamEvent(kind, piece, **more) for piece in pieces]


def called(pieces: Sequence[str], own: str = "call_1", **more: Any) -> list[StreamEvent]:
    return [
        StreamEvent("tool_call_name", "find", tool_call_id=own, **more),
        *events("tool_call_args", pieces, tool_call_id=own, **more),
    ]


def answer(pieces: Sequence[str]) -> list[StreamEvent]:
    """Thinking, text, a call that the model's server runs, and text again."""
    return [
        *events("reasoning", pieces, part_index=0),
        *events("text", pieces, part_index=1),
        *called(pieces, part_index=2, server_executed=True),
        StreamEvent("tool_result", "a secret", 3, "call_1", True, "find"),
        *events("text", [" it is"], part_index=4),
        StreamEvent("reasoning", "", redacted=True),
    ]


def joined(chunks: Sequence[Any], kind: str, own: str | None = None) -> str:
    found = [each for each in chunks if each.type == kind and own in (None, each.tool_call_id)]
    return "".join(each.chunk for each in found)


def test_every_text_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = answer(pieces)
        before = deepcopy(source)
        out, result = _guarded(source)
        assert joined(out, "reasoning") == joined(out, "tool_call_args") == MASKED
        assert joined(out, "text") == result.text == MASKED + " it is"
        assert result.finish == "stop"
        assert all(each.chunk or each.redacted for each in out)
        assert source == before


def _guarded(source: Sequence[Any]) -> tuple[list[Any], Any]:
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert stream.state.flow is not None
    assert stream.state.flow.provider == "llm"
    assert not left_raw(out)
    [call] = stream.result.tool_calls
    assert (call.name, call.id, call.arguments, call.complete) == ("find", "call_1", MASKED, True)
    return out, stream.result


def test_dicts_are_read_as_objects_are() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = [*events("reasoning", pieces), *events("text", pieces), *called(pieces)]
        out, _ = guarded([asdict(each) for each in source], "llm")
        assert out == [asdict(each) for each in GUARD.wrap_sync(source)]


@pytest.mark.parametrize("place", [0, 2, 4, 5, 7])
def test_a_stream_may_begin_with_any_event(place: int) -> None:
    first = answer(["so", ""])[place]
    assert detect(first).name == "llm"  # type: ignore[attr-defined]
    assert detect({"type": first.type, "chunk": "so"}).name == "json"  # type: ignore[attr-defined]


def test_other_formats_may_have_fields_of_the_same_names() -> None:
    for kind in ("other", ["text"], {"text": 1}, None):
        first = {"type": kind, "chunk": "so", "part_index": 0, "tool_call_id": None}
        assert detect(first).name == "json"  # type: ignore[attr-defined]


def test_an_empty_policy_changes_nothing() -> None:
    signed = {"anthropic": {"signature": "EqoBCkgIBRAB"}}
    last = [StreamEvent("reasoning", "", provider_metadata=signed), StreamEvent("text", "")]
    assert unchanged([*answer(['{"a"', ": 1}"]), *last])
    out = list(GUARD.wrap_sync([*events("reasoning", ["so"]), *last]))
    assert out[1].provider_metadata == signed


def test_calls_that_take_turns_are_texts_of_their_own() -> None:
    one, two = called(['{"q": "a sec', 'ret"}'], "c1"), called(['{"q": "no sec', 'ret"}'], "c2")
    source = [*one[:2], *two[:2], one[2], two[2]]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert joined(out, "tool_call_args", "c1") == '{"q": "a ######"}'
    assert joined(out, "tool_call_args", "c2") == '{"q": "no ######"}'
    assert [call.id for call in stream.result.tool_calls] == ["c1", "c2"]


def test_calls_without_ids_begin_with_their_names() -> None:
    source = [StreamEvent("tool_call_name", "find"), *events("tool_call_args", ['{"q": "a sec'])]
    again = [StreamEvent("tool_call_name", "send"), *events("tool_call_args", ['{"q": "a sec'])]
    rest = events("tool_call_args", ['ret"}'])
    result = StreamEvent("tool_result", "a secret", tool_name="send")
    stream = GUARD.wrap_sync([*source, *again, *rest, result])
    out: list[Any] = list(stream)
    told = [each.chunk for each in out if each.type != "tool_result"]
    place = told.index("send")
    assert "".join(told[:place]) == 'find{"q": "a sec'
    assert "".join(told[place:]) == 'send{"q": "a ######"}'
    calls = [(call.name, call.id, call.arguments) for call in stream.result.tool_calls]
    assert calls == [("find", None, '{"q": "a sec'), ("send", None, '{"q": "a ######"}')]


def test_arguments_without_an_id_are_those_of_the_last_call() -> None:
    source = called(['{"q": "a sec', 'ret"}'])
    source[-1].tool_call_id = None
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert [call.arguments for call in stream.result.tool_calls] == ['{"q": "a ######"}']
    source = called(['{"q": "a sec'])
    source[-1].tool_call_id = None
    out: list[Any] = list(GUARD.wrap_sync([*source, *called(["{}"], "call_2")]))
    assert [(each.chunk, each.tool_call_id) for each in out[-1:]] == [("sec", "call_1")]


def test_a_later_round_of_a_chain_may_have_the_ids_of_an_earlier_one() -> None:
    arguments = ['{"q": "se', 'cret"}']
    source = [*called(arguments, "0"), *events("text", [" ", "so"]), *called(arguments, "0")]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert joined(out, "tool_call_args") == '{"q": "######"}' * 2
    assert [call.arguments for call in stream.result.tool_calls] == ['{"q": "######"}'] * 2


def test_each_message_is_a_text_of_its_own_and_its_held_text_goes_before_the_next() -> None:
    source = [*events("text", ["a sec"]), *events("text", ["ret"], message_index=1)]
    out = list(GUARD.wrap_sync(source))
    assert [(each.message_index, each.chunk) for each in out] == [(0, "a "), (0, "sec"), (1, "ret")]


def test_a_call_ends_the_text_before_it() -> None:
    source = [*events("text", ["a sec"]), *called(["{}"]), *events("text", ["ret"])]
    out = list(GUARD.wrap_sync(source))
    kinds = [each.type for each in out]
    assert kinds == ["text", "text", "tool_call_name", "tool_call_args", "text"]
    assert joined(out, "text") == "a secret"


def test_a_name_that_a_rule_matches_blocks() -> None:
    source = [
        StreamEvent("tool_call_name", "for", tool_call_id="c"),
        StreamEvent("tool_call_name", "bidden", tool_call_id="c"),
        *events("tool_call_args", ["{}"], tool_call_id="c"),
    ]
    stream = GUARD.wrap_sync(source)
    assert "bidden" not in str(list(stream))
    assert stream.finish == "content_filter"


def test_a_block_ends_the_stream_with_the_message_of_the_policy() -> None:
    policy = "block_message: no more\nrules: [{id: b, words: [bad], action: block}]"
    source = called(['{"q": "so ', 'bad"'])
    out = list(Guard(Policy.parse(policy)).wrap_sync(source))
    assert joined(out, "tool_call_args") == '{"q": "so '
    assert (out[-1].type, out[-1].chunk, out[-1].tool_call_id) == ("text", "no more", None)


def test_an_id_that_was_left_out_is_in_no_added_event() -> None:
    source = called(['{"q": "a', " sec"], own="a secret")
    out = list(GUARD.wrap_sync(source))
    assert len(out) == len(source) + 1
    assert not any("secret" in str(asdict(event)) for event in out)
