"""The JSON stage: releases only beginnings of valid documents, and guards their texts.

Rules see the decoded text of each string, each as a text of its own, and what they change is
written back as JSON. Findings refer to the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from guardstream.events import Event, Finding, Finish, Stage, Text
from guardstream.framing.json import BOM
from guardstream.jsonstream.document import Document
from guardstream.jsonstream.documents import Documents, Mark, Part, Piece, Prose
from guardstream.jsonstream.errors import DocumentError, JSONSyntaxError
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.repair import Repair
from guardstream.jsonstream.repaired import DocumentOptions
from guardstream.jsonstream.strings import Spans
from guardstream.stages.halves import Halves
from guardstream.stages.json.ending import Ending, Rest
from guardstream.stages.json.last import Last
from guardstream.stages.json.output import Ended, Output, settled, shifted
from guardstream.stages.json.passage import Passage
from guardstream.stages.json.settings import Settings
from guardstream.stages.json.tail import Tail

__all__ = ["Settings", "Structure"]


class Structure:
    """Releases only beginnings of valid JSON documents.

    `violations` are the errors, in order; `value` is the parsed part of the last document, if there
    is a schema: the source's values, before masking.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.violations: list[DocumentError] = []
        self._settings = settings = settings or Settings()
        options = DocumentOptions(
            settings.schema, settings.limits, settings.duplicates, repair=settings.repair
        )
        or_text = settings.on_violation == "text"
        self._finder = Documents(options, settings.fences, or_text=or_text)
        self._output = Output(closes=settings.closes)
        self._last = _last(settings)
        self._open: Document | None = None  # the document that may contain all of the next chunk
        self._fed = 0
        self._finished = False
        self._over = False  # the one document is complete
        self._broken = False  # the text is not JSON, which is only monitored
        self._document: Document | None = None
        self._passage = Passage(settings, self._output, 0)
        self._prose: Stage | None = None  # guards the text around documents
        self._prose_at = 0
        self._ending: Ending | None = None  # reads what follows the document of a call
        self._halves = Halves()

    @property
    def value(self) -> object:
        """The parsed part of the last document, from the source."""
        return self._document.value if self._document else None

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        return 0 if self._finished else self._held() + len(self._halves.waiting)

    def _held(self) -> int:
        if self._last and self._last.kept and self._document:
            return self._fed - self._document.start
        held = self._finder.held
        if self._ending:
            held += self._ending.held
        if self._prose:
            return held + self._prose.held
        document = self._document
        if not document:
            return held
        at, waits_from = self._passage.held_from, self._output.waits_from
        held += document.accepted - document.source(at, at)[0]
        if waits_from is None:
            return held
        return max(held, self._fed - document.source(waits_from, waits_from)[0])

    def feed(self, text: str) -> list[Event]:
        """Take the next characters; return the events that are certain."""
        return self._read(self._halves.joined(text))

    def _read(self, text: str) -> list[Event]:
        if self._finished:
            return []
        fed = self._fed = self._fed + len(text)
        document = self._open
        if document is None:
            return self._emitted(self._take(self._finder.feed(text)))
        # Most chunks are inside a document and need not be split.
        tokens = document.feed(text)
        if document.ended:
            self._open = None
            return self._emitted(self._take(self._finder.resume(text, fed - len(text), tokens)))
        passage = self._passage
        if passage.plain and not document.state.waits and not passage.raw:
            passage.at = fed
            events: list[Event] = [Text(text)] if text else []
        else:
            events = self._inside(document, text, tokens)
        return events if self._last is None else self._emitted(events)

    def finish(self) -> list[Event]:
        """Take the source's end: an open document is a violation, and so is a text without any."""
        rest = self._halves.rest()
        events = self._read(rest) if rest else []
        if self._finished:
            return events
        return events + self._emitted(self._take(self._finder.finish(), final=True))

    def cut(self, finish: Finish) -> list[Event]:
        """Take an earlier stage's end: what is held is dropped; with `close` the document is
        closed."""
        if self._finished:
            return []
        events = self._output.events = []
        self._conclude(Ended(finish))
        return self._emitted(events)

    def _emitted(self, events: list[Event]) -> list[Event]:
        """Return the events to emit now: all, unless only the last document counts."""
        if self._last is None:
            return events
        emitted = self._last.take(events)
        if emitted and isinstance(emitted[-1], Finish):
            self._finished = True
            if self._last.full:  # any later violation would depend on the chunking
                self.violations.clear()
        return emitted

    def _inside(self, document: Document, text: str, tokens: list[Token]) -> list[Event]:
        events = self._output.events = []
        try:
            self._passage.add(document, text, tokens)
        except Ended as ended:
            self._conclude(ended)
        return events

    def _take(self, pieces: Iterator[Piece], *, final: bool = False) -> list[Event]:
        events = self._output.events = []
        try:
            for piece in pieces:
                if isinstance(piece, Part):
                    self._part(piece)
                else:
                    self._between(piece)
            if final:
                self._end()
            self._open = self._finder.inside
        except Ended as ended:
            self._conclude(ended)
        return events

    def _conclude(self, ended: Ended) -> None:
        self._finished = True
        if self._settings.closes:
            if self._passage.in_value:
                self._output.release()
            self._output.close(self._passage.closing)
        self._output.events.append(ended.finish)

    def _end(self) -> None:
        settings = self._settings
        if not self._document and settings.fences != "keep" and settings.on_violation != "text":
            place = self._fed, *self._finder.position
            self._violate(JSONSyntaxError("no document in the text", *place, ""))
        if self._ending:
            self._follow(self._ending.take("", final=True))
        self._settle()
        raise Ended(Finish("stop"))

    # Text around documents

    def _between(self, piece: Prose | Mark) -> None:
        if self._over and self._settings.after == "ignore":
            return
        if self._ending:
            self._follow(self._ending.take(piece.text))
            return
        if self._last and not self._broken:
            return
        fences = self._settings.fences
        prose = isinstance(piece, Prose)
        through = fences == "keep" or self._broken or (self._over and prose)
        if fences is None and not prose:
            self._output.text(piece.text.removeprefix(BOM), piece.start)
        elif through or self._settings.on_violation == "text":
            self._add_prose(piece.text, piece.start)

    def _follow(self, rests: Iterator[Rest]) -> None:
        """Take what follows the document of a call: what its clients do not read is left out."""
        monitored = self._settings.on_violation == "monitor"
        for kind, text, offset, line, column in rests:
            if kind == "token":
                self._note("end_token", offset, offset + len(text))
            if kind == "other":
                self._ending = None
                self._violate(JSONSyntaxError("more than one value", offset, line, column, ""))
                self._add_prose(text, offset)
            elif kind == "space" or monitored:
                self._output.text(text, offset)

    def _add_prose(self, text: str, start: int) -> None:
        redact = self._settings.redact
        if not redact:
            self._output.text(text, start)
            return
        if not self._prose:
            broken = self._document and self._settings.on_violation == "text"
            restore, stage = self._settings.restore, redact()
            stage = restore(stage, ()) if restore else stage
            self._prose = Tail(stage, Spans(start)) if broken else stage
            self._prose_at = 0 if broken else start
        self._output.guarded(self._prose.feed(text), start, self._shift)

    def _end_prose(self) -> None:
        if self._prose:
            prose, self._prose = self._prose, None
            self._output.guarded(settled(prose), self._fed, self._shift)

    def _shift(self, finding: Finding) -> Finding:
        if self._document and self._broken:  # the text continues as that of the document
            start, end = self._document.source(finding.start, finding.end)
            return replace(finding, start=start, end=end)
        return shifted(finding, self._prose_at)

    # Documents

    def _part(self, part: Part) -> None:
        document, text = part.document, part.text
        if document is not self._document:
            if document.blank:  # only comments so far
                for repair in part.repairs:
                    self._report(repair)
                return
            text = text.lstrip(" \t\n\r")
            self._begin(document, document.offset - len(text))
        self._passage.add(document, text, part.tokens)
        for repair in part.repairs:
            self._report(repair)
        if document.error:
            self._violate(document.error)
            self._finder.go_on()
            if isinstance(document.error, JSONSyntaxError):
                self._break(document)
        elif document.done:
            self._finish_document(document)

    def _begin(self, document: Document, at: int) -> None:
        self._end_prose()
        if self._last:
            self._drop_last(self._last)
        elif self._document and self._settings.fences in ("strip", "require"):
            self._output.text("\n", document.start)
        self._document = document
        self._output.begin()
        self._passage = Passage(self._settings, self._output, at, document.source)

    def _finish_document(self, document: Document) -> None:
        self._output.inside = False
        if self._last:
            self._output.events[:] = self._last.take(self._output.events)
            self._last.end()
        if self._settings.documents != "one":
            return
        if self._settings.after == "stop":
            raise Ended(Finish("stop", "choice", by_rule=True))
        self._over = True
        self._finder.close()
        if self._settings.after == "refuse":
            self._ending = Ending(document.accepted, *self._finder.position)

    def _report(self, repair: Repair) -> None:
        self._note(repair.kind, repair.start, repair.end)

    def _note(self, kind: str, start: int, end: int) -> None:
        rule, severity = f"{self._settings.rule}.{kind}", self._settings.severity
        finding = Finding(rule, start, end, "monitor", severity, "repair")
        self._output.emit(finding, self._passage.at)

    def _drop_last(self, last: Last) -> None:
        """Drop the previous document when another one begins; only its findings are emitted."""
        self._output.events[:] = last.take(self._output.events)
        last.begin()

    def _break(self, document: Document) -> None:
        """Treat the rest as text, because it is not JSON and violations change nothing."""
        self._broken = True
        self._output.inside = False
        rest, self._prose = self._passage.rest(document.offset)
        self._prose_at = 0
        if rest:
            self._add_prose(rest, self._passage.at)

    def _violate(self, error: DocumentError) -> None:
        settings, offset = self._settings, error.offset
        action = settings.on_violation
        if action == "text":
            return
        self.violations.append(error)
        if action == "stop":
            self._settle()
        if action == "monitor" or self._passage.in_value:
            self._output.release()
        end = min(offset + 1, self._fed)
        found = Finding(settings.rule, offset, end, action, settings.severity)
        self._output.emit(found, offset)
        if action != "monitor":
            stops = action == "stop"
            raise Ended(Finish("stop", by_rule=True) if stops else Finish("content_filter"))

    def _settle(self) -> None:
        """Settle the stages of the open texts."""
        self._end_prose()
        self._passage.settle()


def _last(settings: Settings) -> Last | None:
    """Return what keeps the last document, if only that one counts."""
    if settings.documents != "last":
        return None
    partly = settings.goes_on or settings.closes
    return Last(settings.last_max, f"{settings.rule}.last_max", settings.severity, partly=partly)
