"""Calls something again after an error, with the waits of stamina."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

try:
    import stamina
except ImportError as error:  # pragma: no cover
    raise ImportError("retrying needs stamina: pip install 'guardstream[retry]'") from error

from guardstream.stream.opening import Retry

T = TypeVar("T")


class _FailedError(Exception):
    """An error of a call by its type alone: stamina logs what an error says, which may be text."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


async def retried(
    call: Callable[[], Awaitable[T]], wait: Callable[[Exception], bool | float], retry: Retry
) -> T:
    """Return what `call` returns, which is called again after errors, as `retry` says.

    `wait` returns for an error whether to call again, or after how many seconds. Raises the error
    of the last call.
    """

    def wait_after(failed: Exception) -> bool | float:
        return wait(failed.error) if isinstance(failed, _FailedError) else False

    try:
        async for attempt in stamina.retry_context(on=wait_after, **retry.waits):
            with attempt:
                try:
                    return await call()
                except Exception as raised:
                    raise _FailedError(raised) from None
    except _FailedError as failed:
        error = failed.error
    raise error
