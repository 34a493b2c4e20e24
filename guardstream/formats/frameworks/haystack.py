"""Haystack: the `StreamingChunk`s that a generator passes to its `streaming_callback`.

https://docs.haystack.deepset.ai/docs/choosing-the-right-generator. `meta` has the provider's own
chunk, which repeats the text; it is left out where the text changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.formats.cumulative import CumulativeFormat
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.growing import Growing


class Haystack(CumulativeFormat, of="haystack"):
    """The adapter for streaming chunks."""

    repeats = False
    end = Growing.end  # no chunk is added: a client could take one without `meta` for broken

    @staticmethod
    def without(value: Any) -> Any:  # noqa: ARG004
        return {}

    def parts(self, event: Mapping[str, Any]) -> bool:
        return bool(event.get("tool_call_result"))

    def usage(self, event: Mapping[str, Any]) -> Any:
        return fields_of(event.get("meta")).get("usage")
