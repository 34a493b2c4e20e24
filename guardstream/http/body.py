"""Whole answers of an API, guarded as their stream would be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Unpack

from guardstream.errors import AdapterError
from guardstream.guard import Guard
from guardstream.providers.fields import map_strings
from guardstream.providers.whole import BODIES, SAID
from guardstream.stream.arguments import known_arguments
from guardstream.stream.chunks import ChunkFlow
from guardstream.stream.flow import Flow, adapter_error
from guardstream.stream.options import Delivering
from guardstream.stream.result import Meter, Result
from guardstream.stream.synchronous import SyncGuardedStream


@known_arguments
def guard_body(
    guard: Guard, provider: str, body: dict[str, Any], **options: Unpack[Delivering]
) -> tuple[dict[str, Any], Result]:
    """Return an answer's body with all text in it guarded, and what was delivered and found.

    `provider` names the adapter of the same answer's stream; `options` are those of `Guard.wrap`. A
    body that nothing changes is returned as it is. Raises AdapterError for a provider or a body
    that is not known, StageError if a stage fails, BlockedError with `raise_on_block`, PolicyError
    for a policy with `gate`, `retry` or `concurrency`.
    """
    kind = BODIES.get(provider)
    if kind is None:
        raise AdapterError(f"no whole answers of {provider!r}, there are: {', '.join(BODIES)}")
    guard.refuse_operations("guarding a whole answer")
    policy = guard.policy
    adapter = kind(unknown=policy.unknown)

    def start(_body: Any, meter: Meter) -> Flow[dict[str, Any]]:
        return ChunkFlow(
            adapter,
            guard.stages_of(policy)(adapter),
            meter,
            policy.block_message,
            policy.file.max_holdback,
        )

    with SyncGuardedStream([body], start, guard.options(policy, options)) as stream:
        sent = [each for each in stream if each is not SAID]
        result = stream.result
    try:
        guarded = sent[0] if sent else adapter.silent(body)
        if adapter.reasons:
            guarded = adapter.completed(guarded, body)
    except AdapterError:
        raise
    except Exception as error:
        raise adapter_error(error) from error
    return guarded, result


def guard_error(guard: Guard, body: dict[str, Any]) -> dict[str, Any]:
    """Return an API's error with every string in it guarded.

    It is the same object if nothing changes. Raises AdapterError where a rule matches the name of a
    field, StageError if a stage fails.
    """

    def shown(text: str) -> str:
        return guard.check(text).text

    try:
        guarded: dict[str, Any] = map_strings(body, shown)
        if all(shown(name) == name for name in _names(guarded)):
            return guarded
    except RecursionError:
        raise AdapterError("an error that is nested too deeply") from None
    raise AdapterError("an error that a rule matches in the name of a field")


def _names(value: Any) -> Iterator[str]:
    """Give the names of all fields in a value of JSON."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            yield from _names(item)
