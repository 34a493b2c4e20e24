"""What becomes of text in fields and events that an adapter does not know.

A provider's new field must neither end a stream nor be a hole: by default such text is guarded as a
text of its own, by its path. `refuse` makes it an error, `pass` lets it through; paths that are known
to be harmless can be let through one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.providers.adapter import Unknown
from guardstream.providers.paths import Key, spoken

SHOWN = 8
"""How many paths an error names."""


class Unknowns:
    """One adapter's way with text of which nothing is known."""

    def __init__(self, adapter: str, unknown: Unknown) -> None:
        if isinstance(unknown, Mapping):
            self._mode, passing = "guard", unknown.get("pass", ())
        else:
            self._mode, passing = unknown, ()
        self._adapter = adapter
        self._passing = frozenset(passing)

    def judged(self, found: list[Any], leaf: Any) -> list[Any]:
        """Return what was found without that which may pass; AdapterError for what is refused."""
        if self._mode == "pass":
            return [each for each in found if each.leaf is not leaf]
        paths = {each.steps: spoken(each.steps) for each in found if each.leaf is leaf}
        if self._passing:
            found = [each for each in found if paths.get(each.steps) not in self._passing]
        if self._mode == "refuse":
            self._refuse([each for each in found if each.leaf is leaf])
        return found

    def _refuse(self, found: Sequence[Any]) -> None:
        paths = sorted({spoken(each.steps) for each in found if not isinstance(each.steps[1], Key)})
        if paths:
            raise refusal(self._adapter, paths)


def refusal(adapter: str, paths: Sequence[str]) -> AdapterError:
    """Return the error for text that is refused; it names where the text stands."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return AdapterError(
        f"{adapter}: text at {', '.join(paths[:SHOWN])}{more} is not known and the policy refuses "
        f"it: guard it with unknown: guard, or let it through with unknown: {{pass: ['{paths[0]}']}}"
    )
