"""One answer in the chunks of two providers, its texts cut as a test likes: guarded by `GUARD`.

It thinks, speaks, calls a tool, and says what it has used; each text has something to mask.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from guardstream import Guard, Policy
from tests.formats.chunks import call, chunk
from tests.support.chunking import one_by_one, random_split

GUARD = Guard(
    Policy.parse(
        """
name: streams
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
"""
    )
)

THINKING = "think of a secret "
TEXT = "the secret is told"
ARGUMENTS = '{"to": "secret", "count": 2}'

Cut = Callable[[str], Sequence[str]]


CUTS: Sequence[Cut] = (
    lambda text: [text],
    one_by_one,
    lambda text: random_split(text, Random(1)),
    lambda text: random_split(text, Random(2)),
)
"""Whole, character by character, and two random ways."""


def chat(cut: Cut = one_by_one, text: str = TEXT) -> list[dict[str, Any]]:
    """Chunks of a chat completion."""
    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"reasoning_content": piece}) for piece in cut(THINKING)]
    chunks += [chunk({"content": piece}) for piece in cut(text)]
    chunks.append(chunk(call(0, "", id="call_1", type="function", name="send")))
    chunks += [chunk(call(0, piece)) for piece in cut(ARGUMENTS)]
    chunks.append(chunk({}, finish="tool_calls"))
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
    return [*chunks, {**chunk(), "choices": [], "usage": usage}]


def message(cut: Cut = one_by_one, text: str = TEXT) -> list[dict[str, Any]]:
    """Events of a message of Anthropic's."""
    head = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}
    usage = {"input_tokens": 7, "output_tokens": 1}
    start = {**head, "stop_reason": None, "stop_sequence": None, "usage": usage}
    tool = {"type": "tool_use", "id": "call_1", "name": "send", "input": {}}
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    return [
        {"type": "message_start", "message": start},
        *_block(
            0, {"type": "thinking", "thinking": "", "signature": ""}, "thinking", cut(THINKING)
        ),
        *_block(1, {"type": "text", "text": ""}, "text", cut(text)),
        *_block(2, tool, "partial_json", cut(ARGUMENTS)),
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


_DELTAS = {"thinking": "thinking_delta", "text": "text_delta", "partial_json": "input_json_delta"}


def _block(
    index: int, start: dict[str, Any], field: str, pieces: Sequence[str]
) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for piece in pieces:
        delta = {"type": _DELTAS[field], field: piece}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def event_stream(chunks: Sequence[dict[str, Any]]) -> bytes:
    """The chunks as they come over the wire."""
    return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks)
