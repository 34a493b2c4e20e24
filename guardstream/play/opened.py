"""A policy's file as the editor shows it: its word files are written out as lists.

The page reads no files, since a policy there may be somebody else's. Those that the command's own
file names are read once, before the page is there.
"""

from __future__ import annotations

import json
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node

from guardstream.errors import PolicyError
from guardstream.policy.build import beside, words_in
from guardstream.policy.document import Path as Key
from guardstream.policy.document import read
from guardstream.policy.files import read_text

LONGEST = 100_000
"""Characters of a text with its lists; a longer one keeps naming its files."""


def opened(path: Path) -> str:
    """Return the text of a policy's file; PolicyError if it cannot be read.

    A word file that is not there, or outside of the policy's folder, stays named.
    """
    text = read_text(path)
    nodes: dict[Key, Node] = {}
    read(text, nodes=nodes)
    named: dict[int, tuple[int, str]] = {}  # by place: an alias names a file once more
    for key, file in nodes.items():
        if key[-2:] == ("words", "file"):
            words = nodes[key[:-1]]
            assert isinstance(words, MappingNode)
            # An anchor before the words stays.
            begin = words.start_mark if words.flow_style else words.value[0][0].start_mark
            start = text.index("{", begin.index) if words.flow_style else begin.index
            named[start] = (words if words.flow_style else file).end_mark.index, str(file.value)
    made = text
    for start, (end, name) in sorted(named.items(), reverse=True):
        listed = _listed(path.parent, name)
        made = made[:start] + listed + made[end:] if listed else made
    return made if len(made) <= LONGEST else text


def _listed(folder: Path, name: str) -> str | None:
    """Return the words of a file as a list in YAML; None if it has none, or cannot be read."""
    try:
        words = words_in(read_text(beside(folder, name)))
    except PolicyError:
        return None
    return json.dumps(words, ensure_ascii=False) if words else None
