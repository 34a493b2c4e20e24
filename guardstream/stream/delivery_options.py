"""How a policy's stream is delivered: the caller's options take precedence over the policy's."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from guardstream.stream.arguments import check_attributes, check_flag
from guardstream.stream.callbacks import Handlers
from guardstream.stream.flows.choosing import own_formats
from guardstream.stream.observers import Observing
from guardstream.stream.options import SETTLE, Deadlines, Delivering, Options

if TYPE_CHECKING:
    from guardstream.policy import Policy


def options_of(policy: Policy, options: Delivering, observing: Observing) -> Options:
    """Return how a stream is delivered, and observed by `observing`.

    Raises TypeError for a callback that is not a function, and for `deadlines` and flags of the
    wrong type.
    """
    for name in ("raise_on_block", "keep_text"):
        check_flag(name, options.get(name, False))
    handlers = Handlers(
        on_text=options.get("on_text"),
        on_part=options.get("on_part"),
        on_tool_call=options.get("on_tool_call"),
        on_finding=options.get("on_finding"),
        on_finish=options.get("on_finish"),
        errors=options.get("callback_errors", "raise"),
    )
    handlers.check_callable()
    deadlines = options.get("deadlines")
    if not (deadlines is None or isinstance(deadlines, Deadlines)):
        given = type(deadlines).__qualname__
        raise TypeError(f"deadlines= needs Deadlines(first_token=15, idle=30), not {given!r}")
    clock = options.get("clock", monotonic)
    if not callable(clock):
        given = type(clock).__qualname__
        raise TypeError(f"clock= needs a function that returns seconds, not {given!r}")
    return Options(
        raise_on_block=options.get("raise_on_block", False),
        keep_text=options.get("keep_text", True),
        handlers=handlers,
        deadlines=_deadlines(policy) if deadlines is None else deadlines,
        clock=clock,
        extraction=extraction_of(policy),
        observing=observing,
        policy=policy,
    )


def attributes_of(policy: Policy, options: Delivering) -> dict[str, str]:
    """Return the attributes of a stream's records: the policy's, overridden by the caller's."""
    section, given = policy.file.audit, options.get("attributes")
    if given is not None:
        check_attributes(given)
    return {**(section.attributes if section else {}), **(given or {})}


def extraction_of(policy: Policy) -> Mapping[str, Any]:
    """Return how `guardstream.extract` reads the policy's streams, with a format of the policy
    resolved."""
    extraction = policy.extraction
    if not extraction:
        return extraction
    own = own_formats(policy, policy.unknown).get(extraction.get("format", ""))
    return extraction if own is None else {**extraction, "format": own}


def _deadlines(policy: Policy) -> Deadlines:
    """Return the deadlines of a policy; in shadow mode there are none."""
    limits = policy.file.limits
    if limits is None or policy.shadow:
        return Deadlines()
    settle = SETTLE if limits.settle is None else limits.settle
    return Deadlines(limits.first_token, limits.idle, limits.total, settle)
