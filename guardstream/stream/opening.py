"""Functions that open a source, and the settings for calling them again."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from guardstream.amounts import check_seconds
from guardstream.stream.arguments import described_kind
from guardstream.stream.callbacks import Returned
from guardstream.stream.options import Delivering

C = TypeVar("C")

Opened: TypeAlias = AsyncIterable[C] | str
"""A stream, or a whole answer as text, which then is its only chunk."""

Open: TypeAlias = Callable[[], Awaitable[Opened[C]] | Opened[C]]
"""Opens a source: a coroutine function, or a function that returns the stream."""

Resume: TypeAlias = Callable[[str], Awaitable[Opened[C]] | Opened[C]]
"""Opens a source that goes on from the released text that it is given."""

OnRetry: TypeAlias = Callable[[Exception, int], Returned]
"""Called before a source is opened again, with the error and the attempt's number, from 2."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When a source is opened again. Times are in seconds.

    - `attempts`: for each source, including the first one.
    - `timeout`: for all attempts together; None is no limit.
    - `wait_initial`, `wait_max`: the wait before the second attempt, and the longest wait; waits
      double, with jitter.
    - `max_retry_after`: the longest `Retry-After` of a server that is respected.
    - `on`: ends before anything was released that count as failures: "incomplete", a stream that
      breaks off without its format's end.

    Raises TypeError or ValueError for invalid values.
    """

    attempts: int = 3
    timeout: float | None = 45.0
    wait_initial: float = 0.1
    wait_max: float = 5.0
    max_retry_after: float = 60.0
    on: Sequence[Literal["incomplete"]] = ()

    def __post_init__(self) -> None:
        if isinstance(self.on, str) or not set(self.on) <= {"incomplete"}:
            raise ValueError('on= needs a list of ends: ["incomplete"]')
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int):
            given = type(self.attempts).__qualname__
            raise TypeError(f"attempts= needs a whole number, not {given!r}")
        if self.attempts < 1:
            raise ValueError("attempts= counts the first one: give it at least 1")
        check_seconds("timeout", self.timeout, none="no limit")
        for name in ("wait_initial", "wait_max", "max_retry_after"):
            check_seconds(name, getattr(self, name), zero=True)

    @property
    def waits(self) -> dict[str, Any]:
        """The arguments of `stamina.retry_context`."""
        return {
            "attempts": self.attempts,
            "timeout": self.timeout,
            "wait_initial": self.wait_initial,
            "wait_max": self.wait_max,
        }


class Reopening(Delivering, total=False):
    """Options of `Guard.wrap` for a function that opens the stream, beside those of `Delivering`.

    `retry`: when it is called again, in place of the policy's section; `fallbacks`: functions to
    call after that, each as often; `resume`: opens a source that goes on after the text it is
    given; `worth` tells which errors are worth another attempt; `on_retry(error, attempt)` is
    called before each.
    """

    retry: Retry | None
    fallbacks: Sequence[Open[Any]]
    resume: Resume[Any] | None
    worth: Callable[[Exception], bool]
    on_retry: OnRetry | None


REOPENING = ("retry", "fallbacks", "resume", "worth", "on_retry")
"""The names of the options that `Delivering` does not have."""


def fallbacks_of(options: Reopening) -> tuple[Open[Any], ...]:
    """Return the fallbacks. TypeError for anything but functions that open a stream, which would
    otherwise show only once the stream before has failed."""
    given: Any = options.get("fallbacks", ())
    if callable(given) or not isinstance(given, Iterable):
        raise TypeError(
            "fallbacks= needs a list of functions that open a stream, such as "
            f"[lambda: client.stream(...)], not {described_kind(given)}"
        )
    fallbacks = tuple(given)
    for each in fallbacks:
        if not opens(each):
            raise TypeError(
                "fallbacks= needs functions that open a stream, [lambda: client.stream(...)], "
                f"not of {described_kind(each)}"
            )
    return fallbacks


def check_reopening(options: Reopening) -> None:
    """Raise TypeError for an option that needs a function and has none."""
    for name in ("resume", "worth", "on_retry"):
        given: Any = options.get(name)
        if given is not None and not callable(given):
            raise TypeError(f"{name}= needs a function, not {described_kind(given)}")
    worth = options.get("worth")
    if isinstance(worth, type) and issubclass(worth, BaseException):
        name = worth.__qualname__  # an error made by it would be true of all errors
        raise TypeError(
            f"worth= needs a function that judges an error, not {described_kind(worth)}: "
            f"lambda error: isinstance(error, {name})"
        )


def opens(stream: object) -> bool:
    """Return whether this is a function that opens a stream, rather than a stream."""
    streams = ("__aiter__", "__anext__", "__iter__", "__aenter__", "__await__")
    return callable(stream) and not any(hasattr(stream, name) for name in streams)


async def opened(open_stream: Open[C]) -> AsyncIterable[C]:
    """Open a source and return its chunks."""
    found = open_stream()
    if isinstance(found, Awaitable):
        found = await found
    return _one(found) if isinstance(found, str) else found  # type: ignore[return-value]


async def _one(text: str) -> AsyncIterator[str]:
    yield text
