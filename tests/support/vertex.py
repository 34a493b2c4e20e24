"""Answers of Vertex, as JSON that is guarded as text."""

from __future__ import annotations

from typing import Any


def vertex(pieces: list[str]) -> list[dict[str, Any]]:
    """A call of `find` whose only argument is streamed in these pieces."""

    def event(call: dict[str, Any], **fields: Any) -> dict[str, Any]:
        content = {"parts": [{"functionCall": call}], "role": "model"}
        return {"candidates": [{"content": content, "index": 0, **fields}]}

    values = [{"jsonPath": "$.q", "stringValue": each, "willContinue": True} for each in pieces]
    return [
        event({"name": "find", "willContinue": True}),
        *(event({"partialArgs": [value], "willContinue": True}) for value in values),
        event({"partialArgs": [{"jsonPath": "$.q", "stringValue": ""}], "willContinue": True}),
        event({}, finishReason="STOP"),
    ]


def values_of(sent: list[Any]) -> str:
    parts = [part for each in sent for part in each["candidates"][0]["content"]["parts"]]
    calls = [part.get("functionCall", {}) for part in parts]
    found = [value for call in calls for value in call.get("partialArgs", ())]
    return "".join(value.get("stringValue", "") for value in found)
