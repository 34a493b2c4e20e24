"""Tool calls that the guard cuts: LangChain must not make them of half of their arguments.

LangChain completes arguments that end too early (`parse_partial_json`), and an agent then calls the
tool. A bracket that closes nothing makes them an `invalid_tool_call`, which no agent calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def refusing(args: str) -> str:
    """Return what to add to `args` so that no reader completes them; "" if they are complete.

    >>> refusing('{"path": ["/tm')
    '"}'
    """
    opened, quoted, escaped = _scanned(args)
    if not opened:
        return "" if args else "]"
    closing = "]" if opened[-1] == "{" else "}"
    return '"' * (quoted + escaped) + closing


def refused_whole(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the calls of a chunk without those that are left out, and with cut ones refused.

    Only calls without an index are whole in their chunk; the others go on in the next one.
    """
    made = []
    for old, new in zip(before, after, strict=True):
        if new.get("index") is None and new != old:
            if old.get("name") and not new.get("name"):
                continue
            args = new.get("args") or ""
            new = {**new, "args": args + refusing(args)}
        made.append(new)
    return made


def _scanned(args: str) -> tuple[list[str], bool, bool]:
    """Return the brackets that are open, whether a string is, and an escape in it."""
    opened: list[str] = []
    quoted = escaped = False
    for character in args:
        if escaped:
            escaped = False
        elif character == '"':
            quoted = not quoted
        elif quoted:
            escaped = character == "\\"
        elif character in "{[":
            opened.append(character)
        elif character in "}]" and opened:
            opened.pop()
    return opened, quoted, escaped
