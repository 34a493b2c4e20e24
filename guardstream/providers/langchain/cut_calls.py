"""Tool calls that the guard cuts: LangChain must not run them with half of their arguments.

LangChain completes arguments that end too early (`parse_partial_json`), and an agent then calls the
tool. A bracket that closes nothing makes them an `invalid_tool_call`, which no agent calls.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic_core import from_json


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


def derived(
    chunks: Sequence[Mapping[str, Any]], names: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return those of a message's fields `names` that LangChain derives from `tool_call_chunks`.

    A message in JSON has them too, though nothing derives them there.
    """
    found: dict[str, list[dict[str, Any]]] = {"tool_calls": [], "invalid_tool_calls": []}
    for chunk in chunks:
        name, args, known = chunk.get("name"), chunk.get("args"), chunk.get("id")
        value = _completed(args or "{}")
        if isinstance(value, dict):
            call = {"name": name or "", "args": value, "id": known, "type": "tool_call"}
            found["tool_calls"].append(call)
        else:
            call = {"name": name, "args": args, "id": known, "error": None}
            found["invalid_tool_calls"].append({**call, "type": "invalid_tool_call"})
    return {name: calls for name, calls in found.items() if name in names}


def _completed(args: str) -> Any:
    try:
        return from_json(args, allow_partial="trailing-strings")
    except ValueError:
        return None


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
