"""A guard that masks, blocks and stops, and what must hold of any stream behind a guard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from guardstream import Guard, Policy
from guardstream.wire import WireGuard

EMPTY = Guard(Policy.parse("version: 1"))

POLICY = """
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
  - {id: enough, words: [enough], action: stop}
"""

GUARD = Guard(Policy.parse(POLICY))

Event = dict[str, Any]


def passes_unchanged(source: Sequence[Any], provider: str | None = None) -> None:
    """With an empty policy every event comes out as the very same object."""
    out = list(EMPTY.wrap_sync(list(source), provider=provider))
    assert out == list(source)
    assert all(a is b for a, b in zip(out, source, strict=True))


def passes_on_the_wire(data: bytes, provider: str | None = None, *, letters: int = 4000) -> None:
    """With an empty policy bytes come out byte for byte, wherever they are cut.

    Up to `letters` bytes are cut at every byte, too.
    """
    random = Random(len(data))
    edges = sorted({0, len(data), *(random.randrange(1, len(data)) for _ in range(40))})
    cuts = [[0, len(data)], edges]
    if len(data) <= letters:
        cuts.append(list(range(len(data) + 1)))
    for cut in cuts:
        wire = WireGuard(EMPTY, provider=provider)
        pieces = [data[start:end] for start, end in pairwise(cut)]
        out = [frame for piece in pieces for frame in wire.feed(piece)] + wire.finish()
        assert b"".join(out) == data


def guarded_bytes(data: bytes, guard: Guard = GUARD) -> str:
    """The guarded bytes of a body, which are the same whole and cut at every byte."""
    found = []
    for cut in ([data], [data[at : at + 1] for at in range(len(data))]):
        wire = WireGuard(guard)
        frames = [frame for piece in cut for frame in wire.feed(piece)]
        found.append(b"".join(frames + wire.finish()).decode())
    assert found[0] == found[1]
    return found[0]


def plain(event: Any) -> Event:
    """An event as a dict."""
    if isinstance(event, dict):
        return event
    dumped: Event = event.model_dump(mode="json", warnings=False)
    return dumped


def strings(value: Any, *, but: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every string in a value, except in fields of the names `but`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in but:
                yield from strings(inner, but=but)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from strings(inner, but=but)


def has_word(word: str, value: Any, *, but: frozenset[str] = frozenset()) -> bool:
    """Tell whether a word stands anywhere in a value, as a whole word."""
    whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
    value = value if isinstance(value, str) else plain(value)
    return any(whole.search(text) for text in strings(value, but=but))
