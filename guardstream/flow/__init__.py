"""Chunks in, guarded chunks out, for one stream and without any I/O."""

from guardstream.flow.base import Flow, MakeStage, Part, Sent
from guardstream.flow.make import make_flow

__all__ = ["Flow", "MakeStage", "Part", "Sent", "make_flow"]
