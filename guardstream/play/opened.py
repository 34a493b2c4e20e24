"""A policy file as the editor shows it, with its word files written out as lists.

The page reads no files, because its policy may be somebody else's. The word files of the policy
that the command was given are read once, before the page starts.
"""

from __future__ import annotations

import json
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node

from guardstream.errors import PolicyError
from guardstream.policy.build import beside, words_in
from guardstream.policy.document import KeyPath
from guardstream.policy.files import read_text
from guardstream.policy.reading import read

LONGEST = 100_000
"""The longest text with its lists, in characters; a longer one keeps the names of its files."""


def opened(path: Path) -> str:
    """Return the text of a policy file. PolicyError if it cannot be read.

    The name of a word file that does not exist, or is outside of the policy's folder, stays.
    """
    text = read_text(path)
    nodes: dict[KeyPath, Node] = {}
    read(text, nodes=nodes)
    named: dict[int, tuple[int, str]] = {}  # by place, because an alias names its file again
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
    """Return the words of a file as a YAML list; None if it has none, or cannot be read."""
    try:
        words = words_in(read_text(beside(folder, name)))
    except PolicyError:
        return None
    return json.dumps(words, ensure_ascii=False) if words else None
