"""Typical uses of the public names, for type checkers alone: nothing here is run.

`assert_type` says what a checker has to make of an expression. A comment that ignores an error
stands where there has to be one: mypy reports those that are not needed, and so does pyright.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_type

import httpx
from pydantic import BaseModel

from guardstream import (
    BlockedError,
    Event,
    Finding,
    Guard,
    GuardedStream,
    Policy,
    Result,
    Stats,
    SyncGuardedStream,
    Text,
    ToolCall,
    extract,
)
from guardstream.events import FinishReason
from guardstream.gate import Context, GatedStream, Verdict, gate
from guardstream.http import GuardTransport, SyncGuardTransport
from guardstream.jsonstream import Document, DocumentError, ModelSchema, Schema
from guardstream.resilience import RetryingStream, retrying
from guardstream.stream.protocol import WrappedStream
from guardstream.vault import MemoryStore, Vault, Vaults


class Order(BaseModel):
    """What a model is asked for."""

    id: str
    amount: float


@dataclass
class Chunk:
    """A chunk of some provider's package."""

    text: str


def guards() -> Guard:
    """A guard comes from a file, a text, or a policy."""
    assert_type(Policy.parse("version: 1"), Policy)
    Guard.load("policy.yaml", polcy=1)  # type: ignore[call-arg]  # pyright: ignore
    return assert_type(Guard.load("policy.yaml", reload=True, allow_code=["checks:number"]), Guard)


async def chunks_keep_their_type(guard: Guard, source: AsyncIterator[Chunk]) -> None:
    """What comes out of a stream is of the type that goes in."""
    async with guard.wrap(source, format="mine") as stream:
        async for chunk in stream:
            assert_type(chunk, Chunk)
        async for text in stream.text_stream:
            assert_type(text, str)
        stream.stop()
    assert_type(stream.finish, FinishReason | None)
    assert_type(stream.findings, Sequence[Finding])
    assert_type(stream.stats, Stats)
    assert_type(stream.result.tool_calls, Sequence[ToolCall])
    assert_type(await stream.text(), str)


def plain_streams(guard: Guard, source: Iterator[str]) -> str:
    """The same without an event loop."""
    stream = guard.wrap_sync(source, words={"canary": ["a1b2"]})
    assert_type(stream, SyncGuardedStream[str])
    with stream:
        for text in stream:
            assert_type(text, str)
        for text in stream.text_stream:
            assert_type(text, str)
    return assert_type(stream.text(), str)


async def wrong_arguments(guard: Guard, source: AsyncIterator[str], plain: Iterator[str]) -> None:
    """What is wrong is found before it runs."""
    guard.wrap(plain)  # type: ignore[call-overload]  # pyright: ignore
    guard.wrap(source, unknown="ignore")  # type: ignore[call-overload]  # pyright: ignore
    guard.wrap_sync(source)  # type: ignore[arg-type]  # pyright: ignore
    guard.check(b"bytes")  # type: ignore[arg-type]  # pyright: ignore


def whole_texts(guard: Guard) -> None:
    """A text at once, messages, and a session that is fed by hand."""
    result = assert_type(guard.check("a text", channel="thinking"), Result)
    assert_type(
        [(finding.rule, finding.start) for finding in result.findings], list[tuple[str, int]]
    )
    messages = guard.check_messages([{"role": "user", "content": "a text"}])
    assert_type(messages.messages, list[Any])
    assert_type(messages.blocked, bool)
    events = assert_type(guard.session().feed("a text"), list[Event])
    assert_type([event.text for event in events if isinstance(event, Text)], list[str])


async def typed_values(source: AsyncIterator[str], plain: Iterator[str]) -> None:
    """Values are of the model that is asked for."""
    assert_type(await extract.final(source, Order), Order)
    assert_type(extract.final_sync(plain, list[Order]), list[Order])
    async for order in extract.items(source, "orders.item", Order, on_invalid="skip"):
        assert_type(order, Order)
    for value in extract.items_sync(plain, "orders.item"):
        assert_type(value, Any)
    for checks in (Schema({"type": "object"}), ModelSchema(Order)):
        assert_type(Document(checks).error, DocumentError | None)
    async for growing in extract.snapshots(source, Order, partial_strings=False):
        if growing.amount is not extract.MISSING:
            assert_type(growing.amount, float)
        assert_type(growing, Order)
    async for piece in extract.text(source, "summary"):
        assert_type(piece, str)
    extract.final_sync(plain, Order, fence="strip")  # type: ignore[call-overload]  # pyright: ignore


async def values_and_stand_ins(guard: Guard, source: AsyncIterator[str]) -> None:
    """A vault of one conversation, for a prompt and its answer."""
    vaults = Vaults(MemoryStore(ttl=60), tools={"send_mail": ["to"]})
    vault = assert_type(await vaults.aopen("conversation", caller="alice"), Vault)
    guard.check_messages([], vault=vault)
    await vaults.asave(vault)
    assert_type(await guard.wrap(source, vault=vault).text(), str)


async def checks_that_wait(guard: Guard, source: AsyncIterator[Chunk]) -> None:
    """A gate keeps the chunks' type, too."""

    async def judge(text: str, context: Context) -> bool | Verdict:
        return Verdict("replace", "-") if context.number else "vile" not in text

    check: Callable[[str, Context], Awaitable[bool | Verdict]] = judge
    gated = gate(guard.wrap(source), check, unit="sentence", deadline=2)
    assert_type(gated, GatedStream[Chunk])
    async with gated:
        async for chunk in gated:
            assert_type(chunk, Chunk)


async def streams_of_any_policy(guard: Guard, source: AsyncIterator[Chunk]) -> None:
    """One annotation fits what `wrap`, `gate` and `retrying` return."""

    async def show(stream: WrappedStream[Chunk]) -> str:
        async with stream:
            async for chunk in stream:
                assert_type([chunk, *stream.ready()], list[Chunk])
        return f"{stream.delta} {stream.held} {await stream.text()}"

    async def opened() -> AsyncIterator[Chunk]:
        return source

    retried = retrying(guard, opened, attempts=2)
    assert_type(retried, RetryingStream[Chunk])
    await show(guard.wrap(source))
    await show(guard.wrap(opened))
    await show(gate(guard.wrap(source), lambda _, context: context.number > 0))
    await show(retried)
    try:
        await show(retrying(guard, lambda: source, raise_on_block=True))
    except BlockedError as error:
        assert_type(error.result.text if error.result is not None else "", str)


def told_by(guard: Guard, source: AsyncIterator[Chunk]) -> GuardedStream[Chunk]:
    """Streams of an open source are guarded streams, and can be annotated as such."""
    return guard.wrap(source, on_finding=lambda finding: print(finding.rule))


def below_a_client(guard: Guard) -> None:
    httpx.Client(transport=SyncGuardTransport(guard)).close()
    httpx.AsyncClient(transport=GuardTransport(guard, other="pass"))
