"""All kinds of frames, by what carries them."""

from __future__ import annotations

from guardstream.framing.frames.array import ArrayFrames
from guardstream.framing.frames.binary import BinaryFrames
from guardstream.framing.frames.event import EventFrames
from guardstream.framing.frames.frame import Frames, Media
from guardstream.framing.frames.line import CodedFrames, LineFrames
from guardstream.framing.frames.packet import PacketFrames
from guardstream.framing.frames.text import MessageFrames, TextFrames

FRAMES: dict[Media, type[Frames]] = {
    kind.media: kind
    for kind in (
        *(EventFrames, LineFrames, ArrayFrames, CodedFrames),
        *(BinaryFrames, PacketFrames, TextFrames, MessageFrames),
    )
}
