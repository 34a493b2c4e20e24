"""The names of the tools that are called in a chunk.

An adapter needs no names to guard arguments; who wants the arguments of one tool does. An adapter
whose format is not that of chat completions has a method `tools(chunk)` like the function here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.providers.base import Slot
from guardstream.providers.fields import fields_of


def tools(adapter: object, chunk: Any) -> Mapping[Slot, str]:
    """Return the tools that calls in `chunk` name, by the slot in which their arguments come."""
    own = getattr(adapter, "tools", None)
    return own(chunk) if own is not None else _of_chat(chunk)


def _of_chat(chunk: Any) -> Mapping[Slot, str]:
    """The tools in a chat-completion chunk: a name comes once, with a call's first piece."""
    found: dict[Slot, str] = {}
    for choice in fields_of(chunk).get("choices") or ():
        values = fields_of(choice)
        index = values.get("index") or 0
        delta = fields_of(values.get("delta"))
        for place, call in enumerate(delta.get("tool_calls") or ()):
            fields = fields_of(call)
            number = fields.get("index")
            slot = Slot(index, "tool_args", "tool_calls", place if number is None else number)
            for kind in ("function", "custom"):
                _note(found, slot, fields.get(kind))
        _note(found, Slot(index, "tool_args", "function_call"), delta.get("function_call"))
    return found


def _note(found: dict[Slot, str], slot: Slot, call: Any) -> None:
    name = fields_of(call).get("name")
    if name:
        found[slot] = name
