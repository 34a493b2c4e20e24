"""The data of a redaction rule: what it looks for, its action, and its replacement; and the error
of one that cannot be compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from guardstream.errors import PatternError
from guardstream.events import Action, Severity
from guardstream.scan.words.disguises import DISGUISES

OnOverflow: TypeAlias = Literal["mask", "block", "release"]
OnError: TypeAlias = Literal["block", "allow"]
Validator: TypeAlias = Callable[[str], bool]
Public: TypeAlias = Callable[[str, str], bool]

PUBLIC_REACH = 80
"""How many code points before a match tell whether it is public."""

YIELDS_REACH = 512
"""How many code points before a match are searched for one to which it yields."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Show the first and last code points of a match and `*` for the rest.

    This applies to a region of a single span that is longer than twice their sum. All of any other
    region becomes `*`.
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
    """A replacement of its own for each value: `issue` gets the region's text and its offset.

    A region that was cut off, so that its beginning or end is unknown, becomes `[{id}]`.
    """

    issue: Callable[[str, int], str]


Replacement: TypeAlias = "str | Keep | Pseudonym | StandIn"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy, checked and ready to be compiled.

    - `replacement`: one code point replaces each masked character; any other string replaces the
      whole region, with `{id}` as the rule's id; the empty string deletes.
    - `ignore_case`: for `words`; patterns say `(?i)`.
    - `normalize`: further differences that do not count when words are compared; see
      `guardstream.scan.words.normalize`.
    - `exact`: white space in words is compared as it is, and so are canonically equivalent
      characters.
    - `validators`, `allow_words`, `allow_patterns`: a match does not count if a validator refuses
      it, if it equals one of the words (ignoring case if `ignore_case`), or if one of the patterns
      matches it in full. With a `group`, this applies to the group's text.
    - `allow_after`: nor if it begins right after what one of these patterns matches.
    - `public`: nor if one of these says, by the match and the text before it, that it is no one's
      own. They read `PUBLIC_REACH` code points.
    - `yields`: nor if a confirmed match of a pattern of these rules, as the text up to the match's
      end shows it, lies in the match or covers its beginning. They read `YIELDS_REACH`.
    - `keywords`: if there are any, one of them must occur, ignoring case, in the `keyword_distance`
      code points before the match.
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
    exact: bool = False
    allow_words: tuple[str, ...] = ()
    allow_patterns: tuple[str, ...] = ()
    allow_after: tuple[str, ...] = ()
    validators: tuple[Validator, ...] = ()
    public: tuple[Public, ...] = ()
    yields: tuple[Rule, ...] = ()
    keywords: tuple[str, ...] = ()
    keyword_distance: int = 50

    @property
    def has_checks(self) -> bool:
        """Whether what the rule looks for may not count where it is found."""
        allowed = self.allow_words or self.allow_patterns or self.allow_after
        checked = self.validators or self.public or self.yields or self.keywords
        return bool(allowed or checked or "leet" in self.normalize)

    @property
    def is_disguised(self) -> bool:
        """Whether its words are searched for as patterns; see `scan.words.disguises`."""
        return bool(self.words) and not DISGUISES.isdisjoint(self.normalize)


class RuleError(PatternError):
    """A rule cannot be compiled: `rule` is its id, `pattern` the index of the pattern at fault, or
    `allowed` the list of its exceptions and the index there, `offset` the place in it."""

    def __init__(
        self,
        rule: str,
        message: str,
        pattern: int | None = None,
        offset: int | None = None,
        *,
        allowed: tuple[str, int] | None = None,
    ) -> None:
        super().__init__(message, offset)
        self.rule = rule
        self.pattern = pattern
        self.allowed = allowed
