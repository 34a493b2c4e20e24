"""Chunks that take the fast path come out as those that do not: nobody tells from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.chunks import chunk
from tests.support.optional import optional

ChatCompletionChunk = optional("openai.types.chat", "ChatCompletionChunk")

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: pair, pattern: 'key=[a-z]{3}', replacement: ""}
  - {id: bad, words: [forbidden], action: block}
  - {id: enough, words: [enough], action: stop}
"""
    )
)

TOKENS = (
    "so ",
    "the ",
    "sec",
    "ret",
    "secret ",
    "key",
    "=abc",
    "=",
    "it\n",
    'a "quote"',
    "\\",
    "鸟 ",
)
LAST = ("forbidden", "enough", "sec", "key=ab")

Make = Callable[[dict[str, Any]], Any]


def event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def escaped(value: dict[str, Any]) -> bytes:
    return f"event: chunk\ndata: {json.dumps(value)}\n\n".encode()


KINDS: dict[str, Make] = {
    "dicts": lambda value: value,
    "objects": ChatCompletionChunk.model_validate,
    "events": event,
    "named": escaped,
}


def stream(chance: Random, make: Make) -> list[Any]:
    """Chunks of text, now and then one of another shape, and one of several ends."""
    said = [chance.choice(TOKENS) for _ in range(40)]
    chunks = [chunk({"role": "assistant", "content": ""})]
    for text in [*said, chance.choice(LAST)]:
        other = chance.random()
        field = "content" if other > 0.03 else "reasoning_content"
        beside = {"system_fingerprint": "fp_2"} if other > 0.95 else {}
        chunks.append(chunk({field: text}, **beside))
    made = [make(each) for each in [*chunks, chunk(finish="stop")]]
    if isinstance(made[0], bytes):
        place = chance.randrange(len(made))
        made[place : place + 2] = [b"".join(made[place : place + 2])]
        made.insert(chance.randrange(len(made)), b": a comment\n\n")
        made.append(b"data: [DONE]\n\n")
    return made


def outcome(source: Sequence[Any], **options: Any) -> tuple[Any, ...]:
    guarded = GUARD.wrap_sync(source, **options)
    out = list(guarded)
    stats, result = guarded.stats, guarded.result
    counts = (stats.chunks_in, stats.chunks_out, stats.characters_in, stats.characters_out)
    return out, guarded.findings, guarded.finish, result, counts, stats.held_mean, stats.held_max


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_who_is_told_of_text_sees_the_same_chunks(kind: str, seed: int) -> None:
    source = stream(Random(seed), KINDS[kind])
    assert outcome(source) == outcome(source, on_text=lambda _: None)


@pytest.mark.parametrize("kind", ["events", "named"])
@pytest.mark.parametrize("seed", range(20))
def test_events_by_themselves_are_as_events_in_one_piece(kind: str, seed: int) -> None:
    source = stream(Random(seed), KINDS[kind])
    assert b"".join(outcome(source)[0]) == b"".join(outcome([b"".join(source)])[0])


@pytest.mark.parametrize("kind", ["dicts", "objects"])
def test_what_goes_out_as_it_came_is_the_same_object(kind: str) -> None:
    source = [KINDS[kind](chunk({"content": text})) for text in ("so ", "it ", "is ", "so ")]
    assert all(a is b for a, b in zip(GUARD.wrap_sync(source), source, strict=True))


def test_a_model_that_is_written_anew_knows_what_was_given() -> None:
    source = [ChatCompletionChunk.model_validate(chunk({"content": "so "})) for _ in range(4)]
    source.append(ChatCompletionChunk.model_validate(chunk({"content": "secret "})))
    *_, last = GUARD.wrap_sync(source)
    assert last.model_dump(exclude_unset=True) == chunk({"content": "****** "})
    last.choices[0].delta.refusal = "no"  # what is set in the copy is not in the source's
    assert "refusal" not in source[-1].choices[0].delta.model_fields_set


@pytest.mark.parametrize(
    ("kind", "reads", "read"),
    [
        ("dicts", "guardstream.formats.spec.SpecAdapter._find", 2),
        ("events", "guardstream.framing.frames.event.EventFrames.feed", 1),
    ],
)
def test_a_match_does_not_leave_the_fast_path(
    kind: str, reads: str, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads an event fails from the event number `read` on, and is not missed."""

    def source() -> Iterator[Any]:
        for count, text in enumerate(("so ", "the ", "sec", "ret so", "a secret ", "key=abc is")):
            if count == read:
                monkeypatch.setattr(reads, None)
            yield KINDS[kind](chunk({"content": text}))

    out = list(islice(GUARD.wrap_sync(source()), 5))
    made = [each if isinstance(each, dict) else json.loads(each[6:]) for each in out]
    texts = [each["choices"][0]["delta"]["content"] for each in made]
    assert texts == ["so ", "the ", "****** so", "a ****** ", " is"]
