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
    """Stands for the error of a call, with its type alone: stamina logs what an error says, which
    may be text, and keeps it, and with its traceback whatever was called."""


async def retried(
    call: Callable[[], Awaitable[T]], wait: Callable[[Exception], bool | float], retry: Retry
) -> T:
    """Return what `call` returns, which is called again after errors, as `retry` says.

    `wait` returns for an error whether to call again, or after how many seconds. Raises the error
    of the last call.
    """
    waits = [wait]
    errors: list[Exception] = []

    def wait_after(failed: Exception) -> bool | float:
        failed.__traceback__ = None
        return waits[0](errors[0]) if isinstance(failed, _FailedError) else False

    try:
        async for attempt in stamina.retry_context(on=wait_after, **retry.waits):
            with attempt:
                errors.clear()
                try:
                    return await call()
                except Exception as error:
                    errors.append(error)
                raise _FailedError(type(errors[0]).__name__)
    except _FailedError as failed:
        failed.__traceback__ = None
    finally:
        waits.clear()
    raise errors.pop()
