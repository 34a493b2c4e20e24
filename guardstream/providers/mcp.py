"""The Model Context Protocol over HTTP: answers of JSON-RPC and notifications, as events.

https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http. What a
tool gave comes whole. Its parts, and progress and log messages, may go on with one another: each is
judged at once, alone and with those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers.adapter import Said
from guardstream.providers.spec import (
    APART,
    KEEP,
    META,
    NAME,
    REQUEST,
    UNKNOWN,
    Leaf,
    Spec,
    SpecAdapter,
    Tree,
)

_GIVEN = Leaf("whole", "text", "tool_result")
_TEXTS = Tree(APART, frozenset({"type", "mimeType", "data", "blob", "uri", "role"}))

_OFFERED: Spec = {
    "name": NAME,
    **dict.fromkeys(("title", "description"), _GIVEN),
    **dict.fromkeys(("inputSchema", "outputSchema", "arguments"), Tree(_GIVEN)),
    **dict.fromkeys(("annotations", "icons", "execution"), _TEXTS),
    "_meta": Tree(UNKNOWN),
}

_RESULT: Spec = {
    **dict.fromkeys(("isError", "nextCursor", "protocolVersion", "resultType"), META),
    "content": _TEXTS,  # of a tool's answer
    "structuredContent": Tree(_GIVEN),
    **dict.fromkeys(("contents", "messages", "description", "instructions"), _TEXTS),
    **dict.fromkeys(("resources", "resourceTemplates", "roots", "completion"), _TEXTS),
    "tools": [_OFFERED],
    "prompts": [_OFFERED],
    "capabilities": Tree(UNKNOWN),
    "serverInfo": _TEXTS,
    "_meta": Tree(UNKNOWN),
    **dict.fromkeys(("role", "model", "stopReason", "action"), META),  # of sampling
}


class MCP(SpecAdapter):
    """The adapter for a server's messages; they have no common end."""

    name = "mcp"
    tells_apart = True
    """What is a text of its own is said to the host: nothing there is what a tool is given."""
    spec: ClassVar[Spec] = {
        **dict.fromkeys(("jsonrpc", "id", "method"), KEEP),
        "result": _RESULT,
        "error": {
            "code": META,
            **dict.fromkeys(("message", "data"), Tree(Leaf("whole", "text", "error"))),
        },
        "params": {
            **dict.fromkeys(("progressToken", "progress", "total", "level", "requestId"), META),
            **dict.fromkeys(("uri", "logger"), META),
            **dict.fromkeys(("message", "data", "reason"), Tree(APART)),
            # What a server asks of its client: to sample a model, or its user.
            **dict.fromkeys(("messages", "systemPrompt", "requestedSchema"), _TEXTS),
            **dict.fromkeys(("modelPreferences", "includeContext", "metadata"), REQUEST),
            **dict.fromkeys(("maxTokens", "temperature", "stopSequences"), META),
            "_meta": Tree(UNKNOWN),
        },
    }
    repeats = False

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is a message of JSON-RPC 2.0."""
        if not isinstance(chunk, dict) or chunk.get("jsonrpc") != "2.0":
            return False
        return not chunk.keys().isdisjoint({"result", "error", "method"})

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return an error in the place of an answer that has yet to come; its id is not known."""
        if "result" in chunk or "error" in chunk:
            return ()
        told = {"code": -32000, "message": f"the answer was ended: {reason}"}
        return [{"jsonrpc": "2.0", "id": None, "error": told}]
