"""LangChain's messages as they stream: text, thinking and tool calls of `AIMessageChunk`s.

Fields that a message derives from its `tool_call_chunks` are derived again if these change, in JSON
as well. Concurrent messages are distinguished by their ids. The caller's messages, human and system
ones, pass.

LangChain completes arguments that end too early (`parse_partial_json`), and an agent then calls the
tool. A bracket that closes nothing makes them an `invalid_tool_call`, which no agent calls: so the
guard cuts calls.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic_core import from_json

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import Leaf, Path, Spec, VariedSpecAdapter, sibling
from guardstream.formats.toolkit.fields import fields_of, only, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.parsed import same_value
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.reused import Reused
from guardstream.formats.toolkit.runs import Runs
from guardstream.formats.toolkit.streamed import Streamed


def refusing(args: str) -> str:
    """Return what to add to `args` so that no reader completes them; "" if they are complete.

    >>> refusing('{"path": ["/tm')
    '"}'
    """
    opened, quoted, escaped = _scanned(args)
    if not opened:
        return "" if args else "]"
    closing = "]" if opened[-1] == "{" else "}"
    return '"' * (quoted + escaped) + closing


def refused_whole(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the calls of a chunk without those that are left out, and with cut ones refused.

    Only calls without an index are whole in their chunk; the others go on in the next one.
    """
    made = []
    for old, new in zip(before, after, strict=True):
        if new.get("index") is None and new != old:
            if old.get("name") and not new.get("name"):
                continue
            args = new.get("args") or ""
            new = {**new, "args": args + refusing(args)}
        made.append(new)
    return made


