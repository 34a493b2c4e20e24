"""SGLang's `/generate`: the whole text so far or, with incremental streaming, the new text.

https://docs.sglang.ai/basic_usage/native_api.html. The number of tokens in a chunk and the number
generated so far show which of the two a stream sends. Without them, its texts show it: see
`guardstream.formats.toolkit.delta_or_cumulative`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.cumulative import CumulativeFormat
from guardstream.formats.spec import (
    Read,
)
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced


class SGLang(CumulativeFormat, of="sglang"):
    """The adapter for chunks of `/generate`; each of several samples or prompts is a choice."""

    def __init__(self, *, unknown: Unknown = "guard", incremental: bool | None = None) -> None:
        super().__init__(unknown=unknown, incremental=incremental)
        self._counts: dict[int, int] = {}  # of tokens so far, by choices

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`; a later one that has all tokens has all of the text."""
        event = fields_of(chunk)
        ids, count = _tokens_in(event)
        before = self._counts.get(index_in(event), 0)
        if self._incremental is None and 0 < before < count == ids:
            self._incremental = False
        self._counts[index_in(event)] = count
        return super().read(chunk)

    def _tells_new(self, read: Read) -> bool:
        """Return whether a value is not the whole text so far: then its chunk does not have all
        tokens."""
        ids, count = _tokens_in(fields_of(read.chunk))
        return 0 < ids < count or super()._tells_new(read)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what a chunk says; a request that was aborted did not end by itself."""
        reading = super().meaning(chunk, event, pieces)
        if "error" in event:
            return reading._replace(failed=True)
        finish: FinishReason = "error"
        if _reason_in(event).get("type") == "abort":
            reading = reading._replace(finished=dict.fromkeys(reading.finished, finish))
        return reading._replace(choices=(index_in(event),))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a chunk with `texts`; without `ends` its text continues."""
        written = super().write(chunk, texts, ends=ends)
        if ends or written is None or not _reason_in(written):
            return written
        return _with_reason(written, None)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk like the last one with such text, which continues."""
        made = super().extra(chunk, slot, text, released)
        return [_with_reason(each, None) for each in made]


def _reason_in(event: Any) -> Mapping[str, Any]:
    return fields_of(fields_of(fields_of(event).get("meta_info")).get("finish_reason"))


def _with_reason(chunk: Any, reason: Mapping[str, Any] | None) -> Any:
    told = fields_of(chunk).get("meta_info")
    return replaced(chunk, {"meta_info": {**fields_of(told), "finish_reason": reason}})


def _tokens_in(event: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many tokens a chunk has, and how many were generated; 0 if it does not say."""
    ids, count = event.get("output_ids"), fields_of(event.get("meta_info")).get("completion_tokens")
    return (
        len(ids) if isinstance(ids, list) else 0,
        count if isinstance(count, int) else 0,
    )
