"""JSON in lines and arrays that is no object: arrays, strings, numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.framing.frames.frame import Frame, Media
from guardstream.framing.frames.kinds import FRAMES
from guardstream.http.stream import WireGuard
from tests.support.drawn import drawn
from tests.support.line_cuts import GUARD, in_every_cut, through

LINES = [
    b'["a secret"]\n["b"]\n',
    b'"a secret"\n"b"\n',
    b'"\\u79d8\\u5bc6"\n"b"\n',
    b'{"a": 1}\n["secret"]\n3\n"secret"\nnull\ntrue\n',
    b'3\n{"a":"secret"}\n',
    b'[null,"1","room:1","message",{"text":"a secret"}]\n',
    b'\x1e["secret"]\n\x1e"b"\n\x1e3\n',
    b"\xef\xbb\xbf4111111111111111\n5\n",
    b'[\n "secret",\n 3\n]\n[\n 4\n]\n',
    b'["secret"]["b"]{"a":1}\n',
    b'[]\n""\n["secret"]',
    b'["a", {"secret": 1}]\r\n[2]\r\n',
]


@pytest.mark.parametrize("data", LINES)
@pytest.mark.parametrize("media", ["ndjson", None])
def test_lines_of_any_json_are_guarded(data: bytes, media: Media | None) -> None:
    out = in_every_cut(data, media)
    for word in ("secret", "秘密", "4111"):
        assert word not in out.decode()
        assert json.dumps(word)[1:-1] not in out.decode()
    assert out.count(b"\x1e") == data.count(b"\x1e")


@pytest.mark.parametrize("data", [*LINES, b"1\n-2.5e3\nNaN\n\n-Infinity\nfalse", b" null \n\t7"])
@pytest.mark.parametrize("media", ["ndjson", None])
def test_lines_in_which_nothing_is_found_stay_as_they_are(data: bytes, media: Media | None) -> None:
    for word in (b"secret", b"\\u79d8\\u5bc6", b"4111111111111111"):
        data = data.replace(word, b"9")
    assert in_every_cut(data, media) == data


@pytest.mark.parametrize("media", ["ndjson", None])
def test_no_line_waits_for_a_later_one(media: Media | None) -> None:
    wire = WireGuard(GUARD, media=media)
    for line in (b'["a"]\n', b'"b sec"\n', b"3\n", b'{"a":"so"}\n', b"null\n", b"[\n1]\n"):
        assert b"".join(wire.feed(line)) == line


@pytest.mark.parametrize(
    "line", [b"hello", b"1 2", b"01", b"'a'", b'"a" "b"', b"[1,]", b"nul", b"\xff"]
)
def test_what_is_no_json_is_a_fault(line: bytes) -> None:
    with pytest.raises(AdapterError, match="a line in a stream of JSON is not JSON"):
        through(b"[1]\n" + line + b"\n[2]\n[3]\n")


def framed(data: bytes, size: int, media: Media) -> tuple[list[Any], bytes, str]:
    """The values of frames, their bytes as they go out unchanged, and the fault they end with."""
    frames, fault = FRAMES[media](), ""
    values: list[Any] = []
    raw: list[bytes] = []

    def note(found: Iterator[Frame]) -> None:
        for each in found:
            values.append(each.value)
            raw.append((frames.between(each) if each.value else b"") + each.raw)

    try:
        for at in range(0, len(data), size):
            note(frames.feed(data[at : at + size]))
        note(frames.finish())
    except AdapterError as error:
        fault = str(error)
    return values, b"".join(raw), fault


@pytest.mark.parametrize("media", ["ndjson", "json_array"])
@pytest.mark.parametrize("seed", range(60))
def test_frames_of_any_json_are_the_same_however_they_are_cut(media: Media, seed: int) -> None:
    random = Random(seed)
    texts = [json.dumps(drawn(random, 3), indent=random.choice((None, 1))) for _ in range(5)]
    data = "\n".join(texts).encode()
    if media == "json_array":
        data = b"[" + b", ".join(each.encode() for each in texts[:3]) + b"]\n" + b"[{}]\n"
    sound = [framed(data, size, media) for size in (1, 3, 10, len(data))]
    assert all(each == sound[0] for each in sound)
    assert sound[0][1:] == (data, "")
    damaged = bytearray(data)
    damaged[random.randrange(len(data))] = random.choice(b'{}[]",:\\ \n\r\x1e\xefa1')
    found = [framed(bytes(damaged), size, media) for size in (1, 3, 10, len(data))]
    assert all(each == found[0] for each in found)
