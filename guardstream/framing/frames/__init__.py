"""How bytes carry chunks: server-sent events, lines of JSON, or text. Bytes in, frames out.

A frame keeps its original bytes, so that what the guard does not change goes out unchanged.
"""

from __future__ import annotations

from guardstream.framing.frames.array import ArrayFrames
from guardstream.framing.frames.binary import BinaryFrames
from guardstream.framing.frames.event import EventFrames
from guardstream.framing.frames.frame import UNNAMED, Frame, Frames, Media
from guardstream.framing.frames.line import CodedFrames, LineFrames
from guardstream.framing.frames.packet import PacketFrames
from guardstream.framing.frames.text import MessageFrames, TextFrames

__all__ = ["FRAMES", "UNNAMED", "EventFrames", "Frame", "Frames", "Media", "MessageFrames"]

FRAMES: dict[Media, type[Frames]] = {
    kind.media: kind
    for kind in (
        *(EventFrames, LineFrames, ArrayFrames, CodedFrames),
        *(BinaryFrames, PacketFrames, TextFrames, MessageFrames),
    )
}
