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


@pytest.mark.parametrize("end", ["{}", '{"n": 1}', '["x"]', "[]", ""])
@pytest.mark.parametrize("quote", ["", '"'])
def test_an_event_that_is_no_text_waits_for_the_text_before_it(end: str, quote: str) -> None:
    done = ("done", end)
    out = in_every_cut(events(("token", f"{quote}see blue{quote}"), done))
    shown = [("token", f"{quote}{each}{quote}") for each in ("see ", "blue")]
    assert out == events(*shown, done)


def test_what_is_masked_at_the_end_comes_before_such_an_event() -> None:
    out = in_every_cut(events(("token", "a bluebird"), ("done", "{}")))
    assert out == events(("token", "a "), ("token", "********"), ("done", "{}"))


def test_a_match_on_both_sides_of_such_an_event_is_found() -> None:
    data = events(("token", "a blue"), ("usage", '{"n":1}'), ("token", "bird b"), ("done", "{}"))
    assert in_every_cut(data) == events(
        ("token", "a "),
        ("token", "******** "),
        ("usage", '{"n":1}'),
        ("token", "b"),
        ("done", "{}"),
    )


def test_text_that_is_held_anew_lets_such_an_event_go() -> None:
    wire = WireGuard(GUARD, media="sse")
    assert b"usage" not in b"".join(wire.feed(events(("t", "a blue"), ("usage", '{"n":1}'))))
    assert b"usage" in b"".join(wire.feed(events(("t", "x and so on blue"))))


@pytest.mark.parametrize("other", ["{}", '{"done": true}', '["x"]'])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("name", ["", "token"])
def test_other_json_stays_an_event_of_its_own(name: str, quote: str, other: str) -> None:
    out = in_every_cut(events((name, f"{quote}see blue{quote}"), (name, other)))
    shown = [(name, f"{quote}{each}{quote}") for each in ("see ", "blue")]
    assert out == events(*shown, (name, other))


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_match_around_other_json_is_found(quote: str) -> None:
    said = [f"{quote}{each}{quote}" for each in ("a blue", "bird b", "a ", "blue", "[word]")]
    other = ("", '{"n": 1}')
    assert in_every_cut(events(("", said[0]), other, ("", said[1]))) == events(
        ("", said[2]), ("", said[3]), other, ("", said[4])
    )


@pytest.mark.parametrize("empty", ["{}", "[]", '""'])
@pytest.mark.parametrize("name", ["", "token"])
def test_an_empty_object_among_text_is_text_in_its_place(empty: str, name: str) -> None:
    data = events((name, "see blue"), (name, empty), (name, "so"))
    out = in_every_cut(data).decode().replace("\n", "").replace("event: token", "")
    assert out.replace("data: ", "") == f"see blue{empty}so"


def test_what_says_that_a_stream_goes_on_does_not_wait() -> None:
    wire = WireGuard(GUARD, media="sse")
    assert wire.feed(events(("token", "a blue")))
    assert b"".join(wire.feed(events(("ping", "{}")))) == events(("ping", "{}"))
    assert b"".join(wire.feed(b": so\n\n")) == b": so\n\n"


def test_few_events_wait() -> None:
    wire = WireGuard(GUARD, media="sse")
    wire.feed(events(("token", "a blue")))
    for _ in range(64):
        assert wire.feed(events(("usage", '{"n":1}'))) == []
    assert b"".join(wire.feed(events(("usage", '{"n":1}')))) == 65 * events(("usage", '{"n":1}'))
    long = events(("usage", f'{{"n":"{70_000 * "x"}"}}'))
    assert b"".join(wire.feed(long)) == long


@pytest.mark.parametrize("said", ["so forbidden", "it is over"])
def test_what_waits_does_not_go_out_after_a_block(said: str) -> None:
    data = events(("token", said), ("usage", '{"n":1}'))
    assert b"usage" not in in_every_cut(data)


def test_json_under_another_name_is_guarded() -> None:
    data = events(("token", "a "), ("usage", '{"n":"bluebird"}'), ("done", '["forbidden"]'))
    assert in_every_cut(data) == events(("token", "a "), ("usage", '{"n":"********"}'))


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


@pytest.mark.parametrize("name", ["status", "ping", ""])
def test_a_word_that_ends_where_the_name_changes_is_masked(name: str) -> None:
    out = in_every_cut(events(("token", "a bluebird"), (name, "3")))
    assert out == events(("token", "a "), ("token", "********"), (name, "3"))


def test_a_word_that_begins_where_the_name_changes_is_masked() -> None:
    out = in_every_cut(events(("status", "3"), ("token", "bluebird so")))
    assert by_name(out) == {"status": "3", "token": "******** so"}


def test_the_rest_of_a_word_that_another_name_interrupts_is_masked() -> None:
    data = events(("token", "a blue"), ("status", "searching"), ("token", "bi"), ("token", "rd"))
    out = by_name(in_every_cut(data))
    assert "bluebird" not in out["token"]
    assert out["status"] == "searching"


def test_the_rest_of_a_word_over_two_names_is_masked() -> None:
    out = in_every_cut(events(("start", "a blue"), ("token", "bird")))
    assert out == events(("start", "a "), ("start", "blue"), ("token", "[word]"))


