"""A growing value: typed snapshots of a JSON document, which share their complete parts.

A snapshot copies only open containers, and only those that changed since the last one. So a
snapshot never changes after it was yielded.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from guardstream.extract._shapes import ABSENT, shape
from guardstream.extract._types import branches, may_be_omitted
from guardstream.extract._validated import kept, typed, typed_scalar
from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.tokens import Token


class _Frame:
    """An open object or array: its type, its content, and the key or index being filled."""

    __slots__ = ("config", "declared", "hidden", "key", "shape", "values")

    def __init__(self, declared: Any, values: Any, around: _Frame | None) -> None:
        self.hidden = around is not None and around.may_omit()
        self.declared = Any if self.hidden else declared
        self.shape = shape(self.declared, is_object=isinstance(values, dict))
        self.config = self.shape.config
        if self.config is None and around is not None:
            self.config = around.config
        self.values = values
        self.key: Any = None if isinstance(values, dict) else 0

    def next(self) -> Any:
        """Return the type of the next member or element."""
        if isinstance(self.values, dict):
            return self.shape.member(self.key)
        return self.shape.element(self.key)

    def may_omit(self) -> bool:
        """Return whether the next member or element may be left out."""
        return self.key is ABSENT or (self.shape.omits and may_be_omitted(self.next()))

    def add(self, value: Any) -> None:
        """Take the next member or element."""
        found = self._kept(value, self.next()) if self.shape.omits else [value]
        if not isinstance(self.values, dict):
            self.values += found
            self.key += 1
            return
        if self.key is ABSENT:
            return
        self._set(self.key, found)
        decided = self.shape.decided(self.values)
        if decided is not self.shape:
            self.shape = decided
            # The declared types of earlier members are known only now.
            for key, each in list(self.values.items()):
                declared = decided.member(key)
                self._set(key, [typed(stays, declared) for stays in self._kept(each, declared)])

    def _set(self, key: Any, found: list[Any]) -> None:
        if found:
            self.values[key] = found[0]
        else:
            self.values.pop(key, None)

    def _kept(self, value: Any, declared: Any) -> list[Any]:
        return kept(value, declared, self.config) if may_be_omitted(declared) else [value]

    def built(self, value: Any, shown: bool) -> Any:
        """Return the container so far, with the open `value` in its place if that is shown."""
        if isinstance(self.values, list):
            values: Any = [*self.values, value] if shown else list(self.values)
        else:
            values = {**self.values, self.key: value} if shown else dict(self.values)
        return self.shape.build(values)

    def closed(self) -> Any:
        """Return the complete container, as its declared type."""
        return self.shape.complete(self.values, self.declared)


class Growing:
    """Takes tokens and returns snapshots of `model`, as far as it has arrived.

    Fields that have not arrived have their defaults. `strings` says whether unfinished strings are
    shown.
    """

    def __init__(self, model: Any, *, strings: bool) -> None:
        if isinstance(model, TypeAdapter):
            raise TypeError("snapshots need a type itself, not a TypeAdapter")
        self._root = model
        self._strings = strings
        self._frames: list[_Frame] = []
        self._hidden = 0  # open containers that may be left out
        self._value: Any = None
        self._text: list[str] | None = None
        self._length = 0
        self._shown = False
        self.changed = False

    def take(self, tokens: list[Token]) -> None:
        """Take the next tokens; `changed` then says whether a snapshot would show more."""
        for kind, value, _, _ in tokens:
            if kind == t.STRING_PART:
                if self._text is None:
                    self._text = []
                    self._shown = self._strings and self._shows_text()
                self._text.append(value)
                self._length += len(value)
                self.changed |= self._shown and not self._hidden
            elif kind == t.KEY:
                frame = self._frames[-1]
                frame.key = frame.shape.key(value)
            elif kind in (t.OPEN_OBJECT, t.OPEN_ARRAY):
                self._open({} if kind == t.OPEN_OBJECT else [])
            elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
                frame = self._frames.pop()
                self._hidden -= frame.hidden
                self._add(frame.closed())
            elif kind in (t.STRING, t.INTEGER, t.FLOAT, t.LITERAL):
                self._text = None
                self._length = 0
                self._add(self._scalar(kind, value))

    def cost(self) -> float:
        """Return the size of a snapshot's copy: the entries of open containers, and 1 for every 256
        characters."""
        return sum(len(frame.values) for frame in self._frames) + self._length / 256

    def snapshot(self) -> Any:
        """Return the value as it is now."""
        self.changed = False
        value: Any = None
        shown = False
        if self._text is not None and self._shown:
            value, shown = "".join(self._text), True
            self._text = [value]
        for frame in reversed(self._frames):
            value, shown = frame.built(value, shown), not frame.hidden
        return value if shown else self._value

    def _next(self) -> Any:
        """Return the type of the next value."""
        return self._frames[-1].next() if self._frames else self._root

    def _open(self, values: Any) -> None:
        frame = _Frame(self._next(), values, self._frames[-1] if self._frames else None)
        self._hidden += frame.hidden
        self._frames.append(frame)
        self.changed |= not self._hidden

    def _add(self, value: Any) -> None:
        self.changed |= not self._hidden
        if self._frames:
            self._frames[-1].add(value)
        else:
            self._value = value

    def _may_omit(self) -> bool:
        return bool(self._frames) and self._frames[-1].may_omit()

    def _shows_text(self) -> bool:
        return not self._may_omit() and any(each in (str, Any) for each in branches(self._next()))

    def _scalar(self, kind: int, value: Any) -> Any:
        """Return a complete scalar as the declared type; as plain JSON if the type rejects it, or
        if it may be omitted."""
        plain = int(value) if kind == t.INTEGER else float(value) if kind == t.FLOAT else value
        if self._may_omit():
            return plain
        written = value if kind in (t.INTEGER, t.FLOAT) else None
        return typed_scalar(plain, self._next(), written)
