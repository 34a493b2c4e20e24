"""Whether a long text stays in memory once it has gone out.

To be asked in a process that holds little else, as all that it holds is looked at.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator

from guardstream import Guard, Policy
from guardstream.stream.result import Meter

LONG = 300_000
POLICY = "rules: [{id: word, words: [bluebird], replacement: '<w>'}]"


def chunk_event(text: str) -> bytes:
    """An event of a chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    event = {"object": "chat.completion.chunk", "choices": [choice]}
    return f"data: {json.dumps(event)}\n\n".encode()


def text_event(text: str) -> bytes:
    """An event that is its text."""
    return f"data: {text}\n\n".encode()


def holds_a_long_text(event: Callable[[str], bytes], word: str) -> bool:
    """Whether anything still holds an event's long text when it is out, or when the next one is."""
    made = Guard(Policy.parse(POLICY)).flow(media="sse")(b"", Meter())
    gc.collect()
    before = len(list(_long_texts()))
    for times in (1, LONG // len(word) + 100, 1):
        assert made.feed(event(word * times))
        if len(list(_long_texts())) > before:  # others' may go
            return True
    return False


def _long_texts() -> Iterator[object]:
    """What of that length anything holds, also in a tuple, of which the collector may not know.

    It is looked at one by one: a list of it would hold itself, and keep all of it.
    """
    for each in gc.get_objects():
        for inner in gc.get_referents(each):
            for held in inner if type(inner) is tuple else (inner,):
                if issubclass(type(held), (str, bytes)) and LONG < len(held) < 2 * LONG:
                    yield held
