"""Every format's first chunks are known by its own adapter, whatever the order of the adapters."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats import ADAPTERS, detect
from guardstream.formats.detection.table import formats_of
from guardstream.formats.generic.any_json import AnyJSON

SAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("openai_chat", {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}}]}),
    ("openai_chat", {"choices": [{"index": 0, "delta": {"content": "a"}}]}),
    ("anthropic", {"type": "message_start", "message": {}}),
    ("gemini", {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}),
    ("gemini", {"candidates": [{"finish_reason": "STOP"}]}),
    ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}),
    ("ollama", {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": False}),
    ("ollama", {"model": "m", "response": "a", "done": False}),
    ("bedrock", {"messageStart": {"role": "assistant"}}),
    ("bedrock", {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "a"}}}),
    ("cohere", {"type": "message-start", "id": "i", "delta": {}}),
    ("openai_realtime", {"type": "session.created", "event_id": "e_1", "session": {}}),
    ("openai_agent_sessions", {"type": "agent.session.idle", "session_id": "s_1", "session": {}}),
    ("openai_agent_sessions", {"type": "error", "event_id": "e_1", "session_id": "s_1"}),
    ("anthropic_sessions", {"type": "session.status_idle", "id": "e_1", "stop_reason": {}}),
    ("anthropic_sessions", {"type": "event_start", "event": {"id": "e_1"}}),
    ("mistral_transcription", {"type": "transcription.language", "audio_language": "en"}),
    ("openai_realtime", {"type": "error", "event_id": "e_1", "error": {"message": "a"}}),
    ("mistral", {"data": {"choices": [{"index": 0, "delta": {}}]}}),
    (
        "mistral_conversations",
        {"type": "conversation.response.started", "conversation_id": "conv_1"},
    ),
    (
        "mistral_conversations",
        {
            "event": "message.output.delta",
            "data": {"type": "message.output.delta", "id": "m", "content": "a"},
        },
    ),
    (
        "mistral_responses",
        {
            "event": "response.output_text.delta",
            "data": {"type": "response.output_text.delta", "item_id": "m", "delta": "a"},
        },
    ),
    ("langchain_events", {"event": "on_chain_start", "run_id": "r", "data": {"input": "a"}}),
    ("langchain_protocol", {"event": "message-start", "role": "ai", "id": "m"}),
    (
        "langchain_protocol",
        {"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": "a"}},
    ),
    (
        "langchain_protocol",
        {"type": "event", "method": "values", "params": {"namespace": [], "data": {}}},
    ),
    ("pydantic_ai", {"event_kind": "part_start", "index": 0, "part": {"part_kind": "text"}}),
    ("kosong", {"type": "text", "text": "a"}),
    ("kosong", {"type": "think", "think": "a", "encrypted": None}),
    ("assistants", {"id": "r", "object": "thread.run", "status": "queued"}),
    ("assistants", {"event": "thread.run.queued", "data": {"id": "r", "object": "thread.run"}}),
    ("interactions", {"event_type": "interaction.created", "interaction": {}}),
    ("watsonx", {"model_id": "m", "results": [{"generated_text": ""}]}),
    ("writer", {"value": "a"}),
    ("llama_cpp", {"index": 0, "content": "a", "stop": False, "id_slot": 0}),
    ("koboldcpp", {"token": "a", "finish_reason": None}),
    ("workers_ai", {"response": "a", "p": "abdefg"}),
    ("events", {"text": "a"}),
]


@pytest.mark.parametrize(("name", "chunk"), SAMPLES)
def test_one_adapter_alone_knows_a_chunk(name: str, chunk: dict[str, Any]) -> None:
    assert list(dict.fromkeys(formats_of(chunk))) == [name]
    assert type(detect(chunk)) is ADAPTERS[name]


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "session.created", "session": {"type": "translation", "model": "m"}},
        {"type": "session.output_transcript.delta", "delta": "a"},
        {"type": "debug", "prompt": "a"},
        {"some": "text"},
    ],
)
def test_other_formats_are_guarded_by_path_or_refused(chunk: dict[str, Any]) -> None:
    assert isinstance(detect(chunk), AnyJSON)
    with pytest.raises(AdapterError, match="no adapter knows"):
        detect(chunk, unknown="refuse")
