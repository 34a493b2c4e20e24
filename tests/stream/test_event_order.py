"""The order of events of text, and of those that are no text."""

from __future__ import annotations

import pytest

from guardstream import Guard, Policy, sse
from guardstream.http.stream import WireGuard

GUARD = Guard(
    Policy.parse("""
rules:
  - {id: word, words: [bluebird], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
  - {id: end, pattern: 'over$', action: block}
""")
)


def events(*named: tuple[str, str]) -> bytes:
    """Events of a name and data each."""
    said = (f"event: {name}\n" * bool(name) + f"data: {data}\n\n" for name, data in named)
    return "".join(said).encode()


def in_every_cut(data: bytes) -> bytes:
    """What becomes of events, which is the same however they are cut."""
    found = set()
    for size in (1, 3, 10, len(data)):
        wire = WireGuard(GUARD, media="sse")
        out = [each for at in range(0, len(data), size) for each in wire.feed(data[at : at + size])]
        found.add(b"".join([*out, *wire.finish()]))
    assert len(found) == 1
    return found.pop()


def test_few_events_wait() -> None:
    wire = WireGuard(GUARD, media="sse")
    wire.feed(events(("token", "a blue")))
    for _ in range(64):
        assert wire.feed(events(("usage", '{"n":1}'))) == []
    assert b"".join(wire.feed(events(("usage", '{"n":1}')))) == 65 * events(("usage", '{"n":1}'))
    long = events(("usage", f'{{"n":"{70_000 * "x"}"}}'))
    assert b"".join(wire.feed(long)) == long


def by_name(data: bytes) -> dict[str, str]:
    """The text of each event name."""
    said: dict[str, str] = {}
    for item in sse.Decoder().feed(data):
        if isinstance(item, sse.Event):
            said[item.event] = said.get(item.event, "") + item.data
    return said


@pytest.mark.parametrize("quote", ["", '"'])
def test_held_text_leaves_under_the_name_that_it_came_under(quote: str) -> None:
    said = [("token", "see blue"), ("status", "searching b"), ("", "so"), ("done", "bye")]
    quoted = [(name, f"{quote}{text}{quote}") for name, text in said]
    out = in_every_cut(events(*quoted)).replace(b'"', b"")
    assert by_name(out) == {name or "message": text for name, text in said}


def test_a_word_that_begins_where_the_name_changes_is_masked() -> None:
    out = in_every_cut(events(("status", "3"), ("token", "bluebird so")))
    assert by_name(out) == {"status": "3", "token": "******** so"}


def test_the_rest_of_a_word_that_another_name_interrupts_is_masked() -> None:
    data = events(("token", "a blue"), ("status", "searching"), ("token", "bi"), ("token", "rd"))
    out = by_name(in_every_cut(data))
    assert "bluebird" not in out["token"]
    assert out["status"] == "searching"


@pytest.mark.parametrize("mode", ["sentence", "complete"])
def test_text_that_waits_for_its_unit_keeps_its_name(mode: str) -> None:
    guard = Guard(Policy.parse(f"limits: {{release: {mode}}}"))
    wire = WireGuard(guard, media="sse")
    data = events(("token", "It is"), ("done", "all. And"), ("token", "so on"))
    out = b"".join([*wire.feed(data), *wire.finish()])
    assert by_name(out) == {"token": "It isso on", "done": "all. And"}


def test_a_change_of_names_is_neither_a_chunk_nor_a_character() -> None:
    said = [("token", "see blue"), ("status", "searching"), ("token", "bi"), ("done", "bye")]
    stream = GUARD.wrap_sync([events(each) for each in said])
    list(stream)
    assert stream.stats.chunks_in == len(said)
    assert stream.stats.characters_in == sum(len(text) for _, text in said)


CHAT = (
    b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
)


def test_an_id_of_other_events_waits_for_held_text_too() -> None:
    source = b"id: 1\n" + CHAT % b"a blue" + b"id: 2\n\nid: 3\n: note\ndata: {}\n\n" + CHAT % b" "
    assert sse.Decoder().feed(in_every_cut(source)) == [
        *sse.Decoder().feed(CHAT % b"a " + b"\ndata: {}\n\nid: 3\n" + CHAT % b"blue ")
    ]
