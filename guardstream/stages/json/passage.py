"""Releases one document: punctuation unchanged, texts as the rules leave them.

Each string value, each key if requested, and each number is a text of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from guardstream.events import Event, Finding, Finish, Stage, Text, text_of
from guardstream.jsonstream.document import Document
from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.strings import Spans, Spelling
from guardstream.stages.json.output import Output, settled, shifted
from guardstream.stages.json.settings import Numbers, Settings
from guardstream.stages.json.tail import Tail

_PARTS = (t.STRING_PART, t.KEY_PART)
_NUMBERS = (t.INTEGER, t.FLOAT)

_CLOSERS = {t.OPEN_OBJECT: "}", t.OPEN_ARRAY: "]"}
_SAFE = frozenset(
    (
        t.STRING, t.STRING_PART, t.INTEGER, t.FLOAT, t.LITERAL,
        t.OPEN_OBJECT, t.OPEN_ARRAY, t.CLOSE_OBJECT, t.CLOSE_ARRAY,
    )
)  # fmt: skip
"""After these tokens, a document can be closed without inventing anything."""

ToSource: TypeAlias = Callable[[int, int], tuple[int, int]]
"""Maps a span of a document's text to the source."""


def _same(start: int, end: int) -> tuple[int, int]:
    return start, end


