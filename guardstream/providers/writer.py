"""Writer's text completions: `{"value": …}`, one object for each piece of text.

https://dev.writer.com/api-reference/completion-api/text-generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.providers.adapter import Released, Slot
from guardstream.providers.spec import SpecAdapter
from guardstream.providers.toolkit.fields import replaced
from guardstream.providers.toolkit.files import spec_of


class Writer(SpecAdapter):
    """The adapter for pieces of a completion."""

    name = "writer"
    spec = spec_of("writer")
    repeats = False

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a piece with `text`."""
        return [replaced(chunk, {"value": text})]
