"""Retries calls after errors, with stamina's waits."""

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
    """Replaces the error of a call and keeps only its type.

    stamina logs the message of an error, which may contain text, and keeps the error alive, and
    with its traceback the called objects.
    """


async def retried(
    call: Callable[[], Awaitable[T]], wait: Callable[[Exception], bool | float], retry: Retry
) -> T:
    """Return the result of `call`, which is called again after errors, according to `retry`.

    `wait` returns, for an error, whether to call again, or after how many seconds. Raises the error
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
