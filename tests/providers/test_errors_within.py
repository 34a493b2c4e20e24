"""An error that a provider sends in its stream: held text is dropped, and the stream has failed."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream.providers import detect
from tests.providers.promises import GUARD, has_word

SAID = "so it is a sec"

STREAMS: dict[str, list[dict[str, Any]]] = {
    "watsonx": [
        {"model_id": "m", "results": [{"generated_text": SAID, "stop_reason": "not_finished"}]},
        {"errors": [{"code": "internal", "message": "no secret"}], "status_code": 500},
    ],
    "dashscope": [
        {
            "request_id": "r",
            "output": {"choices": [{"message": {"content": SAID}, "finish_reason": "null"}]},
        },
        {"code": "InternalError", "message": "no secret", "request_id": "r"},
    ],
    "workers_ai": [{"response": SAID, "p": "abc"}, {"errors": [{"message": "no secret"}]}],
    "llama_cpp": [
        {"content": SAID, "stop": False, "id_slot": 0},
        {"error": {"code": 500, "message": "no secret", "type": "server_error"}},
    ],
    "bedrock": [
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": SAID}}},
        {"modelStreamErrorException": {"message": "no secret", "originalStatusCode": 500}},
    ],
    "a2a": [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {
                "kind": "artifact-update",
                "taskId": "t",
                "contextId": "c",
                "artifact": {"artifactId": "a", "parts": [{"kind": "text", "text": SAID}]},
            },
        },
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "no secret"}},
    ],
    "assistants": [
        {
            "event": "thread.message.delta",
            "data": {
                "id": "m",
                "object": "thread.message.delta",
                "delta": {"content": [{"index": 0, "type": "text", "text": {"value": SAID}}]},
            },
        },
        {"event": "error", "data": {"code": "server_error", "message": "no secret"}},
    ],
    "openai_media": [
        {"type": "transcript.text.delta", "delta": SAID},
        {"type": "error", "error": {"message": "no secret"}},
    ],
    "gemini": [
        {"candidates": [{"content": {"parts": [{"text": SAID}]}, "index": 0}]},
        {"error": {"code": 503, "message": "no secret", "status": "UNAVAILABLE"}},
    ],
    "openai_responses": [
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "delta": SAID},
        {
            "type": "response.failed",
            "sequence_number": 2,
            "response": {"status": "failed", "output": [], "error": {"message": "no secret"}},
        },
    ],
    "ollama": [
        {"model": "m", "message": {"role": "assistant", "content": SAID}, "done": False},
        {"error": "no secret"},
    ],
}


@pytest.mark.parametrize("name", STREAMS)
def test_an_error_drops_held_text_and_fails_the_stream(name: str) -> None:
    stream = GUARD.wrap_sync(STREAMS[name])
    out = list(stream)
    assert getattr(detect(STREAMS[name][0]), "name", "") == name
    assert stream.finish == "error"
    assert len(out) == 2
    assert stream.result.text == SAID.removesuffix("sec")
    assert "no ******" in str(out[1])
    assert not has_word("sec", out[0])


@pytest.mark.parametrize("ended", [[], [{"type": "content-end", "index": 0}]])
def test_an_error_completes_no_block(ended: list[dict[str, Any]]) -> None:
    begun = {"message": {"content": {"type": "text", "text": ""}}}
    said = {"message": {"content": {"text": SAID}}}
    stream = GUARD.wrap_sync(
        [
            {"type": "content-start", "index": 0, "delta": begun},
            {"type": "content-delta", "index": 0, "delta": said},
            *ended,  # waits for the held text
            {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "no secret"}},
        ]
    )
    assert len([*stream]) == 3 + len(ended)
    assert (stream.result.text, stream.finish) == (SAID.removesuffix("sec"), "error")
