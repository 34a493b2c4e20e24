"""Adapters by description: a spec says what each field of an event is.

A spec mirrors the event: a dict for an object, a list with one spec for a list, `OneOf` if a field
says which of several objects it is, and a leaf for the content of a field. Reading an event yields
the relevant leaves, each with its path; writing rebuilds only the paths to what changed. Text that
no spec names is found too, by its path.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic_core import from_json

from guardstream.errors import AdapterError
from guardstream.events import UNKNOWN as UNKNOWN_CHANNEL
from guardstream.events import FinishReason
from guardstream.formats.adapter import (
    NEW,
    NONE,
    Beside,
    Kind,
    Passes,
    Piece,
    Reading,
    Released,
    Slot,
    Unknown,
    passes_any,
)
from guardstream.formats.toolkit.fields import (
    BYTES,
    KINDS,
    LISTS,
    fields_of,
    is_record,
    same_or,
)
from guardstream.formats.toolkit.nodes import (
    ABOUT,
    APART,
    END,
    ITEM,
    KEEP,
    MARK,
    META,
    NAME,
    NAMED,
    NUMBER,
    PADDED,
    PASSED,
    REQUEST,
    SKIP,
    UNKNOWN,
    Arguments,
    Each,
    Either,
    Items,
    Leaf,
    Mirror,
    OneOf,
    Path,
    Spec,
    Tree,
    Values,
)
from guardstream.formats.toolkit.package_objects import sibling
from guardstream.formats.toolkit.parsed import map_parsed
from guardstream.formats.toolkit.paths import (
    GONE,
    Key,
    Steps,
    beside_each,
    indices,
    keys,
    rebuilt,
    spoken,
)
from guardstream.formats.toolkit.readers import (
    Findings,
    Found,
    check_readable,
    compiled,
    relabelled,
)
from guardstream.formats.toolkit.unknown import Unknowns, too_deep

if TYPE_CHECKING:
    from guardstream.formats.toolkit.alike import Alike

__all__ = [
    "ABOUT",
    "APART",
    "END",
    "KEEP",
    "META",
    "NAME",
    "NUMBER",
    "PADDED",
    "PASSED",
    "REQUEST",
    "SKIP",
    "UNKNOWN",
    "Arguments",
    "Each",
    "Either",
    "Items",
    "Leaf",
    "Mirror",
    "OneOf",
    "Path",
    "Spec",
    "SpecAdapter",
    "Tree",
    "Values",
    "sibling",
]

_AS_VALUE: dict[str, Kind] = {
    "delta": "whole",
    "whole": "whole",
    "copy": "parsed",
    "echo": "parsed",
}
"""The kind of a piece whose leaf should hold text but holds another value: its JSON, which is
complete."""

_ASIDE = Leaf("about", "text", "logprobs")
"""The content of tokens that were alternatives to the text."""

_SILENT = frozenset({"keep", "end", "item", "meta"})
"""Kinds of leaves without pieces."""

_PATIENCE = 16
"""After this many consecutive events that differ from the last one, no more are compared."""

_MOST_KINDS = 256
"""The number of event kinds that are distinguished in one stream, because a source may invent any
number."""

_TEXT_ALONE = frozenset({"delta", "item", "meta"})
"""The kinds of leaves in an event with a single text and nothing else, except for marks that
pass."""

_SAYING = frozenset({"delta", "last", "echo", "whole", "name", "unknown"})
"""Kinds of pieces that are a reason to send a chunk. If text streams, a repetition is none."""


class Read(NamedTuple):
    """What was found in a chunk, kept for writing it.

    `owners` are the indices of the leaves that the pieces come from, `origins` the leaf that each
    mirror repeats, `kinds` the kinds of the leaves, `fields` the unknown fields.
    """

    chunk: Any
    found: Sequence[Found]
    pieces: Sequence[Piece]
    owners: Sequence[int]
    origins: Mapping[int, int]
    kinds: Set[str]
    fields: Sequence[tuple[Steps, str]]


class SpecAdapter:
    """The base of adapters that are described by a spec.

    A subclass sets `name` and `spec`. If that is not enough, it says how a leaf becomes a `slot`,
    what an event means beyond its text (`meaning`), and how to create the chunks of `extra` and
    `end`.

    - `scope`: how many of the outermost lists separate unrelated texts: 1 if those are the choices.
    - `steady`: an event with a single text changes nothing in the adapter, so that a similar event
      right after it means the same.
    - `padding`: fields of the event that differ each time and mean nothing, like numbers in fields
      that the spec does not name.
    - `word_of_open`: what the field with the finish reason holds as long as there is none.
    - `last`: the types of events that end the stream, and go out only as its end.
    """

    name: ClassVar[str]
    spec: ClassVar[Spec]
    repeats = True
    scope: ClassVar[int] = 0
    steady: ClassVar[bool] = False
    padding: ClassVar[frozenset[str]] = frozenset()
    word_of_open: ClassVar[Any] = None
    last: ClassVar[Collection[str]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Check the chunks that a subclass adds, however it makes them.

        Their ids and names are those of earlier chunks, in which marks that may not pass are left
        out.
        """
        super().__init_subclass__(**options)
        for name in vars(cls).keys() & {"extra", "end"}:
            setattr(cls, name, _without_marks(vars(cls)[name]))

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._unknowns = Unknowns(self.name, unknown)
        self._reader = compiled(self.spec)
        self._last: Read | None = None
        self._alike: Alike | None = None
        self._passes: Passes = passes_any
        self._is_harmless: Callable[[str], bool] | None = None
        self._kinds: dict[tuple[tuple[tuple[str, str], ...], tuple[int, ...]], int] = {}
        self._compared_last: Any = None  # the last chunk, if it was read by comparison
        self._patience = _PATIENCE if self.steady else 0

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        """Return the slot of a leaf in `event`; it depends on these arguments alone."""
        return Slot(0, leaf.channel, leaf.field)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event, given its pieces; the adapter may update its state
        here."""
        return Reading(pieces, (0,))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return nothing, as in formats in which no text is ever held."""
        return ()

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return nothing, as in formats that do not say why they end."""
        return ()

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`."""
        if self._alike is not None:
            text = self.alike(chunk)
            if text is not None:
                return self._alike.reading(text)
            self._alike = self._compared_last = None
        self._last = None  # a source may change the object that it gave last, and give it again
        event = fields_of(chunk)
        reading = self.meaning(chunk, event, self.pieces(chunk, event))
        if (event.get("error") or event.get("errors")) and _is_bare_error(event, reading):
            reading = reading._replace(failed=True)
        beside = self._told_by(chunk)
        if beside:
            reading = reading._replace(beside=beside)
        return self._compare_next(reading) if self._patience else reading

    def added(self, reading: Reading, chunk: Any) -> Reading:
        """Return the reading of another adapter with the pieces in `chunk` after its own."""
        pieces = self.pieces(chunk, fields_of(chunk))
        if not pieces:
            return reading
        beside = {slot: [*each] for slot, each in reading.beside.items()}
        for slot, each in self._told_by(chunk).items():
            beside.setdefault(slot, []).extend(each)
        pieces = [*reading.pieces, *pieces]
        return reading._replace(pieces=pieces, only_text=False, beside=beside)

    def _told_by(self, chunk: Any) -> Mapping[Slot, list[Beside]]:
        """Return the values beside each unknown text of the last chunk that was read."""
        read = self._last
        return NONE if read is None or "unknown" not in read.kinds else _fields_beside(read, chunk)

    def compared(self) -> Alike | None:
        """Return what later events are compared with, if the last one had a single text and nothing
        else."""
        return self._alike

    def alike(self, chunk: Any) -> str | None:
        """Return the text of a chunk that differs from the last one only in its text; otherwise
        None."""
        if self._alike is None:
            return None
        text = self._alike.text(chunk)
        if text is not None:
            self._patience = _PATIENCE
            self._compared_last = chunk
        return text

    def _compare_next(self, reading: Reading) -> Reading:
        """Compare the next event with this one, if this has a single text and nothing else."""
        read = self._last
        alone = len(reading.pieces) == 1 and reading.pieces[0].kind == "delta"
        if read is None or not alone or read.kinds - _TEXT_ALONE or reading.has_more:
            return reading
        self._patience -= 1
        reading = reading._replace(only_text=True)
        found = read.found[read.owners[0]]
        if not found.mirrors:
            from guardstream.formats.toolkit.alike import alike

            slot = reading.pieces[0].slot
            unknown: dict[Steps, list[str]] = {}
            for steps, name in read.fields:
                unknown.setdefault(steps, []).append(name)
            self._alike = alike(
                read.chunk, found.steps, slot, reading.choices, self.padding, unknown
            )
        return reading

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks from now on."""
        self._passes = passes

    def judge_keys(self, is_harmless: Callable[[str], bool]) -> None:
        """Ask `is_harmless` about names of unknown fields from now on."""
        self._is_harmless = is_harmless

    def pieces(self, chunk: Any, event: Mapping[str, Any]) -> Sequence[Piece]:
        """Return the pieces of text in `chunk`, in its order."""
        return self._read(chunk, event).pieces

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left in it."""
        if not ends and fields_of(chunk).get("type") in self.last:
            return None
        if self._alike is not None and self._compared_last is chunk:
            return self._alike.with_text(texts[0], chunk) if texts[0] else None
        read = self._read(chunk, fields_of(chunk))
        if not self._says(read, texts, ends=ends):
            return None
        written = rebuilt(chunk, self._updates(read, texts, ends=ends))
        return None if written is GONE else written

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text that the spec does not name, and without marks that may not
        pass."""
        found = self._read(chunk, fields_of(chunk)).found
        gone = (UNKNOWN, NAMED, MARK)
        return rebuilt(chunk, {e.steps: _like(e.value, "") for e in found if e.leaf in gone})

    def _bare(self, chunk: Any) -> Any:
        """Return `chunk` without marks that may not pass; nothing is noted of its texts."""
        found = Findings()
        self._find(chunk, fields_of(chunk), found)
        gone = [each for each in self._judged(found) if each.leaf is MARK] if found.marks else ()
        return rebuilt(chunk, {e.steps: _like(e.value, "") for e in gone}) if gone else chunk

    def forget(self) -> None:
        """Drop the last chunk."""
        self._last = self._alike = self._compared_last = None

    def _has_text_or_end(self, chunk: object) -> bool:
        """Return whether `chunk` has text, or the end, where the description has it."""
        if not isinstance(chunk, dict) and not is_record(chunk):
            return False
        found = self._read(chunk, fields_of(chunk)).found
        self._last = None
        return any(each.leaf.kind in ("delta", "end") for each in found)

    def silent(self, chunk: Any) -> Any:
        """Return `chunk` without any text, as a model for other chunks."""
        read = self._read(chunk, fields_of(chunk))
        return rebuilt(chunk, self._updates(read, [""] * len(read.pieces), ends=True))

    def _read(self, chunk: Any, event: Mapping[str, Any]) -> Read:
        """Read a chunk; the result is cached, because the last chunk read is often written next."""
        last = self._last
        if last is not None and last.chunk is chunk:
            return last
        found = Findings()
        found.passing = self._unknowns.passing
        self._find(chunk, event, found)
        leaves: Sequence[Found] = found
        origins = self._origins(found) if found.mirrors else {}
        if found.marks:
            leaves = self._judged(found)
        if found.unknown:
            leaves = self._without_harmless(self._unknowns.judged(leaves, origins))
        pieces: list[Piece] = []
        owners: list[int] = []
        kinds = set()
        for place, each in enumerate(leaves):
            leaf, value, _, path, mirrors = each
            kind = leaf[0]
            kinds.add(kind)
            if kind == "delta" and type(value) is str and not mirrors:  # the common case
                pieces.append(Piece(self.slot(leaf, event, path), value))
                owners.append(place)
            elif kind not in _SILENT and place not in origins:
                self._add_pieces(pieces, each, event)
                owners += [place] * (len(pieces) - len(owners))
        if "about" in kinds:
            from guardstream.formats.toolkit.logprobs import numbered

            pieces, owners = numbered(leaves, pieces, owners, self.scope)
        self._last = Read(chunk, leaves, pieces, owners, origins, kinds, found.fields)
        return self._last

    def _find(self, chunk: Any, event: Mapping[str, Any], found: Findings) -> None:
        """Find the leaves of a chunk."""
        if chunk is None or self._reader is None:
            return
        try:
            if not event and not isinstance(chunk, (str, *BYTES, *LISTS)):
                check_readable(chunk, ())
            self._reader(chunk, (), (), found)
        except RecursionError:
            raise too_deep(self.name, event) from None

    def _without_harmless(self, found: Sequence[Found]) -> Sequence[Found]:
        """Return the findings without harmless names of unknown fields, which need no guarding."""
        is_harmless = self._is_harmless
        if is_harmless is None:
            return found
        return relabelled(
            found, UNKNOWN, NAMED, lambda each: _is_key(each.steps) and is_harmless(each.value)
        )

    def _judged(self, found: Sequence[Found]) -> Sequence[Found]:
        """Return the findings; a string in place of a mark that may go out counts as a mark."""
        passes = self._passes
        return relabelled(found, MARK, META, lambda each: passes(each.steps, each.value))

    def _origins(self, found: Sequence[Found]) -> dict[int, int]:
        """Return which leaf each mirror repeats, by the indices of both.

        A mirror with a channel of its own repeats an equal text of that channel. If there is none,
        it is a text that other mirrors may repeat. An unknown mirror repeats an equal text of any
        channel, if there is only one.
        """
        texts: dict[Any, list[int]] = {}
        known: list[tuple[int, list[int]]] = []
        unknown: list[tuple[int, list[int]]] = []
        for place, each in enumerate(found):
            if not isinstance(each.value, str):
                continue
            said = texts.setdefault((each.path[: self.scope], each.value), [])
            if each.mirrors:
                (unknown if each.leaf.kind == "unknown" else known).append((place, said))
            elif each.leaf.kind == "delta":
                said.append(place)
        origins: dict[int, int] = {}
        for place, said in known:
            channel = found[place].leaf.channel
            same = [at for at in said if found[at].leaf.channel == channel]
            if same:
                origins[place] = same[0]
        for place, said in known:
            if place not in origins and found[place].leaf.kind == "delta":
                said.append(place)
        return origins | {place: said[0] for place, said in unknown if len(said) == 1}

    def _add_pieces(self, pieces: list[Piece], found: Found, event: Mapping[str, Any]) -> None:
        leaf, value, steps, path, _ = found
        kind = leaf.kind
        if kind == "unknown" or kind == "name":
            of = 0 if _is_key(steps) else self._kind_of(event, steps)
            slot = Slot(0, "text", spoken(steps), of)
            pieces.append(Piece(slot, _text(value), kind))
        elif kind == "mark":
            pieces.append(Piece(Slot(0, "text", spoken(steps)), value, kind))
        elif kind == "about":
            from guardstream.formats.toolkit.logprobs import spelled

            slot = self.slot(_ASIDE, event, path)
            pieces += [Piece(slot, token, "aside") for token in spelled(value)]
        elif kind == "aside":
            slot = Slot(0, UNKNOWN_CHANNEL, f"request{keys(steps)}")
            pieces.append(Piece(slot, _text(value), kind))
        elif isinstance(value, str) or (kind == "whole" and type(value) is int):
            pieces.append(Piece(self.slot(leaf, event, path), str(value), kind))  # type: ignore[arg-type]
        else:
            slot = self.slot(leaf, event, path)

            def note(text: str) -> str:
                pieces.append(Piece(slot, text, _AS_VALUE.get(kind, kind)))  # type: ignore[arg-type]
                return text

            self.map_text(leaf, value, note)

    def _kind_of(self, event: Mapping[str, Any], steps: Steps) -> int:
        """Return a number that distinguishes the source of a text from others with text at its
        path.

        A source is a kind of event and positions in lists: samples and blocks that stream at the
        same time differ in their positions or indices.
        """
        found = [(name, event[name]) for name in KINDS if name in event]
        kind = tuple([each for each in found if each[1] and isinstance(each[1], str)])
        places = indices(event, steps)
        if not (places or kind):
            return 0
        if (kind, places) not in self._kinds and len(self._kinds) == _MOST_KINDS:
            return 0
        return self._kinds.setdefault((kind, places), len(self._kinds) + 1)

    def _says(self, read: Read, texts: Sequence[str], *, ends: bool) -> bool:
        """Return whether anything is left in the chunk; if it has a delta, repetitions do not
        count."""
        streamed, aside = False, not (ends and "mark" in read.kinds)
        for piece, text in zip(read.pieces, texts, strict=True):
            if text and piece.kind in _SAYING and not piece.slot.field.endswith("~"):
                return True
            streamed = streamed or piece.kind in ("delta", "echo", "later")
            aside = aside and piece.kind in ("aside", "mark")
        if not (streamed or aside):
            return True
        return "keep" in read.kinds or (ends and "end" in read.kinds)

    def _updates(
        self, read: Read, texts: Sequence[str], *, ends: bool, apart: bool = True
    ) -> dict[Steps, Any]:
        """Return the values to set, by their steps.

        Unless `apart`, what spells out text is removed even if no text changed.
        """
        news = self._changes(read, texts)
        if "about" in read.kinds:
            news |= self._told(read, texts, news, apart=apart)
        if not ends and "end" in read.kinds:
            news |= {
                at: self.word_of_open if each.leaf == END else None
                for at, each in enumerate(read.found)
                if each.leaf.kind == "end"
            }
        updates = {read.found[place].steps: new for place, new in news.items()}
        if "item" in read.kinds and not all(news.values()):
            _drop_items(read.found, news, updates)
        return updates

    def _changes(self, read: Read, texts: Sequence[str]) -> dict[int, Any]:
        """Return the new values of leaves whose text changed, by their indices."""
        found, owners = read.found, read.owners
        if len(owners) == 1 and not read.origins and type(found[owners[0]].value) is str:
            same = texts[0] == read.pieces[0].text or found[owners[0]].leaf.kind == "about"
            return {} if same else {owners[0]: texts[0]}
        changed = {
            owner: list[str]()
            for owner, piece, text in zip(owners, read.pieces, texts, strict=True)
            if piece.text != text
        }
        for owner, text in zip(owners, texts, strict=True):
            if owner in changed:
                changed[owner].append(text)
        news = {}
        for place, own in sorted(changed.items()):
            if found[place].leaf.kind != "about":
                new = self._new_value(found[place], own)
                if new is not found[place].value:
                    news[place] = new
        for place, origin in read.origins.items():
            if origin in news:
                news[place] = news[origin]
        return news

    def _told(
        self, read: Read, texts: Sequence[str], news: Mapping[int, Any], *, apart: bool
    ) -> dict[int, Any]:
        """Return the replacements of leaves that spell out text which changed, or would change."""
        changed = {read.found[place].path[: self.scope] for place in news}
        changed |= {
            read.found[owner].path[: self.scope]
            for owner, piece, text in zip(read.owners, read.pieces, texts, strict=True)
            if piece.kind == "aside" and piece.text != text
        }
        if changed:
            changed.add(())  # a leaf beside all choices spells out any of them
        return {
            place: self.without(each.value)
            for place, each in enumerate(read.found)
            if each.leaf.kind == "about" and (not apart or each.path[: self.scope] in changed)
        }

    def _new_value(self, found: Found, texts: Sequence[str]) -> Any:
        leaf, value = found.leaf, found.value
        if leaf.kind in ("unknown", "name", "aside", "mark"):
            return value if texts[0] == _text(value) else _like(value, texts[0])
        if type(value) is int:
            return texts[0]
        rest = iter(texts)
        return self.map_text(leaf, value, lambda text: next(rest) if text else text)

    @staticmethod
    def without(value: Any) -> Any:
        """Return the replacement of a value that spells out changed text."""
        return [] if isinstance(value, list) else None

    def map_text(self, leaf: Leaf, value: Any, change: Callable[[str], str]) -> Any:
        """Change a leaf's text; return the same object if it did not change.

        Raises AdapterError if the value is not text.
        """
        if isinstance(value, str):
            return same_or(value, change(value))
        if leaf.kind == "parsed":
            return map_parsed(value, change)
        if leaf.kind in _AS_VALUE and not isinstance(value, bytes):
            number = isinstance(value, (bool, int, float))
            return value if number else _map_value(value, change)
        raise AdapterError(f"{self.name}: {leaf.field!r} is not text")


class VariedSpecAdapter(SpecAdapter):
    """The base of adapters for streams of several kinds of objects, each with a spec of its own."""

    def spec_of(self, chunk: Any) -> Spec:
        """Return the spec of a chunk; it depends on the chunk alone."""
        return self.spec

    def _find(self, chunk: Any, event: Mapping[str, Any], found: Findings) -> None:
        if chunk is not None:
            self._reader = compiled(self.spec_of(chunk))
        super()._find(chunk, event, found)


def _without_marks(make: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    """Return a method that makes the same chunks, without marks that may not pass."""

    @wraps(make)
    def made(self: SpecAdapter, *args: Any, **named: Any) -> Sequence[Any]:
        return [self._bare(chunk) for chunk in make(self, *args, **named)]

    return made


def _is_bare_error(event: Mapping[str, Any], reading: Reading) -> bool:
    """Return whether an event reports an error and nothing else: gateways put theirs into streams
    of any format. An answer to a call of JSON-RPC is not its stream's error."""
    if event.get("type") is not None or "jsonrpc" in event:
        return False
    return not any(piece.kind in NEW for piece in reading.pieces)


