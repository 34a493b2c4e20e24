"""DSPy: the output of `streamify`: pieces of a signature's fields, status messages, the prediction.

https://dspy.ai/tutorials/streaming/. Each field of each predictor is a text of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Piece, Reading
from guardstream.formats.spec import Leaf, Path, Spec
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Repeating

_CHUNK = frozenset({"predict_name", "signature_field_name", "chunk"})

_PIECE = Leaf("delta", "text", "text")

_SECTIONS: dict[str, Spec] = {
    name: spec_of("dspy", name) for name in ("chunk", "message", "prediction")
}


class DSPy(Repeating):
    """The adapter for pieces, status messages and the prediction at the end."""

    name = "dspy"
    spec = _SECTIONS["chunk"]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._fields: dict[tuple[Any, Any], int] = {}

    def spec_of(self, chunk: Any) -> Spec:
        keys = fields_of(chunk).keys()
        kind = "chunk" if keys >= _CHUNK else "prediction" if "_store" in keys else "message"
        return _SECTIONS[kind]

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        own = (event.get("predict_name"), event.get("signature_field_name"))
        return self._fields.setdefault(own, len(self._fields))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reading = super().meaning(chunk, event, pieces)
        last = event.get("is_last_chunk")
        return reading._replace(complete=[self.slot(_PIECE, event, ())]) if last else reading

    def parts(self, event: Mapping[str, Any]) -> bool:
        return "_store" in event
