"""The events of a run of LlamaIndex's agents, as objects of classes that have their fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.laws.asked import EMPTY, GUARD, cuttings
from tests.support.samples.frameworks import MASKED, TEXT, Message, TextBlock
from tests.support.samples.llama_index_runs import AgentOutput, AgentStream, ToolSelection


def said(text: str, role: str = "assistant") -> Message:
    return Message(role=role, blocks=[TextBlock(text=text)])


def streamed(pieces: Sequence[str]) -> Iterator[AgentStream]:
    text = ""
    for piece in pieces:
        text += piece
        yield AgentStream(delta=piece, response=text, raw={"delta": piece})


def deltas(chunks: Sequence[Any]) -> str:
    return "".join(each.delta for each in chunks if isinstance(each, AgentStream))


def test_text_that_repeats_while_a_call_is_told_is_no_new_text() -> None:
    for pieces in cuttings(TEXT):
        calls = [ToolSelection(tool_kwargs={"q": "a" * size}) for size in range(60)]
        repeats = [AgentStream(delta="", response=TEXT, tool_calls=[each]) for each in calls]
        source = [*streamed(pieces), *repeats]
        assert list(EMPTY.wrap_sync(source)) == source
        stream = GUARD.wrap_sync([*source, AgentOutput(response=said(TEXT))])
        out = list(stream)
        assert deltas(out) == MASKED == stream.result.text
        assert all(MASKED.startswith(each.response) for each in out[:-1])
        assert out[-1].response.blocks[0].text == MASKED
