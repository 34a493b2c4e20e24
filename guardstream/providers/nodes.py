"""What a spec is made of: it mirrors an event, and says of each field what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from guardstream.providers.adapter import Kind


class Leaf(NamedTuple):
    """What a field holds: text of a kind, or something about the event.

    `meta` is a mark, such as an id or a status, and harmless; an object or a list in its place is
    one of which nothing is known, and a string that could be a text is left out if a rule would
    change it. `keep` is one, too, and worth sending without any text. `number`
    is meta if it is one; another value is text that nothing is known of. `skip` is not looked
    at: what is made anew, or is the caller's own object. `about` spells out the text once more
    (log probabilities) and is left out where the text changed, or what else it says would be
    changed. `end` is a reason to finish. `grown` is all of a text so far, of which some is new: for
    adapters that are `Growing`.
    """

    kind: Kind | Literal["meta", "keep", "number", "about", "end", "item", "skip", "grown"]
    channel: str = "text"
    field: str = "text"


META, KEEP, NUMBER = Leaf("meta"), Leaf("keep"), Leaf("number")
ABOUT, END = Leaf("about"), Leaf("end")

SKIP = Leaf("skip")

PASSED = Leaf("meta", "text", "passed")
"""A mark whose strings are never looked at: the user says so."""

PADDED = Leaf("meta", "text", "padding")
"""Random letters that hide how long a text is: a mark, unless it could be a word."""

MARK = Leaf("mark", "text", "mark")
"""Stands for a string in the place of a mark that could be a text."""

NAMED = Leaf("meta", "text", "key")
"""Stands for the name of an unknown field of which no rule says anything."""

NAME = Leaf("name")
"""A name or id that something else goes by: it cannot be masked, so a match in it blocks."""

UNKNOWN = Leaf("unknown")
"""Text of which nothing is known."""

APART = Leaf("unknown", "text", "apart")
"""A text of its own that readers may join with those before it in its place, or may not.

It is known, and guarded as text that is not known: at once, alone and joined.
"""

ITEM = Leaf("item")
"""Stands for an item of `Each` among what is found."""


class Arguments(NamedTuple):
    """The arguments of a call, which come whole: an empty object says that there are none.

    Elsewhere an empty object says nothing: arguments may yet come in pieces.
    """

    leaf: Leaf


class OneOf(NamedTuple):
    """Objects told apart by the value of their field `key`; `other` is for the rest."""

    key: str
    specs: Mapping[str, Any]
    other: Any = None


class Tree(NamedTuple):
    """A value of any shape: each string in it is a text of its own, but for fields in `meta`.

    A field in `meta` that holds more than a string is another one of that name, and is not left
    out. Fields in `about` spell out the event's text once more.
    """

    leaf: Leaf
    meta: frozenset[str] = frozenset()
    about: frozenset[str] = frozenset()


REQUEST = Tree(Leaf("aside", "text", "request"))
"""What the caller sent, and the provider repeats: instructions, tools, settings.

A rule for answers must not end a stream for what the caller said. So each string is left out if a
rule would change it, or passes, and nothing is reported.
"""


class Either(NamedTuple):
    """Text, or something else."""

    text: Leaf
    other: Any


class Each(NamedTuple):
    """A list whose items go where nothing is left of what they said."""

    item: Any


class Values(NamedTuple):
    """An object whose fields the caller names, such as one for each agent; they hold the same."""

    value: Any


class Mirror(NamedTuple):
    """A value that repeats texts of the same choice, which stand elsewhere in the chunk.

    A string in it that equals one of them becomes what that becomes; others are as `other` says.
    """

    other: Any


Spec: TypeAlias = (
    "Leaf | Arguments | OneOf | Tree | Either | Each | Values | Mirror | dict[str, Any] | list[Any]"
)

Path: TypeAlias = tuple[int, ...]
"""The places in the lists that a field stands in, outermost first."""
