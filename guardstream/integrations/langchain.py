"""A guard as a step of a LangChain chain: `prompt | model | step(guard)`.

In `stream` and `astream` the step yields released chunks as they arrive; in `invoke` and `ainvoke`
it returns the whole answer. It accepts messages and, after an output parser, text.
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
    """Return a Runnable that guards its input with `guard`; `options` are those of `Guard.wrap`.

    Each call of the chain is a stream of its own. Raises GuardstreamError if `langchain_core` has
    not been imported, which the chain needs anyway.
    """
    generator = _runnable("RunnableGenerator")

    def guarded(chunks: Iterator[Any]) -> Iterator[Any]:
        with guard.wrap_sync(_as_chunks(chunks), **options) as stream:
            yield from stream

    async def aguarded(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async with guard.wrap(_as_chunks_async(chunks), **options) as stream:
            async for chunk in stream:
                yield chunk

    return generator(guarded, aguarded, name="guard")


def mask(guard: Guard, vault: Vault | None = None) -> Any:
    """Return a Runnable that applies the policy's `input` to a model's input.

    It accepts text, messages or a prompt value, like a model, and returns messages. With a `vault`,
    `step(guard, vault=vault)` after the model restores the values of reversible rules. Invoking it
    raises BlockedError for a blocked prompt. Raises GuardstreamError as `step` does.
    """
    runnable = _runnable("RunnableLambda")
    kit: Any = sys.modules[_MESSAGES]

    def masked(given: Any) -> list[Any]:
        given = given.to_messages() if hasattr(given, "to_messages") else given
        messages = kit.convert_to_messages([given] if isinstance(given, str) else given)
        plain = kit.convert_to_openai_messages(messages)
        checked = guard.check_messages(plain, vault=vault)
        if checked.blocked:
            rule = checked.findings[-1].finding.rule if checked.findings else "input"
            raise BlockedError(rule, "prompt")
        return [
            message if after is before else kit.convert_to_messages([after])[0]
            for message, before, after in zip(messages, plain, checked.messages, strict=True)
        ]

    return runnable(masked, name="mask")


def _runnable(name: str) -> Any:
    """Return the class `name` of LangChain's runnables; GuardstreamError if it is not imported."""
    found = getattr(sys.modules.get(_RUNNABLES), name, None)
    if found is None:
        raise GuardstreamError(f"a step needs {_RUNNABLES!r}: import it before")
    return found


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
