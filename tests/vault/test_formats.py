"""Every format: the model sees a stand-in, the user what would have come without masking."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any

import anyio
import pytest

from guardstream import Guard
from guardstream.http.body import guard_body
from guardstream.policy import Policy
from guardstream.providers import ADAPTERS
from guardstream.vault import Vault
from tests.providers import (
    chunks,
    messages,
    responses,
    test_acp,
    test_ag2,
    test_agent_sessions,
    test_agents,
    test_agentscope,
    test_answers,
    test_anthropic_sessions,
    test_assistants,
    test_bedrock,
    test_bedrock_agents,
    test_bedrock_invoke,
    test_bodies,
    test_chatkit,
    test_cohere,
    test_dashscope,
    test_frameworks,
    test_gemini,
    test_gemini_live,
    test_interactions,
    test_json_rpc,
    test_kosong,
    test_langchain_protocol,
    test_langgraph,
    test_letta,
    test_livekit,
    test_llm,
    test_lmstudio,
    test_microsoft_agents,
    test_mirascope,
    test_mistral,
    test_mistral_conversations,
    test_mistral_responses,
    test_mistral_transcription,
    test_ollama,
    test_openai_chat_events,
    test_openai_completions,
    test_openai_live,
    test_openai_media,
    test_plain_formats,
    test_pydantic_ai_responses,
    test_realtime,
    test_sglang,
    test_sse_objects,
    test_ui_message_objects,
    test_xai,
)
from tests.providers.laws import EMPTY
from tests.providers.served import Body, openai_client, sse
from tests.support.optional import optional

AIMessageChunk = optional("langchain_core.messages", "AIMessageChunk")
AddableDict = optional("langchain_core.runnables.utils", "AddableDict")
Agent = optional("pydantic_ai", "Agent")
TextPart = optional("pydantic_ai.messages", "TextPart")
FunctionModel = optional("pydantic_ai.models.function", "FunctionModel")

Make = Callable[[Sequence[str]], Sequence[Any]]

GUARD = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
VALUE = "mia.wolf@example.org"


def _between(start: Any, each: Callable[[str], Any], *ends: Any) -> Make:
    """A stream that begins, says each piece, and ends."""
    return lambda pieces: [*([start] if start else []), *map(each, pieces), *ends]


def _chat_events(pieces: Sequence[str]) -> Sequence[Any]:
    body = [sse([item]) for item in test_openai_chat_events.answer(*pieces)]
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
        *test_agents.spoken(pieces),
        {"event": {"messageStop": {"stopReason": "end_turn"}}},
        {"message": message},
        {"result": test_agents.Outcome("end_turn", message)},
    ]


def _ag_ui(pieces: Sequence[str]) -> Sequence[Any]:
    return [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": each} for each in pieces),
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
    ]


def _tgi(pieces: Sequence[str]) -> Sequence[Any]:
    last = test_plain_formats.token(pieces[-1], "".join(pieces))
    return [*map(test_plain_formats.token, pieces[:-1]), last]


def _generation(pieces: Sequence[str]) -> Sequence[Any]:
    return test_bedrock_invoke.cohere(pieces)


def _graph_events(pieces: Sequence[str]) -> Sequence[Any]:
    return [
        test_langgraph.named("messages", [test_langgraph.as_json(piece), {"n": 1}])
        for piece in pieces
    ]


def _langchain(pieces: Sequence[str]) -> Sequence[Any]:
    return [AIMessageChunk(content=piece, id="run-1") for piece in pieces]


def _mistral(pieces: Sequence[str]) -> Sequence[Any]:
    told = [chunks.chunk({"content": piece}) for piece in pieces]
    return test_mistral.objects(*told, chunks.chunk(finish="stop"))


FORMATS: dict[str, Make] = {
    "text": list,
    "openai_chat": _between(None, lambda piece: chunks.chunk({"content": piece})),
    "openai_chat_events": _chat_events,
    "openai_completions": _between(None, test_openai_completions.chunk),
    "openai_responses": lambda pieces: responses.stream(responses.text(*pieces)),
    "openrouter_responses": lambda pieces: responses.stream(responses.text(*pieces)),
    "openai_realtime": test_realtime.answer,
    "openai_media": lambda pieces: test_openai_media.transcript(list(pieces)),
    "anthropic": lambda pieces: messages.message(messages.text(*pieces)),
    "gemini": _between(None, test_gemini.text, test_gemini.text("", finish="STOP")),
    "openai_live": lambda pieces: test_openai_live.session(test_openai_live.said(pieces)),
    "gemini_live": _between(test_gemini_live.SETUP, test_gemini_live.text, *test_gemini_live.OVER),
    "ollama": _between(None, test_ollama.chat, test_ollama.chat(done=True)),
    "bedrock": _between(
        test_bedrock.START, test_bedrock.text, test_bedrock.stop(), test_bedrock.end()
    ),
    "bedrock_agent": test_bedrock_agents.parts,
    "bedrock_invoke": lambda pieces: test_bedrock_invoke.chunks(
        test_bedrock_invoke.anthropic(pieces)
    ),
    "cohere": lambda pieces: [
        test_cohere.START,
        test_cohere.starts(),
        *map(test_cohere.text, pieces),
        test_cohere.ends(),
        test_cohere.finish(),
    ],
    "mistral": _mistral,
    "mistral_conversations": test_mistral_conversations.answer,
    "mistral_responses": test_mistral_responses.answer,
    "mistral_transcription": test_mistral_transcription.answer,
    "openai_agent_sessions": test_agent_sessions.answer,
    "anthropic_sessions": test_anthropic_sessions.answer,
    "langchain": _langchain,
    "langchain_chains": lambda pieces: [AddableDict(said=each) for each in ["", *pieces]],
    "langchain_events": _chain_events,
    "langgraph": lambda pieces: [("messages", each) for each in test_langgraph.messages(pieces)],
    "langgraph_events": _graph_events,
    "pydantic_ai": _agent_events,
    "pydantic_ai_responses": lambda pieces: [
        test_pydantic_ai_responses.response(TextPart(each)) for each in accumulate(pieces)
    ],
    "kosong": lambda pieces: [test_kosong.TextPart(text=piece) for piece in pieces],
    "assistants": lambda pieces: [
        test_assistants.run(),
        test_assistants.message(),
        *map(test_assistants.text, pieces),
        test_assistants.message("completed", "".join(pieces)),
        test_assistants.run("completed"),
    ],
    "interactions": lambda pieces: [
        test_interactions.CREATED,
        test_interactions.start(0),
        *map(test_interactions.text, pieces),
        test_interactions.stop(),
        test_interactions.COMPLETED,
    ],
    "watsonx": _between(
        None, test_plain_formats.result, test_plain_formats.result("", "eos_token")
    ),
    "writer": _between(None, test_plain_formats.piece),
    "anthropic_completions": _between(
        None, test_plain_formats.completion, test_plain_formats.completion("", "stop_sequence")
    ),
    "tgi": _tgi,
    "llama_cpp": test_plain_formats.llama_cpp,
    "koboldcpp": test_plain_formats.koboldcpp,
    "workers_ai": test_plain_formats.workers_ai,
    "cohere_v1": _generation,
    "bedrock_llama": test_bedrock_invoke.llama,
    "bedrock_mistral": test_bedrock_invoke.mistral,
    "bedrock_titan": test_bedrock_invoke.titan,
    "ui_messages": _ui,
    "model_parts": lambda pieces: [{"type": "stream-start", "warnings": []}, *_ui(pieces)[1:]],
    "ui_message_objects": lambda pieces: test_ui_message_objects.parts(_ui(pieces)),
    "data_stream": lambda pieces: [{"f": {"messageId": "m"}}, *({"0": each} for each in pieces)],
    "ag_ui": _ag_ui,
    "langchain_protocol": lambda pieces: [
        test_langchain_protocol.begin(),
        *test_langchain_protocol.say(*pieces),
        test_langchain_protocol.finish(),
    ],
    "chatkit": lambda pieces: test_chatkit.message(list(pieces)),
    "a2a": lambda pieces: test_json_rpc.task(list(pieces)),
    "acp": lambda pieces: [*map(test_acp.said, pieces), test_acp.OVER],
    "sglang": test_sglang.so_far,
    "xai": test_xai.answer,
    "lmstudio": test_lmstudio.answer,
    "mcp": lambda pieces: [test_json_rpc.tool("".join(pieces))],
    "dashscope": lambda pieces: test_dashscope.told(list(accumulate(pieces))),
    "letta": test_letta.said,
    "livekit": test_livekit.said,
    "llm": lambda pieces: test_llm.events("text", pieces),
    "mirascope": lambda pieces: [asdict(each) for each in test_mirascope.part("text", pieces)],
    "openai_agents": lambda pieces: list(test_frameworks.openai_agents(pieces)),
    "llama_index": lambda pieces: list(test_frameworks.llama_index(pieces)),
    "smolagents": lambda pieces: list(test_frameworks.smolagents(pieces)),
    "autogen": lambda pieces: list(test_frameworks.autogen(pieces)),
    "haystack": lambda pieces: list(test_frameworks.haystack(pieces)),
    "dspy": lambda pieces: list(test_frameworks.dspy(pieces)),
    "claude_agents": lambda pieces: [
        *test_agents.message(("text", pieces)),
        test_agents.ResultMessage("".join(pieces)),
    ],
    "adk": lambda pieces: [
        *(test_agents.event(test_agents.part(each), partial=True) for each in pieces),
        test_agents.event(test_agents.part("".join(pieces)), partial=False),
    ],
    "strands": _strands,
    "agentscope": test_agentscope.answer,
    "agentscope_messages": lambda pieces: [
        *(test_agentscope.text(each) for each in pieces),
        test_agentscope.text("".join(pieces), is_last=True),
    ],
    "agno": lambda pieces: [
        *(test_agents.RunContentEvent(content=each) for each in pieces),
        test_agents.RunCompletedEvent(content="".join(pieces)),
    ],
    "crewai": lambda pieces: [
        *(test_agents.StreamFrame("llm_stream_chunk", {"chunk": each}) for each in pieces),
        test_agents.StreamFrame("llm_call_completed", {"response": "".join(pieces)}),
    ],
    "semantic_kernel": test_agents.kernel,
    "ag2": lambda pieces: [test_ag2.ModelMessageChunk(content=piece) for piece in pieces],
    "microsoft_agents": lambda pieces: [
        test_microsoft_agents.Update(test_microsoft_agents.text(each)) for each in pieces
    ],
    "cumulative_text": lambda pieces: list(accumulate(pieces)),
    "sse_events": lambda pieces: test_sse_objects.events(test_sse_objects.openai(pieces)),
    "events": _between(None, lambda piece: {"text": piece}),
    "json": _between(None, lambda piece: {"some": piece}),
}


STAYS = {"json"}
"""Where nobody knows what is said to the user and what a tool is given, stand-ins stay."""


def test_there_is_a_stream_of_every_format() -> None:
    assert FORMATS.keys() == ADAPTERS.keys()


def vault() -> tuple[Vault, str]:
    """A vault that gives `find` its `q`, and a stand-in of it."""
    here = Vault(b"k" * 16, "formats", tools={"find": ["q"]})
    [message] = GUARD.check_messages([{"role": "user", "content": VALUE}], vault=here).messages
    return here, message["content"]


def cuts(text: str) -> Iterator[list[str]]:
    """Whole, character by character, in fours, and in two in several places."""
    yield [text]
    yield list(text)
    yield [text[at : at + 4] for at in range(0, len(text), 4)]
    yield from ([text[:at], text[at:]] for at in range(2, len(text), 5))


def told(out: Sequence[Any]) -> str:
    """All that is said in chunks."""
    return "\n".join(map(_shown, out))


def beside(out: Sequence[Any]) -> str:
    """What a server of MCP gives, which is no model's answer."""
    return str(out[0]["result"]["content"][0]["text"])


