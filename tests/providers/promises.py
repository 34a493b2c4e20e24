"""A guard that masks, blocks and stops, and what must hold of any stream behind a guard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from guardstream import Guard, Policy
from tests.providers.laws import EMPTY, on_the_wire

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
    cuts = [[], sorted({random.randrange(1, len(data)) for _ in range(40)})]
    if len(data) <= letters:
        cuts.append(list(range(1, len(data))))
    for cut in cuts:
        assert on_the_wire(data, EMPTY, cut, provider=provider) == data


def guarded_bytes(data: bytes, guard: Guard = GUARD) -> str:
    """The guarded bytes of a body, which are the same whole and cut at every byte."""
    whole = on_the_wire(data, guard)
    assert on_the_wire(data, guard, range(1, len(data))) == whole
    return whole.decode()


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
