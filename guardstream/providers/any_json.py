"""JSON of no known format: every string in it is guarded, by its path.

It stands in where no adapter knows a stream's chunks. Nobody can tell there which values go on with
one another, so each is judged at once, alone and with what came before at its path. A format that
is described, as `provider=` or in a policy, is guarded exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers.adapter import Piece, Reading, Said, Slot
from guardstream.providers.nodes import Leaf, Path, Spec
from guardstream.providers.spec import SpecAdapter


class AnyJSON(SpecAdapter):
    """The adapter for chunks of which nothing is known; it has no chunks of its own to add."""

    name = "json"
    spec: ClassVar[Spec] = {}
    repeats = False

    @staticmethod
    def accepts(chunk: object) -> bool:  # noqa: ARG004
        """Return False: it is asked for, or taken where no other adapter knows the chunks."""
        return False

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:  # noqa: ARG002
        return Slot(0, leaf.channel, leaf.field)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:  # noqa: ARG002
        return Reading(pieces, ())

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return nothing: no text is ever held here."""
        return ()

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return nothing: how such a stream ends is not known."""
        return ()
