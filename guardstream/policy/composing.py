"""Reads the values of a YAML document by libyaml, many times faster than in Python.

Only the packs are read this way, which are known to be valid: libyaml reads YAML 1.1 and accepts
what YAML 1.2 does not. Users' files are read by ruamel.yaml, which also has the best error
messages. Plain scalars mean what they mean in YAML 1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

try:
    import yaml
    from yaml import CLoader
except ImportError:
    # PyYAML may have been built without libyaml.
    BUILT = False
else:
    BUILT = True

TAG = "tag:yaml.org,2002:"
"""How the tags of YAML's own kinds of values begin."""

Convert = Callable[[str, str], object]
"""What a scalar of a kind, such as `int`, is a value for. Raises ValueError or KeyError."""


def documents(text: str, convert: Convert) -> list[object]:
    """Return the values of the documents in a text; none where libyaml is missing or refuses it, or
    a scalar is not what its tag says."""
    if not BUILT:
        return []
    try:
        reader = _Reader(yaml.parse(text, Loader=CLoader), convert)
        return list(reader.documents())
    except (yaml.YAMLError, ValueError, KeyError):
        return []


@cache
def _kind(text: str) -> str:
    """Return the kind of a scalar without quotes and without a tag of its own."""
    return str(_resolver().resolve(ScalarNode, text, (True, False))).removeprefix(TAG)


@cache
def _resolver() -> VersionedResolver:
    resolver: VersionedResolver = YAML(typ="safe", pure=True).resolver
    return resolver


class _Reader:
    def __init__(self, events: Iterator[Any], convert: Convert) -> None:
        self._events = events
        self._convert = convert
        self._anchors: dict[str, object] = {}

    def documents(self) -> Iterator[object]:
        """Read the documents to the end of the events."""
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield self._value(next(self._events))

    def _value(self, event: Any) -> object:
        """Read the value that begins with an event."""
        value: object
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            return self._anchors[event.anchor]
        elif isinstance(event, yaml.MappingStartEvent):
            items = self._items()
            value = dict(zip(items, items, strict=True))
        else:
            value = list(self._items())
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _items(self) -> Iterator[Any]:
        """Read the values up to the end of a list, or the keys and values of a mapping."""
        for event in self._events:
            if isinstance(event, yaml.CollectionEndEvent):
                return
            yield self._value(event)

    def _scalar(self, event: Any) -> object:
        text: str = event.value
        if event.tag is None or event.tag == "!":
            is_plain = event.implicit[0] and not event.style
            return self._convert(_kind(text), text) if is_plain else text
        return self._convert(event.tag.removeprefix(TAG), text)
