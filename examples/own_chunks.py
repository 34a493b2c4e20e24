"""Chunks that are objects of your own class: the policy names the fields, `provider` the format."""

from dataclasses import dataclass

from guardstream import Guard, Policy

POLICY = """
extends: guardstream/chat
formats: {kit: {text: $.delta, done: $.is_done, harmless: [$.finish_reason]}}
"""


@dataclass
class Chunk:
    delta: str = ""
    is_done: bool = False
    finish_reason: str | None = None


answer = [Chunk("Write to ann@exam"), Chunk("ple.com."), Chunk(is_done=True, finish_reason="stop")]

stream = Guard(Policy.parse(POLICY)).wrap_sync(answer, provider="kit")
for chunk in stream:
    print(chunk)
assert stream.result.text == "Write to [email]."
assert stream.finish == "stop"
