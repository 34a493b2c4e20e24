"""A short recording of text."""

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
