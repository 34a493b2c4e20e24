"""IBM watsonx.ai's text generation: results with the next piece of text each.

https://cloud.ibm.com/apidocs/watsonx-ai#text-generation-stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of

_OPEN = "not_finished"


class Watsonx(SpecAdapter):
    """The adapter for results; each is a choice."""

    name = "watsonx"
    spec = spec_of("watsonx")
    repeats = False

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(path[0] if path and leaf.field == "text" else 0, leaf.channel, leaf.field)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        results = [fields_of(result) for result in event.get("results") or ()]
        finished: dict[int, FinishReason] = {}
        for choice, result in enumerate(results):
            reason = str(result.get("stop_reason") or _OPEN).lower()
            if reason != _OPEN:
                finished[choice] = reason_of(reason)
        return Reading(pieces, range(len(results)), finished, failed=bool(event.get("errors")))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts`; without `ends` its results go on."""
        written = super().write(chunk, texts, ends=ends)
        if written is None or ends:
            return written
        results = [replaced(each, {"stop_reason": _OPEN}) for each in fields_of(written)["results"]]
        return replaced(written, {"results": results})

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk in which one result says `text`."""
        return [_bare(chunk, slot.choice, text, _OPEN)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk in which one result has a stop reason."""
        return [_bare(chunk, choice, "", "max_tokens" if reason == "length" else reason)]


def _bare(chunk: Any, choice: int, text: str, reason: str) -> Any:
    fields = fields_of(chunk)
    said = {"generated_text": text, "stop_reason": reason}
    silent = {"generated_text": "", "stop_reason": _OPEN}
    about = {"generated_tokens", "moderations"} & fields_of(fields["results"][0]).keys()
    results = [
        replaced(each, {**dict.fromkeys(about), **(said if place == choice else silent)})
        for place, each in enumerate(fields["results"])
    ]
    rest = {"system": None} if fields.get("system") else {}
    return replaced(chunk, {"results": results, **rest})
