"""A stream whose first event is plain text and whose others are JSON: each is read as it is.

The policy names the field of the JSON events that has the answer; what says that it begins, and
what says that it is over, pass.
"""

import json
from collections.abc import Iterator

from guardstream import Guard, Policy, sse

POLICY = """
extends: guardstream/chat
formats:
  answer: {text: $.content, done: $.usage}
"""


def events() -> Iterator[bytes]:
    yield b"event: start\ndata: The answer:\n\n"
    for piece in ("Write to ann@exam", "ple.com", "."):
        yield b"event: content\ndata: " + json.dumps({"content": piece}).encode() + b"\n\n"
    yield b'event: complete\ndata: {"usage": {"output_tokens": 7}}\n\n'


body = b"".join(Guard(Policy.parse(POLICY)).wrap_sync(events()))
print(body.decode(), end="")
found = [item for item in sse.Decoder().feed(body) if isinstance(item, sse.Event)]
said = [json.loads(each.data) for each in found[1:]]
assert (found[0].event, found[0].data) == ("start", "The answer:")
assert "".join(each.get("content", "") for each in said) == "Write to [email]."
assert (found[-1].event, said[-1]) == ("complete", {"usage": {"output_tokens": 7}})
