"""What happens to text that a chunk repeats: it is replaced by the text released before."""

from __future__ import annotations

from guardstream.errors import AdapterError
from guardstream.providers.adapter import Piece, Slot
from guardstream.stream.flows.slots import Lanes


def repeated(lanes: Lanes, piece: Piece, over: Slot | None, *, ended: bool) -> str | None:
    """Return what a repeating piece becomes; None if it must be guarded as a text of its own.

    It must if its slot has not streamed what it claims to repeat. While that slot is open, such a
    piece raises AdapterError, because it is unknown what may be shown of it. The slot `over` is not
    open, nor is a slot whose pipeline has gone on in another one. `ended` says that the guard has
    ended the stream.
    """
    track = lanes.get(piece.slot)
    whole = lanes.whole(piece)
    if track is None or whole is not None:
        return whole
    if piece.kind == "echo":
        if track.source and track.source[-1] == piece.text:
            return track.last_delta
    else:
        source, released = "".join(track.source), "".join(track.released)
        if piece.kind == "parsed":
            from guardstream.providers.toolkit.parsed import same_value  # imports pydantic

            if same_value(source, piece.text):
                return piece.text if released == source else released
        if source == piece.text:
            return released
    if not track.lane.done and track.lane.track is track and piece.slot != over:
        if ended and piece.kind == "copy":  # the stream ended before the new part of it
            return "".join(track.released)
        raise AdapterError(
            f"a chunk repeats {piece.slot.channel!r} text of field {piece.slot.field!r} that was "
            "not streamed before it"
        )
    return None
