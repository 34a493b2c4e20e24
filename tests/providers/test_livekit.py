"""LiveKit's chunks, as objects of classes that have their fields."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from guardstream import Guard, Policy
from guardstream.providers import detect
from tests.providers.laws import ARGUMENTS, GUARD, MASKED, cuttings, left_raw, unchanged


class FunctionToolCall(BaseModel):
    type: Literal["function"] = "function"
    name: str
    arguments: str
    call_id: str
    extra: dict[str, Any] | None = None


class ChoiceDelta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[FunctionToolCall] = []
    extra: dict[str, Any] | None = None


class Usage(BaseModel):
    completion_tokens: int
    service_tier: str | None = None


class ChatChunk(BaseModel):
    id: str
    delta: ChoiceDelta | None = None
    usage: Usage | None = None


USAGE = ChatChunk(id="c-1", usage=Usage(completion_tokens=3))


def said(pieces: Sequence[str]) -> list[ChatChunk]:
    deltas = [ChoiceDelta(role="assistant", content=piece) for piece in pieces]
    return [ChatChunk(id="c-1", delta=delta) for delta in deltas]


def called(*arguments: str, content: str | None = None, **more: Any) -> ChatChunk:
    calls = [
        FunctionToolCall(name="find", arguments=each, call_id=f"call_{place}", **more)
        for place, each in enumerate(arguments, 1)
    ]
    return ChatChunk(id="c-1", delta=ChoiceDelta(content=content, tool_calls=calls))


def text(chunks: Sequence[Any]) -> str:
    return "".join(each.delta.content or "" for each in chunks if each.delta)


def calls(chunks: Sequence[Any]) -> list[str]:
    return [call.arguments for each in chunks if each.delta for call in each.delta.tool_calls]


def test_texts_and_calls_are_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = [*said(pieces), called(ARGUMENTS, ARGUMENTS), USAGE]
        before = deepcopy(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert detect(source[0]).name == "livekit"  # type: ignore[attr-defined]
        assert (text(out), calls(out)) == (MASKED, [MASKED, MASKED])
        assert not left_raw(out)
        assert stream.result.text == MASKED
        told = stream.result.tool_calls
        assert [(each.name, each.id, each.complete) for each in told] == [
            ("find", "call_1", True),
            ("find", "call_2", True),
        ]
        assert (stream.result.usage, stream.finish) == (USAGE.usage, "stop")
        assert source == before


@pytest.mark.parametrize("first", [USAGE, called("{}"), *said(["so"]), ChatChunk(id="c-1")])
def test_a_stream_may_begin_with_any_chunk(first: ChatChunk) -> None:
    assert detect(first).name == "livekit"  # type: ignore[attr-defined]
    assert text(list(GUARD.wrap_sync([first, *said([" a sec", "ret"])]))).endswith(" a ######")


def test_dicts_with_these_fields_are_of_another_format() -> None:
    assert detect(USAGE.model_dump()).name == "json"  # type: ignore[attr-defined]


def test_an_empty_policy_changes_nothing() -> None:
    signed = {"google": {"thought_signature": "EqoBCkgIBRAB"}}
    source = [*said(["so", ""]), called("{}", extra=signed), ChatChunk(id="c-1"), USAGE]
    assert unchanged(source)
    out = list(GUARD.wrap_sync(source))
    assert calls(out) == ["{}"]
    assert out[-3] is source[-3]


def test_usage_between_two_texts_does_not_part_them() -> None:
    one, two = said(["a sec", "ret"])
    assert text(list(GUARD.wrap_sync([one, USAGE, two]))) == "a ######"


def test_a_call_ends_the_text_before_it() -> None:
    out = list(GUARD.wrap_sync([*said(["a sec"]), called("{}"), *said(["ret"])]))
    assert [(text([each]), calls([each])) for each in out] == [
        ("a ", []),
        ("sec", []),
        ("", ["{}"]),
        ("ret", []),
    ]


def test_a_call_that_is_cut_is_not_made() -> None:
    stream = GUARD.wrap_sync([*said(["so "]), called('{"q": "forbidden"}'), *said(["no"])])
    out = list(stream)
    assert (text(out), calls(out), stream.finish) == ("so ", [], "content_filter")


def test_a_message_of_the_policy_is_text_of_the_answer() -> None:
    policy = "block_message: no more\nrules: [{id: b, words: [bad], action: block}]"
    guard = Guard(Policy.parse(policy))
    assert text(list(guard.wrap_sync(said(["so b", "ad"])))) == "so no more"
    assert text(list(guard.wrap_sync([USAGE, called('{"q": "bad"}')]))) == "no more"
