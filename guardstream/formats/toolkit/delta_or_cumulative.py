"""Decides whether the values of a text are cumulative or deltas, where a format does not say.

As long as every value begins with the previous one, both readings are possible: after `1` and `1`
the text is "1" or "11". While values go out unchanged, the reading makes no difference. Once part
of a value has been held or masked, it does, and later values wait until the reading is clear:

- A value that does not begin with the previous one is a delta, and so was each value before it.
- Values that have grown far enough by repeating what came before are cumulative, and so are those
  beside which deltas have a field of their own.
- If the stream ends first, the last value is taken as cumulative, unless it is empty.

The values that waited are then processed again. Take `1`, `1`, `2`, `34` and a rule for "11234":
the first "1" is held, the second waits, and "2" shows that the text is "112". All of it is guarded
again from its beginning, and the rule finds its match.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_ENOUGH = 16
"""Once growing values have repeated this many code points, they are taken as cumulative."""

_LONG = 256
"""Code points of a value that no delta repeats by chance; also how many code points may wait."""


@dataclass(slots=True, eq=False)
class DeltaOrCumulative:
    """The values of one text so far.

    `said` is the text that went through the pipeline, if values are cumulative. `last` is the last
    value; `values` are all of them: the text, if they are deltas. `shown` is what went out for
    `values`. `values` and `shown` are kept only until `is_cumulative`. `waits` says that `last` has
    not been processed yet.
    """

    said: str = ""
    last: str = ""
    values: list[str] = field(default_factory=list)
    waits: bool = False
    _shown_before: str = ""  # what went out for all values but the last
    _shown_last: str = ""
    _repeated: int = 0

    @property
    def shown(self) -> str:
        """All that went out."""
        return self._shown_before + self._shown_last

    @property
    def is_cumulative(self) -> bool:
        """Whether values have repeated so much that they must be cumulative."""
        return self._repeated >= _ENOUGH

    def rules_out_cumulative(self, value: str) -> bool:
        """Return whether `value` shows that the values are deltas."""
        if self.is_cumulative:
            return False
        return not value.startswith(self.last) or sum(map(len, self.values)) > _LONG + len(
            self.shown
        )

    def is_ambiguous(self, value: str) -> bool:
        """Return whether the reading of `value` is unknown and makes a difference."""
        return self.shown != "".join(self.values) and self._repeated_with(value) < _ENOUGH

    def record(self, value: str, *, waits: bool = False) -> None:
        """Record a value that waits, or went out unchanged unless `record_output` follows."""
        self._repeated = self._repeated_with(value)
        self.last, self.waits = value, waits
        if not waits:
            self.said = value
        if self.is_cumulative:
            self._forget()
        else:
            self.values.append(value)
            self._shown_before, self._shown_last = self.shown, value

    def accept_last(self) -> None:
        """Take the last value as the whole text, so that it no longer waits."""
        self.said, self.waits = self.last, False

    def record_output(self, text: str) -> None:
        """Record what went out for the last value."""
        if not self.is_cumulative:
            self._shown_last = text

    def add_delta(self, text: str) -> None:
        """Record text that is certainly a delta: values beside such text are cumulative."""
        self.said += text
        self.last = self.said
        if not self.values:
            self.confirm_cumulative()

    def confirm_cumulative(self) -> None:
        """Record that values are certainly cumulative."""
        self._repeated = _ENOUGH
        self._forget()

    def _forget(self) -> None:
        self.values.clear()
        self._shown_before = self._shown_last = ""

    def _repeated_with(self, value: str) -> int:
        if len(self.last) >= _LONG:
            return _ENOUGH
        return self._repeated + (len(self.last) if len(value) > len(self.last) else 0)
