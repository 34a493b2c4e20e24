"""A guard as a step of a LangChain chain: `prompt | model | step(guard)`.

The step passes on what the guard releases, as it arrives, in `stream` and `astream`; in `invoke`
and `ainvoke` the whole of it. It takes messages and, after an output parser, text.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from guardstream.errors import BlockedError, GuardstreamError
from guardstream.guard import Guard

if TYPE_CHECKING:
    from guardstream.vault import Vault

__all__ = ["mask", "step"]

_RUNNABLES = "langchain_core.runnables"
_MESSAGES = "langchain_core.messages"


def step(guard: Guard, **options: Any) -> Any:
    """Return a Runnable that guards what passes by `guard`; `options` are those of `Guard.wrap`.

    Each call of the chain is a stream of its own. GuardstreamError if `langchain_core` has not been
    imported: a chain to put the step into needs it anyway.
    """
    generator = getattr(sys.modules.get(_RUNNABLES), "RunnableGenerator", None)
    if generator is None:
        raise GuardstreamError(f"a step needs {_RUNNABLES!r}: import it before")

    def guarded(chunks: Iterator[Any]) -> Iterator[Any]:
        with guard.wrap_sync(_as_chunks(chunks), **options) as stream:
            yield from stream

    async def aguarded(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async with guard.wrap(_as_chunks_async(chunks), **options) as stream:
            async for chunk in stream:
                yield chunk

    return generator(guarded, aguarded, name="guard")


def mask(guard: Guard, vault: Vault | None = None) -> Any:
    """Return a Runnable that applies the policy's `input` to what goes into a model.

    It takes what a model takes: text, messages, or a prompt's value, and returns messages. With a
    `vault` masks of reversible rules are undone by `step(guard, vault=vault)` after the model. What
    a rule forbids is a BlockedError. GuardstreamError as for `step`.
    """
    runnable = getattr(sys.modules.get(_RUNNABLES), "RunnableLambda", None)
    if runnable is None:
        raise GuardstreamError(f"a step needs {_RUNNABLES!r}: import it before")
    kit: Any = sys.modules[_MESSAGES]

    def masked(given: Any) -> list[Any]:
        given = given.to_messages() if hasattr(given, "to_messages") else given
        messages = kit.convert_to_messages([given] if isinstance(given, str) else given)
        plain = kit.convert_to_openai_messages(messages)
        checked = guard.check_messages(plain, vault=vault)
        if checked.blocked:
            raise BlockedError(checked.findings[-1].finding.rule if checked.findings else "input")
        return [
            message if after is before else kit.convert_to_messages([after])[0]
            for message, before, after in zip(messages, plain, checked.messages, strict=True)
        ]

    return runnable(masked, name="mask")


def _as_chunks(items: Iterator[Any]) -> Iterator[Any]:
    try:
        for item in items:
            yield _as_chunk(item)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


async def _as_chunks_async(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        async for item in items:
            yield _as_chunk(item)
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


def _as_chunk(item: Any) -> Any:
    """Return a whole message, as `invoke` gives it, as a chunk: chunks can be added up again."""
    messages = sys.modules.get(_MESSAGES)
    if messages is None or type(item) is not messages.AIMessage:
        return item
    fields = {name: value for name, value in vars(item).items() if name != "type"}
    return messages.AIMessageChunk(**fields, chunk_position="last")
