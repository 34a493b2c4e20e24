"""The values in LangChain's runs and LangGraph's states, of any shape, with messages in them.

Text that repeats a model's streamed text is replaced by the released text; any other text is
guarded as a text of its own. The caller's text passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from guardstream.formats.adapter import Passes, Piece, Reading, Slot, passes_any
from guardstream.formats.detection.shapes import is_message
from guardstream.formats.toolkit.fields import fields_of, replaced, same_or
from guardstream.formats.toolkit.logprobs import spelled, spelled_whole
from guardstream.formats.toolkit.marks import is_mark
from guardstream.formats.toolkit.paths import Steps, beside_each, keys
from guardstream.formats.toolkit.streamed import Streamed

_VALUE = Slot(0, "text", "value")
_ARGUMENT = Slot(0, "tool_args", "part")
_KEY = Slot(0, "text", "$~")
_MARK = Slot(0, "text", "$")
_CALLERS = frozenset({"human", "system", "HumanMessageChunk", "SystemMessageChunk", "remove"})
_MODELS = frozenset({"ai", "AIMessageChunk"})
_MARKS = frozenset({"id", "type", "tool_call_id", "index", "name", "run_id", "mime_type", "status"})
_IDS = frozenset({"id", "run_id"})
_TOOL_MESSAGES = ("tool", "ToolMessageChunk", "function", "FunctionMessageChunk")

_OWN = frozenset({"args", "artifact", "input", "json", "value"})
"""Fields with values of a tool or a node: a tool's arguments and results, an interrupt's value."""

_TOLD = frozenset({"additional_kwargs", "response_metadata"})
"""Fields of a message beside its content; in a tool's message, they are the tool's own."""

_INTERRUPTS = frozenset({"__interrupt__", "interrupts"})
_TASKS = ({"id", "name", "interrupts"}, {"id", "name", "triggers"})
"""The fields of a graph's tasks. Applications need the ids of tasks, and of interrupts."""

_PACKAGES = ("langchain", "langgraph")

_LOGPROBS = frozenset({"logprobs", "logprobs_result", "logprobsResult", "prompt_logprobs"})

Visit = Callable[[Piece, Steps], str]


class Values:
    """Values of one stream; `streamed` is the text that was streamed in it.

    `unfinished` are the slots whose text may go on. With `answers`, what a model's message says is
    new text where nothing has streamed it.
    """

    def __init__(self, *, answers: bool = False) -> None:
        self.answers = answers
        self.streamed = Streamed()
        self.unfinished: set[Slot] = set()
        self._given: set[str] = set()
        self._passes: Passes = passes_any

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks in values."""
        self._passes = passes

    def note_given(self, value: Any) -> None:
        """Remember the caller's own texts in a value, and its whole numbers."""
        if isinstance(value, str) or type(value) is int:
            self._given.add(str(value))
        elif isinstance(value, list):
            for item in value:
                self.note_given(item)
        elif not (value is None or isinstance(value, (bool, int, float))):
            for item in fields_of(value).values():
                self.note_given(item)

    def pieces(self, value: Any) -> list[Piece]:
        """Return each text in a value, as a copy of streamed text or as a text of its own."""
        return [piece for piece, _ in self._found(value, None)]

    def streaming(self, value: Any, streams: Slot) -> Reading:
        """Return each text in a value that a run streams.

        A text that does not repeat a finished one may continue the earlier text at its place. Its
        slot is that of `streams`, with the place after the field.
        """
        found = self._found(value, streams)
        unknown = [(piece.slot, steps) for piece, steps in found if piece.kind == "unknown"]
        told = beside_each(value, unknown)
        return Reading([piece for piece, _ in found], (), beside=told)

    def _found(self, value: Any, streams: Slot | None) -> list[tuple[Piece, Steps]]:
        found: list[tuple[Piece, Steps]] = []

        def collect(piece: Piece, steps: Steps) -> str:
            found.append((piece, steps))
            self.streamed.note((piece,))
            return piece.text

        self._map(value, collect, streams)
        return found

    def with_texts(self, value: Any, texts: Sequence[str]) -> Any:
        """Return a value with other texts in place of its own."""
        rest = iter(texts)
        return self.map(value, lambda _: next(rest))

    def map(self, value: Any, change: Callable[[Piece], str], streams: Slot | None = None) -> Any:
        """Change each text in a value; return the value itself if none changed."""
        return self._map(value, lambda piece, _: change(piece), streams)

    def _map(self, value: Any, visit: Visit, streams: Slot | None) -> Any:
        def change(text: str, steps: Steps, own: Slot = _VALUE) -> str:
            if text in self._given:
                return text
            piece = Piece(own, text, "copy")
            slot = self.streamed.find(piece)
            if streams is not None and (slot is None or slot in self.unfinished):
                slot = streams._replace(field=streams.field + _path(steps))
                return same_or(text, visit(Piece(slot, text, "unknown"), steps))
            slot = slot or own
            return same_or(text, visit(piece._replace(slot=slot), steps))

        def argument(text: str, steps: Steps) -> str:
            return change(text, steps, _ARGUMENT)

        def rename(name: str) -> str:
            if not name or not isinstance(name, str):
                return name
            return visit(Piece(_KEY, name, "unknown"), ())

        def mark(name: str, text: str) -> str:
            passes = is_mark(text) or text in self._given or self._passes(name, text)
            return text if passes else visit(Piece(_MARK, text, "mark"), ())

        def tokens(logprobs: Any, steps: Steps) -> Any:
            # Tokens at other places, such as alternative ones, continue other texts.
            texts = {steps: spelled_whole(logprobs)}
            texts |= {(steps, f"[{n}]"): text for n, text in enumerate(spelled(logprobs))}
            same = [change(text, place) == text for place, text in texts.items() if text]
            return logprobs if all(same) else None

        def answer(text: str, steps: Steps) -> str:
            is_said = bool(steps) and steps[-1] in ("content", "text")
            return visit(self._said(text), steps) if is_said else change(text, steps)

        says = answer if self.answers else change
        return _mapped(value, _Changes(change, argument, says, rename, mark, tokens))

    def _said(self, text: str) -> Piece:
        """Return what a model's message says: a copy, if it is known, or a text of its own."""
        piece = Piece(Slot(0, "text", "content", self.streamed.count), text, "whole")
        slot = self.streamed.find(piece, channel="text")
        return piece if slot is None else Piece(slot, text, "copy")


