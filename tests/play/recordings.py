"""Short recordings: of text, of tool calls, and of text before and after one."""

from __future__ import annotations

import json

_PIECES = ["Write ", "to ann@", "exam", "ple.com", ", or call", ". Bye"]

DEMO = "\n".join(
    json.dumps(line)
    for line in [
        {"recording": 1},
        *({"t": 0.1 * n, "text": piece} for n, piece in enumerate(_PIECES)),
        {"t": 1.0, "end": True},
    ]
)

TEXT = "".join(_PIECES)


def _calls(**functions: dict[str, str]) -> str:
    calls = [
        {"index": int(number[1:]), "id": f"call-{number}", "type": "function", "function": function}
        for number, function in functions.items()
    ]
    choice = {"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


CALLS = "".join(
    [
        _calls(n0={"name": "send", "arguments": '{"to": "the blue'}),
        _calls(n0={"arguments": 'bird", "n": 1}'}),
        _calls(n1={"name": "find", "arguments": '{"a": "Blue'}),
        _calls(n1={"arguments": 'bird"}'}),
    ]
)
"""Two tool calls, one after the other."""

PARALLEL = "".join(
    [
        _calls(
            n0={"name": "send", "arguments": '{"to": "a long way before the blue'},
            n1={"name": "find", "arguments": '{"a": "red'},
            n2={"name": "find", "arguments": '{"a": "blue'},
        ),
        _calls(n2={"arguments": "bird"}, n1={"arguments": "bird"}, n0={"arguments": "bird, red"}),
        _calls(n0={"arguments": 'bird"}'}, n1={"arguments": '"}'}, n2={"arguments": '"}'}),
    ]
)
"""Three tool calls at once, each chunk about all of them."""


def _event(**event: object) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _block(index: int, begin: dict[str, object], *deltas: dict[str, str]) -> str:
    return "".join(
        [
            _event(type="content_block_start", index=index, content_block=begin),
            *(_event(type="content_block_delta", index=index, delta=delta) for delta in deltas),
            _event(type="content_block_stop", index=index),
        ]
    )


def _said(index: int, *texts: str) -> str:
    deltas = [{"type": "text_delta", "text": text} for text in texts]
    return _block(index, {"type": "text", "text": ""}, *deltas)


_TOOL: dict[str, object] = {"type": "tool_use", "id": "t", "name": "find", "input": {}}

AFTER_A_CALL = "".join(
    [
        _event(type="message_start", message={"id": "m", "role": "assistant", "content": []}),
        _said(0, "bluebird, and the blue", "bird "),
        _said(1, "or bluebird "),
        _block(2, _TOOL, {"type": "input_json_delta", "partial_json": '{"a": "bluebird"}'}),
        _said(3, "a blue", "bird "),
        _event(type="message_delta", delta={"stop_reason": "end_turn"}),
        _event(type="message_stop"),
    ]
)
"""An answer in two blocks, a call, and the rest of the answer."""
