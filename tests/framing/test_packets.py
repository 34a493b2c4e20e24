"""Packets of Socket.IO in the bodies of long polling."""

from __future__ import annotations

import pytest

from guardstream import AdapterError
from guardstream.framing.frames.frame import Media
from guardstream.framing.frames.kinds import FRAMES
from guardstream.framing.packets import split_packet
from guardstream.framing.sniffing import sniffed, sniffed_text
from guardstream.framing.sse import MAX_EVENT
from tests.support.line_cuts import in_every_cut

MEDIA: list[Media | None] = ["text", None]


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize(
    ("body", "out"),
    [
        (b'42["chat",{"t":"\\u79d8\\u5bc6"}]', b'42["chat",{"t":"**"}]'),
        (b'0{"sid":"a1"}\x1e42["a","b"]\x1e42["a","secret"]', b'0{"sid":"a1"}\x1e42["a","b"]\x1e'
         b'42["a","******"]'),
        (b'2\x1e42/room,7["a", "b"]\x1e6\x1e43/room,7["secret"]',
         b'2\x1e42/room,7["a", "b"]\x1e6\x1e43/room,7["******"]'),
        (b'42["a"]\x1e4a secret\x1ebc2VjcmV0', b'42["a"]\x1e4a ******\x1ebc2VjcmV0'),
        (b'42["a", "sec"]\x1e42["a", "ret"]', b'42["a", "sec"]\x1e42["a","[word]"]'),
        (b'42["a"]\x1e42/secret,["a"]\x1e42["b"]', b'42["a"]\x1e42["b"]'),
        (b'42["a"]\x1e42["forbidden"]\x1e42["b"]', b'42["a"]\x1e'),
        (b'42["a", broken "secret"\x1e6\x1e', b'42["a", broken "******"\x1e6\x1e'),
    ],
)  # fmt: skip
def test_packets_are_guarded(media: Media | None, body: bytes, out: bytes) -> None:
    assert in_every_cut(body, media) == out


@pytest.mark.parametrize(
    ("packet", "parts"),
    [
        ("2", ("2", "")),
        ("3probe", ("3probe", "")),
        ("41/a,", ("41/a,", "")),
        ('42/a,7["m"]', ("42/a,7", '["m"]')),
        ('44"why"', ("44", '"why"')),
        ("44111111111111111", ("4", "4111111111111111")),
        ("44111111111111111 is it", ("4", "4111111111111111 is it")),
        ("4511", ("4", "511")),
    ],
)
def test_only_the_digits_of_a_packet_are_no_text(packet: str, parts: tuple[str, str]) -> None:
    assert split_packet(packet) == parts


@pytest.mark.parametrize(
    "text", [b"42 is it", b"4", b"42[1]", b"40", b"0{}", b"42/7 is six", b"6 of them", b"4/5["]
)
def test_other_text_is_no_packet(text: bytes) -> None:
    assert {sniffed_text(text[:end]) for end in range(1, len(text) + 1)} <= {None, "text"}
    assert sniffed(text + b" ") != "packets"


def test_packets_that_cannot_be_read_are_a_fault() -> None:
    for body in (b'42["\xff"]\x1e', b'42["' + b"x" * MAX_EVENT, b'42["a",{"b":1,"b":2}]\x1e'):
        with pytest.raises(AdapterError):
            list(FRAMES["packets"]().feed(body))
