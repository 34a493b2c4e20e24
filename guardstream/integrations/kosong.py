"""A Kosong chat provider behind a guard: `kosong.generate` and `kosong.step` get guarded parts.

    provider = GuardedChatProvider(Kimi(...), guard)
    result = await kosong.step(provider, system_prompt, toolset, history)

The message that Kosong merges, its callbacks and its tools get only released text. The interface is
`kosong.chat_provider` of https://github.com/MoonshotAI/kosong.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

from guardstream.errors import GuardstreamError
from guardstream.guard import Guard
from guardstream.stream.asynchronous import GuardedStream

__all__ = ["GuardedChatProvider", "GuardedMessage"]

_PACKAGE = "kosong.chat_provider"


class GuardedChatProvider:
    """Guards the answers of the chat provider `provider` with `guard`.

    `options` are those of `Guard.wrap`.
    """

    def __init__(self, provider: Any, guard: Guard, **options: Any) -> None:
        self._provider = provider
        self._guard = guard
        self._options = options

    @property
    def name(self) -> str:
        """The name of the provider behind the guard."""
        return str(self._provider.name)

    @property
    def model_name(self) -> str:
        """The model's name."""
        return str(self._provider.model_name)

    @property
    def thinking_effort(self) -> Any:
        """The provider's thinking effort; None if it is not set."""
        return self._provider.thinking_effort

    async def generate(
        self, system_prompt: str, tools: Sequence[Any], history: Sequence[Any]
    ) -> GuardedMessage:
        """Ask the provider for a message; return it as a GuardedMessage. Raises the provider's
        exceptions."""
        message = await self._provider.generate(system_prompt, tools, history)
        guarded = self._guard.wrap(message, format="kosong", **self._options)
        return GuardedMessage(message, guarded)

    def with_thinking(self, effort: Any) -> GuardedChatProvider:
        """Return a copy with this thinking effort."""
        return type(self)(self._provider.with_thinking(effort), self._guard, **self._options)

    def on_retryable_error(self, error: BaseException) -> bool:
        """Let the provider recover from an error; return False if it cannot."""
        recover = getattr(self._provider, "on_retryable_error", None)
        return bool(recover(error)) if recover is not None else False


class GuardedMessage:
    """A guarded streamed message; its stream `guarded` has the findings and the result."""

    def __init__(self, message: Any, guarded: GuardedStream[Any]) -> None:
        self.guarded = guarded
        self._message = message

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the guarded parts.

        Raises what iterating a guarded stream raises, and Kosong's ChatProviderError if the guard
        ended the message within a tool call: Kosong would run the incomplete call.
        """
        async with self.guarded as stream:
            async for part in stream:
                yield part
        cut = [call.name for call in stream.result.tool_calls if not call.complete]
        if cut:
            why = f"rule {stream.blocked_by!r}" if stream.blocked_by else f"{stream.finish}"
            raise _error()(f"the guard ended the message within a tool call ({why})")

    @property
    def id(self) -> str | None:
        """The provider's id of the message."""
        found: str | None = self._message.id
        return found

    @property
    def usage(self) -> Any:
        """The provider's token usage; None if it reports none."""
        return self._message.usage

    @property
    def trace_id(self) -> str | None:
        """The request's trace id, if the provider has one."""
        found: str | None = getattr(self._message, "trace_id", None)
        return found


def _error() -> type[Exception]:
    """Return the class of Kosong's error, on which `step` cancels the tools that it has started."""
    found = getattr(sys.modules.get(_PACKAGE), "ChatProviderError", GuardstreamError)
    assert issubclass(found, Exception)
    return found
