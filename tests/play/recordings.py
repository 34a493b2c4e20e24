"""Short recordings: of text, and of two tool calls."""

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


def _call(number: int, **function: str) -> str:
    call = {"index": number, "id": f"call-{number}", "type": "function", "function": function}
    choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


CALLS = "".join(
    [
        _call(0, name="send", arguments='{"to": "the blue'),
        _call(0, arguments='bird", "n": 1}'),
        _call(1, name="find", arguments='{"a": "Blue'),
        _call(1, arguments='bird"}'),
    ]
)
