"""The parts of UI message streams as objects of pydantic-ai's adapter for Vercel's AI SDK.

https://ai.pydantic.dev/ui/vercel-ai/. `VercelAIAdapter.run_stream` yields them, and a chat in
marimo takes them, also among parts as dicts.
"""

from __future__ import annotations

from typing import Any

from guardstream.errors import AdapterError
from guardstream.formats.adapter import Unknown
from guardstream.formats.protocols.ui_messages import UIMessages
from guardstream.formats.spec import sibling
from guardstream.formats.toolkit.objects import Event, Objects, dumped, model_like


class UIMessageObjects(Objects):
    """The adapter for parts as objects, and for dicts after the first one."""

    name = "ui_message_objects"
    repeats = UIMessages.repeats
    packages = frozenset({"pydantic_ai"})

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(UIMessages(unknown=unknown), unknown=unknown)

    def json_of(self, chunk: Any) -> Event:
        """Return the part that an object represents."""
        if not self.is_own(chunk):
            raise AdapterError(f"{self.name}: a {type(chunk).__qualname__!r} is not a part")
        return dumped(chunk)

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an object of the class that its package has for a part."""
        name = event["type"].title().replace("-", "") + "Chunk"
        kind = sibling(chunk, self.module_of(chunk), name)
        if "finish_reason" not in kind.model_fields:  # in older versions
            event = {key: value for key, value in event.items() if key != "finishReason"}
        return model_like(kind, event)
