"""Bodies that call themselves server-sent events, and have none."""

from __future__ import annotations

from guardstream.framing.frames.kinds import FRAMES


def test_an_event_in_a_known_shape_counts_as_one() -> None:
    frames = FRAMES["sse"]()
    list(frames.feed(b"data: {}\n\nnote: hello\n\n"))
    assert list(frames.finish()) == []
