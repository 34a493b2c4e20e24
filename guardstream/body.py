"""Whole answers of an API, guarded as their stream would be."""

from __future__ import annotations

from functools import partial
from typing import Any

from guardstream.delivered import Delivered, result_of
from guardstream.errors import AdapterError
from guardstream.flow.chunks import ChunkFlow
from guardstream.guard import Guard, pipeline_of
from guardstream.providers.bodies import BODIES
from guardstream.stats import Meter, Result


def guard_body(guard: Guard, provider: str, body: dict[str, Any]) -> tuple[dict[str, Any], Result]:
    """Return an answer's body with all text in it guarded, and what was found.

    `provider` names the adapter of the same answer's stream. A body that nothing changes is
    returned as it is. AdapterError for a body that is not known, StageError if a stage fails.
    """
    kind = BODIES.get(provider)
    if kind is None:
        raise AdapterError(f"no whole answers of {provider!r}, there are: {', '.join(BODIES)}")
    policy = guard.policy
    adapter = kind(unknown=policy.unknown)
    stages = partial(pipeline_of, policy)
    flow = ChunkFlow(adapter, stages, Meter(), policy.block_message)
    kept = Delivered()
    guarded = body
    for sent, text, _, parts in (*flow.feed(body), *flow.finish()):
        guarded = sent
        kept.answer.write(text)
        for part in parts:
            kept.add(part)
    if adapter.reasons or adapter.messages:
        guarded = adapter.completed(guarded)
    return guarded, result_of(flow, kept, flow.ended)
