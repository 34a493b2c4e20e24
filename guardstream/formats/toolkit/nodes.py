"""The nodes of a spec, which mirrors an event and says what each field holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from guardstream.formats.adapter import Kind


class Leaf(NamedTuple):
    """The content of a field: text of a kind, or something about the event.

    `meta` is a harmless mark, such as an id or a status; an object or a list in its place is
    unknown, and a string that could be text is removed if a rule would change it. `keep` is the
    same, but worth sending without any text. `number` is meta if it is a number; any other value is
    unknown text. `skip` is not inspected: it is rebuilt, or is the caller's own object. `about`
    spells out the text again (log probabilities) and is removed if the text changed, or if a rule
    would change anything else in it. `end` is a finish reason. `grown` is the whole text so far,
    part of which is new: for adapters that are `Growing`.
    """

    kind: Kind | Literal["meta", "keep", "number", "about", "end", "item", "skip", "grown"]
    channel: str = "text"
    field: str = "text"


META, KEEP, NUMBER = Leaf("meta"), Leaf("keep"), Leaf("number")
ABOUT, END = Leaf("about"), Leaf("end")

SKIP = Leaf("skip")

PASSED = Leaf("meta", "text", "passed")
"""A mark whose strings are never inspected, because the user said so."""

PADDED = Leaf("meta", "text", "padding")
"""Random letters that hide the length of a text: a mark, unless it could be a word."""

MARK = Leaf("mark", "text", "mark")
"""A string in place of a mark that could be text."""

NAMED = Leaf("meta", "text", "key")
"""The name of an unknown field for which no rule has a finding."""

NAME = Leaf("name")
"""A name or id that something else refers to: it cannot be masked, so a match in it blocks."""

UNKNOWN = Leaf("unknown")
"""Unknown text."""

APART = Leaf("unknown", "text", "apart")
"""A text of its own that readers may or may not join with earlier ones in its place.

The field is known, but guarded like unknown text: at once, alone and joined.
"""

ITEM = Leaf("item")
"""An item of `Each` among the findings."""


class Arguments(NamedTuple):
    """The arguments of a call that come whole, so that an empty object means no arguments.

    Elsewhere, an empty object means nothing, because arguments may still come in pieces.
    """

    leaf: Leaf


class OneOf(NamedTuple):
    """Objects distinguished by the value of their field `key`; `other` is for the rest."""

    key: str
    specs: Mapping[str, Any]
    other: Any = None


class Tree(NamedTuple):
    """A value of any shape: each string in it is a text of its own, except for fields in `meta`.

    If a field in `meta` holds more than a string, it is treated as another field of the same name,
    and is not removed. Fields in `about` spell out the event's text again. Fields in `own` hold
    values of the application's own, in which no field is in `meta`. In such values a whole number
    is a text, too, as it may be an account or a card; elsewhere numbers are indices and counts.
    """

    leaf: Leaf
    meta: frozenset[str] = frozenset()
    about: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


CHOICE = Leaf("number", "text", "choice")
"""The number of the answer that an item of the list of choices belongs to."""

BY = Leaf("meta", "text", "by")
"""What tells interleaved texts apart, such as a task's id or a block's number."""

CALL_ID, CALL_INDEX = Leaf("meta", "text", "call.id"), Leaf("meta", "text", "call.index")
"""What tells calls apart. An index is one's place among the calls of an answer."""

CALL_NAME, CALL_END = Leaf("name", "text", "call.name"), Leaf("keep", "text", "call.end")
"""The name of the tool that is called; a value that says that the arguments are complete."""

CLOSES, OPENS = Leaf("keep", "text", "closes"), Leaf("keep", "text", "opens")
"""A value that says that the texts before it are complete, or that another one begins."""

USAGE, REASON = Leaf("keep", "text", "usage"), Leaf("end", "text", "reason")
"""The usage object; why an answer ended, where another value says that it did."""

ERROR = Tree(Leaf("whole", "text", "error"), frozenset({"type", "code", "param", "status"}))
"""A report that the answer has failed."""


def holds_data(tree: Tree) -> bool:
    """Return whether the value is the application's own, in a known field."""
    return not tree.meta and (tree.leaf.kind in ("whole", "copy") or tree.leaf is APART)


REQUEST = Tree(Leaf("aside", "text", "request"))
"""What the caller sent and the provider repeats: instructions, tools, settings.

A rule for answers must not end a stream because of the caller's text. So each string either passes
or, if a rule would change it, is removed, and nothing is reported.
"""


class Either(NamedTuple):
    """Text or something else."""

    text: Leaf
    other: Any


class Items(NamedTuple):
    """A list, or something else."""

    item: Any
    other: Any


class Each(NamedTuple):
    """A list whose items are removed if nothing is left in them."""

    item: Any


class Values(NamedTuple):
    """An object whose fields are named by the caller, such as one for each agent; all hold the
    same."""

    value: Any


class Mirror(NamedTuple):
    """A value that repeats texts of the same choice from elsewhere in the chunk.

    A string in it that equals one of them gets the same replacement; for other strings, see
    `other`.
    """

    other: Any


Spec: TypeAlias = (
    Leaf
    | Arguments
    | OneOf
    | Tree
    | Either
    | Items
    | Each
    | Values
    | Mirror
    | dict[str, Any]
    | list[Any]
)

Path: TypeAlias = tuple[int, ...]
"""The positions in lists on the way to a field, outermost first."""
