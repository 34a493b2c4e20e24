"""The JSON stage: lets only the beginning of valid documents through, and guards their texts.

Rules see the decoded text of each string, each a text of its own, and what they change is written
back as JSON. Findings refer to the source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from guardstream.events import Action, Event, Finding, Finish, Severity, Stage, Text
from guardstream.jsonstream import tokens as t
from guardstream.jsonstream.document import Checks, Document
from guardstream.jsonstream.documents import Documents, Fences, Mark, Part, Piece, Prose
from guardstream.jsonstream.errors import DocumentError, JSONSyntaxError
from guardstream.jsonstream.lexer import Limits
from guardstream.jsonstream.strings import Spans, encode
from guardstream.jsonstream.tokens import Token

OnViolation: TypeAlias = Literal["block", "stop", "monitor"]
After: TypeAlias = Literal["stop", "ignore", "text"]
Numbers: TypeAlias = Literal["string", "null", "zero"]
Redact: TypeAlias = Callable[[], Stage]

_PARTS = (t.STRING_PART, t.KEY_PART)
_NUMBERS = (t.INTEGER, t.FLOAT)
_CLOSERS = {t.OPEN_OBJECT: "}", t.OPEN_ARRAY: "]"}
#: After these a document can be closed without inventing anything.
_SAFE = frozenset(
    (
        t.STRING, t.STRING_PART, t.INTEGER, t.FLOAT, t.LITERAL,
        t.OPEN_OBJECT, t.OPEN_ARRAY, t.CLOSE_OBJECT, t.CLOSE_ARRAY,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What the JSON stage does.

    - `schema`: a Schema or a model's, or None for any JSON.
    - `fences`: None, the whole text is JSON; "strip", documents in prose and code fences, of which
      nothing else is let through; "keep", the rest is let through as text; "require", as "strip",
      but only documents in code fences count.
    - `documents`: "one", or "many" such as JSON lines. `after` says what follows the one:
      "stop" ends the stream, "ignore" drops it, "text" lets it through as text.
    - `on_violation`: "block" and "stop" end the stream there, as `content_filter` and as `stop`;
      "monitor" reports and changes nothing.
    - `repair`: "close" holds separators, keys, numbers and literals until they are complete, and
      closes a document that ends too early.
    - `redact` makes a fresh stage for each text in a document (and outside, where that is let
      through): each string value, each key with `redact_keys`, and each number unless `numbers` is
      None. A number that it changes becomes a string, null, or 0.
    - `rule` and `severity` are those of the findings about violations.
    """

    schema: Checks | None = None
    fences: Fences | None = None
    documents: Literal["one", "many"] = "one"
    after: After = "stop"
    on_violation: OnViolation = "block"
    repair: Literal["close"] | None = None
    redact: Redact | None = None
    redact_keys: bool = False
    numbers: Numbers | None = "string"
    limits: Limits = field(default_factory=Limits)
    duplicates: bool = False
    rule: str = "json"
    severity: Severity = "medium"


class _Ended(Exception):  # noqa: N818  # no error: the stream is over
    def __init__(self, finish: Finish) -> None:
        self.finish = finish


class Structure:
    """Lets only the beginning of valid JSON documents through.

    `violations` holds what was wrong, in order; `value` is what has been built of the last
    document, if there is a schema: the source's values, before masking.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.violations: list[DocumentError] = []
        self._settings = settings = settings or Settings()
        self._finder = Documents(self._new_document, settings.fences)
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
        return self._take(self._finder.feed(text))

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
        except _Ended as ended:
            self._finished = True
            if self._settings.repair:
                self._repair()
            self._out.append(ended.finish)
        return self._out

    def _end(self) -> None:
        if not self._count and self._settings.fences != "keep":
            error = JSONSyntaxError("no document in the text", self._fed, 1, self._fed + 1, "")
            self._violate(error)
        self._settle()
        raise _Ended(Finish("stop"))

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
            self._guarded(_settled(prose), self._shift)

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
        self._raw += part.text
        if self._settings.redact or self._settings.repair:
            self._guard(part.tokens)
        else:
            self._pass(part.tokens)
        self._raw = self._raw[self._at - self._raw_at :]
        self._raw_at = self._at
        if document.error:
            self._violate(document.error)
            self._finder.go_on()
            if isinstance(document.error, JSONSyntaxError):
                self._break()
        elif document.done:
            self._finish_document()

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
            raise _Ended(Finish("stop"))
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
            raise _Ended(Finish("content_filter" if action == "block" else "stop"))

    # -- a part's tokens

    def _pass(self, tokens: list[Token]) -> None:
        """Let a part through as it is; half an escape waits."""
        assert self._document
        end = self._document.offset
        if tokens:
            self._in_string = tokens[-1][0] in _PARTS
            if self._in_string:
                end = tokens[-1][3]
        elif self._in_string:
            return
        self._through(end)

    def _guard(self, tokens: list[Token]) -> None:
        for kind, value, start, end in tokens:
            if kind in _PARTS:
                self._string_part(kind, value, start, end)
            elif kind in (t.STRING, t.KEY):
                tail = value[len(value) - (end - 1 - start) :]
                self._string_part(kind - t.STRING + t.STRING_PART, tail, start, end - 1)
                self._end_string()
                self._through(end)
            elif kind in _NUMBERS and self._settings.redact and self._settings.numbers:
                self._through(start)
                self._number(value, start, end)
            elif kind != t.SCALAR_PART:
                self._through(end)
                self._nest(kind)
            if kind in _SAFE:
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
        guards = self._settings.redact is not None and self._settings.numbers is not None
        return guards and token[1] not in "tfn"

    def _nest(self, kind: int) -> None:
        if kind in _CLOSERS:
            self._closers.append(_CLOSERS[kind])
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
            self._guarded(_settled(inner), self._in_source, encode)
        if self._closers and self._closers[-1] == '"':
            self._closers.pop()

    def _in_source(self, finding: Finding) -> Finding:
        spans = self._spans
        return replace(finding, start=spans.start(finding.start), end=spans.end(finding.end))

    def _number(self, text: str, start: int, end: int) -> None:
        """A number is a text of its own; if a rule changes it, it becomes something else."""
        redact = self._settings.redact
        assert redact
        inner, self._prose_at = redact(), start
        events = inner.feed(text)
        if not any(isinstance(event, Finish) for event in events):
            events += _settled(inner)
        out = "".join(event.text for event in events if isinstance(event, Text))
        self._at = end
        self._guarded([e for e in events if not isinstance(e, Text)], self._shift)
        replaced = {"null": "null", "zero": "0"}.get(str(self._settings.numbers), json.dumps(out))
        self._emit_text(text if out == text else replaced)

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
                raise _Ended(event)

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
            self._guarded(_settled(inner), self._in_source, encode)

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


def _settled(stage: Stage) -> list[Event]:
    """What a stage says at its text's end; the Finish only if it is no ordinary one."""
    events = stage.finish()
    stopped = any(isinstance(event, Finding) and event.action == "stop" for event in events)
    if events and events[-1] == Finish("stop") and not stopped:
        return events[:-1]
    return events
