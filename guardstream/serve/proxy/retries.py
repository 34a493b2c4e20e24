"""Retries requests when the upstream is busy or unreachable, as the policy says."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from guardstream.resilience.retryable import STATUSES, retry_after
from guardstream.serve.proxy.answers import UpstreamError
from guardstream.serve.proxy.forwarding import Incoming, decoded
from guardstream.stream.loops import aclose_source
from guardstream.stream.opening import Retry

log = logging.getLogger("guardstream.serve")


class _BusyError(Exception):
    """An answer after which another attempt may succeed; its headers may say when."""

    def __init__(self, response: Incoming) -> None:
        super().__init__(response.status)
        self.response = response
        self.headers = dict(decoded(response.headers))


async def send_with_retries(
    send: Callable[[], Awaitable[Incoming]], retry: Retry | None
) -> Incoming:
    """Send a request, and retry it if the upstream is busy or unreachable; return the last answer.

    Nothing has been sent to the client before. Raises UpstreamError if the last attempt fails.
    """
    if retry is None:
        return await send()
    from guardstream.resilience.attempts import retried

    def wait(error: Exception) -> bool | float:
        if isinstance(error, UpstreamError):
            log.info("the upstream failed: %s", error.code)
            return error.status >= 500
        if not isinstance(error, _BusyError):
            return False
        log.info("the upstream is busy: %d", error.response.status)
        asked = retry_after(error)
        if asked is None:
            return True
        return asked if asked <= retry.max_retry_after else False

    busy: Incoming | None = None

    async def attempt() -> Incoming:
        nonlocal busy
        await aclose_source(busy)
        busy = None
        response = await send()
        if response.status in STATUSES:
            busy = response
            raise _BusyError(response)
        return response

    try:
        return await retried(attempt, wait, retry)
    except _BusyError as error:
        return error.response
    except BaseException:
        await aclose_source(busy)
        raise