class Passage:
    """The output of one document. `at` is how far it has been released or given to a stage.

    `raw` is the text from there on. If that is empty and the passage is `plain`, without rules and
    closing, a chunk may bypass the passage unless an escape is open at its end. `source` maps
    offsets of the document's text to the source.

    A number is held until its end, so that rules see all of it. If the stream continues after a
    violation, the number is held until the separator after it, for at most as many code points as a
    number may have: until then it may be the beginning of text that is not JSON.
    """

    def __init__(
        self, settings: Settings, output: Output, start: int, source: ToSource = _same
    ) -> None:
        self.at = start
        self._source = source
        self._settings = settings
        self._output = output
        self.plain = not settings.redact and not settings.closes
        self._quiet = _quiet(settings)
        self._waits = settings.goes_on and settings.guards_numbers
        self.raw = ""
        self._raw_at = start
        self._in_string = False
        self._held_scalar = False  # a number that has begun is held until its end
        self._number: Token | None = None  # a complete number waits for its separator
        self._inner: Stage | None = None  # guards the open string
        self._spans = Spans(start)
        self._spelling = Spelling()
        self._held_text = ""  # held by `_inner`
        self._closers: list[str] = []
        self._place: list[str] = []  # of the open value, if `restore` needs it
        self._labels = [""]  # the name of the member in each open container; items share that of it
        self._keys: list[_Keys] = []  # of each open object
        self._key: tuple[list[str], list[str]] | None = None  # the open key, and its text

    @property
    def in_value(self) -> bool:
        """Whether a string value is open, so that its held text can be released."""
        return self._closers[-1:] == ['"']

    @property
    def closing(self) -> str:
        """What completes the document."""
        return "".join(reversed(self._closers))

    @property
    def held_from(self) -> int:
        """The offset from which text is held for rules."""
        if self._inner:
            return self._spans.start(self._spans.length - self._inner.held)
        return self.at

    def add(self, document: Document, text: str, tokens: list[Token]) -> None:
        """Take the document's next characters, and release as many as possible."""
        if self._inner and len(tokens) == 1 and not self.raw:
            kind, part, start, end = tokens[0]
            if kind in _PARTS and len(part) == len(text) == end - start:
                # Most chunks of a long string need nothing else.
                self._feed_inner(self._inner, part, start, end)
                if kind == t.STRING_PART:
                    self._output.release()
                return
        if not self.raw:
            self._raw_at = self.at
        self.raw += text
        if self.plain:
            self._pass(document, tokens)
        else:
            self._guard(tokens)
            self._after_tokens(document, tokens)
        self.raw = self.raw[self.at - self._raw_at :]
        self._raw_at = self.at

    def settle(self) -> None:
        """Settle the stage of the open string."""
        inner, self._inner = self._inner, None
        if inner:
            events = settled(inner)
            self._note_key("", events)
            self._output.guarded(events, self.at, self._in_source, self._spelling.write)

    def rest(self, offset: int) -> tuple[str, Tail | None]:
        """Return what remains if the document is broken at `offset`, and the stage that guards the
        rest."""
        if self._number and offset - self._number[2] > self._settings.limits.digits:
            self._flush_number()
        text = self.raw[self.at - self._raw_at :]
        redact = self._settings.redact
        if not redact:
            return text, None
        inner, self._inner = self._inner, None
        if inner:
            return text, Tail(inner, self._spans, self._held_text, self._spelling.write)
        return text, Tail(redact(), Spans(self.at))

    # Tokens

    def _pass(self, document: Document, tokens: list[Token]) -> None:
        """Release a part unchanged; an incomplete escape waits."""
        end = document.offset
        if document.waits:
            end = tokens[-1][3] if tokens else self.at
        self._through(end)

    def _guard(self, tokens: list[Token]) -> None:
        for token in tokens:
            if self._number:
                self._flush_number()
            if self._settings.redact_after:
                self._note_label(token)
            if token[0] not in self._quiet:
                self._guard_token(token)

    def _note_label(self, token: Token) -> None:
        kind, value, *_ = token
        if kind == t.KEY:
            self._labels[-1] = value
        elif kind in _CLOSERS:
            self._labels.append("" if kind == t.OPEN_OBJECT else self._labels[-1])
        elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
            self._labels.pop()

    def _guard_token(self, token: Token) -> None:
        kind, value, start, end = token
        if kind in _PARTS:
            self._string_part(kind, value, start, end)
        elif kind in (t.STRING, t.KEY):
            if kind == t.KEY and self._place:
                self._place[-1] = value
            tail = value[len(value) - (end - 1 - start) :]
            self._string_part(kind - t.STRING + t.STRING_PART, tail, start, end - 1)
            self._end_string()
            if self._settings.closes:
                self._through(end)
        elif kind in _NUMBERS and self._settings.guards_numbers:
            self._through(start)
            self._number = token
            if not self._waits:
                self._flush_number()
            return
        elif kind != t.SCALAR_PART:
            self._through(end)
            self._nest(kind)
        if kind in _SAFE:
            self._output.release()

    def _after_tokens(self, document: Document, tokens: list[Token]) -> None:
        if self._number:
            passed = document.offset - self._number[2]
            if not document.done and passed <= self._settings.limits.digits:
                return
            self._flush_number()
        last = tokens[-1] if tokens else None
        if self._in_string or (last is None and self._held_scalar):
            return
        if document.waits:  # in a key
            self._through(last[3] if last else self.at)
            return
        self._held_scalar = bool(
            last
            and last[0] == t.SCALAR_PART
            and self._settings.guards_numbers
            and last[1] not in "tfn"
        )
        self._through(last[2] if last and self._held_scalar else document.offset)

    def _nest(self, kind: int) -> None:
        if kind in _CLOSERS:
            self._closers.append(_CLOSERS[kind])
            if self._settings.restore:
                self._place.append("[*]")  # of an object until its first name
        elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
            self._closers.pop()
            if self._settings.restore:
                self._place.pop()
        if kind == t.OPEN_OBJECT:
            self._keys.append(_Keys())
        elif kind == t.CLOSE_OBJECT and self._keys:
            self._keys.pop()

    # Texts

    def _string_part(self, kind: int, part: str, start: int, end: int) -> None:
        if not self._in_string:
            self._begin_string(kind, start)
        inner = self._inner
        if not inner:
            self._through(end)
        elif part:
            if end - start > len(part):
                self._spelling.learn(part, self.raw[self.at - self._raw_at : end - self._raw_at])
            self._feed_inner(inner, part, start, end)

    def _feed_inner(self, inner: Stage, part: str, start: int, end: int) -> None:
        self.at = end
        self._spans.add(part, start, end)
        events = inner.feed(part)
        held = inner.held
        self._held_text = (self._held_text + part)[-held:] if held else ""
        self._note_key(part, events)
        if events:
            self._output.guarded(events, end, self._in_source, self._spelling.write)

    def _note_key(self, part: str, events: Sequence[Event]) -> None:
        if self._key is not None:
            self._key[0].append(part)
            self._key[1].extend(event.text for event in events if isinstance(event, Text))

    def _begin_string(self, kind: int, start: int) -> None:
        self._through(start)
        self._in_string = True
        redact = self._settings.redact
        if redact and (kind == t.STRING_PART or self._settings.redact_keys):
            self._inner = self._redacting() if kind == t.STRING_PART else redact()
            if self._settings.restore and kind == t.STRING_PART:
                self._inner = self._settings.restore(self._inner, tuple(self._place))
            self._spans = Spans(start)
            self._spelling = Spelling()
            self._held_text = ""
        if kind == t.STRING_PART:
            self._closers.append('"')
        elif self._inner is not None:
            self._key = ([], [])

    def _redacting(self) -> Stage:
        """Return the stage of a value, whose name may say what it is."""
        settings, label = self._settings, self._labels[-1]
        assert settings.redact
        after = settings.redact_after
        return settings.redact() if after is None or not label else after(label)

    def _end_string(self) -> None:
        self._in_string = False
        self.settle()
        if self.in_value:
            self._closers.pop()
        if self._key is not None:
            self._end_key(*("".join(each) for each in self._key))

    def _end_key(self, source: str, released: str) -> None:
        self._key = None
        if self._keys:
            self._output.text(self._keys[-1].suffix(source, released), self.at)

    def _in_source(self, finding: Finding) -> Finding:
        start, end = self._source(*self._spans.placed(finding.start, finding.end))
        return replace(finding, start=start, end=end)

    def _flush_number(self) -> None:
        """Guard a number as a text of its own; if a rule changes it, another value replaces it."""
        assert self._number
        _, text, start, end = self._number
        self._number = None
        self._held_scalar = False
        inner = self._redacting()
        events = inner.feed(text)
        if not any(isinstance(event, Finish) for event in events):
            events += settled(inner)
        out = text_of(events)
        self.at = end
        others = [event for event in events if not isinstance(event, Text)]
        first, _ = self._source(start, end)
        self._output.guarded(others, end, lambda found: shifted(found, first))
        self._output.text(_written_number(text, out, self._settings.numbers), end)
        self._output.release()

    def _through(self, end: int) -> None:
        """Release the source up to the offset `end`."""
        if end > self.at:
            text = self.raw[self.at - self._raw_at : end - self._raw_at]
            self._output.text(text, self.at)
            self.at = end


