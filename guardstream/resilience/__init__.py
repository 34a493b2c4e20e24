"""Retries of streams that fail, and limits on concurrency and rate.

`retrying` needs the extra `retry`; the rest has no further requirements.
"""

from typing import TYPE_CHECKING

from guardstream.lazy import exporting

if TYPE_CHECKING:
    from guardstream.resilience.limiter import Limiter, LimiterError
    from guardstream.resilience.retry import RetryingStream, retrying
    from guardstream.resilience.retryable import retry_after, worth_retrying
    from guardstream.stream.opening import Retry
else:
    __getattr__, __dir__ = exporting(
        __name__,
        {
            "Limiter": "guardstream.resilience.limiter",
            "LimiterError": "guardstream.resilience.limiter",
            "Retry": "guardstream.stream.opening",
            "RetryingStream": "guardstream.resilience.retry",
            "retry_after": "guardstream.resilience.retryable",
            "retrying": "guardstream.resilience.retry",
            "worth_retrying": "guardstream.resilience.retryable",
        },
    )

__all__ = [
    "Limiter",
    "LimiterError",
    "Retry",
    "RetryingStream",
    "retry_after",
    "retrying",
    "worth_retrying",
]
