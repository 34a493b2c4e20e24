"""Named events of an application's own: guarded in any cutting, ended under the right name."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random
from typing import Any

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


OWN = Guard(
    Policy.parse(
        """
formats: {mine: {text: $.t, done: $.end}}
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
"""
    )
)


def own(*events: tuple[str, str]) -> list[tuple[str, str]]:
    """The names and texts that leave, of events in a format of the policy; in any cutting."""
    parts = [
        f"event: {name}\ndata: {json.dumps({'t': text})}\n\n".encode() for name, text in events
    ]
    data = b"".join(parts)

    def guarded(cuts: list[int]) -> bytes:
        wire = WireGuard(OWN)
        frames: list[bytes] = []
        for start, end in pairwise([0, *cuts, len(data)]):
            frames += wire.feed(data[start:end])
        return b"".join(frames + wire.finish())

    whole = guarded([])
    assert guarded(list(range(1, len(data)))) == whole
    assert b"".join(OWN.wrap_sync(parts)) == whole
    found: list[tuple[str, str]] = []
    for event in whole.decode().split("\n\n")[:-1]:
        head, _, value = event.rpartition("data: ")
        said: Any = {} if value == "[DONE]" else json.loads(value)
        if said.get("t"):
            found.append((head.removeprefix("event: ").strip() or "message", said["t"]))
    return found


def test_held_text_of_an_own_format_leaves_under_its_name_and_in_order() -> None:
    assert own(("a", "a sec"), ("b", "ond")) == [("a", "a "), ("a", "sec"), ("b", "ond")]
    assert own(("a", "sec"), ("a", "ond"), ("b", "x")) == [("a", "second"), ("b", "x")]


def test_a_word_of_one_name_is_found_though_others_come_between() -> None:
    for name in ("a", "message"):
        found = own((name, "a sec"), ("b", "x "), (name, "ret"))
        assert "".join(text for each, text in found if each == name) == "a sec[word]"
        found = own((name, "a for"), ("b", "x "), (name, "bidden"))
        assert "".join(text for each, text in found if each == name) == "a for"


def test_a_word_over_two_names_does_not_go_out_whole() -> None:
    assert own(("a", "a sec"), ("b", "ret"))[-1] == ("b", "[word]")
    assert own(("a", "a sec"), ("b", "re"), ("b", "t"))[-1] == ("b", "[word]")
    assert own(*[("a", "x ")] * 9, ("a", "sec"), ("b", "ret"))[-1] == ("b", "[word]")
    assert own(("a", "a for"), ("b", "bidden"), ("b", "unread")) == [("a", "a "), ("a", "for")]


def test_a_copy_under_another_name_repeats_the_text_of_all_names() -> None:
    guard = Guard(
        Policy.parse(
            "formats: {mine: {text: $.t, copies: $.full}}\n"
            "rules: [{id: word, words: [secret], replacement: '#'}]"
        )
    )
    wire = WireGuard(guard)
    told = [("a", {"t": "a sec"}), ("a", {"t": "ret "}), ("done", {"full": "a secret "})]
    data = "".join(f"event: {name}\ndata: {json.dumps(value)}\n\n" for name, value in told)
    out = b"".join([*wire.feed(data.encode()), *wire.finish()])
    assert out.endswith(b'event: done\ndata: {"full":"a ###### "}\n\n')
    assert wire.result.text == "a ###### "