class _Keys:
    """Keeps the keys of an open object distinct when rules make several the same, so that readers
    do not lose a value."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}  # by their output
        self._numbers: dict[str, int] = {}
        self._suffixes: dict[tuple[str, str], str] = {}

    def suffix(self, source: str, released: str) -> str:
        """Return the suffix of a key: empty, or a number that makes it unique."""
        if self._sources.setdefault(released, source) == source:
            return ""
        if (source, released) not in self._suffixes:
            number = self._numbers.get(released, 1) + 1
            while self._sources.setdefault(f"{released} {number}", source) != source:
                number += 1
            self._numbers[released] = number
            self._suffixes[source, released] = f" {number}"
        return self._suffixes[source, released]


def _quiet(settings: Settings) -> frozenset[int]:
    """Return the kinds of tokens that no rule sees, which simply pass if nothing must be closed."""
    if settings.closes or settings.restore or (settings.redact and settings.redact_keys):
        return frozenset()
    kinds = {t.COMMA, t.LITERAL, *_CLOSERS, t.CLOSE_OBJECT, t.CLOSE_ARRAY}
    return frozenset(kinds | {t.KEY, t.KEY_PART})


def _written_number(number: str, changed: str, how: Numbers | None) -> str:
    """Return how a number is written that rules changed to `changed`."""
    if changed == number:
        return number
    return {"null": "null", "zero": "0"}.get(str(how)) or json.dumps(changed)
