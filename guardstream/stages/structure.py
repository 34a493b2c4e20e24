"""The JSON stage: lets only the beginning of valid documents through, and guards their texts.

Rules see the decoded text of each string, each a text of its own, and what they change is written
back as JSON. Findings refer to the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from guardstream.events import Action, Event, Finding, Finish, Stage, Text
from guardstream.jsonstream import tokens as t
from guardstream.jsonstream.document import Document
from guardstream.jsonstream.documents import Documents, Mark, Part, Piece, Prose
from guardstream.jsonstream.errors import DocumentError, JSONSyntaxError
from guardstream.jsonstream.strings import Spans, encode
from guardstream.jsonstream.tokens import Token
from guardstream.stages import structure_parts as parts
from guardstream.stages.structure_settings import Settings

__all__ = ["Settings", "Structure"]


class Structure:
    """Lets only the beginning of valid JSON documents through.

    `violations` holds what was wrong, in order; `value` is what has been built of the last
    document, if there is a schema: the source's values, before masking.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.violations: list[DocumentError] = []
        self._settings = settings = settings or Settings()
        self._finder = Documents(self._new_document, settings.fences)
        self._guards = settings.redact is not None or settings.repair is not None
        self._open: Document | None = None  # the document that all of the next chunk may belong to
        self._fed = 0
        self._out: list[Event] = []
        self._pending: list[Event] = []  # with `repair`: what is not let through until it is safe
        self._pending_at = 0
        self._safe = False  # with `repair`: something of the document was let through
        self._finished = False
        self._over = False  # the one document is over
        self._broken = False  # the text is no JSON, and that is only monitored
        self._document: Document | None = None
        self._count = 0
        self._inside = False  # a document is open
        self._raw = ""  # the source of the document from `_raw_at` on
        self._raw_at = 0
        self._at = 0  # how far the document has been let through, or given to a stage
        self._in_string = False
        self._held_scalar = False  # a number that has begun waits for its end
        self._inner: Stage | None = None  # guards the string that is open
        self._spans = Spans(0)
        self._prose: Stage | None = None  # guards the text around documents
        self._prose_at = 0
        self._closers: list[str] = []

    @property
    def value(self) -> object:
        """What has been built of the last document, of its source."""
        return self._document.value if self._document else None

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        if self._finished:
            return 0
        held = self._finder.held
        if self._prose:
            return held + self._prose.held
        if self._document:
            held += self._document.offset - self._at
            if self._inner:
                held = self._fed - self._spans.start(self._spans.length - self._inner.held)
            if self._pending:
                held = max(held, self._fed - self._pending_at)
        return held

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return what can be said now."""
        if self._finished:
            return []
        self._fed += len(text)
        document = self._open
        if document is None:
            return self._take(self._finder.feed(text))
        # Most chunks lie inside a document: they need no dividing.
        tokens = document.feed(text)
        if document.lexer.done or document.error:
            self._open = None
            return self._take(self._finder.resume(text, self._fed - len(text), tokens))
        if not self._guards and not self._raw and self._passes_whole(tokens):
            self._at = self._raw_at = self._fed
            return [Text(text)] if text else []
        self._out = []
        try:
            self._add(document, text, tokens)
        except parts.Ended as ended:
            self._conclude(ended)
        return self._out

    def finish(self) -> list[Event]:
        """Take the source's end: an open document is a violation, and so is none at all."""
        if self._finished:
            return []
        return self._take(self._finder.finish(), final=True)

    def _take(self, pieces: Iterator[Piece], *, final: bool = False) -> list[Event]:
        self._out = []
        try:
            for piece in pieces:
                if isinstance(piece, Part):
                    self._part(piece)
                else:
                    self._between(piece)
            if final:
                self._end()
            self._open = self._finder.inside
        except parts.Ended as ended:
            self._conclude(ended)
        return self._out

    def _conclude(self, ended: parts.Ended) -> None:
        self._finished = True
        if self._settings.repair:
            self._repair()
        self._out.append(ended.finish)

    def _end(self) -> None:
        if not self._count and self._settings.fences != "keep":
            place = self._fed, *self._finder.position
            self._violate(JSONSyntaxError("no document in the text", *place, ""))
        self._settle()
        raise parts.Ended(Finish("stop"))

    # -- text around documents

    def _between(self, piece: Prose | Mark) -> None:
        if self._over and self._settings.after == "ignore":
            return
        fences = self._settings.fences
        through = fences == "keep" or self._broken or (self._over and isinstance(piece, Prose))
        if fences is None and isinstance(piece, Mark):
            self._emit_text(piece.text.removeprefix("\ufeff"))
        elif through:
            self._add_prose(piece.text, piece.start)

    def _add_prose(self, text: str, start: int) -> None:
        if not self._settings.redact:
            self._emit_text(text)
            return
        if not self._prose:
            self._prose = self._settings.redact()
            self._prose_at = start
        self._guarded(self._prose.feed(text), self._shift)

    def _end_prose(self) -> None:
        if self._prose:
            prose, self._prose = self._prose, None
            self._guarded(parts.settled(prose), self._shift)

    def _shift(self, finding: Finding) -> Finding:
        at = self._prose_at
        return replace(finding, start=finding.start + at, end=finding.end + at)

    # -- documents

    def _new_document(self, offset: int, line: int, column: int) -> Document:
        settings = self._settings
        return Document(
            settings.schema,
            settings.limits,
            duplicates=settings.duplicates,
            offset=offset,
            line=line,
            column=column,
        )

    def _part(self, part: Part) -> None:
        document = part.document
        if document is not self._document:
            self._begin(document)
        self._add(document, part.text, part.tokens)
        if document.error:
            self._violate(document.error)
            self._finder.go_on()
            if isinstance(document.error, JSONSyntaxError):
                self._break()
        elif document.done:
            self._finish_document()

    def _add(self, document: Document, text: str, tokens: list[Token]) -> None:
        """Let through what can be of a document's next characters."""
        self._raw += text
        if self._guards:
            self._guard(tokens)
        else:
            self._pass(document, tokens)
        self._raw = self._raw[self._at - self._raw_at :]
        self._raw_at = self._at

    def _begin(self, document: Document) -> None:
        self._end_prose()
        if self._count and self._settings.fences in ("strip", "require"):
            self._emit_text("\n")
        self._document = document
        self._count += 1
        self._inside = True
        self._safe = False
        self._at = self._raw_at = document.start
        self._raw = ""
        self._in_string = False

    def _finish_document(self) -> None:
        self._inside = False
        if self._settings.documents == "many":
            return
        if self._settings.after == "stop":
            raise parts.Ended(Finish("stop"))
        self._over = True
        self._finder.close()

    def _break(self) -> None:
        """The text is no JSON, and that changes nothing: the rest is text."""
        self._broken = True
        self._inside = False
        self._settle()
        rest = self._raw[self._at - self._raw_at :]
        if rest:
            self._add_prose(rest, self._at)

    def _violate(self, error: DocumentError) -> None:
        self.violations.append(error)
        settings, offset = self._settings, error.offset
        action: Action = settings.on_violation
        if action == "stop":
            self._settle()
        if action == "monitor" or self._in_value():
            self._release()
        end = min(offset + 1, self._fed)
        self._emit(Finding(settings.rule, offset, end, action, settings.severity))
        if action != "monitor":
            raise parts.Ended(Finish("content_filter" if action == "block" else "stop"))

    # -- a part's tokens

    def _pass(self, document: Document, tokens: list[Token]) -> None:
        """Let a part through as it is; half an escape waits."""
        end = document.offset
        if not self._passes_whole(tokens):
            end = tokens[-1][3] if tokens else self._at
        self._through(end)

    def _passes_whole(self, tokens: list[Token]) -> bool:
        """Whether all that was fed comes through: no string is open, or its last part is whole."""
        if tokens:
            self._in_string = tokens[-1][0] in parts.PARTS
        return not self._in_string or (bool(tokens) and tokens[-1][3] == self._fed)

    def _guard(self, tokens: list[Token]) -> None:
        for kind, value, start, end in tokens:
            if kind in parts.PARTS:
                self._string_part(kind, value, start, end)
            elif kind in (t.STRING, t.KEY):
                tail = value[len(value) - (end - 1 - start) :]
                self._string_part(kind - t.STRING + t.STRING_PART, tail, start, end - 1)
                self._end_string()
                self._through(end)
            elif kind in parts.NUMBERS and self._settings.redact and self._settings.numbers:
                self._through(start)
                self._number(value, start, end)
            elif kind != t.SCALAR_PART:
                self._through(end)
                self._nest(kind)
            if kind in parts.SAFE:
                self._release()
        self._after_tokens(tokens)

    def _after_tokens(self, tokens: list[Token]) -> None:
        assert self._document
        last = tokens[-1] if tokens else None
        if self._in_string or (last is None and self._held_scalar):
            return
        self._held_scalar = bool(last and last[0] == t.SCALAR_PART and self._guards_numbers(last))
        self._through(last[2] if last and self._held_scalar else self._document.offset)

    def _guards_numbers(self, token: Token) -> bool:
        return bool(self._settings.redact and self._settings.numbers) and token[1] not in "tfn"

    def _nest(self, kind: int) -> None:
        if kind in parts.CLOSERS:
            self._closers.append(parts.CLOSERS[kind])
        elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
            self._closers.pop()

    def _string_part(self, kind: int, part: str, start: int, end: int) -> None:
        redact = self._settings.redact
        if not self._in_string:
            self._through(start)
            self._in_string = True
            if redact and (kind == t.STRING_PART or self._settings.redact_keys):
                self._inner = redact()
                self._spans = Spans(start)
            if kind == t.STRING_PART:
                self._closers.append('"')
        if not self._inner:
            self._through(end)
        elif part:
            self._at = end
            self._spans.add(part, start, end)
            self._guarded(self._inner.feed(part), self._in_source, encode)

    def _end_string(self) -> None:
        self._in_string = False
        inner, self._inner = self._inner, None
        if inner:
            self._guarded(parts.settled(inner), self._in_source, encode)
        if self._closers and self._closers[-1] == '"':
            self._closers.pop()

    def _in_source(self, finding: Finding) -> Finding:
        start, end = self._spans.start(finding.start), self._spans.end(finding.end)
        return replace(finding, start=start, end=end)

    def _number(self, text: str, start: int, end: int) -> None:
        """A number is a text of its own; if a rule changes it, it becomes something else."""
        assert self._settings.redact
        inner, self._prose_at = self._settings.redact(), start
        events = inner.feed(text)
        if not any(isinstance(event, Finish) for event in events):
            events += parts.settled(inner)
        out = "".join(event.text for event in events if isinstance(event, Text))
        self._at = end
        self._guarded([e for e in events if not isinstance(e, Text)], self._shift)
        self._emit_text(parts.written_number(text, out, self._settings.numbers))

    # -- letting through

    def _guarded(
        self,
        events: list[Event],
        place: Callable[[Finding], Finding],
        write: Callable[[str], str] = str,
    ) -> None:
        """Pass on what a guarding stage said; its end is the stream's."""
        for event in events:
            if isinstance(event, Text):
                self._emit_text(write(event.text))
            elif isinstance(event, Finding):
                self._emit(place(event))
            else:
                raise parts.Ended(event)

    def _through(self, end: int) -> None:
        """Let the source through up to the offset `end`."""
        if end > self._at:
            text = self._raw[self._at - self._raw_at : end - self._raw_at]
            self._emit_text(text)
            self._at = end

    def _settle(self) -> None:
        """Let the open texts' stages say what they held."""
        self._end_prose()
        inner, self._inner = self._inner, None
        if inner:
            self._guarded(parts.settled(inner), self._in_source, encode)

    def _emit_text(self, text: str) -> None:
        if text:
            self._emit(Text(text))

    def _emit(self, event: Event) -> None:
        if self._settings.repair and self._inside:
            if not self._pending:
                self._pending_at = self._at
            self._pending.append(event)
        else:
            self._out.append(event)

    def _release(self) -> None:
        self._out += self._pending
        self._pending = []
        self._safe = True

    def _in_value(self) -> bool:
        """Whether a string value is open, so that what waits of it can be let through."""
        return self._closers[-1:] == ['"']

    def _repair(self) -> None:
        """Close the document that ends here; findings are kept, separators and keys are not."""
        if self._in_value():
            self._release()
        self._out += [event for event in self._pending if isinstance(event, Finding)]
        closing = "".join(reversed(self._closers))
        if self._inside and not self._safe:
            closing = "null"
        if self._inside and closing:
            self._out.append(Text(closing))
