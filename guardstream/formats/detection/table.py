"""The table of formats: what marks a first chunk of each, in the order in which they are asked.

It is `tables/first.yaml`. A format may have several entries; the first one that fits decides which
format it is. Only then is its module imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import cache, partial
from typing import Any

from guardstream.formats.detection.marks import Mark, mark_of
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import described, table
from guardstream.formats.toolkit.notation import apart


@cache
def names_in(name: str) -> Set[str]:
    """Return the names that a format's file has: of the kinds of its events, or of the fields of
    one."""
    event = described(name).content["event"]
    return frozenset(each for each, _ in apart(event))


@cache
def rows() -> Mapping[str, tuple[Mark, ...]]:
    """Return what marks first chunks, by the names of formats: any of these."""
    return {
        name: tuple(mark_of(entry, partial(names_in, name)) for entry in entries)
        for name, entries in table("first").items()
    }


def formats_of(chunk: Any, *, among: str | None = None) -> Iterator[str]:
    """Yield the names of the formats that a chunk may be in, in order; only `among`, if given."""
    fields = fields_of(chunk)
    for name, marks in rows().items():
        if among in (None, name) and any(mark(chunk, fields) for mark in marks):
            yield name
