"""Sets of patterns as they were compiled before, which are read instead of compiled.

Sets of characters are stored by name. Which characters are in them is asked of `regex` by the
program that reads them, so what is stored serves every version of Unicode's tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import NamedTuple
from zlib import compress, decompress

from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.ast import Look, Node
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.pattern import (
    Facts,
    Pattern,
    Settling,
    Wanted,
    compiled,
    reading_of,
    shared,
)
from guardstream.scan.regex.rewrite import walk
from guardstream.scan.regex.rows import ProgramData, StoredProgram, store


class StoredPattern(NamedTuple):
    """A pattern of a set: its facts, whether its states depend on the length of words and on their
    spelling, and its program."""

    facts: Facts
    counts: bool
    spells: bool
    program: ProgramData


class StoredLookbehind(NamedTuple):
    """A lookbehind that several patterns have. It is the lookaround number `number` in the tree of
    the pattern `wanted`."""

    wanted: Wanted
    number: int
    program: ProgramData

    def tree(self) -> Look:
        """The lookbehind, compiled again."""
        shape, _ = compiled(self.wanted)
        return Look(lookarounds(shape.tree)[self.number].item, ahead=False, negate=False)


def lookarounds(tree: Node) -> Sequence[Look]:
    """The lookarounds of a tree, in its order."""
    return [part for part in walk(tree) if isinstance(part, Look)]


@dataclass(frozen=True)
class StoredSet:
    """Patterns that were compiled together: what each bit stands for, None for a lookbehind, the
    patterns by their keys, and the lookbehinds that several of them have."""

    names: Sequence[str | None]
    patterns: Mapping[str, StoredPattern]
    shared: Sequence[StoredLookbehind]
    rows: bytes

    def programs(self, sets: CharSets, patterns: Sequence[Pattern]) -> dict[int, Program]:
        """The programs of those patterns that are stored, by their index. `sets` have no sets
        yet."""
        found = {n: each for n, each in enumerate(patterns) if each.key in self.patterns}
        data = {n: self.patterns[pattern.key].program for n, pattern in found.items()}
        used = reduce(or_, (int(each.mask, 16) for each in data.values()), 0)
        for look in self._used(used):
            used |= int(look.program.mask, 16)
        sets.restore(self.names, used)
        return {
            n: StoredProgram(each, self.rows, sets, _tree_of(found[n])) for n, each in data.items()
        }

    def lookbehinds(self, sets: CharSets, programs: Iterable[Program]) -> Iterator[Program]:
        """The programs of the shared lookbehinds that some of these programs ask for."""
        used = reduce(or_, (each.mask for each in programs if isinstance(each, StoredProgram)), 0)
        for look in self._used(used):
            yield StoredProgram(look.program, self.rows, sets, look.tree)

    def _used(self, bits: int) -> Iterator[StoredLookbehind]:
        return (look for look in self.shared if int(look.program.tells, 16) & bits)

    @cached_property
    def facts(self) -> Mapping[str, Facts]:
        """The facts of each pattern, by its key."""
        return {key: pattern.facts for key, pattern in self.patterns.items()}

    def reading(self, pattern: Pattern) -> tuple[bool, bool] | None:
        """See `reading_of`; None for a pattern that is not stored."""
        known = self.patterns.get(pattern.key)
        return known and (known.counts, known.spells)


def _tree_of(pattern: Pattern) -> Callable[[], Node]:
    return lambda: pattern.tree


class Stored:
    """All sets of patterns that were compiled before, in the bytes that `written` returns. None of
    them, if the bytes are from a machine with another order of bytes.

    A set is read when patterns of it are asked for. `checked` are the exceptions of rules that were
    checked, by their keys, with how many characters before a match they read.
    """

    def __init__(self, data: bytes = b"{}") -> None:
        line, _, self._data = data.partition(b"\n")
        index = json.loads(line)
        self._places: Mapping[frozenset[str], tuple[int, int]] = {
            frozenset(keys): (begin, end)
            for keys, begin, end in (index["sets"] if index.get("order") == sys.byteorder else ())
        }
        self.checked: Mapping[str, int] = index.get("checked", {})
        self._known: dict[frozenset[str], StoredSet] = {}

    def like(self, wanted: Iterable[Wanted]) -> StoredSet | None:
        """The set that has most of these patterns; None if no set has any."""
        if not self._places:
            return None
        asked = {each.key for each in wanted}
        keys = max(self._places, key=lambda keys: len(keys & asked))
        if keys.isdisjoint(asked):
            return None
        if keys not in self._known:
            begin, end = self._places[keys]
            self._known[keys] = _read(decompress(self._data[begin:end]))
        return self._known[keys]


NOTHING = Stored()
"""Nothing was compiled before."""


def stored_set(patterns: Sequence[Pattern]) -> StoredSet:
    """Compile patterns together. Raises PatternError for one that is too large."""
    sets, rows = CharSets(), bytearray()
    sets.share(shared(patterns))
    made: dict[str, StoredPattern] = {}
    for each in patterns:
        key = each.wanted.key
        if key not in made:
            program = store(each.tree, sets, each.group, rows)
            made[key] = StoredPattern(each.facts, *reading_of(each.tree, sets), program)
    beside = [
        StoredLookbehind(*_where(look, patterns), store(look, sets, 0, rows))
        for look, _ in sets.lookbehinds.values()
    ]
    names = sets.names()
    return StoredSet([names.get(1 << n) for n in range(2, sets.width)], made, beside, bytes(rows))


def _where(look: Look, patterns: Sequence[Pattern]) -> tuple[Wanted, int]:
    """A pattern that has a lookbehind, and the lookbehind's number in its tree."""
    for pattern in patterns:
        for number, part in enumerate(lookarounds(pattern.tree)):
            if part.item is look.item:
                return pattern.wanted, number
    raise AssertionError("a shared lookbehind is part of some pattern")


def written(sets: Sequence[StoredSet], checked: Mapping[str, int]) -> bytes:
    """Sets of patterns, and exceptions, as bytes: an index in JSON, and then each set,
    compressed."""
    data, index = bytearray(), []
    for each in sets:
        content = {"names": each.names, "patterns": each.patterns, "shared": each.shared}
        begin = len(data)
        data += compress(_json(content) + each.rows, level=9)
        index.append((sorted(each.patterns), begin, len(data)))
    return _json({"order": sys.byteorder, "checked": checked, "sets": index}) + data


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def _read(data: bytes) -> StoredSet:
    line, _, rows = data.partition(b"\n")
    content = json.loads(line)
    patterns = {
        key: StoredPattern(_facts(*facts), counts, spells, ProgramData(*program))
        for key, (facts, counts, spells, program) in content["patterns"].items()
    }
    shared = [
        StoredLookbehind(_wanted(*wanted), number, ProgramData(*program))
        for wanted, number, program in content["shared"]
    ]
    return StoredSet(content["names"], patterns, shared, rows)


def _facts(group: int, tail: int | None, widths: Sequence[int], behind: int) -> Facts:
    return Facts(group, tail, (widths[0], widths[1]), behind)


def _wanted(
    source: str, space: str, canonical: bool, group: str | int | None, settling: int
) -> Wanted:
    return Wanted(source, space, canonical, group, Settling(settling))