def _shown(chunk: Any) -> str:
    return chunk.decode() if isinstance(chunk, bytes) else repr(chunk)


@pytest.mark.parametrize(("name", "make"), FORMATS.items(), ids=FORMATS)
def test_a_value_comes_back_in_every_format(name: str, make: Make) -> None:
    here, mark = vault()
    for pieces in cuts(f"to {mark}, it"):
        meant = [f"to {VALUE}, it"]
        with EMPTY.wrap_sync(make(meant), provider=_named(name)) as plain:
            list(plain)
        with GUARD.wrap_sync(make(pieces), vault=here, provider=_named(name)) as stream:
            out = list(stream)
        assert stream.result.text == plain.result.text
        if name in STAYS:
            assert "".join(each["some"] for each in out) == "".join(pieces)
            continue
        assert meant[0] in (stream.result.text or beside(out))
        assert mark not in told(out)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("name", "make"), [each for each in FORMATS.items() if each[0] not in STAYS]
)
def test_a_value_comes_back_on_every_event_loop(name: str, make: Make, backend: str) -> None:
    here, mark = vault()
    text = f"to {mark}, it"
    source = make([text[at : at + 3] for at in range(0, len(text), 3)])

    async def chunks_() -> AsyncIterator[Any]:
        for each in source:
            yield each

    async def read() -> Any:
        async with GUARD.wrap(chunks_(), vault=here, provider=_named(name)) as stream:
            out = [each async for each in stream]
        return stream.result.text or beside(out), told(out)

    said, shown = anyio.run(read, backend=backend)
    assert f"to {VALUE}, it" in said
    assert mark not in shown


