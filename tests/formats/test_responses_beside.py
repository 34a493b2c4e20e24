"""What others say in a response: the models of OpenRouter's fusion, an app of Doubao's (Ark)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.formats.responses import response
from tests.laws.asked import GUARD, cuttings, events, has_word, in_any_cut, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"
MODELS = ("maker/one", "maker/two")
CUT = list(cuttings(TEXT))

Event = dict[str, Any]


def told(item: Event, between: Sequence[Event], done: Event) -> list[Event]:
    """A response with one item."""
    begun = {**item, "id": "it_1", "status": "in_progress"}
    over = {**begun, **done, "status": "completed"}
    made = [
        {"type": "response.created", "response": response([])},
        {"type": "response.output_item.added", "item": begun},
        *({**event, "item_id": "it_1"} for event in between),
        {"type": "response.output_item.done", "item": over},
        {"type": "response.completed", "response": response([over], "completed")},
    ]
    return [
        {**event, "output_index": 0, "sequence_number": number} for number, event in enumerate(made)
    ]


def fusion(pieces: Sequence[str]) -> list[Event]:
    """Two models that think and say the same at the same time."""
    kind = "response.fusion_call.panel"
    said = [
        {"type": f"{kind}{what}.delta", "model": model, "delta": piece}
        for piece in pieces
        for model in MODELS
        for what in (".reasoning", "")
    ]
    whole = "".join(pieces)
    over = [{"type": f"{kind}.completed", "model": model, "content": whole} for model in MODELS]
    answers = [{"model": model, "content": whole} for model in MODELS]
    return told({"type": "openrouter:fusion"}, [*said, *over], {"responses": answers})


def app(pieces: Sequence[str]) -> list[Event]:
    """An app that thinks, and then says the same."""
    kind, whole = "response.doubao_app_call", "".join(pieces)
    between: list[Event] = []
    blocks: list[Event] = []
    for index, (name, own) in enumerate(
        [("reasoning_text", "reasoning_text"), ("output_text", "text")]
    ):
        block = {"type": name, "id": f"b{index}", "status": "in_progress", own: ""}
        blocks.append({**block, "status": "completed", own: whole})
        at = {"type": f"{kind}_{name}.delta", "block_index": index}
        between += [
            {"type": f"{kind}_block.added", "block": block},
            *({**at, "delta": piece} for piece in pieces),
            {**at, "type": f"{kind}_{name}.done", "text": whole},
            {"type": f"{kind}_block.done", "block": blocks[-1]},
        ]
    item = {"type": "doubao_app_call", "blocks": []}
    return told(item, between, {"blocks": blocks})


def spoken(out: Sequence[Event]) -> dict[Any, str]:
    """What the deltas of each text say."""
    found: dict[Any, str] = {}
    for event in out:
        if event["type"].endswith(".delta"):
            key = (event["type"], event.get("model"))
            found[key] = found.get(key, "") + event["delta"]
    return found


@pytest.mark.parametrize("pieces", CUT)
@pytest.mark.parametrize(("made", "texts"), [(fusion, 4), (app, 2)])
def test_what_others_say_is_one_text_each(made: Any, texts: int, pieces: list[str]) -> None:
    source = made(pieces)
    assert unchanged(source)
    out = list(GUARD.wrap_sync(source))
    assert list(spoken(out).values()) == [MASKED] * texts
    assert not any(has_word("secret", event) for event in out)
    kinds = [event["type"] for event in out if not event["type"].endswith(".delta")]
    assert kinds == [e["type"] for e in source if not e["type"].endswith(".delta")]
    bodies = in_any_cut(events(*source), GUARD)
    assert b"secret" not in bodies
