"""JSON of no known format: every string in it is guarded, by its path.

It stands in where no adapter knows a stream's chunks. Nobody can tell there which values go on with
one another, so each is judged at once, alone and with what came before at its path. A format that
is described, as `provider=` or in a policy, is guarded exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.providers.adapter import Piece, Reading
from guardstream.providers.nodes import Spec
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

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:  # noqa: ARG002
        return Reading(pieces, ())
