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
class Pseudonym:
    """A name for the value that is the same for the same value: `prefix` and a keyed hash.

    The hash is HMAC-SHA256 (RFC 2104) over the matched text in UTF-8, its first `length` digits.
    It needs the whole value: a region of more than one span, or one that was cut, becomes
    `[{id}]`.
    """

    key: bytes = field(repr=False)
    prefix: str = ""
    length: int = 12


@dataclass(frozen=True, slots=True)
class StandIn:
    """A text of its own for each value: `issue` is given the region's text and where that begins.

    A region that was cut, so that its beginning or end is not known, becomes `[{id}]`.
    """

    issue: Callable[[str, int], str]


Replacement: TypeAlias = "str | Keep | Pseudonym | StandIn"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy, checked and ready to be compiled.

    `replacement` of one code point stands for each masked character, any other string is written
    once a region, the empty string deletes; `{id}` in it becomes the rule's id.

    `ignore_case` is about `words`; patterns say `(?i)`. `normalize` names further differences that
    do not count when words are compared: see `guardstream.scan.words.normalize`.

    A match that a validator refuses, that equals one of `allow_words` (ignoring case if
    `ignore_case`), or that one of `allow_patterns` matches in full, is no match. With a `group`
    that is about the group's text. Where `keywords` are given, one of them must stand, ignoring
    case, within the `keyword_distance` code points before the match.
    """

    id: str
    action: Action = "mask"
    severity: Severity = "medium"
    replacement: Replacement = "[{id}]"
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    group: str | int | None = None
    whole_word: bool | None = None
    ignore_case: bool = True
    normalize: tuple[str, ...] = ()
    allow_words: tuple[str, ...] = ()
    allow_patterns: tuple[str, ...] = ()
    validators: tuple[Validator, ...] = ()
    keywords: tuple[str, ...] = ()
    keyword_distance: int = 50
