"""Chunks that are objects of your own class: name the fields; the guard changes only the text."""

from dataclasses import dataclass

from guardstream import Guard
from guardstream.formats import JSONFormat

KIT = JSONFormat("kit", text="$.delta", done="$.is_done", harmless="$.finish_reason")


@dataclass
class Chunk:
    delta: str = ""
    is_done: bool = False
    finish_reason: str | None = None


answer = [Chunk("Write to ann@exam"), Chunk("ple.com."), Chunk(is_done=True, finish_reason="stop")]

stream = Guard.load("guardstream/chat").wrap_sync(answer, format=KIT)
for chunk in stream:
    print(chunk)
assert stream.result.text == "Write to [email]."
assert stream.finish == "stop"
