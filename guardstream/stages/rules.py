"""What a redaction rule is: what it looks for, what it does, and what takes the match's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from guardstream.events import Action, Severity

OnOverflow: TypeAlias = Literal["mask", "block", "release"]
OnError: TypeAlias = Literal["block", "allow"]
Validator: TypeAlias = Callable[[str], bool]

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class Keep:
    """Show the first and last code points of a match and `*` for the rest.

    It holds for a region of a single span longer than twice their sum; all else becomes `*`.
    """

    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy, checked and ready to be compiled.

    `replacement` of one code point stands for each masked character, any other string is written
    once a region, the empty string deletes; `{id}` in it becomes the rule's id. Offsets in errors
    count code points of the pattern.

    A match that a validator refuses, that equals one of `allow_words` (ignoring case if
    `ignore_case`), or that one of `allow_patterns` matches in full, is no match.
    """

    id: str
    action: Action = "mask"
    severity: Severity = "medium"
    replacement: str | Keep = "[{id}]"
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    group: str | int | None = None
    whole_word: bool | None = None
    ignore_case: bool = True
    allow_words: tuple[str, ...] = ()
    allow_patterns: tuple[str, ...] = ()
    validators: tuple[Validator, ...] = field(default=())
