"""A gate: asynchronous checks of a guarded stream, such as a moderation model or an HTTP call.

It comes after the guard, and judges text that the guard has released. It fails closed: text that a
check has not allowed in time is not released, and the stream ends.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Collection
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from guardstream.amounts import check_count, check_seconds
from guardstream.formats import Adapter
from guardstream.formats.adapter import Unknown
from guardstream.formats.toolkit.unknown import check_unknown
from guardstream.gate.judging import GateError
from guardstream.gate.stream import GatedStream
from guardstream.gate.tasks import Delivery, Options, Otherwise
from guardstream.gate.verdict import Check, Context, Verdict
from guardstream.gate.windows import UNITS, units_of
from guardstream.hints import check_known
from guardstream.policy import Policy
from guardstream.stages.custom import known_channels
from guardstream.stages.units import Units
from guardstream.stream.arguments import known_arguments
from guardstream.stream.flows.choosing import choosing

__all__ = ["Check", "Context", "GateError", "GatedStream", "Verdict", "gate"]

C = TypeVar("C")

Unit: TypeAlias = Literal["sentence", "paragraph", "complete"] | int
"""The unit that is judged at once; a number is a number of code points."""


@known_arguments
def gate(
    stream: AsyncIterable[C],
    check: Check,
    *,
    unit: Unit = "sentence",
    deadline: float = 10.0,
    ahead: int = 10_000,
    on_error: Otherwise = "block",
    on_timeout: Otherwise = "block",
    channels: Collection[str] | None = None,
    format: str | Adapter[Any] | None = None,
    unknown: Unknown = "guard",
) -> GatedStream[C]:
    """Return a stream of the chunks of `stream` whose texts `check` allows, in their order.

    Each text (choice, channel, tool call) is cut into units, and `check(text, context)` is awaited
    for each unit that is not blank; it returns a bool or a Verdict. Checks run concurrently with
    each other and with the reading. A chunk of text is cut where a unit ends. A provider's chunk
    waits for all units that have text in it, and so does a frame of a stream of bytes (server-sent
    events, JSON in lines or in an array).

    - `unit`: what is judged at once: a sentence, a paragraph, a complete text, or a number of code
      points.
    - `deadline`: the seconds that a check may take. `on_timeout` says how to treat its text then,
      and `on_error` how to treat it if the check raises; `errors` of the stream has the exception.
      A later answer counts only if it is stricter.
    - `ahead`: how many code points may wait before reading pauses. A longer unit blocks.
    - `channels`: the channels to judge, by default all; the others pass, in order.
    - `format`, `unknown`: as for `Guard.wrap`, and in a policy. If you had to name the `format`
      of a stream, name it here, too. The formats of the guard's policy are known.

    A block closes the source and ends the stream as `content_filter`. Raises ValueError for an
    unknown unit or channel, and for other invalid values; TypeError for an unknown argument, for
    one of another type, such as a stream that is not asynchronous. Iterating raises the
    exceptions of `stream`, and AdapterError for a chunk that the adapter does not know.
    """
    if not hasattr(stream, "__aiter__"):
        given = type(stream).__qualname__
        raise TypeError(f"gate() needs a stream, such as guard.wrap(stream), not {given!r}")
    if not callable(check):
        raise TypeError(f"a check must be a function, not {type(check).__qualname__!r}")
    _check_takes_both(check)
    for name, given in (("on_error", on_error), ("on_timeout", on_timeout)):
        check_known(name, given, get_args(Otherwise))
    check_seconds("deadline", deadline, none="no limit")
    check_count("ahead", ahead)
    kept = known_channels(channels)
    check_unknown(unknown)
    policy = getattr(stream, "policy", None)
    choose = choosing(policy if isinstance(policy, Policy) else None, format, unknown)
    judging = Options(
        _units(unit),
        deadline,
        ahead,
        on_error,
        on_timeout,
        kept,
        Delivery(choose),
        is_named=format is not None,
    )
    return GatedStream(stream, check, judging)


def _check_takes_both(check: Check) -> None:
    """Raise TypeError for a function that cannot be called as a check: each stream would end as
    blocked, because its check fails."""
    try:
        inspect.signature(check).bind("", None)
    except TypeError:
        raise TypeError(
            "a check is called with a text and its Context: def check(text, context)"
        ) from None
    except ValueError:
        return  # a built-in function may have no signature


def _units(unit: Unit) -> Callable[[], Units]:
    if isinstance(unit, str) and unit not in UNITS:
        known = ", ".join(map(repr, UNITS))
        raise ValueError(f"unknown unit {unit!r}: use {known} or a number of code points")
    if not isinstance(unit, str):
        check_count("unit", unit)
    return units_of(unit)
