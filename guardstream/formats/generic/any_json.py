"""JSON of no known format: every string in it is guarded, by its path.

It is used if no adapter knows a stream's chunks. It is then unknown which values continue which, so
each is judged at once, alone and together with the earlier text at its path. Formats that are
described, as `format=` or in a policy, are guarded exactly; so are known formats that begin after
events of an application's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from guardstream.formats.adapter import Adapter, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.generic.text import SLOT, PlainText
from guardstream.formats.hooks import hooks_of
from guardstream.formats.spec import KEEP, SpecAdapter
from guardstream.formats.toolkit.fields import KIND_ENDS, fields_of
from guardstream.formats.toolkit.marks import is_mark
from guardstream.formats.toolkit.nodes import Spec

EVENTS = 32
"""How many events are read before a report, and searched for a known format."""

_OPENS = re.compile(r"\s*[{\[]")
"""How a string with a JSON object or list begins."""

_PATHS = 64
"""How many paths a report has at most."""

Report: TypeAlias = Callable[[Collection[str]], None]
"""Called once for a stream, with the paths of text that is judged at once."""

Recognise: TypeAlias = Callable[[Any], Adapter[Any] | None]
"""Returns the adapter of the known format of a chunk; None if it has none."""


class AnyJSON(SpecAdapter):
    """The adapter for chunks of unknown format; it adds no chunks of its own."""

    name = "json"
    is_unnamed = True
    """Says that no format names what is in the chunks."""
    spec: ClassVar[Spec] = {}
    repeats = False
    exact: Collection[str] = ()
    """The paths of texts that are guarded exactly; they are not reported."""
    text = PlainText()
    """Reads and writes chunks that are `str`, where those are answer text."""

    taken: Callable[[Any], Any] | None = None
    """Copies chunks whose producer may keep changing them."""

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._report: Report | None = None
        self._paths: dict[str, None] = {}  # of text, to be reported
        self._events = 0
        self._recognise: Recognise | None = None
        self._has_answer = False  # whether chunks that are `str` are answer text
        self._looks = EVENTS
        self._said: set[str] = set()  # paths that had text

    def recognise_by(self, recognise: Recognise) -> None:
        """Look for a known format in the next chunks.

        The answer of such a stream may be in chunks that are `str`: they are then held as in a
        stream of text. Otherwise they are values like any other, because nothing would end the held
        text.
        """
        self._recognise = recognise
        self._has_answer = True

    def recognised(self, chunk: Any, reading: Reading) -> Adapter[Any] | None:
        """Return the adapter of the known format that a chunk shows, after it was read as
        `reading`.

        None if earlier chunks had text at a path that has text in this one: these texts are judged
        together, and another adapter would not do so.
        """
        recognise = self._recognise
        if recognise is None:
            return None
        known = recognise(chunk)
        texts = {piece.slot.field for piece in reading.pieces if not _only_tells(piece)}
        taken = known is not None and not self._said.isdisjoint(texts)
        self._said |= texts
        self._looks -= 1
        if taken or not self._looks:
            self._recognise = None
        return None if taken else known

    def report_to(self, report: Report) -> None:
        """Report which paths have text, after some events or at the end."""
        self._report = report

    def read(self, chunk: Any) -> Reading:
        """Find the text in a chunk; note its paths if they are to be reported."""
        if self._is_answer(chunk):
            self._recognise = None  # no known format has text among its objects
            return self.text.read(chunk)
        reading = super().read(chunk)
        if self._report is not None:
            self._note(reading.pieces)
            self._events += 1
            if self._events == EVENTS:
                self.kept()
        return reading

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own.

        None if the stream ends in this chunk and nothing readable is left: no text, and some kind
        or string of JSON was lost.
        """
        if self._is_answer(chunk):
            return self.text.write(chunk, texts)
        written = super().write(chunk, texts, ends=ends)
        return written if ends or self._can_be_read(chunk, texts) else None

    def _can_be_read(self, chunk: Any, texts: Sequence[str]) -> bool:
        """Return whether a chunk still has text, or has lost neither a string of JSON nor a
        kind."""
        pieces = self.pieces(chunk, fields_of(chunk))
        lost = [piece for piece, text in zip(pieces, texts, strict=True) if not text]
        left = [piece for piece, text in zip(pieces, texts, strict=True) if text]
        if not all(map(_only_tells, left)):
            return True
        return not any(_only_tells(each) or _OPENS.match(each.text) for each in lost)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return answer text; other text is never held."""
        return self.text.extra(chunk, slot, text, released) if slot == SLOT else ()

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text, unless it is answer text."""
        return chunk if self._is_answer(chunk) else super().without_unknown(chunk)

    def _is_answer(self, chunk: Any) -> bool:
        return self._has_answer and isinstance(chunk, str)

    def kept(self) -> None:
        """Report at the stream's end, if that was not done yet; no chunk is kept."""
        report, self._report = self._report, None
        paths = [path for path in self._paths if path not in self.exact]
        if report is not None and paths and self._events > 1:
            report(paths)
        self._paths.clear()

    def _note(self, pieces: Sequence[Piece]) -> None:
        said = (slot.field for slot, text, _ in pieces if not is_mark(text))
        told = [path for path in said if not path.endswith(("~", *KIND_ENDS))]
        self._paths |= dict.fromkeys(told[: _PATHS - len(self._paths)])

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        return Reading(pieces, ())


def unnamed(adapter: Adapter[Any], chunk: object, *, unknown: Unknown) -> Adapter[Any]:
    """Return an adapter, or one of no format if only a text alone shows its format: that may be
    anybody's event, and what is held of it leaves in its own events."""
    told = isinstance(chunk, dict) and hooks_of(adapter).name in ("events", "kosong")
    if not told or unknown == "refuse":
        return adapter
    assert isinstance(chunk, dict)
    is_alone = isinstance(chunk.get("text"), str) and chunk.get("type", "text") == "text"
    return AnyJSON(unknown=unknown) if is_alone else adapter


def _only_tells(piece: Piece) -> bool:
    """Return whether a piece is the name of a field, a kind or a mark, and not text."""
    return piece.slot.field.endswith(("~", *KIND_ENDS)) or is_mark(piece.text)


class Begun(AnyJSON):
    """The adapter for a first chunk that only has its kind, until the next one arrives."""

    spec: ClassVar[Spec] = {"type": KEEP}
