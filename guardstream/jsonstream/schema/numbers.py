"""Several schemas of one number as one: what `allOf`, `anyOf` and `oneOf` require together.

A number has no parts, so its schemas need not be followed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from guardstream.jsonstream.schema.digits import NamedCheck

_KEPT = 4_096  # cached beginnings


class Beginning(Protocol):
    """Decides which beginnings of a number a schema allows."""

    def allows(self, text: str) -> bool:
        """Return whether a number that begins with `text` may be allowed."""
        ...

    def keyword(self, text: str) -> str:
        """Return the keyword that does not allow `text`."""
        ...


class Together:
    """All of several schemas: `checks` of the whole number, `parts` for its beginning."""

    def __init__(self, checks: Sequence[NamedCheck], parts: Sequence[Beginning]) -> None:
        self.checks = tuple(checks)
        self.parts = tuple(parts)
        self._known: dict[str, bool] = {}

    def holds(self, value: Any) -> bool:
        """Return whether a whole number is allowed."""
        return all(check(value) for _, check in self.checks)

    def allows(self, text: str) -> bool:
        """Return whether a number that begins with `text` may be allowed."""
        known = self._known.get(text)
        if known is None:
            known = all(part.allows(text) for part in self.parts)
            if len(self._known) < _KEPT:
                self._known[text] = known
        return known

    def keyword(self, text: str) -> str:
        """Return the keyword that does not allow `text`."""
        return next(part.keyword(text) for part in self.parts if not part.allows(text))


class Alternatives(Together):
    """One of several schemas; exactly one, if they are `exclusive`. `name` is the keyword."""

    def __init__(self, branches: Sequence[Together], name: str, *, exclusive: bool) -> None:
        super().__init__((), branches)
        self._branches = tuple(branches)
        self._exclusive = exclusive
        self.name = name

    def holds(self, value: Any) -> bool:
        """Return whether a whole number is allowed."""
        if self._exclusive:
            return sum(branch.holds(value) for branch in self._branches) == 1
        return any(branch.holds(value) for branch in self._branches)

    def allows(self, text: str) -> bool:
        """Return whether a number that begins with `text` may be allowed."""
        return any(branch.allows(text) for branch in self._branches)

    def keyword(self, text: str) -> str:  # noqa: ARG002
        """Return the keyword that does not allow it."""
        return self.name
