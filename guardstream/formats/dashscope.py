"""DashScope's own stream (Qwen): the whole text so far or, with `incremental_output`, the new text.

`dashscope.yaml` describes it. A stream does not say which of the two it does: see
`guardstream.formats.toolkit.delta_or_cumulative`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Piece, Reading
from guardstream.formats.cumulative import CumulativeFormat
from guardstream.formats.spec import Leaf, Path
from guardstream.formats.toolkit.fields import fields_of

_THOUGHT = ("thought", "response", "action_input_stream")
"""What an application tells of a step while it takes it; a model's thoughts are in two places."""


class DashScope(CumulativeFormat, of="dashscope"):
    """The adapter for chunks of generations, as the wire or the `dashscope` package has them."""

    scope = 1

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._nodes: dict[str, int] = {}

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        """Return the number of a text: by its call, its step, or the node of the workflow."""
        if leaf.channel == "tool_args":
            return super().number(leaf, event, path)
        if leaf.field in _THOUGHT:
            return path[0]
        node = fields_of(fields_of(event.get("output")).get("workflow_message")).get("node_id")
        return self._nodes.setdefault(node, len(self._nodes)) if isinstance(node, str) else 0

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what a chunk says; an error has a code in place of an output."""
        failed = bool(event.get("code") and not event.get("output"))
        reading = super().meaning(chunk, event, pieces)
        return reading._replace(failed=True) if failed else reading
