"""What a provider adapter is: it finds the text in a chunk, and puts guarded text in its place.

An adapter knows one wire format and no policy. It never changes a chunk that it was given, and it
fails closed: what might be text and is not known to it is an AdapterError. Adding a provider is
one module with an adapter and one entry in `guardstream.providers.ADAPTERS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from guardstream.events import FinishReason

C = TypeVar("C")

Unknown: TypeAlias = Literal["refuse", "pass"]


class Slot(NamedTuple):
    """Where a stream of text flows: each slot has a pipeline of its own.

    `field` tells apart fields of one channel, `number` tool calls.
    """

    choice: int
    channel: str
    field: str
    number: int = 0


class Piece(NamedTuple):
    """Some text in a chunk, never empty; `whole` if it is a text of its own, not streamed."""

    slot: Slot
    text: str
    whole: bool = False


class Reading(NamedTuple):
    """What a chunk says: its pieces in order, the choices in it, and those that end with it.

    `failed` if it reports an error, which ends the stream.
    """

    pieces: Sequence[Piece]
    choices: Sequence[int]
    finished: Mapping[int, FinishReason]
    failed: bool = False


class Adapter(Protocol[C]):
    """One wire format. Methods raise AdapterError on what they do not know."""

    def read(self, chunk: C) -> Reading:
        """Find the text in `chunk`."""
        ...

    def write(self, chunk: C, texts: Sequence[str], *, ends: bool = True) -> C | None:
        """Return a chunk like `chunk` that says `texts` instead, one for each of its pieces.

        None if nothing is left to say. Without `ends`, finish reasons are left out.
        """
        ...

    def extra(self, chunk: C, slot: Slot, text: str) -> C:
        """Return a chunk that only says `text`, made after `chunk`, which has a piece in `slot`."""
        ...

    def end(self, chunk: C, choice: int, reason: FinishReason) -> C | None:
        """Return a chunk that ends `choice`, made after `chunk`; None if the format has none."""
        ...
