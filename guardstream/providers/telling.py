"""How a text is told: each value is all of it so far, or what is new in it, and nothing says which.

As long as every value begins with the one before, both may be so: after `1` and `1` the text is
"1", or "11". Either way the same goes out while values go out as they came. But once something of a
value was held or masked, the two part, and later values wait until one decides:

- a value that does not begin with the one before is what is new in the text, and so was each;
- values that have grown far enough, as texts do that are told as a whole, are all so far;
- if there are no more, the last value is all of it, unless it is empty.

What waited is told anew then. In `1`, `1`, `2`, `34` with a rule for "11234" the first "1" is held,
the second waits, and "2" shows that the text is "112": all of it is guarded once more from its
beginning, and the rule finds its match.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_ENOUGH = 16
"""How many code points values have repeated, in growing, when they are taken for all so far."""

_LONG = 256
"""How many code points a value has that none repeats by chance, and how many may wait."""


@dataclass(slots=True, eq=False)
class Telling:
    """One text as it was told so far.

    `said` is what went through its pipeline: the text, if values are all of it so far. `last` is
    the last value, `values` all of them: the text, if each is what is new. `shown` is what went out
    of that. The last two are kept only until `is_whole`. `waits` tells that `last` has yet to be
    said.
    """

    said: str = ""
    last: str = ""
    values: list[str] = field(default_factory=list)
    waits: bool = False
    _shown: str = ""  # before the last value
    _showing: str = ""  # what the last value became
    _repeated: int = 0

    @property
    def shown(self) -> str:
        """What went out, one after another."""
        return self._shown + self._showing

    @property
    def is_whole(self) -> bool:
        """Whether values have grown as far as only those do that are all so far."""
        return self._repeated >= _ENOUGH

    def excludes(self, value: str) -> bool:
        """Tell whether `value` shows that each is what is new."""
        if self.is_whole:
            return False
        return not value.startswith(self.last) or sum(map(len, self.values)) > _LONG + len(
            self.shown
        )

    def doubts(self, value: str) -> bool:
        """Tell whether what `value` means makes a difference, and is not known."""
        return self.shown != "".join(self.values) and self._repeating(value) < _ENOUGH

    def take(self, value: str, *, waits: bool = False) -> None:
        """Note a value that goes out as it came, unless `show` says otherwise, or that waits."""
        self._repeated = self._repeating(value)
        self.last, self.waits = value, waits
        if not waits:
            self.said = value
        if self.is_whole:
            self._forget()
        else:
            self.values.append(value)
            self._shown, self._showing = self.shown, value

    def say(self) -> None:
        """Note that the last value need not wait: it is all of the text."""
        self.said, self.waits = self.last, False

    def show(self, text: str) -> None:
        """Note what the last value became."""
        if not self.is_whole:
            self._showing = text

    def add(self, text: str) -> None:
        """Note text that came as what is new, for certain."""
        self.said += text
        self.last = self.said

    def settle(self) -> None:
        """Note that values are all so far, for certain."""
        self._repeated = _ENOUGH
        self._forget()

    def _forget(self) -> None:
        self.values.clear()
        self._shown = self._showing = ""

    def _repeating(self, value: str) -> int:
        if len(self.last) >= _LONG:
            return _ENOUGH
        return self._repeated + (len(self.last) if len(value) > len(self.last) else 0)
