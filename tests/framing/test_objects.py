"""Objects over several lines, as they are written for readers, among those on one line."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.framing.frames.frame import Frame
from guardstream.framing.frames.kinds import FRAMES
from tests.support.drawn import drawn


def frames(data: bytes, size: int) -> list[Frame]:
    """The frames of lines of JSON that come in pieces of a size."""
    lines = FRAMES["ndjson"]()
    found = [
        frame for at in range(0, len(data), size) for frame in lines.feed(data[at : at + size])
    ]
    return found + list(lines.finish())


@pytest.mark.parametrize("seed", range(60))
def test_an_object_may_have_several_lines(seed: int) -> None:
    random = Random(seed)
    values = [{"a": drawn(random, 3), "b": drawn(random, 3)} for _ in range(3)]
    indents = random.choices((None, 0, 1, 4), k=3)
    texts = [
        json.dumps(value, indent=indent) for value, indent in zip(values, indents, strict=True)
    ]
    data = "".join(f"{text}\n" for text in texts).encode()
    for size in (1, 7, len(data)):
        found = frames(data, size)
        assert [frame.value for frame in found] == values
        assert b"".join(frame.raw for frame in found) == data


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "a"\n  :\n 1\n ,\n\n "b": [\n1\n,2]\n}',
        '{"a": {\n}, "b": [\n]\n}',
        '{"items": [\n{"a": 1},\n{"a": 2}\n]}',
        '{\n"a": "}"\n}',
    ],
)
def test_lines_may_break_wherever_json_has_space(text: str) -> None:
    assert [frame.value for frame in frames(text.encode(), 3)] == [json.loads(text)]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1',
        '{"a": [1,2}',
        '{"a": "b',
        '{"a": 1,',
        '{"a":',
        '{"a": {"b": 1}',
        '{"a": [1]',
        '{"a": tru',
        "{broken",
        '{\n"a": 1\n"b": 2',
        '{\n"a": [1,\n]',
        '{"a": 1} x',
        '{"a": 1},',
    ],
)
def test_a_broken_line_does_not_take_those_after_it(text: str) -> None:
    lines = FRAMES["ndjson"]()
    with pytest.raises(AdapterError, match="a line in a stream of JSON is not JSON"):
        list(lines.feed(text.encode() + 2 * b'\n{"b": 2}' + b"\n"))


def test_an_object_that_never_ends_is_cut() -> None:
    (frame,) = frames(b'{\n "a": 1\n', 4)
    assert (frame.raw, frame.cut) == (b'{\n "a": 1\n', True)


def test_strings_that_do_not_end_are_looked_at_once() -> None:
    line = b'{"a": "' + 300_000 * b'\\"' + b"\n"  # each quote would begin another look for the end
    with pytest.raises(AdapterError, match=r"is not JSON|too deep"):
        list(FRAMES["ndjson"]().feed(line))


VALUES: list[Any] = [{"a": '}{ \\ " \x1e'}, {"b": {"c": [{}, 1]}}, {}]


@pytest.mark.parametrize("between", ["", " ", "\r", "\r\n", "\n \n", "\x1e", "\n\x1e"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\x1e", " \r\n"])
@pytest.mark.parametrize("indent", [None, 1])
def test_objects_may_follow_each_other_anyhow(
    between: str, before: str, indent: int | None
) -> None:
    texts = [json.dumps(value, indent=indent) for value in VALUES]
    for end in ("", "\n"):
        data = (before + between.join(texts) + end).encode()
        for size in (1, 2, 7, len(data)):
            found = frames(data, size)
            assert [frame.value for frame in found if frame.value is not None] == VALUES
            assert b"".join(frame.raw for frame in found) == data


@pytest.mark.parametrize("seed", range(40))
def test_frames_are_the_same_however_damaged_bytes_are_cut(seed: int) -> None:
    random = Random(seed)
    joints = ["\n", "\r\n", "\r", "", " ", "\x1e"]
    texts = [json.dumps({"a": drawn(random, 2)}, indent=random.choice((None, 1))) for _ in range(4)]
    data = bytearray("".join(text + random.choice(joints) for text in texts).encode())
    for _ in range(2):
        data[random.randrange(len(data))] = random.choice(b'{}[]",:\\ \n\r\x1e\xefa1')
    found = [outcome(bytes(data), size) for size in (1, 3, 10, len(data))]
    assert all(each == found[0] for each in found)


def outcome(data: bytes, size: int) -> tuple[list[bytes], str]:
    """The frames of bytes, and the fault that they end with."""
    lines = FRAMES["ndjson"]()
    raw: list[bytes] = []
    try:
        for at in range(0, len(data), size):
            raw.extend(frame.raw for frame in lines.feed(data[at : at + size]))
        raw.extend(frame.raw for frame in lines.finish())
    except AdapterError as error:
        return raw, str(error)
    return raw, ""


def test_an_object_comes_once_the_next_begins() -> None:
    lines = FRAMES["ndjson"]()
    assert list(lines.feed(b'{"a": 1} ')) == []
    assert [frame.value for frame in lines.feed(b"{")] == [{"a": 1}]


def test_brackets_in_each_other_have_an_end() -> None:
    with pytest.raises(AdapterError, match=r"is not JSON|too deep"):
        list(FRAMES["ndjson"]().feed(b'{"a": ' + 20_000 * b"[" + b"\n"))
