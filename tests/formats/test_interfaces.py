"""Streams to users' interfaces: Vercel's UI messages and data stream, and AG-UI's events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream.formats import detect
from guardstream.formats.protocols.ui_messages import UIMessages
from tests.laws.asked import ARGUMENTS, GUARD, cuttings, left_raw, unchanged
from tests.support.samples.interfaces import Event


def data(pieces: Sequence[str]) -> list[Event]:
    return [
        {"f": {"messageId": "m"}},
        *({"g": piece} for piece in pieces),
        *({"0": piece} for piece in pieces),
        {"b": {"toolCallId": "call_1", "toolName": "find"}},
        *({"c": {"toolCallId": "call_1", "argsTextDelta": piece}} for piece in pieces),
        {"9": {"toolCallId": "call_2", "toolName": "find", "args": {"q": "a secret"}}},
        {"a": {"toolCallId": "call_2", "result": "a secret"}},
        {"2": [{"note": "a secret"}]},
        {"e": {"finishReason": "stop", "usage": {"promptTokens": 1}, "isContinued": False}},
        {"d": {"finishReason": "stop", "usage": {"promptTokens": 1, "completionTokens": 2}}},
    ]


def model(pieces: Sequence[str], *, streamed: bool = True, given: Any = None) -> list[Event]:
    """What a model of the AI SDK streams, and Vercel's AI Gateway."""
    said = [
        {"type": "tool-input-start", "id": "call_1", "toolName": "find"},
        *({"type": "tool-input-delta", "id": "call_1", "delta": piece} for piece in pieces),
        {"type": "tool-input-end", "id": "call_1"},
    ]
    asked = {"type": "tool-call", "toolCallId": "call_1", "toolName": "find"}
    return [
        {"type": "stream-start", "warnings": []},
        {"type": "response-metadata", "id": "r1", "modelId": "m1", "timestamp": "2026-01-01"},
        {"type": "text-start", "id": "0"},
        *({"type": "text-delta", "id": "0", "delta": piece} for piece in pieces),
        {"type": "text-end", "id": "0"},
        *(said if streamed else []),
        {**asked, "input": "".join(pieces) if given is None else given},
        {"type": "source", "sourceType": "url", "id": "s1", "url": "x", "title": "a secret"},
        {"type": "raw", "rawValue": {"said": "a secret"}},
        {
            "type": "finish",
            "finishReason": {"unified": "tool-calls", "raw": "tool_calls"},
            "usage": {"inputTokens": {"total": 5}, "outputTokens": {"total": 7}},
        },
    ]


def test_what_a_model_of_the_ai_sdk_streams_is_guarded_in_any_cut() -> None:
    assert detect(model([])[0]).name == "model_parts"  # type: ignore[attr-defined]
    for pieces in cuttings(ARGUMENTS):
        for source in (
            model(pieces),
            model(pieces, streamed=False),
            model(pieces, given=json.loads(ARGUMENTS)),
        ):
            assert unchanged(source)
            stream = GUARD.wrap_sync(source)
            out = list(stream)
            assert not left_raw(out)
            assert stream.finish == "tool_calls"
            (found,) = stream.result.tool_calls
            assert (found.name, found.id, found.complete) == ("find", "call_1", True)
            asked = next(each["input"] for each in out if each["type"] == "tool-call")
            assert json.loads(found.arguments) == (
                json.loads(asked) if isinstance(asked, str) else asked
            )
            deltas = [each["delta"] for each in out if each["type"] == "tool-input-delta"]
            assert "".join(deltas) in ("", found.arguments)


@pytest.mark.parametrize(
    "first",
    [
        {"type": "data-status", "data": {"status": "so"}, "transient": True},
        {"type": "error", "errorText": "no"},
        {"type": "tool-input-start", "toolCallId": "c", "toolName": "find"},
        {"type": "start", "messageId": "m", "of_later": 1},
        {"type": "data-status", "data": {"status": "so"}, "of_later": 1},
        {"type": "start-step"},
        {"type": "message-metadata", "messageMetadata": {"model": "m-1"}},
        {"type": "source-url", "sourceId": "s", "url": "https://example.com"},
        {"type": "source-document", "sourceId": "s", "mediaType": "text/plain", "title": "no"},
        {"type": "file", "url": "https://example.com/a.png", "mediaType": "image/png"},
        {"type": "tool-output-available", "toolCallId": "c", "output": {}},
        {"type": "tool-approval-response", "approvalId": "a", "approved": True},
        {"type": "text-delta", "id": "t", "delta": "so "},
    ],
)
def test_a_stream_may_begin_with_any_part(first: Event) -> None:
    assert isinstance(detect(first), UIMessages)
    source = [first, {"type": "text-start", "id": "t"}]
    source += [{"type": "text-delta", "id": "t", "delta": piece} for piece in ("a sec", "ret")]
    source += [{"type": "text-end", "id": "t"}, {"type": "finish"}]
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert stream.result.text.removeprefix("so ") == "a ######"