def derived(
    chunks: Sequence[Mapping[str, Any]], names: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return those of a message's fields `names` that LangChain derives from `tool_call_chunks`.

    A message in JSON has them too, though nothing derives them there.
    """
    found: dict[str, list[dict[str, Any]]] = {"tool_calls": [], "invalid_tool_calls": []}
    for chunk in chunks:
        name, args, known = chunk.get("name"), chunk.get("args"), chunk.get("id")
        value = _completed(args or "{}")
        if isinstance(value, dict):
            call = {"name": name or "", "args": value, "id": known, "type": "tool_call"}
            found["tool_calls"].append(call)
        else:
            call = {"name": name, "args": args, "id": known, "error": None}
            found["invalid_tool_calls"].append({**call, "type": "invalid_tool_call"})
    return {name: calls for name, calls in found.items() if name in names}


def _completed(args: str) -> Any:
    try:
        return from_json(args, allow_partial="trailing-strings")
    except ValueError:
        return None


def _scanned(args: str) -> tuple[list[str], bool, bool]:
    """Return the brackets that are open, whether a string is, and an escape in it."""
    opened: list[str] = []
    quoted = escaped = False
    for character in args:
        if escaped:
            escaped = False
        elif character == '"':
            quoted = not quoted
        elif quoted:
            escaped = character == "\\"
        elif character in "{[":
            opened.append(character)
        elif character in "}]" and opened:
            opened.pop()
    return opened, quoted, escaped


_ENDS = ("finish_reason", "stop_reason", "done_reason", "stopReason")

_TEXT_FIELDS = {
    "text": ("text",),
    "refusal": ("refusal",),
    "thinking": ("thinking", "reasoning", "summary", "content", "reasoning_content"),
}
"""The fields of blocks with text, by channel."""

_BLOCK_CALLS = {
    **dict.fromkeys(("server_tool_use", "mcp_tool_use"), "server_tool"),
    **dict.fromkeys(("server_tool_call", "server_tool_call_chunk"), "server_tool"),
    **dict.fromkeys(("mcp_call", "mcp_approval_request"), "arguments"),
    "custom_tool_call": "custom",
}
"""Blocks that call a server's tool or a custom tool, and the fields of the slots of their
arguments. Messages have no `tool_call_chunks` for servers' tools."""

_ECHO_FIELDS = ("partial_json", "args", "input", "arguments")
_ENDED = frozenset({"ai", "tool"})


class Messages(VariedSpecAdapter):
    """The adapter for messages themselves, as objects or JSON; there is one choice."""

    name = "langchain"
    spec = spec_of("langchain")
    json: ClassVar[Spec] = spec_of("langchain", "json")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs(tools=("tool_result",))
        self._numbers: dict[tuple[Hashable, Any], int] = {}  # of calls, by message and index
        self._blocks: dict[tuple[Hashable, Any], int] = {}  # by message and index
        self._block_count = 0
        self._reused = Reused()
        self._indices: list[Any] = []
        self._live: dict[Hashable, set[Slot]] = {}  # the slots of each open message
        self._used: dict[Hashable, dict[str, Any]] = {}
        self._said: dict[Hashable, Streamed] = {}  # the streamed text of messages with ids
        self._called: set[Hashable] = set()

    def spec_of(self, chunk: Any) -> Spec:
        return self.json if isinstance(chunk, dict) else self.spec

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[0] if path and leaf.channel == "tool_args" else 0
        return Slot(0, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        key = event.get("id")
        slots, calls, whole = self._calls_in(key, event)
        numbers, block_calls = self._block_calls_in(key, event, slots)
        found = [_in_slot(piece, slots, numbers, event) for piece in pieces]
        if event.get("type") == "ai" and key in self._said:
            found = [self._repeated(key, piece) for piece in found]
        found, closed, complete = self._runs.number(found, key)
        again = {piece.slot for piece in found if piece.kind == "copy"}
        live = self._live.setdefault(key, set())
        live |= {piece.slot for piece in found if piece.kind == "delta"}
        if key is not None:
            self._said.setdefault(key, Streamed()).note(found)
        reason = self._reason(key, event)
        finished: dict[int, FinishReason] = {}
        if reason is not None:
            complete += self._live.pop(key) - again
            if not self._live:
                finished[0] = reason
        return Reading(
            found,
            (0,),
            finished,
            closed=[*closed, *again],
            calls=calls | block_calls,
            usage=self._usage(key, event),
            complete=(*complete, *whole),
        )

    def _usage(self, key: Hashable, event: Mapping[str, Any]) -> Any:
        """Return the usage of a message so far: its chunks are added, as LangChain adds them."""
        usage = event.get("usage_metadata")
        if usage is None or event.get("type") != "AIMessageChunk":
            return usage
        self._used[key] = usage = _added(self._used.get(key, {}), fields_of(usage))
        return usage

    @property
    def open_messages(self) -> Collection[Hashable]:
        """The ids of the messages that have not ended, None for those without one."""
        return self._live.keys()

    def over(self, keys: Iterable[Hashable]) -> list[Slot]:
        """Return the open texts of messages that have ended without an event."""
        return [slot for key in keys for slot in self._live.pop(key, ())]

    def _repeated(self, key: Hashable, piece: Piece) -> Piece:
        """Return a text of a whole message as a copy, if all of it has streamed in pieces."""
        if piece.kind != "delta" or piece.slot.channel == "tool_args":
            return piece
        slot = self._said[key].find(piece, channel=piece.slot.channel)
        return piece if slot is None else piece._replace(slot=slot, kind="copy")

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a message with `texts`, and what it derives from them."""
        written = super().write(chunk, texts, ends=ends)
        if written is None:
            return None
        if not ends:
            written = _without_end(written)
        fields = dict(fields_of(written))
        old = fields_of(chunk).get("tool_call_chunks")
        same = fields.get("tool_call_chunks") == old or fields.get("type") != "AIMessageChunk"
        if same:
            return written
        made = refused_whole(old or (), fields["tool_call_chunks"])
        if isinstance(chunk, dict):
            return replaced(written, {"tool_call_chunks": made, **derived(made, fields)})
        for name in ("tool_calls", "invalid_tool_calls"):
            fields.pop(name, None)
        return type(chunk)(**{**fields, "tool_call_chunks": made})

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk of the message with only `text`, in the place of such text in `chunk`."""
        fields = fields_of(chunk)
        if slot.channel == "tool_args":
            return [_made(chunk, **self._arguments(fields, slot, text))]
        if slot.field in ("reasoning_content", "refusal"):
            return [_made(chunk, additional_kwargs={slot.field: text})]
        content = fields.get("content")
        if isinstance(content, list):
            return [_made(chunk, content=_only_block(content, slot, text))]
        return [_made(chunk, content=text)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return chunks that refuse calls that are cut, then a last chunk with a finish reason."""
        metadata = {"finish_reason": reason}
        last = _made(chunk, response_metadata=metadata, chunk_position="last")
        return [*self._refused(chunk, released), last]

    def _refused(self, chunk: Any, released: Released) -> list[Any]:
        made = []
        for (message, index), number in self._numbers.items():
            more = refusing(released(Slot(0, "tool_args", "tool_calls", number)))
            if more:
                made.append(_made(chunk, id=message, tool_call_chunks=[_call_chunk(index, more)]))
        return made

    def _calls_in(
        self, key: Hashable, event: Mapping[str, Any]
    ) -> tuple[dict[int, Slot], dict[Slot, Call], list[Slot]]:
        """Return the slots of a message's calls by place, the calls that begin, and complete
        slots."""
        slots: dict[int, Slot] = {}
        calls: dict[Slot, Call] = {}
        whole: list[Slot] = []
        found = event.get("tool_call_chunks") or ()
        if event.get("type") == "ai":
            found = event.get("tool_calls") or ()
        for place, call in enumerate(found):
            index = call.get("index")
            known = (key, index) if index is not None else None
            name, given = call.get("name"), call.get("id")
            if known and self._reused.take(known, name, given, call.get("args")):
                whole.append(Slot(0, "tool_args", "tool_calls", self._numbers.pop(known)))
            number = self._numbers.get(known, len(self._indices)) if known else len(self._indices)
            if number == len(self._indices):
                self._indices.append(index)
            if known:
                self._numbers[known] = number
            slots[place] = slot = Slot(0, "tool_args", "tool_calls", number)
            if name:
                calls[slot] = Call(name, given)
                self._called.add(key)
            if known is None:
                whole.append(slot)
        return slots, calls, whole

    def _block_calls_in(
        self, key: Hashable, event: Mapping[str, Any], slots: Mapping[int, Slot]
    ) -> tuple[Mapping[int, int], dict[Slot, Call]]:
        """Return the numbers of a message's blocks by place, and the calls that only blocks have.

        A custom tool's block has the number of its call in `slots`, which names the tool.
        """
        numbers: dict[int, int] = {}
        calls: dict[Slot, Call] = {}
        content = event.get("content")
        for place, block in enumerate(content if isinstance(content, list) else ()):
            fields = fields_of(block)
            index = fields.get("index")
            new = self._block_count
            number = new if index is None else self._blocks.setdefault((key, index), new)
            self._block_count += number == new
            numbers[place] = number
            field = _BLOCK_CALLS.get(str(fields.get("type")))
            same = _place_of(fields, event) if field == "custom" else None
            if same is not None:
                numbers[place] = slots[same].number
            elif field and fields.get("name"):
                slot = Slot(0, "tool_args", field, number)
                calls[slot] = Call(fields["name"], fields.get("id"), is_text=field == "custom")
        return numbers, calls

    def _reason(self, key: Hashable, event: Mapping[str, Any]) -> FinishReason | None:
        """Return why a message ends with this chunk; None if it does not."""
        metadata = fields_of(event.get("response_metadata"))
        reason = next((metadata[name] for name in _ENDS if metadata.get(name)), None)
        last = event.get("chunk_position") == "last" or event.get("type") in _ENDED
        if reason is None and not last:
            return None
        ended = reason_of(str(reason))
        return "tool_calls" if ended == "stop" and key in self._called else ended

    def _arguments(self, fields: Mapping[str, Any], slot: Slot, text: str) -> dict[str, Any]:
        """Return the fields of a chunk that continues a call, in the places that `fields` use."""
        if slot.field != "tool_calls":
            return {"content": _only_block(fields["content"], slot, text)}
        index = self._indices[slot.number]
        made: dict[str, Any] = {"tool_call_chunks": [_call_chunk(index, text)]}
        content = fields.get("content")
        if isinstance(content, list):
            blocks = [b for b in content if isinstance(b, dict) and b.get("index") == index]
            made["content"] = [_with_arguments(block, text) for block in blocks[-1:]]
        raw = fields_of(fields.get("additional_kwargs")).get("tool_calls") or ()
        calls = [call for call in raw if call.get("index") == index]
        if calls:
            function = {"arguments": text, "name": None}
            call = {"index": index, "id": None, "type": None, "function": function}
            made["additional_kwargs"] = {"tool_calls": [call]}
        return made


def _place_of(block: Mapping[str, Any], event: Mapping[str, Any]) -> int | None:
    """Return the place of the call that belongs to a custom tool's block, if there is one."""
    ids = [block[name] for name in ("call_id", "id") if block.get(name)]
    found = event.get("tool_calls" if event.get("type") == "ai" else "tool_call_chunks") or ()
    return next((place for place, call in enumerate(found) if call.get("id") in ids), None)


def _in_slot(
    piece: Piece, slots: Mapping[int, Slot], numbers: Mapping[int, int], event: Mapping[str, Any]
) -> Piece:
    """Return a piece in its call's slot. A piece that repeats a call's arguments gets the slot of
    these, other arguments that of their block."""
    if piece.slot.channel != "tool_args":
        return piece
    if piece.slot.field == "tool_calls":
        return piece._replace(slot=slots.get(piece.slot.number, piece.slot))
    for place, chunk in enumerate(event.get("tool_call_chunks") or ()):
        args = chunk.get("args") or ""
        if args == piece.text or (piece.kind == "parsed" and same_value(args, piece.text)):
            return piece._replace(slot=slots[place])
    number = numbers.get(piece.slot.number, piece.slot.number)
    kind = "delta" if piece.kind == "echo" else piece.kind
    return piece._replace(slot=piece.slot._replace(number=number), kind=kind)


def _call_chunk(index: Any, args: str) -> dict[str, Any]:
    return {"name": None, "args": args, "id": None, "index": index, "type": "tool_call_chunk"}


_EMPTY: dict[str, Any] = {"additional_kwargs": {}, "response_metadata": {}}


def _made(chunk: Any, **fields: Any) -> Any:
    """Return a chunk of the same message with these fields alone."""
    if isinstance(chunk, dict):
        return {"type": "AIMessageChunk", "content": "", "id": chunk.get("id"), **_EMPTY, **fields}
    kind = sibling(chunk, "langchain_core.messages", "AIMessageChunk")
    return kind(**{"content": "", "id": fields_of(chunk).get("id"), **fields})


def _only_block(content: Sequence[Any], slot: Slot, text: str) -> list[Any]:
    """Return the last block of the slot's channel, with only `text`."""
    for block in reversed(content):
        if isinstance(block, str):
            if slot.channel == "text":
                return [text]
            continue
        names = _TEXT_FIELDS.get(slot.channel, _ECHO_FIELDS)
        name = next((name for name in names if block.get(name)), None)
        if name is not None and not (slot.channel == "thinking" and block["type"] == "text"):
            kept = {key: block[key] for key in ("type", "index", "id") if key in block}
            return [{**kept, name: _inner(block[name], text)}]
    return [{"type": "text", "text": text}]


def _inner(value: Any, text: str) -> Any:
    """Return a text in the form of a block's value: itself, or in an object or a list."""
    if isinstance(value, list):
        return [only(value[-1], {**_marks(value[-1]), "text": text})]
    return {**_marks(value), "text": text} if isinstance(value, dict) else text


def _marks(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in ("type", "index") if key in value}


def _with_arguments(block: Mapping[str, Any], text: str) -> dict[str, Any]:
    name = next((name for name in _ECHO_FIELDS if block.get(name)), "partial_json")
    return {**_marks(block), name: text}


def _without_end(message: Any) -> Any:
    metadata = fields_of(message).get("response_metadata") or {}
    kept = {name: value for name, value in metadata.items() if name not in _ENDS}
    return replaced(message, {"response_metadata": kept, "chunk_position": None})


def _added(before: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sums of counts, and of those in their details."""
    made = {**before}
    for name, count in usage.items():
        earlier = made.get(name)
        if isinstance(count, Mapping):
            made[name] = _added(fields_of(earlier) if earlier else {}, count)
        elif isinstance(count, (int, float)) and isinstance(earlier, (int, float)):
            made[name] = earlier + count
        elif count is not None:
            made[name] = count
    return made
