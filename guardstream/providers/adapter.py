"""What a provider adapter is: it finds the text in a chunk, and puts guarded text in its place.

An adapter knows one wire format and no policy. It never changes a chunk that it was given, and it
fails closed: what might be text and is not known to it is an AdapterError. One instance serves one
stream, so it may remember which blocks are open. Adding a provider is one module with an adapter
and one entry in `guardstream.providers.ADAPTERS`, or an entry point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from guardstream.events import FinishReason

__all__ = [
    "NEW",
    "NONE",
    "Adapter",
    "Again",
    "Call",
    "Kind",
    "Passes",
    "Piece",
    "Reading",
    "Said",
    "Slot",
    "Unknown",
]

C = TypeVar("C")

Unknown: TypeAlias = Literal["guard", "refuse", "pass"] | Mapping[Literal["pass"], Collection[str]]
"""What becomes of text in fields and events that an adapter does not know.

`{"pass": paths}` guards it but for what stands at these paths: `$.choices[*].obfuscation`.
"""

Kind: TypeAlias = Literal[
    "delta",
    "last",
    "whole",
    "copy",
    "parsed",
    "echo",
    "aside",
    "unknown",
    "name",
    "mark",
    "later",
]
"""What a piece of text is to the stream.

New text:
- `delta`: the next characters of its slot.
- `last`: those that end it.
- `whole`: a text of its own.

Text that repeats; what was released takes its place. If it does not repeat what the slot said, it
is guarded as a whole text:
- `copy`: all of its slot's text so far.
- `parsed`: JSON for a value that was parsed from the slot's text.
- `echo`: the slot's last delta.

Everything else:
- `aside`: a text that is not said, such as a token that was as likely: it is judged by itself,
  without findings, and becomes "" if anything in it would change.
- `unknown`: text at a path that the adapter does not know, which is the field of its slot: it is
  guarded at once, as a text of its own and with what came before there.
- `name`: a name or an id, by its path: a match in it blocks.
- `mark`: an id, a kind or a status that a rule would change: it becomes "".
- `later`: a text that the adapter lets wait, as it may be read in two ways: "" stands for it, and
  it is said with a later chunk.
"""

NEW: tuple[Kind, ...] = ("delta", "last", "whole")
"""Kinds of pieces that say something new."""


class Slot(NamedTuple):
    """Where a stream of text flows: each slot has a pipeline of its own, unless it is joined.

    `choice` counts the answers to one request, from 0. `field` tells apart fields of one channel,
    `number` tool calls and blocks. The answer itself is channel `text`, field `content` or `text`.
    """

    choice: int
    channel: str
    field: str
    number: int = 0

    @property
    def is_streamed(self) -> bool:
        """Whether its text is what a model says, not what tools gave it or what it cites."""
        return self.channel != "text" or self.field in ("", "content", "text")

    @property
    def is_answer(self) -> bool:
        """Whether its text belongs to the answer."""
        return self.choice == 0 and self.channel == "text" and self.is_streamed


class Piece(NamedTuple):
    """Some text in a chunk, never empty; `kind` says what it is to the stream."""

    slot: Slot
    text: str
    kind: Kind = "delta"


class Call(NamedTuple):
    """A tool call as it is announced: the `name` of its tool, and its id if the format has one."""

    name: str
    id: str | None = None


class Again(NamedTuple):
    """A slot's `text` so far, as it turns out to read, and what of it was `shown` in chunks."""

    text: str
    shown: str


Passes: TypeAlias = Callable[[Any, str], bool]
"""Tells whether a mark may go out, by the steps that lead to it, and what it is."""


def passes_any(_place: Any, _mark: str) -> bool:
    """Let any mark pass: where no rule is known yet."""
    return True


NONE: Mapping[Any, Any] = {}
"""No entries, of anything."""


class Reading(NamedTuple):
    """What a chunk says. Most formats need the first three fields, and some of the others.

    - `pieces`: its texts, in order.
    - `choices`: the choices in it.
    - `finished`: the choices that end with it, and why.
    - `failed`: it reports an error. What is held is dropped, and the stream has failed, whatever
      else its source sends, such as a mark that ends it.
    - `closed`: slots whose text is complete; what is held of it is settled before this chunk.
    - `joined`: slots that begin here and go on with the pipeline of an earlier one, as consecutive
      text blocks do: a citation may cut a word.
    - `waits`: the chunk marks the end of this slot's block and goes out after what is held of it,
      unless the next chunk joins another block to it.
    - `calls`: tool calls that begin here, by the slot of their arguments.
    - `usage`: the provider's own, as it stands.
    - `complete`: slots that say their last in this chunk, with what is held of them.
    - `only_text`: the chunk says nothing besides its pieces, so `write` would return None if all of
      them became empty. It is then not asked: a chunk whose text is held is read once and no more.
    - `again`: slots whose text turns out to read otherwise than it was taken: it is guarded once
      more from its beginning, and what is missing is sent.
    - `doubtful`: by slot, the values of a text that may be one text in pieces or several: what
      rules match across their borders is found, too.
    """

    pieces: Sequence[Piece]
    choices: Sequence[int]
    finished: Mapping[int, FinishReason] = NONE
    failed: bool = False
    closed: Sequence[Slot] = ()
    joined: Mapping[Slot, Slot] = NONE
    waits: Slot | None = None
    calls: Mapping[Slot, Call] = NONE
    usage: Any = None
    complete: Sequence[Slot] = ()
    only_text: bool = False
    again: Mapping[Slot, Again] = NONE
    doubtful: Mapping[Slot, Sequence[str]] = NONE


Said: TypeAlias = Callable[[Slot], str]
"""Returns the text that was released in a slot so far."""


class Adapter(Protocol[C]):
    """One wire format. Methods raise AdapterError on what they do not know.

    A static method `accepts(chunk) -> bool` tells whether a first chunk is of this format. `write`
    depends on its arguments alone: it may be called later than the chunks read meanwhile.

    `guardstream.providers.hooks.Hooks` has what else it may define.
    """

    repeats: bool
    """Whether chunks repeat text that was streamed: the flow then remembers it."""

    def read(self, chunk: C) -> Reading:
        """Find the text in `chunk`."""
        ...

    def write(self, chunk: C, texts: Sequence[str], *, ends: bool = True) -> C | None:
        """Return a chunk like `chunk` that says `texts` instead, one for each of its pieces.

        None if nothing is left to say. Without `ends`, finish reasons are left out.
        """
        ...

    def extra(self, chunk: C, slot: Slot, text: str, said: Said) -> Sequence[C]:
        """Return chunks that only say `text`, made after `chunk`, the last that had `slot`.

        `said(slot)` includes `text` already.
        """
        ...

    def end(self, chunk: C, choice: int, reason: FinishReason, said: Said) -> Sequence[C]:
        """Return the chunks that end `choice`, made after `chunk`, the last one that had it."""
        ...
