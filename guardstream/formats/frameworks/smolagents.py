"""smolagents: the deltas of a model, and an agent's run with `stream=True`.

https://huggingface.co/docs/smolagents/reference/models. Anything but a delta ends the text that was
streamed before it: a step, which repeats that text, a call, or a tool's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.formats.cumulative import CumulativeFormat
from guardstream.formats.spec import Spec
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Repeating

_STEP: Spec = spec_of("smolagents", "step")


class Smolagents(Repeating, CumulativeFormat, of="smolagents"):
    """The adapter for deltas, and for the steps and calls among them."""

    def spec_of(self, chunk: Any) -> Spec:
        return self.spec if _is_delta(fields_of(chunk).keys()) else _STEP

    def parts(self, event: Mapping[str, Any]) -> bool:
        return not _is_delta(event.keys())

    def usage(self, event: Mapping[str, Any]) -> Any:
        return event.get("token_usage")


def _is_delta(keys: Any) -> bool:
    return bool(keys == {"content", "tool_calls", "token_usage"})
