"""Guards whole answers of an API as their streams would be guarded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, Unpack

import anyio

from guardstream.errors import AdapterError, BlockedError
from guardstream.events import is_refused
from guardstream.formats.answers.whole import BODIES, SAID, Body
from guardstream.formats.toolkit.fields import map_strings
from guardstream.guard import Guard
from guardstream.hints import hint
from guardstream.operations import check_callbacks, gated, joined
from guardstream.stages.halves import well_formed
from guardstream.stream.arguments import known_arguments
from guardstream.stream.flows.chunks import ChunkFlow
from guardstream.stream.flows.flow import Flow, fail_closed
from guardstream.stream.observers import Observing
from guardstream.stream.options import Delivering
from guardstream.stream.result import Meter, Result
from guardstream.stream.synchronous import SyncGuardedStream
from guardstream.stream.whole import checked

T = TypeVar("T")


class Beside(Protocol):
    """Runs work outside of the event loop, so that it does not block it."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


@known_arguments
def guard_body(
    guard: Guard, format: str, body: dict[str, Any], **options: Unpack[Delivering]
) -> tuple[dict[str, Any], Result]:
    """Return the body of a whole answer with all text guarded, and its Result.

    `format` names the adapter for the stream of such an answer; `options` are those of
    `Guard.wrap`. An unchanged body is returned as the same object.

    Raises AdapterError for an unknown provider or body, StageError if a stage fails, BlockedError
    with `raise_on_block`, and PolicyError for a policy with `gate` (see `aguard_body`), `retry` or
    `concurrency`.
    """
    guard = guard.pinned()
    guard.refuse_operations("guarding a whole answer")
    return _guarded(guard, _adapter(guard, format, body), body, options)


@known_arguments
async def aguard_body(
    guard: Guard, format: str, body: dict[str, Any], **options: Unpack[Delivering]
) -> tuple[dict[str, Any], Result]:
    """Guard a whole answer like `guard_body`, asynchronously, and run the guard's gates.

    The rules are applied in a thread, because a long body would block the event loop. Raises the
    same exceptions as `guard_body`, but accepts a policy with `gate`; it only refuses callbacks
    beside a gate that may block.
    """
    return await judged_body(guard, format, body, in_thread, options)


async def in_thread(work: Callable[[], T]) -> T:
    """Run work in a thread, outside of the event loop."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


async def judged_body(
    guard: Guard, format: str, body: dict[str, Any], beside: Beside, options: Delivering
) -> tuple[dict[str, Any], Result]:
    """Guard a whole answer like `aguard_body`; `beside` runs the rules."""
    guard = await guard.apinned()
    guard.refuse_operations("guarding a whole answer", ("retry", "concurrency"))
    policy, gates = guard.policy, guard.gates
    check_callbacks(policy, gates, options)
    adapter = _adapter(guard, format, body)
    last, observing = joined(gates, guard.observing(policy, options))
    given: Delivering = {**options, "raise_on_block": False} if gates else options
    rules = partial(_guarded, guard, adapter, body, given, observing)
    guarded, result = await beside(rules)
    if not gates:
        return guarded, result
    from guardstream.gate.tasks import Delivery

    # What ends a body is remembered by its adapter: each step has its own.
    adapter = _adapter(guard, format, body)
    answer = _Answer(guarded, result)
    delivery = Delivery(
        lambda _: adapter,
        raise_on_block=options.get("raise_on_block", False),
        keep_text=options.get("keep_text", True),
    )
    async with gated(answer, gates, delivery, last, whole=True) as stream:
        sent = [each async for each in stream]
        judged = stream.result
    return _completed(adapter, sent, guarded), judged


def _adapter(guard: Guard, format: str, body: dict[str, Any]) -> Body:
    kind = BODIES.get(format)
    if kind is None:
        raise AdapterError(f"no whole answers of {format!r}, {hint(format, BODIES)}")
    adapter: Body = kind.of(body)(unknown=guard.policy.unknown)
    return adapter


def _guarded(
    guard: Guard,
    adapter: Body,
    body: dict[str, Any],
    options: Delivering,
    observing: Observing | None = None,
) -> tuple[dict[str, Any], Result]:
    policy = guard.policy

    def start(_body: Any, meter: Meter) -> Flow[dict[str, Any]]:
        return ChunkFlow(
            adapter,
            guard.pipelines(policy)(adapter),
            meter,
            policy.block_message,
            policy.file.max_holdback,
        )

    stream = SyncGuardedStream([body], start, guard.options(policy, options, observing))
    with stream:
        sent = [each for each in stream if each is not SAID]
        result = stream.result
    return _completed(adapter, sent, body), result


def _completed(adapter: Body, sent: Sequence[Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return the released body, with the end that its adapter has recorded."""
    try:
        guarded: dict[str, Any] = sent[0] if sent else adapter.silent(body)
        return adapter.completed(guarded, body) if adapter.reasons else guarded
    except Exception as error:
        fail_closed(error, adapter.name)


class _Answer:
    """A guarded answer as a stream of one chunk."""

    def __init__(self, body: dict[str, Any], result: Result) -> None:
        self.findings, self.finish = result.findings, result.finish
        self.blocked_by = result.blocked_by
        self._body = body

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        yield self._body


def guard_error(guard: Guard, body: dict[str, Any]) -> dict[str, Any]:
    """Return an API's error with every string in it guarded; the same object if nothing changes.

    Raises AdapterError if a rule matches the name of a field, StageError if a stage fails,
    BlockedError if a rule blocks one and the guard's `on_block` is "error".
    """
    pinned = guard.pinned()

    def shown(text: str) -> str:
        return checked_text(pinned, text)

    try:
        guarded: dict[str, Any] = map_strings(body, shown)
        if all(shown(name) == name for name in _names(guarded)):
            return guarded
    except RecursionError:
        raise AdapterError("an error that is nested too deeply") from None
    raise AdapterError("an error that a rule matches in the name of a field")


def checked_text(guard: Guard, text: str) -> str:
    """Return the guarded text. BlockedError if a rule blocks it and `on_block` is "error"."""
    policy = guard.policy
    whole = well_formed(text) == text
    result = guard.check(text) if whole else checked(policy, text, policy.block_message)
    if guard.on_block == "error" and is_refused(result.finish, result.blocked_by):
        raise BlockedError(result.blocked_by or "content_filter", "answer")
    return result.text


def _names(value: Any) -> Iterator[str]:
    """Yield the names of all fields in a JSON value."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            yield from _names(item)
