"""The protocol of provider adapters, which find the text in a chunk and replace it by guarded text.

An adapter knows one wire format and no policy. It never mutates a chunk, and it fails closed: it
raises AdapterError for anything unknown that might be text. One instance serves one stream, so it
may keep state such as the open blocks. Adding a provider takes one module with an adapter, one
entry in `guardstream.formats.ADAPTERS` and one in `tables/first.yaml`; in another package, an
entry point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from guardstream.events import FinishReason, Form

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
    "Released",
    "Slot",
    "Unknown",
]

C = TypeVar("C")

Unknown: TypeAlias = (
    Literal["guard", "hold", "drop", "refuse", "pass"] | Mapping[Literal["pass"], Collection[str]]
)
"""How to treat text in fields and events that an adapter does not know.

`guard` judges it at once, `hold` lets it wait for the next text at its path, `drop` leaves it out.

`{"pass": paths}` guards it except at and below these paths, such as `$.choices[*].obfuscation`.
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
    "held",
    "name",
    "mark",
    "later",
]
"""The role of a piece of text in its stream.

New text:
- `delta`: the next characters of its slot.
- `last`: the last characters of its slot.
- `whole`: a text of its own.

Repeated text, which is replaced by the released text. If it does not repeat its slot's text, it is
guarded as a whole text:
- `copy`: all of its slot's text so far.
- `parsed`: the JSON of a value that was parsed from the slot's text.
- `echo`: the slot's last delta.

Other text:
- `aside`: a text that is not part of the answer, such as an alternative token. It is judged by
  itself, without findings, and becomes "" if a rule would change it.
- `unknown`: text at a path that the adapter does not know; the slot's field is the path. It is
  guarded at once, by itself and together with the earlier text at the path.
- `held`: text at such a path that waits for the next one there; no adapter has any.
- `name`: a name or an id at a path; a match in it blocks.
- `mark`: an id, a kind or a status that a rule would change; it becomes "".
- `later`: a text that the adapter withholds, because it may be a delta or cumulative. It becomes
  "", and a later chunk has it.
"""

_FREE_TEXT: Mapping[str, str | None] = {
    "action": None,
    "code": "code_interpreter",
    "commands": "shell",
    "custom": None,
    "diff": "apply_patch",
    "path": "apply_patch",
    "local_shell": "local_shell",
    "part": None,
    "tool_call": None,
}
"""Fields of slots whose calls have free text or single strings as arguments, and the tool's name if
the field implies one."""

NEW: tuple[Kind, ...] = ("delta", "last", "whole")
"""Kinds of pieces with new text."""


class Slot(NamedTuple):
    """The identity of one streamed text, which has a pipeline of its own unless slots are joined.

    `choice` is the index of the answer to the request, from 0. `field` distinguishes fields of one
    channel, `number` tool calls and blocks. `name` is the name of the text's events, in formats in
    which each name may have a text of its own. The answer itself has the channel `text` and the
    field `content` or `text`.
    """

    choice: int
    channel: str
    field: str
    number: int = 0
    name: str = ""

    @property
    def is_streamed(self) -> bool:
        """Whether its text is the model's own output, not a tool's result or a citation."""
        return self.channel != "text" or self.field in ("", "content", "text") or self.is_event

    @property
    def is_event(self) -> bool:
        """Whether its text is that of events which no format names; `field` is its path."""
        return self.field[:1] == "$" and self.channel == "text"

    @property
    def is_answer(self) -> bool:
        """Whether its text belongs to the answer."""
        return self.choice == 0 and self.channel == "text" and self.is_streamed

    @property
    def form(self) -> Form:
        """The form of its text, if that is arguments; the call of a custom tool may say otherwise.

        A field that is a JSON path holds one string of the arguments.
        """
        if self.field in _FREE_TEXT:
            return "text"
        return "part" if self.field.startswith("$") else "json"

    def tool(self, calls: Mapping[Slot, Call]) -> str | None:
        """Return the name of the tool that is asked, given the announced calls."""
        call = calls.get(self._replace(field="args") if self.form == "part" else self)
        if call is None and self.field == "custom":  # the text is in another slot than the call
            call = calls.get(self._replace(field="tool_calls"))
        known = _FREE_TEXT if self.channel == "tool_args" else NONE
        return call.name if call else known.get(self.field)


class Piece(NamedTuple):
    """Some text in a chunk, never empty; `kind` is its role in the stream."""

    slot: Slot
    text: str
    kind: Kind = "delta"


