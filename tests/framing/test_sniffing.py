"""Which framing a stream of text has, by how it begins."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from guardstream.errors import AdapterError
from guardstream.framing.frames.frame import Media
from guardstream.framing.sniffing import MAX_MARK, Beginning, sniffed, sniffed_text
from guardstream.framing.sse import MAX_LINE
from tests.laws.asked import GUARD, on_the_wire


@pytest.mark.parametrize(
    "line",
    [
        b'0:"so"\n',
        b'f:{"messageId":"m"}\n',
        b'g:"so"\n',
        b'2:[{"progress":1}]\n',
        b'8:[{"type":"note"}]\n',
        b'9:{"toolCallId":"c","toolName":"find","args":{}}\n',
        b'b:{"toolCallId":"c","toolName":"find"}\n',
        b'3:"failed"\n',
        b'h:{"sourceType":"url","id":"s","url":"https://a.example"}\n',
    ],
)
def test_each_first_line_of_a_data_stream_is_known(line: bytes) -> None:
    assert sniffed_text(line) == "data_stream"
    seen = [sniffed_text(line[:size]) for size in range(1, len(line))]
    assert set(seen) <= {None, "data_stream"}


@pytest.mark.parametrize(
    "text", [b"a", b"so", b"2: [x", b'g:"so" he said\n', b"2:[1, 2\n", b"9:30"]
)
def test_other_text_stays_text(text: bytes) -> None:
    assert sniffed_text(text) == "text"


EVENTS = [
    b'data: {"a": 1}\n\n',
    b'data:{ "a"\r\ndata: : 1}\r\n\r',
    b'data: [{"\r: hi\r\r',
    b': hi\r\n\r\nevent: a\r\nid: 1\rretry: 5\ndata: {"\n\n',
    b'\xef\xbb\xbf\n:\ndata: ["\n\n',
]


@pytest.mark.parametrize("start", EVENTS)
def test_events_with_json_in_them_are_known(start: bytes) -> None:
    seen = [sniffed_text(start[:size]) for size in range(1, len(start))]
    assert set(seen) == {None}
    assert sniffed_text(start) == sniffed_text(start + b"more") == "sse"


@pytest.mark.parametrize(
    "text",
    [
        b"data: a",
        b"data {",
        b"data: {a",
        b"idea",
        b"events",
        b":-) a\nb",
        b"\n\nso",
        b"datum",
        b'data: {"a": 1}\nother',
        b'data: {"a": 1}\r\n- a',
    ],
)
def test_text_that_begins_like_an_event_is_told_at_once(text: bytes) -> None:
    assert sniffed_text(text) == "text"


def test_events_are_known_by_as_many_bytes_in_every_split() -> None:
    for more, media in ((8, "sse"), (7, "text")):
        start = b":" + b" " * (MAX_MARK - 2 - more) + b'\ndata: {"\n\n'
        seen = [sniffed_text(start[:size]) for size in range(1, len(start) + 1)]
        assert {each for each in seen if each} == {media}
    long = b'data: {"' + b"x" * 20_000 + b"\n"
    seen = [sniffed_text(long[:size]) for size in range(16_380, 16_390)]
    assert seen == [None] * 4 + ["sse"] * 6


@pytest.mark.parametrize(("spaces", "media"), [(1024, "data_stream"), (1025, "ndjson")])
def test_a_format_is_told_within_so_many_bytes_of_white_space(spaces: int, media: str) -> None:
    start = b"0:" + b" " * spaces + b'"'
    told = [sniffed(start[:size]) for size in range(1, len(start) + 1)]
    assert told[:1026] == [None] * 1026
    assert set(told[1026:]) == {media}


@pytest.mark.parametrize(("spaces", "media"), [(1023, "ndjson"), (1024, "json_array")])
def test_an_array_is_told_by_as_many_bytes_in_every_split(spaces: int, media: str) -> None:
    start = b"[" + b" " * spaces + b"1]"
    told = [sniffed(start[:size]) for size in range(1, len(start) + 1)]
    assert {each for each in told if each} == {media}


def test_a_first_line_that_is_too_long_is_text_whether_it_has_ended_or_not() -> None:
    line = b'g:"' + b"x" * MAX_LINE + b'"\n'
    assert sniffed_text(line) == sniffed_text(line[:-1]) == "text"


def test_a_long_first_line_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'g:"' + b"x" * 60_000 + b'"\n0:"so"\n'
    read = []

    def counted(start: bytes) -> Any:
        read.append(len(start))
        return sniffed_text(start)

    monkeypatch.setattr("guardstream.framing.sniffing.sniffed_text", counted)
    assert on_the_wire(line, GUARD, range(0, len(line), 100), media="text") == line
    assert sum(read) < 2 * len(line)


STARTS = [
    *(b"so", b'0:"so"\n', b'g:"so"\n', b"g:" + b" " * 3_000 + b'"so"\n', b'g:"' + b"x" * 20_000),
    *(EVENTS[1:3] + EVENTS[4:]),
    b'data: {"a": "' + b"x" * 3_000 + b'"}\nso',
    b'data: {"a": "' + b"x" * 3_000 + b'"}\r\nevent: a\r\n\r\n',
    b'data: {"a": "' + b"x" * 3_000 + b'"}\rretrx',
    b'data: {"' + b"x" * 17_000,
    *(b"[1]", b'[{"a": 1}]', b"[" + b" " * 1_500 + b"1]", b" {}", b"\n\xef\xbb\xbf {}", b"true"),
    *(b"\xef\xbb\xbf\n\n\xef\xbb\xbf" + b" " * 3_000 + b"{}", b"\v" * 3_000, b"\xef\xbb"),
]


def cut(data: bytes, chance: Random) -> list[bytes]:
    """Some bytes, cut at random."""
    edges = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 40)))
    return [data[start:end] for start, end in pairwise([0, *edges, len(data)])]


def taken(
    parts: Iterable[bytes], media: Media | None
) -> tuple[bytes, str | None, str | None, bytes]:
    """What goes out before the framing is known; the framing, also if the end shows it; and what
    is held until then."""
    beginning = Beginning(media, may_be_lines=True)
    space, held = b"", b""
    for part in parts:
        held += part
        frames = beginning.take(part)
        if frames is not None:
            return space, frames.media, None, held
        space += b"".join(each.raw for each in beginning.read())
    return space, None, beginning.end().media, held


@pytest.mark.parametrize("media", [None, "text"])
@pytest.mark.parametrize("start", STARTS)
def test_the_framing_is_known_from_the_same_byte_in_every_split(
    start: bytes, media: Media | None
) -> None:
    each_byte = [start[at : at + 1] for at in range(len(start))]
    _, known, known_at_end, needed = taken(each_byte, media)
    chance = Random(len(start))
    for split in ([start], *(cut(start, chance) for _ in range(8))):
        _, *found, held = taken(split, media)
        assert found == [known, known_at_end]
        assert held.startswith(needed)
        assert len(held) - len(needed) < max(map(len, split))


@pytest.mark.parametrize("start", STARTS)
def test_a_long_text_is_looked_at_again_wherever_it_may_show_its_framing(start: bytes) -> None:
    each_byte = [start[at : at + 1] for at in range(len(start))]
    _, known, _, needed = taken(each_byte, "text")
    sizes = (size for size in range(len(start) + 1) if sniffed_text(start[:size]))
    first = next(sizes, None)
    assert first == (len(needed) if known else None)


@pytest.mark.parametrize("size", [MAX_LINE, 1_000_000])
def test_no_more_white_space_goes_out_than_keeps_a_connection_alive(size: int) -> None:
    out = bytearray()

    def read() -> None:
        beginning = Beginning(None)
        for _ in range(0, 2 * MAX_LINE, size):
            assert beginning.take(b" " * size) is None
            for frame in beginning.read():
                out.extend(frame.raw)

    with pytest.raises(AdapterError, match="bytes of white space before a stream"):
        read()
    assert out == b" " * MAX_LINE


@pytest.mark.parametrize("start", [b"\v", b"\n\xef\xbb\xbf" + b" " * 8, b"[ ", b"0: "])
def test_no_beginning_is_held_for_longer_than_a_format_needs(start: bytes) -> None:
    beginning = Beginning(None)
    beginning.take(start)
    for _ in range(MAX_MARK):
        frames = beginning.take(start[-1:])
    assert frames is not None


@pytest.mark.parametrize(
    "line", [b'g:"' + b"x" * 500_000 + b'"\n', b'g:"' + b"\r" * 500_000 + b"\n"]
)
def test_a_long_beginning_is_looked_at_seldom(monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    read = []

    def counted(start: bytes) -> Any:
        read.append(len(start))
        return sniffed_text(start)

    monkeypatch.setattr("guardstream.framing.sniffing.sniffed_text", counted)
    taken((line[at : at + 50] for at in range(0, len(line), 50)), "text")
    assert sum(read) < 8 * len(line)
