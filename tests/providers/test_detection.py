"""Every format's first chunks are known by its own adapter, whatever the order of the adapters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.providers import ADAPTERS, detect
from guardstream.providers.detection.table import formats_of
from guardstream.providers.generic.any_json import AnyJSON
from tests.providers.promises import GUARD

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


def test_parts_of_a_stream_of_bytes_are_refused_and_their_bytes_are_guarded() -> None:
    body = b"".join(
        b"data:" + json.dumps({"token": {"text": text}, "generated_text": None}).encode() + b"\n\n"
        for text in ("a sec", "ret so")
    )
    parts = [{"PayloadPart": {"Bytes": body[at : at + 20]}} for at in range(0, len(body), 20)]
    with pytest.raises(AdapterError, match="wrap the bytes in them"):
        list(GUARD.wrap_sync(parts))
    out = b"".join(GUARD.wrap_sync(part["PayloadPart"]["Bytes"] for part in parts))
    texts = [json.loads(event[5:])["token"]["text"] for event in out.split(b"\n\n") if event]
    assert "".join(texts) == "a ****** so"


def test_bytes_with_flags_are_refused_since_they_cut_events() -> None:
    """As aiohttp's `iter_chunks()` gives them: every event would be a text of its own."""
    events = [b'data: {"say": "a sec"}\n\n', b'data: {"say": "ret"}\n\n']
    with pytest.raises(AdapterError, match="wrap the bytes alone"):
        list(GUARD.wrap_sync((event, True) for event in events))


def test_other_tuples_with_bytes_or_a_flag_are_guarded() -> None:
    for pair in (("a secret", True), (b"a secret", 1), (b"a secret", "so", True)):
        [out] = GUARD.wrap_sync([pair])
        said = out[0] if isinstance(out[0], str) else out[0].decode()
        assert (said, out[1:]) == ("a ******", pair[1:])


def test_a_field_that_is_named_like_such_a_part_is_guarded() -> None:
    out = list(GUARD.wrap_sync([{"PayloadPart": {"Bytes": "a secret"}}, {"PayloadPart": "so"}]))
    parts = [{"PayloadPart": {"Bytes": text}} for text in ("a ", "******")]
    assert out == [*parts, {"PayloadPart": "so"}]
