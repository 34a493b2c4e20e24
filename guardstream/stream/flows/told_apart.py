"""Texts at one path that interleave, told apart by the values of a field beside them.

In a format that nobody knows, any field may say which text a piece continues: a task, a step, an
agent's number. So, for each field, the pieces with the same value are also read as one text, while
that differs from the text of the path: until the value's last change is too far back to count. Some
texts are told apart only by two fields together, such as a session and the index of an answer in
it. So fields whose values recur beside varying pieces are compared in pairs, too.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import TypeAlias

from guardstream.formats.adapter import Beside
from guardstream.stream.flows.recurring import Tail

_VALUES = 256
"""How many values of a field are remembered, the latest ones; if none of them has recurred by then,
the field is a counter, a time or an id of its own in each event, and tells no texts apart."""

_FIELDS = 4096
"""How many fields at all paths are told apart in one stream."""

_TEXTS = 16_384
"""How many texts are remembered in one stream, if each has no more than 1024 code points."""

_CHARACTERS = 1024 * _TEXTS
"""How many code points of all texts may be remembered; `_FEWEST` texts always may."""

_FEWEST = 64

_PAIRED = 4
"""How many fields of a path are compared in pairs, the first ones."""

_QUOTED = re.compile(r"\['(.*?)'\]")

Name: TypeAlias = str | tuple[str, str]
"""A field's name, or the names of a pair of fields."""


class Divided:
    """The text of one value of a field; `varies` is that of the field.

    It `differs` from the text of the path if other text came there not long ago, between its pieces
    or before the first. Then a match may begin, or be bounded, where the path's text has none.
    """

    __slots__ = ("_since", "tail", "varies")

    def __init__(self, tail: Tail, *, differs: bool) -> None:
        self.tail = tail
        self._since = 0 if differs else tail.memory  # code points since the value changed to this
        self.varies = False

    @property
    def differs(self) -> bool:
        return self._since < self.tail.memory

    def changed(self) -> None:
        """Note that text of another value came before the next piece."""
        self._since = 0

    def add(self, text: str) -> None:
        """Add a piece after those before it."""
        self.tail.add(text)
        self._since += len(text)


class _Field:
    """The texts of a field's values at one path: none while it has had only one value; None once it
    tells nothing apart.

    It `varies` once one value has had different pieces. Until then the field may just repeat the
    piece, or be its number in a vocabulary or its length, which identify no text.
    """

    __slots__ = ("last", "recurs", "texts", "varies")

    def __init__(self, value: Hashable) -> None:
        self.last = value
        self.texts: dict[Hashable, Divided] | None = {}
        self.recurs = False
        self.varies = False


class ToldApart:
    """The texts of one stream by the fields beside them; `memory` is how many code points of each
    are kept."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._most = max(min(_TEXTS, _CHARACTERS // memory), _FEWEST)
        self._paths: dict[Hashable, dict[Name, _Field]] = {}
        self._fields = 0
        self._texts = 0

    def __len__(self) -> int:
        """Return how many texts are remembered."""
        return self._texts

    def texts(
        self, place: Hashable, piece: str, before: Tail, beside: Beside
    ) -> dict[Name, Divided]:
        """Return the texts that a piece may continue, by field or pair of fields.

        The caller adds the piece to them. `before` is the text of all values at this place.
        """
        if place not in self._paths and len(self._paths) == _FIELDS:
            return {}
        fields = self._paths.setdefault(place, {})
        values: dict[Name, Hashable] = {name: (type_of(value), value) for name, value in beside}
        for name in fields.keys() - values.keys():
            if isinstance(name, str):
                values[name] = (type_of(None), None)
        found: dict[Name, Divided] = {}
        for name, value in values.items():
            text = self._text(fields, name, value, piece, before)
            if text is not None:
                found[name] = text
        paired = [name for name in found if fields[name].recurs and fields[name].varies]
        if len(paired) > 1:
            self._add_pairs(fields, paired[:_PAIRED], values, found)
        return found

    def _add_pairs(
        self,
        fields: dict[Name, _Field],
        paired: Sequence[Name],
        values: Mapping[Name, Hashable],
        found: dict[Name, Divided],
    ) -> None:
        """Add to `found` the texts that pairs of fields tell apart, by both values together."""
        for first, second in combinations(paired, 2):
            name, value = (str(first), str(second)), (values[first], values[second])
            field = fields.get(name)
            if field is None:
                if self._fields == _FIELDS:
                    return
                self._fields += 1
                field = fields[name] = _Field(value)
                field.recurs = True
            texts = field.texts or {}
            text = texts.pop(value, None)
            if text is None:  # what both had in common before
                before = found[first].tail.shared(found[second].tail)
                text = self._add(field, texts, value, before, differs=True)
            else:
                texts[value] = text  # the latest is the last
                if value != field.last:
                    text.changed()
            field.last = value
            if text is not None:
                field.texts, text.varies = texts, True
                found[name] = text

    def _text(
        self, fields: dict[Name, _Field], name: Name, value: Hashable, piece: str, before: Tail
    ) -> Divided | None:
        field = fields.get(name)
        if field is None:
            first = (type_of(None), None) if before.text else value
            if self._fields == _FIELDS:
                return None
            self._fields += 1
            field = fields[name] = _Field(first)
        texts = field.texts
        if texts is None or (not texts and value == field.last):
            return None
        if not texts:
            self._add(field, texts, field.last, before.copy(), differs=False)
            field.varies = not before.is_only(before.last)
        text = texts.pop(value, None)
        if text is None:
            text = self._add(field, texts, value, Tail(self._memory), differs=True)
        else:
            texts[value] = text  # the latest is the last
            field.recurs = True
            if value != field.last:
                text.changed()
            field.varies = field.varies or text.tail.last not in ("", piece)
            text.varies = field.varies
        field.last = value
        return text

    def _add(
        self,
        field: _Field,
        texts: dict[Hashable, Divided],
        value: Hashable,
        tail: Tail,
        *,
        differs: bool,
    ) -> Divided | None:
        if len(texts) == _VALUES and not field.recurs:
            field.texts = None
            self._texts -= len(texts)
            return None
        if len(texts) == _VALUES or (self._texts == self._most and texts):
            del texts[next(iter(texts))]
            self._texts -= 1
        if self._texts == self._most:
            return None
        self._texts += 1
        texts[value] = text = Divided(tail, differs=differs)
        return text


_LABEL = re.compile(
    r"""(?:\.'(?P<inner>(?:[^'\\]|\\.)*)'!*|\['(?P<quoted>(?:[^'\\]|\\.)*)'\]"""
    r"""|\.(?P<plain>[^.\[\]()']+))(?:\[\*\])*\Z"""
)


@lru_cache(_FIELDS)
def label_of(path: str) -> str:
    """Return the name of the member that a value at a path is, or is an item of; empty if it is
    none."""
    found = _LABEL.search(path)
    return next(filter(None, found.groups()), "") if found else ""


@lru_cache(_FIELDS)
def own_name(path: str) -> str:
    """Return the name that a value at a path has among the values beside others."""
    return _QUOTED.sub(r".\1", path[1:].replace("[*]", ""))


def type_of(value: Hashable) -> Hashable:
    """Return the type of a value, or those in it: True is not 1, nor `(True,)` `(1,)`."""
    return tuple(map(type, value)) if isinstance(value, tuple) else type(value)
