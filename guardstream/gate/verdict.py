"""The context that a check gets, and the verdict that it returns."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from guardstream.events import Severity
from guardstream.hints import check_known


@dataclass(frozen=True, slots=True)
class Context:
    """The place of a judged unit: its `choice` and `channel`, and its number.

    `number` counts units from 0, including blank ones; `start` is the offset in code points in the
    text that reaches the gate. `before` is the text before the unit, up to the configured overlap.
    """

    choice: int
    channel: str
    number: int
    start: int
    before: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about a unit.

    `action`: "allow" lets it pass; "block" ends the stream before it; "mask" writes `*` for
    everything but white space; "replace" writes `text` instead. `rule` and `severity` go into the
    finding. In formats whose chunks repeat earlier text, "mask" and "replace" block, because the
    original text would be repeated. Raises ValueError for another action.
    """

    action: Literal["allow", "block", "mask", "replace"]
    text: str = ""
    rule: str = "gate"
    severity: Severity = "medium"

    def __post_init__(self) -> None:
        check_known("action", self.action, _ACTIONS)

    def written(self, text: str, *, first: bool) -> str:
        """Return what is written for a part of the text; `first` if it is the first one."""
        if self.action == "allow":
            return text
        if self.action == "mask":
            return re.sub(r"\S", "*", text)
        return self.text if first and self.action == "replace" else ""


_ACTIONS = ("allow", "block", "mask", "replace")

ALLOW, BLOCK = Verdict("allow"), Verdict("block")

Answer: TypeAlias = bool | Verdict
"""True lets a text pass, False blocks, a Verdict says what else."""

Check: TypeAlias = Callable[[str, Context], Awaitable[Answer] | Answer]
"""Judges a text."""


def verdict_of(answer: object, rule: str = "gate") -> Verdict:
    """Return the verdict that a check's answer means, under `rule` for False; TypeError for any
    other."""
    if isinstance(answer, Verdict):
        return answer
    if isinstance(answer, bool):
        return ALLOW if answer else Verdict("block", rule=rule)
    raise TypeError(f"a check returns a bool or a Verdict, not {type(answer).__name__!r}")
