"""What holds for every wire format, to be asked of each one's chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from pydantic_core import to_json

from guardstream import Guard, Policy
from guardstream.formats import detect
from guardstream.http.stream import WireGuard
from guardstream.stream.result import Result
from tests.formats.recordings import FOLDER

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
  - {id: enough, words: [enough], action: stop}
"""
    )
)
EMPTY = Guard(Policy.parse("version: 1"))
ARGUMENTS = '{"q": "a secret, no sec"}'
MASKED = '{"q": "a ######, no sec"}'


def cuttings(text: str) -> Iterator[list[str]]:
    """The text whole, one character at a time, and cut at random places."""
    yield [text]
    yield list(text)
    chance = Random(text)
    for _ in range(8):
        edges = sorted({0, len(text), *(chance.randrange(1, len(text)) for _ in range(4))})
        yield [text[start:end] for start, end in pairwise(edges)]


def unchanged(source: Sequence[Any], **options: Any) -> bool:
    """Whether an empty policy passes every chunk as the very same object."""
    out = list(EMPTY.wrap_sync(source, **options))
    return len(out) == len(source) and all(a is b for a, b in zip(out, source, strict=True))


def on_the_wire(
    data: bytes, guard: Guard = EMPTY, cuts: Sequence[int] = (), **options: Any
) -> bytes:
    """The guarded bytes of a body that comes cut at some places."""
    wire = WireGuard(guard, **options)
    frames: list[bytes] = []
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        frames += wire.feed(data[start:end])
    return b"".join(frames + wire.finish())


def in_any_cut(data: bytes, guard: Guard = EMPTY, **options: Any) -> bytes:
    """The guarded bytes of a body, which must not depend on how its bytes are cut."""
    whole = on_the_wire(data, guard, **options)
    chance = Random(data)
    for _ in range(6):
        cuts = [chance.randrange(len(data)) for _ in range(5)]
        assert on_the_wire(data, guard, cuts, **options) == whole
    if len(data) < 20_000:
        assert on_the_wire(data, guard, range(1, len(data)), **options) == whole
    return whole


def left_raw(chunks: Any, word: str = "secret") -> bool:
    """Whether a word stands anywhere in some chunks."""
    return word in to_json(chunks, serialize_unknown=True).decode()


def guarded(source: Sequence[Any], provider: str) -> tuple[list[Any], Result]:
    """What comes of a source of which text, thinking and a call each say `ARGUMENTS`."""
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert stream.state.flow is not None
    assert stream.state.flow.format == provider
    assert not left_raw(out)
    result = stream.result
    assert (result.text, result.thinking) == (MASKED, MASKED)
    first = result.tool_calls[0]
    assert (first.name, first.id, first.arguments) == ("find", "call_1", MASKED)
    assert first.complete
    return out, result


def lines(*chunks: dict[str, Any]) -> bytes:
    """Chunks as lines of JSON."""
    return b"".join(json.dumps(chunk).encode() + b"\n" for chunk in chunks)


def events(*chunks: dict[str, Any]) -> bytes:
    """Chunks as the data of server-sent events."""
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def recorded(*patterns: str) -> list[Any]:
    """Recordings by their names, as test parameters."""
    found = sorted(path for pattern in patterns for path in FOLDER.glob(pattern))
    return [pytest.param(path, id=path.stem[-60:]) for path in found]


def masked(texts: dict[Any, str], source: Any) -> tuple[Guard, str]:
    """A guard for the most frequent word of some texts that stands nowhere else in the source."""
    dumped = to_json(source, serialize_unknown=True).decode()
    joined = json.dumps(" ".join(texts.values()), ensure_ascii=False)
    words = re.findall(r"[^\W\d_]{3,}", joined)
    dumped, told = dumped.lower(), joined.lower()
    own = [
        word
        for word in set(words)
        if dumped.count(f'"{word.lower()}"') == told.count(f'"{word.lower()}"')
    ]
    word = max(sorted(own), key=words.count, default="nothing")
    return Guard(Policy.parse(f"rules: [{{id: word, words: ['{word}'], replacement: '#'}}]")), word


Texts = Callable[[Sequence[Any]], dict[Any, str]]


def recut(source: Sequence[Any], chance: Random) -> Iterator[Any]:
    """The chunks, but those that say nothing but deltas cut in two at random places."""
    adapter = detect(source[0])
    for chunk in source:
        reading = adapter.read(chunk)
        texts = [piece.text for piece in reading.pieces]
        marks = reading.finished or reading.calls or reading.closed or reading.joined
        if not texts or marks or any(piece.kind != "delta" for piece in reading.pieces):
            yield chunk
            continue
        cuts = [chance.randrange(len(text) + 1) for text in texts]
        both = list(zip(texts, cuts, strict=True))
        for parts in ([text[:cut] for text, cut in both], [text[cut:] for text, cut in both]):
            made = adapter.write(chunk, parts)
            if made is not None:
                yield made


def check_masked(source: Sequence[Any], texts: Texts, **options: Any) -> None:
    """Check that what a client joins is what the guard makes of what it would have joined."""
    guard, _ = masked(texts(source), source)
    chance = Random(len(source))
    for cut in (source, list(recut(source, chance)), list(recut(source, chance))):
        found = texts(list(guard.wrap_sync(cut, **options)))
        for key, text in texts(source).items():
            channel = "tool_args" if "tool_args" in key else "text"
            assert found.get(key, "") == guard.check(text, channel).text


STARS_POLICY = """
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
  - {id: enough, words: [enough], action: stop}
"""

STARS = Guard(Policy.parse(STARS_POLICY))

Event = dict[str, Any]


def passes_unchanged(source: Sequence[Any], provider: str | None = None) -> None:
    """With an empty policy every event comes out as the very same object."""
    out = list(EMPTY.wrap_sync(list(source), format=provider))
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
        assert on_the_wire(data, EMPTY, cut, format=provider) == data


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
