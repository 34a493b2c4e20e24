"""Composes a YAML document by libyaml, ten times faster than in Python.

Only the packs are read this way, which are known to be valid: libyaml reads YAML 1.1 and accepts
what YAML 1.2 does not. Users' files are read by ruamel.yaml, which also has the best error
messages. Tags are resolved as in YAML 1.2, and the nodes are those of ruamel.yaml.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

try:
    import yaml
    from yaml import CLoader
except ImportError:
    # PyYAML may have been built without libyaml.
    BUILT = False
else:
    BUILT = True


class Place(NamedTuple):
    """The beginning or end of a node, in the form of ruamel.yaml's marks, which count from 0."""

    line: int
    column: int
    pointer: int
    buffer: str


def compose(text: str) -> Node | None:
    """Return the root of the only document in a text; None if there is not exactly one, or libyaml
    is missing."""
    if not BUILT:
        return None
    try:
        events = iter(list(yaml.parse(text, Loader=CLoader)))
    except yaml.YAMLError:
        return None
    composer = _Composer(text, events)
    next(events)
    if not isinstance(next(events), yaml.DocumentStartEvent):
        return None
    root = composer.node(next(events))
    next(events)
    return root if isinstance(next(events), yaml.StreamEndEvent) else None


@cache
def _plain(text: str) -> str:
    """Return the tag of a scalar without quotes and without an explicit tag."""
    return str(_resolver().resolve(ScalarNode, text, (True, False)))


@cache
def _tag(name: str) -> Tag:
    """Return a tag, which all nodes that have it share: it takes longer to make than a node."""
    return Tag(suffix=name)


@cache
def _resolver() -> VersionedResolver:
    resolver: VersionedResolver = YAML(typ="safe", pure=True).resolver
    return resolver


class _Composer:
    def __init__(self, text: str, events: Any) -> None:
        self._text = text
        self._events = events
        self._anchors: dict[str, Node] = {}

    def node(self, event: Any) -> Node:
        """Return the node that begins with an event."""
        if isinstance(event, yaml.AliasEvent):
            return self._anchors[event.anchor]
        if isinstance(event, yaml.ScalarEvent):
            scalar = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = scalar
            return scalar
        made = MappingNode if isinstance(event, yaml.MappingStartEvent) else SequenceNode
        kind = "map" if made is MappingNode else "seq"
        items: list[Any] = []
        tag = event.tag or f"tag:yaml.org,2002:{kind}"
        node = made(_tag(tag), items, self._place(event.start_mark))
        if event.anchor:
            self._anchors[event.anchor] = node
        for event in self._events:
            if isinstance(event, yaml.CollectionEndEvent):
                node.end_mark = self._place(event.end_mark)
                break
            item = self.node(event)
            items.append(item if made is SequenceNode else (item, self.node(next(self._events))))
        return node

    def _scalar(self, event: Any) -> ScalarNode:
        tag = event.tag
        if tag is None or tag == "!":
            plain = event.implicit[0] and not event.style
            tag = _plain(event.value) if plain else "tag:yaml.org,2002:str"
        begin, end = self._place(event.start_mark), self._place(event.end_mark)
        return ScalarNode(_tag(tag), event.value, begin, end, style=event.style or None)

    def _place(self, mark: Any) -> Place:
        return Place(mark.line, mark.column, mark.index, self._text)
