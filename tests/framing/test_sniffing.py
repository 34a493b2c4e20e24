"""Which framing a stream of text has, by how it begins."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream.framing.sniffing import MAX_MARK, sniffed, sniffed_text
from guardstream.framing.sse import MAX_LINE
from tests.providers.laws import GUARD, on_the_wire


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


def test_a_first_line_that_is_too_long_is_text_whether_it_has_ended_or_not() -> None:
    line = b'g:"' + b"x" * MAX_LINE + b'"\n'
    assert sniffed_text(line) == sniffed_text(line[:-1]) == "text"


def test_a_long_first_line_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'g:"' + b"x" * 60_000 + b'"\n0:"so"\n'
    read = []

    def counted(start: bytes) -> Any:
        read.append(len(start))
        return sniffed_text(start)

    monkeypatch.setattr("guardstream.stream.bytes.sniffed_text", counted)
    assert on_the_wire(line, GUARD, range(0, len(line), 100), media="text") == line
    assert sum(read) < 2 * len(line)


def test_thinking_that_comes_first_is_joined() -> None:
    lines = b'g:"a sec"\ng:"ret"\n0:"a sec"\n0:"ret"\nd:{"finishReason":"stop"}\n'
    for cuts in ((), range(1, len(lines))):
        out = on_the_wire(lines, GUARD, cuts, media="text")
        assert b"ret" not in out
        assert out.endswith(b'd:{"finishReason":"stop"}\n')
