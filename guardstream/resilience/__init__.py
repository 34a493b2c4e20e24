"""Streams that go on when a provider fails, and a bound on how many run at once."""

from guardstream.resilience.limiter import Limiter, LimiterError
from guardstream.resilience.retry import RetryingStream, retrying
from guardstream.resilience.worth import retry_after, worth_retrying

__all__ = [
    "Limiter",
    "LimiterError",
    "RetryingStream",
    "retry_after",
    "retrying",
    "worth_retrying",
]