WHOLE = {**test_bodies.ANSWERS, **test_answers.MAKERS}
OBJECTS = ("gemini", "ollama", "bedrock")
"""Whose makers are given the argument `q`; the others take JSON."""


@pytest.mark.parametrize("name", WHOLE)
def test_a_value_comes_back_in_a_whole_answer(name: str) -> None:
    here, mark = vault()

    def made(value: str) -> dict[str, Any]:
        arguments = value if name in OBJECTS else json.dumps({"q": value}, separators=(",", ":"))
        if name in test_bodies.ANSWERS:
            return test_bodies.ANSWERS[name]("", f"so: {value}, it", arguments)[1]
        answer = test_answers.MAKERS[name](f"so: {value}, it", arguments)
        answer.pop("context", None)  # the numbers of the text's tokens
        return answer

    provider = "ollama" if name == "generate" else name
    body, result = guard_body(GUARD.with_vault(here), provider, made(mark))
    assert body == made(VALUE)
    assert result.text == f"so: {VALUE}, it"


def _named(name: str) -> str | None:
    return None if name in ("langgraph_events",) else name


@pytest.mark.parametrize("so_far", [True, False])
def test_tools_of_dashscope_are_known(so_far: bool) -> None:
    here, mark = vault()
    text = json.dumps({"q": mark})
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]

    def told(arguments: str, name: str, end: str = "null") -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        call = {"index": 1, "id": "c" if name else "", "type": "function", "function": function}
        choice = {"message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": end}
        return {"output": {"choices": [choice]}, "request_id": "r"}

    said = list(accumulate(pieces)) if so_far else pieces
    names = ["find"] * len(said) if so_far else ["find", *[""] * (len(said) - 1)]
    ends = [*["null"] * (len(said) - 1), "tool_calls"]
    with GUARD.wrap_sync(map(told, said, names, ends), vault=here) as stream:
        list(stream)
    [call] = stream.result.tool_calls
    assert (call.name, call.id, json.loads(call.arguments)) == ("find", "c", {"q": VALUE})
