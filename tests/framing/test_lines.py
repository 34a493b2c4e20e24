"""JSON in lines and arrays that is no object: arrays, strings, numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.framing.frames.frame import Frame, Media
from guardstream.framing.frames.kinds import FRAMES
from guardstream.http.stream import WireGuard
from tests.framing.test_objects import drawn

GUARD = Guard(
    Policy.parse("""
rules:
  - {id: word, words: [secret, 秘密], replacement: "*"}
  - {id: card, pattern: '\\d{16}'}
  - {id: bad, words: [forbidden], action: block}
""")
)


def through(data: bytes, size: int = 1, media: Media | None = "ndjson") -> bytes:
    """What becomes of lines that come in pieces of a size."""
    wire = WireGuard(GUARD, media=media, keep_text=False)
    out = [frame for at in range(0, len(data), size) for frame in wire.feed(data[at : at + size])]
    out += wire.finish()
    if wire.error is not None:
        raise wire.error
    return b"".join(out)


def in_every_cut(data: bytes, media: Media | None = "ndjson") -> bytes:
    """What becomes of lines, which is the same however they are cut."""
    found = {through(data, size, media) for size in (1, 2, 3, 7, len(data))}
    assert len(found) == 1
    return found.pop()


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


def test_what_is_changed_is_a_line_of_its_own() -> None:
    assert in_every_cut(b'["a secret"]\n"secret"\n4111111111111111\n') == (
        b'["a ******"]\n"******"\n"[card]"\n'
    )
    assert in_every_cut(b'\x1e["secret"]\x1e[1]\n') == b'\x1e["******"]\n\x1e[1]\n'


def test_texts_at_a_path_are_judged_together() -> None:
    assert in_every_cut(b'"a sec"\n3\n"ret"\n') == b'"a sec"\n3\n"[word]"\n'
    assert in_every_cut(b'["a sec",1]\n["ret",2]\n') == b'["a sec",1]\n["[word]",2]\n'


def test_numbers_in_lines_are_judged_alone() -> None:
    data = b"41111111\n11111111\n"
    assert in_every_cut(data) == data


@pytest.mark.parametrize("line", [b'["a", "forbidden"]', b'"so forbidden"', b'[{"forbidden":1}]'])
def test_a_rule_that_blocks_ends_lines(line: bytes) -> None:
    assert in_every_cut(b'["a"]\n' + line + b'\n["b"]\n') == b'["a"]\n'


@pytest.mark.parametrize("media", ["ndjson", None])
def test_no_line_waits_for_a_later_one(media: Media | None) -> None:
    wire = WireGuard(GUARD, media=media)
    for line in (b'["a"]\n', b'"b sec"\n', b"3\n", b'{"a":"so"}\n', b"null\n", b"[\n1]\n"):
        assert b"".join(wire.feed(line)) == line


def test_lines_beside_a_known_format_are_guarded() -> None:
    def said(text: str) -> bytes:
        choices = [{"index": 0, "delta": {"content": text}}]
        chunk = {"object": "chat.completion.chunk", "choices": choices}
        return json.dumps(chunk).encode() + b"\n"

    out = in_every_cut(said("a sec") + b'["secret"]\n' + said("ret b"))
    assert b'["******"]\n' in out
    assert b"secret" not in out
    assert b'"****** b"' in out


def test_lines_that_are_refused_say_so() -> None:
    wire = WireGuard(GUARD, media="ndjson", unknown="refuse")
    with pytest.raises(AdapterError, match=r"list data .* is not known"):
        wire.feed(b'["a"]\n')
    passing = WireGuard(GUARD, media="ndjson", unknown="pass")
    data = b'["secret"]\n"secret"\n4111111111111111\n'
    assert b"".join(passing.feed(data)) == data


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


@pytest.mark.parametrize(
    ("data", "out"),
    [
        (b'[{"t":"a secret"}]\n[{"t":"b"}]\n', b'[{"t":"a ******"}]\n[{"t":"b"}]\n'),
        (b'[{"t":"a sec"}]\n[{"t":"ret"}]\n', b'[{"t":"a sec"}]\n[{"t":"[word]"}]\n'),
        (b'[{"t":"a"}, "secret", 3, ["secret"]]', b'[{"t":"a"},"******", 3,["******"]]'),
        (b'[{"t":"a"}]\n"secret"\n3\n{"t":"secret"}', b'[{"t":"a"}]\n"******"\n3\n{"t":"******"}'),
        (b'[{"t":1}, {}, [], "", null]\n4', b'[{"t":1}, {}, [], "", null]\n4'),
    ],
)
def test_arrays_of_any_json_may_follow_each_other(data: bytes, out: bytes) -> None:
    shown = in_every_cut(data, None)
    assert shown.splitlines() == out.splitlines()
