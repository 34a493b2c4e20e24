"""Chunks in, guarded chunks out, for one stream and without any I/O."""

from guardstream.flow.base import Flow, MakeStage, Part, Sent
from guardstream.flow.make import make_flow
from guardstream.flow.wire import WireFlow
from guardstream.framing.frames import Media

__all__ = ["Flow", "MakeStage", "Media", "Part", "Sent", "WireFlow", "make_flow"]
