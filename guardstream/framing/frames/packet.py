"""Packets of Socket.IO as frames."""

from __future__ import annotations

from collections.abc import Iterator

from guardstream.errors import AdapterError
from guardstream.framing import sse
from guardstream.framing.frames.frame import Frame, Media, PlainFrames, Value
from guardstream.framing.json import json_bytes, json_data
from guardstream.framing.packets import SEPARATOR, split_packet


class PacketFrames(PlainFrames):
    """Packets of Socket.IO in the body of an answer: JSON or text after a few marks."""

    media: Media = "packets"

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._rest += data
        if SEPARATOR in data:
            packets = self._rest.split(SEPARATOR)
            self._rest = packets.pop()
            for packet in packets:
                yield self._frame(bytes(packet + SEPARATOR))
        if len(self._rest) > sse.MAX_EVENT:
            raise AdapterError(f"a packet of more than {sse.MAX_EVENT} bytes")

    def finish(self) -> Iterator[Frame]:
        if self._rest:
            yield self._frame(bytes(self._rest))

    def write(
        self,
        value: Value,
        like: Frame | None,
        *,
        keep_id: bool,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> bytes:
        assert like is not None  # nothing is held that could come later
        data = str(value).encode() if like.form == "line" else json_bytes(value)
        return like.note.encode() + data + SEPARATOR * like.raw.endswith(SEPARATOR)

    @staticmethod
    def _frame(raw: bytes) -> Frame:
        try:
            packet = raw.removesuffix(SEPARATOR).decode()
        except UnicodeDecodeError:
            raise AdapterError("invalid UTF-8 in a packet") from None
        lead, data = split_packet(packet)
        value, form = json_data(data)
        if form in ("object", "list"):
            return Frame(value, raw, "list", note=lead)
        return Frame(packet[1:], raw, "line", note=packet[:1])
