"""Kosong's message parts: merged as Kosong merges them, they give the guarded message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.providers import detect, named
from tests.extract.test_extract import collect
from tests.providers.laws import GUARD, cuttings, in_any_cut, left_raw, lines, unchanged

try:
    from kosong.message import TextPart, ThinkPart, ToolCall, ToolCallPart
except ImportError:  # it needs Python 3.12: its parts' fields and merging, in short

    class TextPart(BaseModel):  # type: ignore[no-redef]
        type: str = "text"
        text: str

        def merge_in_place(self, other: Any) -> bool:
            if isinstance(other, TextPart):
                self.text += other.text
            return isinstance(other, TextPart)

    class ThinkPart(BaseModel):  # type: ignore[no-redef]
        type: str = "think"
        think: str
        encrypted: str | None = None

        def merge_in_place(self, other: Any) -> bool:
            merges = isinstance(other, ThinkPart) and not self.encrypted
            if merges:
                self.think += other.think
                self.encrypted = other.encrypted
            return merges

    class ToolCall(BaseModel):  # type: ignore[no-redef]
        class FunctionBody(BaseModel):
            name: str
            arguments: str | None

        type: str = "function"
        id: str
        function: FunctionBody
        extras: dict[str, Any] | None = None

        def merge_in_place(self, other: Any) -> bool:
            merges = isinstance(other, ToolCallPart)
            if merges:
                self.function.arguments = (self.function.arguments or "") + other.arguments_part
            return merges

    class ToolCallPart(BaseModel):  # type: ignore[no-redef]
        arguments_part: str | None = None

        def merge_in_place(self, other: Any) -> bool:  # noqa: ARG002
            return False


def call(name: str, arguments: str | None = None, number: str = "c") -> Any:
    return ToolCall(id=number, function=ToolCall.FunctionBody(name=name, arguments=arguments))


def arguments(said: str) -> Any:
    return ToolCallPart(arguments_part=said)


def message(parts: Sequence[Any]) -> list[Any]:
    """The parts of the message that Kosong makes of a stream of parts."""
    made: list[Any] = []
    for part in parts:
        if not (made and made[-1].merge_in_place(part)):
            made.append(part)
    return made


ARGUMENTS = '{"q": "a secret, no sec"}'
MASKED = '{"q": "a ######, no sec"}'


def test_the_merged_message_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = [ThinkPart(think=piece) for piece in pieces]
        source += [ThinkPart(think="", encrypted="s")]
        source += [TextPart(text=piece) for piece in pieces]
        source += [call("find"), *map(arguments, pieces), call("count", "{}", "d")]
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(out)
        think, text, find, count = message(out)
        assert (think.think, think.encrypted, text.text) == (MASKED, "s", MASKED)
        assert find.function.arguments == MASKED
        assert count.function.arguments == "{}"
        first, second = stream.result.tool_calls
        assert (first.name, first.id, first.arguments, first.complete) == (
            "find",
            "c",
            MASKED,
            True,
        )
        assert (second.name, second.arguments, second.complete) == ("count", "{}", True)
        assert (stream.result.thinking, stream.result.text) == (MASKED, MASKED)


def test_the_last_call_is_complete_at_a_clean_end_alone() -> None:
    for held in ("{}", '{"q": "sec'):
        told: list[Any] = []
        source = [call("find"), arguments(held)]
        stream = GUARD.wrap_sync(source, on_tool_call=told.append)
        assert message(list(stream))[0].function.arguments == held
        assert [(each.name, each.arguments, each.complete) for each in told] == [
            ("find", held, True)
        ]
        assert list(stream.result.tool_calls) == told

    def breaks() -> Any:
        yield from (call("find"), arguments("{}"))
        raise ConnectionError

    told = []
    broken = GUARD.wrap_sync(breaks(), on_tool_call=told.append)
    with pytest.raises(ConnectionError):
        list(broken)
    blocked = GUARD.wrap_sync([call("find"), arguments('"forbidden "')], on_tool_call=told.append)
    list(blocked)
    assert [each.complete for each in (*broken.result.tool_calls, *blocked.result.tool_calls)] == [
        False,
        False,
    ]
    assert not told


def test_held_text_goes_out_before_a_part_of_another_kind() -> None:
    source = [
        ThinkPart(think="sec"),
        TextPart(text="sec"),
        call("find"),
        arguments("sec"),
        TextPart(text="x"),
    ]
    out = list(GUARD.wrap_sync(source))
    kinds = [type(part).__name__ for part in out]
    assert kinds == ["ThinkPart", "TextPart", "ToolCall", "ToolCallPart", "TextPart"]


def test_what_no_rule_touches_passes_as_it_is() -> None:
    source = [ThinkPart(think="hm"), TextPart(text="plain"), call("find"), arguments("{}")]
    assert detect(source[0]).name == "kosong"
    assert unchanged(source)
    plain = [part.model_dump() for part in source]
    assert all(detect(part).name == "kosong" for part in plain)
    assert unchanged(plain)
    assert in_any_cut(lines(*plain)) == lines(*plain)


def test_a_block_ends_the_stream() -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    stream = guard.wrap_sync(
        [TextPart(text="so "), TextPart(text="forbidden "), TextPart(text="x")]
    )
    [part] = message(list(stream))
    assert (part.text, stream.finish) == ("so no", "content_filter")


def test_a_stop_ends_the_stream() -> None:
    stream = GUARD.wrap_sync([TextPart(text="so enough "), TextPart(text="x")])
    assert message(list(stream))[0].text == "so "
    assert stream.finish == "stop"


def test_what_is_not_known_is_refused() -> None:
    source = [{"type": "text", "text": "a"}, {"type": "hologram", "words": "b"}]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=named("kosong", unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = [call("find"), arguments('{"rows": [1'), arguments(",2]}")]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]