class Call(NamedTuple):
    """An announced tool call: the `name` of its tool, and its id if the format has one.

    `is_text` says that its arguments are free text, as those of a custom tool are.
    """

    name: str
    id: str | None = None
    is_text: bool = False


class Again(NamedTuple):
    """A slot's corrected `text` so far, and the part of it that was `shown` in chunks."""

    text: str
    shown: str


Passes: TypeAlias = Callable[[Any, str], bool]
"""Returns whether a mark may pass, given the steps of its path and the mark."""


def passes_any(_place: Any, _mark: str) -> bool:
    """Let any mark pass: the default before the rules are known."""
    return True


Beside: TypeAlias = Sequence[tuple[str, Hashable]]
"""The paths of the values beside a text, and the values: short strings, integers, flags, None, and
tuples of these."""

NONE: Mapping[Any, Any] = {}
"""An empty mapping of any types."""


class Reading(NamedTuple):
    """The content of a chunk. Most formats need the first three fields, and a few of the others.

    - `pieces`: its texts, in order.
    - `choices`: the choices in it.
    - `finished`: the choices that end with it, and their finish reasons.
    - `failed`: it reports an error. Held text is dropped, and the stream has failed, whatever else
      its source sends, such as an end mark.
    - `closed`: slots whose text is complete; their held text is settled before this chunk.
    - `joined`: slots that begin here and continue the pipeline of an earlier one once they have
      text, like consecutive text blocks, since a citation may cut a word. Joined copies are one
      text if some of them repeat nothing.
    - `waits`: the chunk marks the end of this slot's block and goes out after its held text, unless
      the next chunk joins another block to it.
    - `calls`: tool calls that begin here, by the slot of their arguments.
    - `usage`: the provider's usage object.
    - `complete`: slots whose last text is in this chunk; their held text is added to it.
    - `only_text`: the chunk has nothing but its pieces, so `write` would return None if all of them
      became empty. `write` is then not called, so that a chunk whose text is held is read once.
    - `again`: slots whose text turns out to have been misread. It is guarded again from its
      beginning, and the missing text is sent.
    - `doubtful`: by slot, the values of a text that may be one text in pieces or several texts.
      Matches across their boundaries are found, too.
    - `beside`: the values beside each unknown text, by the text's slot without a name, in the order
      of the texts. One of the values may tell interleaved texts apart.
    - `message`: the chunk's message, if several are open at once. Chunks of different messages need
      not keep their order, so that a text of one waits while another goes on.
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
    beside: Mapping[Slot, Sequence[Beside]] = NONE
    message: str | None = None

    @property
    def has_more(self) -> bool:
        """Whether it says more than what pieces and which choices a chunk has."""
        said = (self.finished, self.failed, self.closed, self.joined, self.waits, self.calls)
        rare = (self.usage, self.complete, self.again, self.doubtful, self.beside, self.message)
        return self.only_text or any(said) or any(rare)


Released: TypeAlias = Callable[[Slot], str]
"""Returns the text that was released in a slot so far."""


class Adapter(Protocol[C]):
    """One wire format. Methods raise AdapterError for unknown chunks.

    What marks the first chunk of a format of this package is an entry of `tables/first.yaml`.
    Adapters of other packages have a static method for it, `accepts(chunk) -> bool`, and are asked
    after it. `write` must depend only on its arguments, because later chunks may have been read
    before it is called.

    `guardstream.formats.hooks.Hooks` lists the optional attributes and methods.
    """

    repeats: bool
    """Whether chunks repeat streamed text, so that the flow has to keep it."""

    def read(self, chunk: C) -> Reading:
        """Find the text in `chunk`."""
        ...

    def write(self, chunk: C, texts: Sequence[str], *, ends: bool = True) -> C | None:
        """Return a copy of `chunk` with `texts` in place of its pieces, one for each.

        Returns None if nothing is left in it. Without `ends`, finish reasons are left out.
        """
        ...

    def extra(self, chunk: C, slot: Slot, text: str, released: Released) -> Sequence[C]:
        """Return chunks with only `text`, modelled on `chunk`, the last one that had `slot`.

        `released(slot)` already includes `text`.
        """
        ...

    def end(self, chunk: C, choice: int, reason: FinishReason, released: Released) -> Sequence[C]:
        """Return the chunks that end `choice`, modelled on `chunk`, the last one that had it."""
        ...
