"""Responses of vLLM, which counts parts up with every delta and announces few of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.providers.laws import GUARD, cuttings, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Event = dict[str, Any]


def response(pieces: Sequence[str], *, announced: bool) -> list[Event]:
    """Thinking and an answer that say the same, as vLLM streams them."""
    said = "".join(pieces)
    made: list[Event] = [{"type": "response.created", "response": whole("in_progress", [])}]
    output: list[Event] = []
    for number, (kind, part) in enumerate(
        (
            ("reasoning", {"type": "reasoning_text"}),
            ("message", {"type": "output_text", "annotations": []}),
        )
    ):
        name = part["type"]
        parts = "reasoning_part" if kind == "reasoning" else "content_part"
        item = {"id": f"i{number}", "type": kind, "content": [{**part, "text": said}]}
        item |= {"summary": []} if kind == "reasoning" else {"role": "assistant"}
        at = {"item_id": item["id"], "output_index": number}
        made.append({"type": "response.output_item.added", **at, "item": {**item, "content": []}})
        if announced:
            begun = {**part, "text": ""}
            made.append(
                {"type": f"response.{parts}.added", **at, "content_index": 0, "part": begun}
            )
        for place, piece in enumerate(pieces):
            event = {"type": f"response.{name}.delta", **at, "content_index": place}
            made.append({**event, "delta": piece})
        last = {**at, "content_index": len(pieces)}
        made.append({"type": f"response.{name}.done", **last, "text": said})
        if announced:
            made.append({"type": f"response.{parts}.done", **last, "part": {**part, "text": said}})
        made.append({"type": "response.output_item.done", **at, "item": item})
        output.append(item)
    made.append({"type": "response.completed", "response": whole("completed", output)})
    return [{**each, "sequence_number": number} for number, each in enumerate(made)]


def whole(status: str, output: list[Event]) -> Event:
    return {"id": "r", "object": "response", "model": "m", "status": status, "output": output}


@pytest.mark.parametrize("announced", [False, True])
def test_deltas_of_parts_that_nobody_announced_are_one_text(announced: bool) -> None:
    for pieces in cuttings(TEXT):
        source = response(pieces, announced=announced)
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        assert not left_raw(list(stream))
        assert (stream.result.thinking, stream.result.text) == (MASKED, MASKED)
