"""What others say in a response: the models of OpenRouter's fusion, an app of Doubao's (Ark)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.providers.laws import GUARD, cuttings, events, in_any_cut, unchanged
from tests.providers.promises import has_word
from tests.providers.responses import response

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


@pytest.mark.parametrize("made", [fusion, app])
def test_what_is_held_comes_before_the_end_of_its_text(made: Any) -> None:
    source = made(["a se", "c"])
    out = list(GUARD.wrap_sync(source))
    assert set(spoken(out).values()) == {"a sec"}
    for place, event in enumerate(out):
        kind, _, state = event["type"].rpartition(".")
        if state in ("done", "completed") and ("content" in event or "text" in event):
            assert spoken(out[:place])[f"{kind}.delta", event.get("model")] == "a sec"


@pytest.mark.parametrize("made", [fusion, app])
def test_a_block_ends_the_response(made: Any) -> None:
    out = list(GUARD.wrap_sync(made(["so forb", "idden", " unread"])))
    assert not any(has_word("forbidden", event) or has_word("unread", event) for event in out)
    assert [event["type"] for event in out[-2:]] == [
        "response.output_item.done",
        "response.incomplete",
    ]
    assert out[-1]["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert out[-1]["response"]["output"][0]["status"] == "incomplete"


def test_text_of_a_block_that_is_announced_with_it_goes_on() -> None:
    source = app(["ret"])
    source[1]["item"]["blocks"] = [{"type": "reasoning_text", "reasoning_text": "a sec"}]
    out = list(GUARD.wrap_sync(source))
    assert not any(has_word("secret", event) for event in out)
    assert out[1]["item"]["blocks"][0]["reasoning_text"] == "a "