def _is_key(steps: Steps) -> bool:
    return bool(steps) and isinstance(steps[1], Key)


def _drop_items(found: Sequence[Found], news: Mapping[int, Any], updates: dict[Steps, Any]) -> None:
    """Remove items in which something changed and nothing is left.

    Exception: an event's own list is not emptied if the event goes out for unknown text beside it,
    because clients access the first choice of every event.
    """

    def says(place: int) -> bool:
        each = found[place]
        quiet = each.leaf.kind in ("about", "item") or _is_key(each.steps)
        return not quiet and bool(news.get(place, each.value))

    gone: dict[Steps, list[Steps]] = {}
    outer: list[Steps] = []
    for place, each in enumerate(found):
        if each.leaf is not ITEM:
            continue
        if len(each.path) == 1:
            outer.append(each.steps)
        inner = range(place + 1, each.value)
        touched = any(found[at].steps in updates for at in inner)
        if touched and not any(says(at) for at in inner):
            gone[each.steps] = [found[at].steps for at in inner]
    if outer and all(steps in gone for steps in outer):
        beside = [at for at, each in enumerate(found) if not each.path and says(at)]
        if beside and all(found[at].leaf.kind == "unknown" for at in beside):
            gone = {steps: inner for steps, inner in gone.items() if steps not in outer}
    for steps, within in gone.items():
        for each_steps in within:
            updates.pop(each_steps, None)
        updates[steps] = GONE


