"""Adapters for typed events in which texts and calls begin, continue and end, each with an id.

Vercel's UI message stream and AG-UI's events are such formats. A format is a spec, and a table of
the events that begin, continue and end each kind of block. Consecutive texts of one message are one
text, although each has its own id; a text that begins while another is open is another text, and so
is a text that is a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import Leaf, OneOf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.marks import is_mark


class Block(NamedTuple):
    """A kind of block: the types of its events, and the names of their fields.

    `start` and `end` are "" if the first delta begins the block. `tool` is the field with the
    tool's name, in the event that begins a call. `broken` is an event that ends a block in place of
    `end`; it may have no text.
    """

    channel: str
    start: str
    delta: str
    end: str
    id: str = "id"
    text: str = "delta"
    tool: str = ""
    broken: str = ""


@cache
def _by_type(blocks: tuple[Block, ...]) -> Mapping[str, Block]:
    """Return the block of each type of event; the first one counts."""
    return {
        kind: block
        for block in reversed(blocks)
        for kind in (block.start, block.delta, block.end, block.broken)
        if kind
    }


class Blocks(SpecAdapter):
    """The base of such formats; there is one choice.

    `blocks` are its kinds of blocks, the answer's first; `begun` are the fields of an event that
    begins a text, `finished` the type of the event that ends the stream, and `ends_all` the types
    of events at which clients end all blocks. `joins` says whether consecutive texts are one.
    """

    repeats = False
    spec: ClassVar[OneOf]
    blocks: ClassVar[tuple[Block, ...]]
    begun: ClassVar[Mapping[str, Any]] = {}
    finished: ClassVar[str]
    ends_all: ClassVar[tuple[str, ...]] = ()
    joins: ClassVar[bool] = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._by_type = _by_type(self.blocks)
        self._numbers: dict[tuple[str, Any], int] = {}  # of blocks, by their channels and ids
        self._ids: list[Any] = []  # of blocks, as they go out, by number
        self._open: dict[int, Block] = {}  # blocks that are open as read, by number
        self._shown: dict[tuple[str, Any], Block] = {}  # blocks that are open for clients
        self._latest: dict[str, Any] = {}  # the last id of blocks that no event begins
        self._text: Slot | None = None  # the text that another may continue
        self.beginning: Mapping[str, Any] = {}  # the first event that is of no block

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        block = self._block_of(event)
        if leaf.kind != "delta" or block is None:
            return Slot(0, leaf.channel, leaf.field)
        return self._slot(block, event)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("type")
        block = self._block_of(event)
        if block is not None:
            slot = self._slot(block, event)
            if kind == block.start:
                return self._started(block, slot, event, pieces)
            if kind in (block.end, block.broken):
                whole = self._open.pop(slot.number, None) is None and kind == block.end
                if whole and event.get(block.tool):  # a call that comes at once
                    calls = {slot: Call(str(event[block.tool]), event.get(block.id))}
                    over = self._text_over()
                    return Reading(pieces, (0,), closed=over, calls=calls, complete=(slot,))
                if slot != self._text or not self.joins:
                    return Reading(pieces, (0,), closed=(slot,))
                if self._open_texts():  # no text that is open beside it continues it
                    return Reading(pieces, (0,), closed=self._over())
                return Reading(pieces, (0,), waits=slot)
            if not block.start and slot.number not in self._open:  # its first delta begins it
                return self._started(block, slot, event, pieces)
            self._open[slot.number] = block
            if block.channel == "text":
                self._text = slot
            return Reading(pieces, (0,))
        self.beginning = self.beginning or fields_of(self.without_unknown(chunk))
        if kind in self.ends_all:
            return self._all_ended(pieces)
        finished = {0: self._reason(event)} if kind == self.finished else {}
        failed = self._fails(event)
        closed = dict.fromkeys((*self._open_slots(), *self._over())) if finished else ()
        return Reading(pieces, (0,), finished, failed, closed=[*closed])

    def _all_ended(self, pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event at which clients end all open blocks. If only one text is
        open, a later one may continue it."""
        alone = self._text if self._open_texts() == 1 else None
        closed = [slot for slot in self._open_slots() if slot != alone]
        closed = [slot for slot in closed if slot.channel != "tool_args"]
        for slot in (*closed, *([] if alone is None else [alone])):
            self._open.pop(slot.number, None)
        return Reading(pieces, (0,), closed=closed, waits=alone)

    def _fails(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event reports an error that ends the stream."""
        raise NotImplementedError

    def _reason(self, event: Mapping[str, Any]) -> FinishReason:
        """Return the finish reason in the event that ends the stream."""
        return "stop"

    def _started(
        self, block: Block, slot: Slot, event: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        earlier = self._text
        beside = self._open_texts()
        joins = self.joins and block.channel == "text" and earlier is not None and not beside
        ends = block.channel == "tool_args" or (block.channel == "text" and not self.joins)
        over = self._text_over() if ends else ()
        self._open[slot.number] = block
        if block.channel == "text":
            self._text = slot
        named = event.get(block.tool) if block.tool else None
        calls = {slot: Call(str(named), event.get(block.id))} if named else {}
        joined = {slot: earlier} if joins and earlier is not None and earlier != slot else {}
        return Reading(pieces, (0,), closed=over, joined=joined, calls=calls)

    def _open_texts(self) -> int:
        """Return how many texts are open that an event will end."""
        return sum(block.channel == "text" and self._ends(block) for block in self._open.values())

    @staticmethod
    def _ends(block: Block | None) -> bool:
        """Return whether a block is open until an event ends it."""
        return block is not None and block.end != ""

    @staticmethod
    def _completes(block: Block) -> bool:
        """Return whether the end of a block completes a call."""
        return block.channel == "tool_args"

    def _text_over(self) -> Sequence[Slot]:
        """Return the text that ends because a call or another message begins; none if its block is
        open, because it may go on."""
        over = self._over()
        return [text for text in over if not self._ends(self._open.get(text.number))]

    def _over(self) -> Sequence[Slot]:
        """Return the text that another might have continued, and forget it."""
        text, self._text = self._text, None
        return () if text is None else (text,)

    def _forgotten(self) -> Sequence[Slot]:
        """Forget all blocks; return the slots of the open ones, which end."""
        slots = self._open_slots()
        self._open.clear()
        self._numbers.clear()  # a later block with the same id is another one
        return [*dict.fromkeys((*slots, *self._over()))]

    def _open_slots(self) -> list[Slot]:
        return [
            Slot(0, block.channel, block.channel, number) for number, block in self._open.items()
        ]

    def _block_of(self, event: Mapping[str, Any]) -> Block | None:
        kind = event.get("type")
        return self._by_type.get(kind) if isinstance(kind, str) else None

    def _slot(self, block: Block, event: Mapping[str, Any]) -> Slot:
        own = event.get(block.id)
        if not block.start:  # if no event begins it, only its first delta has to have the id
            own = self._latest[block.delta] = own or self._latest.get(block.delta)
        return self._numbered(block, own)

    def _numbered(self, block: Block, own: Any) -> Slot:
        number = self._numbers.setdefault((block.channel, own), len(self._ids))
        if number == len(self._ids):
            text = isinstance(own, str) and not is_mark(own)
            self._ids.append("" if text and not self._passes(((), block.id), own) else own)
        return Slot(0, block.channel, block.channel, number)

    def passed(self, chunk: Any) -> None:
        """Note which blocks are open for clients: what was read may still wait, or not go out."""
        event = fields_of(chunk)
        kind, block = event.get("type"), self._block_of(event)
        if block is None:
            if kind in self.ends_all:
                self._shown.clear()
        elif kind in (block.end, block.broken):
            self._shown.pop((block.channel, event.get(block.id)), None)
        elif block.end:
            self._shown[block.channel, event.get(block.id)] = block

    def takes_more(self, slot: Slot) -> bool:
        """Return whether a slot's block is open: clients refuse text after its end."""
        nothing_ends_it = slot.number in self._open and not self._ends(self._open[slot.number])
        return nothing_ends_it or self._key(slot) in self._shown

    def _key(self, slot: Slot) -> tuple[str, Any]:
        return slot.channel, self._ids[slot.number]

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's block; in a new block if the slot has none, or if the block
        of its text has ended."""
        block = self._block_of(fields_of(chunk)) or self.blocks[0]
        made: list[Any] = []
        if slot.field == "content":
            block, made = self.blocks[0], self._close()
            slot = self._numbered(block, f"guard_{len(self._ids)}")
            self._shown[self._key(slot)] = block
            made.append(self._start(block, slot))
        own = self._id(block, slot.number)
        delta = {"type": block.delta, **own, self._field(block, chunk): text}
        if block.channel == "text" and block.end and self._key(slot) not in self._shown:
            return [self._start(block, slot), delta, {"type": block.end, **own}]
        return [*made, delta]

    def _start(self, block: Block, slot: Slot) -> dict[str, Any]:
        return {"type": block.start, **self._id(block, slot.number), **self.begun}

    def _field(self, block: Block, chunk: Any) -> str:
        """Return the field of a block's text in events like `chunk`."""
        return block.text

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the open blocks and the stream."""
        last = {"type": self.finished, **self._ending(reason)}
        return [*self._close(), last]

    def _ending(self, reason: FinishReason) -> Mapping[str, Any]:
        """Return the fields of the event that ends a stream for this reason."""
        return {}

    def _id(self, block: Block, number: int) -> dict[str, Any]:
        """Return the field with a block's id, if its events have one."""
        own = self._ids[number]
        return {} if own is None else {block.id: own}

    def _close(self) -> list[Any]:
        """End the open blocks, except for calls that are cut: a client would make such a call, with
        no arguments if the rest of them is not JSON."""
        made = [
            {"type": block.end, **({} if own is None else {block.id: own})}
            for (_, own), block in self._shown.items()
            if not self._completes(block)
        ]
        self._shown.clear()
        return made
