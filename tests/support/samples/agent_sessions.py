"""Streams of OpenAI's sessions of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Event = dict[str, Any]


TURN = "agent.session.turn"


MADE: Event = {
    "id": "turn_1",
    "object": TURN,
    "agent_id": "agent_1",
    "session_id": "session_1",
    "created_at": 1,
    "status": "in_progress",
}


TOKENS: Event = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 5,
}


def event(kind: str, **fields: Any) -> Event:
    """An event; `numbered` gives it its id."""
    return {"type": kind, "session_id": "session_1", "turn_id": "turn_1", **fields}


def turn(state: str, **fields: Any) -> Event:
    status = {"created": "queued"}.get(state, state)
    return event(f"{TURN}.{state}", turn={**MADE, "status": status, **fields})


BEGUN, DONE = turn("created"), {**turn("completed"), "usage": TOKENS}


def at(output: int, part: int = 0, index: str = "content_index") -> Event:
    return {"item_id": f"item_{output}", "output_index": output, index: part}


def item(state: str, number: int, kind: str, **fields: Any) -> Event:
    own = {"id": f"item_{number}", "turn_id": "turn_1", "type": kind}
    status = "in_progress" if state == "added" else "completed"
    return event(
        f"{TURN}.item.{state}", output_index=number, item={**own, "status": status, **fields}
    )


def said(piece: str, output: int = 0, part: int = 0) -> Event:
    return event(f"{TURN}.output_text.delta", delta=piece, **at(output, part))


def message(pieces: Sequence[str], output: int = 0) -> list[Event]:
    """A message of one part, with all that is said about it."""
    parts = [{"type": "output_text", "text": "".join(pieces)}]
    place = at(output)
    return [
        item("added", output, "message", role="assistant", content=[]),
        event(f"{TURN}.content_part.added", part={"type": "output_text", "text": ""}, **place),
        *(said(piece, output) for piece in pieces),
        event(f"{TURN}.output_text.done", text="".join(pieces), **place),
        event(f"{TURN}.content_part.done", part=parts[0], **place),
        item("done", output, "message", role="assistant", content=parts),
    ]


def numbered(source: Sequence[Event]) -> list[Event]:
    return [{**each, "event_id": f"event_{number}"} for number, each in enumerate(source)]


def answer(pieces: Sequence[str]) -> list[Event]:
    return numbered([BEGUN, *message(pieces), DONE])
