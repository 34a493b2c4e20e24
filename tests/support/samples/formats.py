"""A stream of every format, made of the pieces of an answer."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

import anyio

from tests.formats import chunks
from tests.formats.served import Body, openai_client, sse
from tests.laws.samples import templates
from tests.support.optional import needs, optional
from tests.support.samples import ag2 as ag2_samples
from tests.support.samples import agent_sessions as agent_sessions_samples
from tests.support.samples import agents as agents_samples
from tests.support.samples import bedrock_agents as bedrock_agents_samples
from tests.support.samples import bedrock_invoke as bedrock_invoke_samples
from tests.support.samples import described as described_samples
from tests.support.samples import frameworks as frameworks_samples
from tests.support.samples import json_rpc as json_rpc_samples
from tests.support.samples import kosong as kosong_samples
from tests.support.samples import langgraph as langgraph_samples
from tests.support.samples import letta as letta_samples
from tests.support.samples import livekit as livekit_samples
from tests.support.samples import llm as llm_samples
from tests.support.samples import lmstudio as lmstudio_samples
from tests.support.samples import microsoft_agents as microsoft_agents_samples
from tests.support.samples import mistral as mistral_samples
from tests.support.samples import openai_chat_events as openai_chat_events_samples
from tests.support.samples import openai_live as openai_live_samples
from tests.support.samples import plain_formats as plain_formats_samples
from tests.support.samples import pydantic_ai_responses as pydantic_ai_responses_samples
from tests.support.samples import sglang as sglang_samples
from tests.support.samples import sse_objects as sse_objects_samples
from tests.support.samples import ui_message_objects as ui_message_objects_samples
from tests.support.samples import xai as xai_samples

AIMessageChunk = optional("langchain_core.messages", "AIMessageChunk")


AddableDict = optional("langchain_core.runnables.utils", "AddableDict")


Agent = optional("pydantic_ai", "Agent")


TextPart = optional("pydantic_ai.messages", "TextPart")


FunctionModel = optional("pydantic_ai.models.function", "FunctionModel")


Make = Callable[[Sequence[str]], Sequence[Any]]


def _chat_events(pieces: Sequence[str]) -> Sequence[Any]:
    needs("openai")
    body = [sse([item]) for item in openai_chat_events_samples.answer(*pieces)]
    with (
        openai_client(Body(*body, b"data: [DONE]\n\n")) as client,
        client.chat.completions.stream(model="m", messages=[]) as events,
    ):
        return [event.model_copy(deep=True) for event in events]


def _agent_events(pieces: Sequence[str]) -> Sequence[Any]:
    async def answer(*_: Any) -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    async def collected() -> list[Any]:
        agent = Agent(FunctionModel(stream_function=answer))
        async with agent.run_stream_events("hi") as events:
            return [copy.deepcopy(event) async for event in events]

    return anyio.run(collected)


def _chain_events(pieces: Sequence[str]) -> Sequence[Any]:
    told = [AIMessageChunk(content=piece, id="run-1") for piece in pieces]
    base = {"run_id": "r", "name": "model", "tags": [], "metadata": {}, "parent_ids": []}
    return [
        {"event": "on_chat_model_stream", "data": {"chunk": each}, **base}
        for each in [*told, AIMessageChunk(content="", id="run-1", chunk_position="last")]
    ]


def _ui(pieces: Sequence[str]) -> Sequence[Any]:
    return [
        {"type": "start", "messageId": "m"},
        {"type": "text-start", "id": "t"},
        *({"type": "text-delta", "id": "t", "delta": piece} for piece in pieces),
        {"type": "text-end", "id": "t"},
        {"type": "finish"},
    ]


def _strands(pieces: Sequence[str]) -> Sequence[Any]:
    message = {"role": "assistant", "content": [{"text": "".join(pieces)}]}
    return [
        {"event": {"messageStart": {"role": "assistant"}}},
        *agents_samples.spoken(pieces),
        {"event": {"messageStop": {"stopReason": "end_turn"}}},
        {"message": message},
        {"result": agents_samples.Outcome("end_turn", message)},
    ]


def _graph_events(pieces: Sequence[str]) -> Sequence[Any]:
    return [
        langgraph_samples.named("messages", [langgraph_samples.as_json(piece), {"n": 1}])
        for piece in pieces
    ]


def _langchain(pieces: Sequence[str]) -> Sequence[Any]:
    return [AIMessageChunk(content=piece, id="run-1") for piece in pieces]


def _mistral(pieces: Sequence[str]) -> Sequence[Any]:
    told = [chunks.chunk({"content": piece}) for piece in pieces]
    return mistral_samples.objects(*told, chunks.chunk(finish="stop"))


def _described(make: Callable[[Sequence[str]], Iterable[Any]]) -> Make:
    return lambda pieces: [*make(pieces)]


FORMATS: dict[str, Make] = {
    **templates(),
    **{make.__name__: _described(make) for make in described_samples.STREAMS},
    "openai_chat_events": _chat_events,
    "openai_live": lambda pieces: openai_live_samples.session(openai_live_samples.said(pieces)),
    "bedrock_agent": bedrock_agents_samples.parts,
    "bedrock_invoke": lambda pieces: bedrock_invoke_samples.chunks(
        bedrock_invoke_samples.anthropic(pieces)
    ),
    "mistral": _mistral,
    "openai_agent_sessions": agent_sessions_samples.answer,
    "langchain": _langchain,
    "langchain_chains": lambda pieces: [AddableDict(said=each) for each in ["", *pieces]],
    "langchain_events": _chain_events,
    "langgraph": lambda pieces: [("messages", each) for each in langgraph_samples.messages(pieces)],
    "langgraph_events": _graph_events,
    "pydantic_ai": _agent_events,
    "pydantic_ai_responses": lambda pieces: [
        pydantic_ai_responses_samples.response(TextPart(each)) for each in accumulate(pieces)
    ],
    "kosong": lambda pieces: [kosong_samples.TextPart(text=piece) for piece in pieces],
    "llama_cpp": plain_formats_samples.llama_cpp,
    "workers_ai": plain_formats_samples.workers_ai,
    "ui_message_objects": lambda pieces: ui_message_objects_samples.parts(_ui(pieces)),
    "a2a": lambda pieces: json_rpc_samples.task(list(pieces)),
    "sglang": sglang_samples.so_far,
    "xai": xai_samples.answer,
    "lmstudio": lmstudio_samples.answer,
    "mcp": lambda pieces: [json_rpc_samples.tool("".join(pieces))],
    "letta": letta_samples.said,
    "livekit": livekit_samples.said,
    "llm": lambda pieces: llm_samples.events("text", pieces),
    "openai_agents": lambda pieces: list(frameworks_samples.openai_agents(pieces)),
    "llama_index": lambda pieces: list(frameworks_samples.llama_index(pieces)),
    "smolagents": lambda pieces: list(frameworks_samples.smolagents(pieces)),
    "autogen": lambda pieces: list(frameworks_samples.autogen(pieces)),
    "haystack": lambda pieces: list(frameworks_samples.haystack(pieces)),
    "dspy": lambda pieces: list(frameworks_samples.dspy(pieces)),
    "claude_agents": lambda pieces: [
        *agents_samples.message(("text", pieces)),
        agents_samples.ResultMessage("".join(pieces)),
    ],
    "adk": lambda pieces: [
        *(agents_samples.event(agents_samples.part(each), partial=True) for each in pieces),
        agents_samples.event(agents_samples.part("".join(pieces)), partial=False),
    ],
    "strands": _strands,
    "agno": lambda pieces: [
        *(agents_samples.RunContentEvent(content=each) for each in pieces),
        agents_samples.RunCompletedEvent(content="".join(pieces)),
    ],
    "crewai": lambda pieces: [
        *(agents_samples.StreamFrame("llm_stream_chunk", {"chunk": each}) for each in pieces),
        agents_samples.StreamFrame("llm_call_completed", {"response": "".join(pieces)}),
    ],
    "semantic_kernel": agents_samples.kernel,
    "ag2": lambda pieces: [ag2_samples.ModelMessageChunk(content=piece) for piece in pieces],
    "microsoft_agents": lambda pieces: [
        microsoft_agents_samples.Update(microsoft_agents_samples.text(each)) for each in pieces
    ],
    "sse_events": lambda pieces: sse_objects_samples.events(sse_objects_samples.openai(pieces)),
}


def told(out: Sequence[Any]) -> str:
    """All that is said in chunks."""
    return "\n".join(map(_shown, out))


def _shown(chunk: Any) -> str:
    return chunk.decode() if isinstance(chunk, bytes) else repr(chunk)
