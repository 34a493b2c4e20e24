"""An incremental lexer for JSON (RFC 8259): text in any chunks in, tokens out.

It refuses a document at the first character after which no continuation is valid, in every
chunking. Beyond the RFC's grammar, it refuses what could not be passed on: unpaired surrogates, and
by default an object with a repeated key, because the last value would override what a reader has
already seen.
"""

from __future__ import annotations

from guardstream.jsonstream.lexer.errors import JSONSyntaxError
from guardstream.jsonstream.lexer.plans import (
    LONGEST,
    Memory,
    grow,
    keep,
    may_nest,
    nest,
    plans_for,
    resume,
)
from guardstream.jsonstream.lexer.scalars import WHOLE, end_number, in_number, in_string
from guardstream.jsonstream.lexer.state import LexerState, Limits
from guardstream.jsonstream.lexer.structure import End, begin, skip
from guardstream.jsonstream.lexer.tokens import KEY, Token

__all__ = ["Lexer", "Limits"]


class Lexer:
    """One document. `feed` stops after its last character; only white space may follow.

    `limits` bound depth, digits and strings. With `duplicates`, an object may repeat a key.
    `offset` is how much of the stream was accepted; it starts at the document's own offset, as do
    line and column. An error is stored in `error`, not raised, so that the tokens before it are
    delivered; all further text is ignored. `state` is for callers that inspect it at each chunk.
    """

    __slots__ = ("_memory", "state")

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        duplicates: bool = False,
        offset: int = 0,
        line: int = 1,
        column: int = 1,
    ) -> None:
        self.state = LexerState(
            limits or Limits(), duplicates=duplicates, offset=offset, line=line, column=column
        )
        begin(self.state)
        self._memory = Memory(self.state)

    @property
    def done(self) -> bool:
        """Whether the document is complete."""
        return self.state.done

    @property
    def error(self) -> JSONSyntaxError | None:
        """The first error."""
        return self.state.error

    @property
    def offset(self) -> int:
        """How much of the stream was accepted."""
        return self.state.offset

    @property
    def path(self) -> list[str | int | None]:
        """The path to the open value; None stands for an incomplete key."""
        return self.state.path

    def feed(self, text: str) -> list[Token]:  # noqa: C901  # the hot loop
        """Take the next characters; `offset` then says how many were accepted."""
        state = self.state
        base = state.base = state.offset
        size = len(text)
        end = base + size
        if end > state.bound:
            return self._feed_slowly(text)
        if (
            state.step is in_string
            and text.isprintable()  # as nearly all text that needs no escape
            and '"' not in text
            and "\\" not in text
            and size
        ):
            # Nearly half of all chunks: a run in a string.
            length = state.length + size
            if length <= state.max_string:
                state.length = length
                state.parts.append(text)
                state.offset = end
                return [(state.kind + 1, text, base, end)]
        memory = self._memory
        if size > LONGEST or memory.resting or size < 2:
            return self._read(text)
        plans = memory.plans
        if plans is None:
            plans = memory.plans = plans_for(memory)
        plan = plans.get(text)
        if not plan:
            return self._read(text)
        # Most others: replay the plan of the chunk, unless something prevents it.
        ended, run, ends, growth, key, tokens, commas, nesting, step, begun, lines, following = plan
        out: list[Token] = []
        if ended >= 0:
            parts, string = state.parts, ended <= KEY
            if state.length + len(run) > (state.max_string if string else state.max_digits):
                return self._read(text)
            value = "".join(parts) + run if parts else run
            if ended == KEY:
                key = value
            out.append((ended, value, base if string else state.start, base + ends))
        elif growth is not None and not grow(state, growth, out, base):
            return self._read(text)
        if nesting is not None:
            if not may_nest(state, key, nesting, len(tokens)):
                return self._read(text)
        elif key is not None:
            if not state.duplicates:
                seen = state.keys[-1]
                if key in seen:
                    return self._read(text)
                seen.add(key)
            state.path[-1] = key
        if commas:
            at = state.path[-1]
            state.path[-1] = at + commas if type(at) is int else None
        for kind, content, start, stop in tokens:
            out.append((kind, content, base + start, base + stop))
        if nesting is not None:
            nest(state, out)
        if begun is not None:
            resume(state, begun, base)
        if lines:
            state.text = text
            state.count_lines(text, 0)
        state.step = step
        state.offset = end
        memory.plans = following
        return out

    def _read(self, text: str) -> list[Token]:
        """Read step by step, each as many characters as possible, and cache the effects of short
        chunks."""
        state, memory = self.state, self._memory
        before, base, size = state.step, state.base, len(text)
        known = 1 < size <= LONGEST
        if known and memory.resting:
            memory.resting -= 1
            known = False
        state.text = text
        out: list[Token] = []
        state.out = out
        index = 0
        try:
            while index < size:
                index = state.step(state, text, index)
        except End as over:
            index = over.index
        except JSONSyntaxError as error:
            state.fail(error)
            index = error.offset - base
        state.offset = base + index
        if known:
            keep(memory, text, out, before)
        memory.plans = None
        return out

    def finish(self) -> list[Token]:
        """Take the end of the text: a top-level number ends here; anything else open is an
        error."""
        self.feed("")
        state = self.state
        if state.done or state.error:
            return []
        if state.path or state.step is not in_number or state.within not in WHOLE:
            state.fail(state.fault(0, "unexpected end of text"))
        else:
            end_number(state, 0)
        return state.out

    def _feed_slowly(self, text: str) -> list[Token]:
        """Feed what follows the document or an error, or may exceed the document's length limit."""
        state = self.state
        state.out = []
        state.text = text
        if state.error:
            return []
        if state.done:
            index, reason = skip(state, text, 0), "unexpected text after the document"
        else:
            room, state.bound = state.bound - state.base, state.base + len(text)
            out = self.feed(text[:room])
            if state.done or state.error:
                return out
            index, reason = room, "the document is too long"
            state.text = text
        state.offset = state.base + index
        if index < len(text):
            state.fail(state.fault(index, reason))
        return [] if state.done else out