@pytest.mark.parametrize("form", ['{{"t": "{}"}}', '["{}"]', '{{"type": "x", "t": "{}"}}'])
@pytest.mark.parametrize("name", ["", "token"])
def test_unknown_json_that_another_name_interrupts_is_masked(name: str, form: str) -> None:
    said = [(name, "a blue"), ("status", "searching"), (name, "bird so")]
    out = in_every_cut(events(*((each, form.format(text)) for each, text in said)))
    assert b"********" in out or b"[word]" in out
    assert b"bird" not in out


def test_a_json_string_among_text_that_another_name_interrupts_is_masked() -> None:
    data = events(("", "so"), ("token", '"a blue"'), ("status", '"x"'), ("token", '"bird"'))
    assert b"bird" not in in_every_cut(data)


@pytest.mark.parametrize("between", [(), (("status", "so"),)])
def test_a_block_over_a_change_of_names_ends_the_stream(
    between: tuple[tuple[str, str], ...],
) -> None:
    data = events(("token", "forbid"), *between, ("more", "x"), ("token", "den"), ("token", "more"))
    out = in_every_cut(data)
    assert b"den" not in out
    assert b"data: more" not in out


@pytest.mark.parametrize("mode", ["sentence", "complete"])
def test_text_that_waits_for_its_unit_keeps_its_name(mode: str) -> None:
    guard = Guard(Policy.parse(f"limits: {{release: {mode}}}"))
    wire = WireGuard(guard, media="sse")
    data = events(("token", "It is"), ("done", "all. And"), ("token", "so on"))
    out = b"".join([*wire.feed(data), *wire.finish()])
    assert by_name(out) == {"token": "It isso on", "done": "all. And"}


def test_an_id_stays_with_the_last_of_what_an_event_becomes() -> None:
    wire = WireGuard(GUARD, media="sse")
    data = events(("token", "a blue")) + b"event: done\nid: 7\ndata: fine\n\n"
    out = b"".join([*wire.feed(data), *wire.finish()])
    assert out.endswith(b"event: token\ndata: blue\n\nevent: done\nid: 7\ndata: fine\n\n")


def test_an_event_that_the_guard_does_not_change_goes_out_byte_for_byte() -> None:
    wire = WireGuard(GUARD, media="sse")
    last = b"data:so on \nevent:done\n\n"
    out = b"".join([*wire.feed(events(("token", "a blue")) + last), *wire.finish()])
    assert out.endswith(last)


def test_a_change_of_names_is_neither_a_chunk_nor_a_character() -> None:
    said = [("token", "see blue"), ("status", "searching"), ("token", "bi"), ("done", "bye")]
    stream = GUARD.wrap_sync([events(each) for each in said])
    list(stream)
    assert stream.stats.chunks_in == len(said)
    assert stream.stats.characters_in == sum(len(text) for _, text in said)


CHAT = (
    b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
)


@pytest.mark.parametrize("data", [CHAT, b"data: %b\n\n"])
def test_an_id_goes_out_with_the_last_of_the_text_up_to_its_event(data: bytes) -> None:
    def said(text: bytes, before: bytes = b"") -> bytes:
        return before + data % text

    source = said(b"see ", b"id: 1\n") + said(b"a blue", b"id: 2\n") + said(b" ", b"id:3\n")
    shown = said(b"see ", b"id: 1\n") + said(b"a ") + said(b"blue ", b"id: 3\n")
    assert in_every_cut(source) == shown
    assert in_every_cut(said(b"blue", b"id: 1\n") + said(b" ")) == said(b"blue ", b"id: 1\n")
    end = b"data: [DONE]\n\n"
    out = in_every_cut(said(b"a blue", b"id: 2\n") + end)
    assert out.endswith(b"id: 2\n" + end)
    assert out.count(b"id: ") == 1


def test_an_id_of_other_events_waits_for_held_text_too() -> None:
    source = b"id: 1\n" + CHAT % b"a blue" + b"id: 2\n\nid: 3\n: note\ndata: {}\n\n" + CHAT % b" "
    assert sse.Decoder().feed(in_every_cut(source)) == [
        *sse.Decoder().feed(CHAT % b"a " + b"\ndata: {}\n\nid: 3\n" + CHAT % b"blue ")
    ]


def test_the_id_of_blocked_text_does_not_go_out() -> None:
    out = in_every_cut(b"id: 1\n" + CHAT % b"a for" + b"id: 2\n" + CHAT % b"bidden")
    assert b"id: " not in out


def test_the_time_to_reconnect_goes_out_though_its_event_is_held() -> None:
    assert in_every_cut(b"retry: 90\nid: 1\n" + CHAT % b"blue" + CHAT % b" ") == (
        b"retry: 90\n\nid: 1\n" + CHAT % b"blue "
    )
    masked = in_every_cut(CHAT % b"x" + b"retry: 90\n" + CHAT % b"a bluebird ")
    assert masked == CHAT % b"x" + b"retry: 90\n\n" + CHAT % b"a ******** "
