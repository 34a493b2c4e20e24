"""Which flow an adapter's stream takes."""

from __future__ import annotations

from typing import Any

from guardstream.providers.adapter import Adapter
from guardstream.providers.text import PlainText
from guardstream.stream.chunks import ChunkFlow
from guardstream.stream.flow import MakeStage
from guardstream.stream.result import Meter
from guardstream.stream.text import TextFlow


def flow_of(
    adapter: Adapter[Any],
    make_stage: MakeStage,
    meter: Meter,
    block_message: str = "",
    memory: int = 256,
) -> ChunkFlow[Any] | TextFlow:
    """Return the flow for an adapter; plain text has a shorter way.

    `block_message` goes out as an ordinary chunk before a blocked stream ends. `memory` is
    how many code points are kept of each path that the adapter does not know.
    """
    if type(adapter) is PlainText:
        return TextFlow(make_stage("text"), meter, block_message)
    return ChunkFlow(adapter, make_stage, meter, block_message, memory)
