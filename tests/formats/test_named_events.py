"""Named events of an application's own: guarded in any cutting, ended under the right name."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from guardstream import Guard, Policy, sse
from guardstream.http.stream import WireGuard

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
"""
    )
)


def body(*events: sse.Event) -> bytes:
    return b"".join(sse.encode(event) for event in events)


def guarded(data: bytes, cuts: list[int]) -> bytes:
    wire = WireGuard(GUARD, media="sse")
    edges = [0, *sorted(cuts), len(data)]
    frames: list[bytes] = []
    for start, end in pairwise(edges):
        frames += wire.feed(data[start:end])
    return b"".join(frames + wire.finish())


def test_a_word_is_masked_wherever_the_bytes_are_cut() -> None:
    data = body(sse.start("1"), sse.content("a sec"), sse.content("ret, é"), sse.complete())
    whole = guarded(data, [])
    assert b"######" in whole
    assert b"event: complete\n" in whole
    chance = Random(1)
    for _ in range(50):
        cuts = [chance.randrange(len(data)) for _ in range(chance.randrange(1, 6))]
        assert guarded(data, cuts) == whole
    assert guarded(data, list(range(len(data)))) == whole


def test_what_is_left_alone_is_passed_byte_for_byte() -> None:
    data = body(sse.start("1"), sse.content("hello"), sse.error("late", "too late"))
    assert guarded(data, [9]) == data


def test_a_block_completes_the_answer_under_its_name() -> None:
    data = body(sse.start("1"), sse.content("a forbidden thing"), sse.content("unread"))
    last = guarded(data, []).strip().rpartition(b"\n\n")[2]
    assert last == b'event: complete\ndata: {"finish":"content_filter"}'


def test_an_errors_message_is_guarded() -> None:
    data = body(sse.content("hello "), sse.error("late", "the secret is late"))
    assert b"the ###### is late" in guarded(data, [])


def test_another_field_with_text_is_guarded_too() -> None:
    data = body(sse.content("hello", note="a secret"))
    assert b"secret" not in guarded(data, [])
