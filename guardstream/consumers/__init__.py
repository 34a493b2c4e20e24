"""Consumers of guarded streams: tees, sinks, coalescing, recordings and their replay."""

from guardstream.consumers.coalesce import Coalesce
from guardstream.consumers.recording import Recorder, record, replay, replay_sync
from guardstream.consumers.sinks import FileSink, JsonLinesSink, LoggingSink, Sink, write_to
from guardstream.consumers.tee import Branch, Tee, TeeOverflowError

__all__ = [
    "Branch",
    "Coalesce",
    "FileSink",
    "JsonLinesSink",
    "LoggingSink",
    "Recorder",
    "Sink",
    "Tee",
    "TeeOverflowError",
    "record",
    "replay",
    "replay_sync",
    "write_to",
]