class _Changes(NamedTuple):
    """The functions that change strings, strings in a call's arguments and in what a model's
    message says, keys, marks by their names, and log probabilities."""

    text: Callable[[str, Steps], str]
    argument: Callable[[str, Steps], str]
    answer: Callable[[str, Steps], str]
    key: Callable[[str], str]
    mark: Callable[[str, str], str]
    logprobs: Callable[[Any, Steps], Any]


def ids_within(value: Any, depth: int = 8) -> Iterator[Hashable]:
    """Yield the ids of a model's messages in a value."""
    if value is None or isinstance(value, (str, bytes, int, float)) or not depth:
        return
    fields: Mapping[str, Any] = {} if isinstance(value, (list, tuple)) else fields_of(value)
    if is_message(value):
        if fields["type"] in _MODELS and isinstance(fields.get("id"), str):
            yield fields["id"]
        return
    for each in value if isinstance(value, (list, tuple)) else fields.values():
        yield from ids_within(each, depth - 1)


def _path(steps: Steps) -> str:
    return "".join("[*]" if type(key) is int else f".{key}" for key in keys(steps))


def _mapped(value: Any, changes: _Changes, steps: Steps = (), *, known: bool = False) -> Any:
    """Change each string in a value of any shape, except for the caller's.

    Functions that change texts get the steps to them.

    Keys of plain objects are changed, too; a key of which nothing is left is removed with its
    value. Only `known` values have marks: messages with everything in them, and objects of
    LangChain. Fields of other values are named by applications and tools; in these, a whole number
    is a text, too.
    """
    if isinstance(value, str):
        return changes.text(value, steps) if value else value
    if isinstance(value, (list, tuple)):
        items = [
            _mapped(item, changes, (steps, place), known=known) for place, item in enumerate(value)
        ]
        same = all(a is b for a, b in zip(items, value, strict=True))
        return value if same else getattr(type(value), "_make", type(value))(items)
    if value is None or isinstance(value, (bool, int, float)):
        return _mapped_number(value, changes, steps) if type(value) is int and not known else value
    return _mapped_object(value, changes, steps, known=known)


def _mapped_number(value: int, changes: _Changes, steps: Steps) -> Any:
    new = changes.text(str(value), steps)
    return value if new == str(value) else new


def _mapped_object(value: Any, changes: _Changes, steps: Steps, *, known: bool) -> Any:
    fields: Mapping[str, Any] = fields_of(value)
    message = is_message(value)
    if message and fields["type"] in _CALLERS:
        return value
    known = known or message
    marks = _marks_of(value, fields, known=known)
    own = _OWN | _TOLD if message and fields["type"] in _TOOL_MESSAGES else _OWN
    names = {name: changes.key(name) for name in fields} if type(value) is dict else {}

    def changed(name: str, old: Any) -> Any:
        if name in marks and isinstance(old, str) and old:
            return changes.mark(name, old)
        if name in _LOGPROBS:
            return changes.logprobs(old, (steps, name))
        if type(old) is int and type(value) is not dict:
            return old  # its class may allow no string there
        inner = changes
        if message and name == "tool_calls":
            inner = changes._replace(text=changes.argument)
        elif message and name == "content" and fields["type"] in _MODELS:
            inner = changes._replace(text=changes.answer)
        is_known = name in _INTERRUPTS or (known and name not in own)
        return _mapped(old, inner, (steps, name), known=is_known)

    mapped = {name: changed(name, old) for name, old in fields.items()}
    updates = {name: new for name, new in mapped.items() if new is not fields[name]}
    if any(name != new for name, new in names.items()):
        return {new: updates.get(name, fields[name]) for name, new in names.items() if new}
    return replaced(value, updates) if updates else value


def _marks_of(value: Any, fields: Mapping[str, Any], *, known: bool) -> Collection[str]:
    """Return the names of an object's fields that hold marks."""
    if known or str(type(value).__module__).startswith(_PACKAGES):
        return _MARKS if "type" in fields else _IDS
    return _IDS if any(fields.keys() >= each for each in _TASKS) else ()