def _text(value: str | bytes) -> str:
    """Return unknown text; bytes that are not UTF-8 become surrogates, so that they round-trip."""
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "surrogateescape")


def _like(value: str | bytes, text: str) -> Any:
    if isinstance(value, str):
        return text
    return type(value)(text.encode("utf-8", "surrogateescape"))


def _map_value(value: Any, change: Callable[[str], str]) -> Any:
    """Change a value's JSON; nothing is left of an item that was not released to its end."""
    said: list[str] = []

    def note(text: str) -> str:
        said.append(change(text))
        return said[0]

    new = map_parsed(value, note)
    try:
        if new is not value:
            from_json(said[0])
    except ValueError:
        return GONE
    return new


def _fields_beside(read: Read, event: Any) -> dict[Slot, list[Beside]]:
    """Return the fields beside each unknown text of a slot."""
    texts: list[tuple[Slot, Steps]] = []
    for owner, piece in zip(read.owners, read.pieces, strict=True):
        if piece.kind == "unknown":
            steps = read.found[owner].steps
            texts.append((piece.slot, () if _is_key(steps) else steps))
    return beside_each(event, texts)


def named_by_type(chunk: Mapping[str, Any]) -> str:
    """Return the name of the event that carries `chunk`: its type."""
    return str(chunk.get("type", ""))
