"""Streams of Kosong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

try:
    from kosong.message import TextPart, ThinkPart, ToolCall, ToolCallPart
except ImportError:  # it needs Python 3.12: its parts' fields and merging, in short

    class TextPart(BaseModel):  # type: ignore[no-redef]
        type: str = "text"
        text: str

        def merge_in_place(self, other: Any) -> bool:
            if isinstance(other, TextPart):
                self.text += other.text
            return isinstance(other, TextPart)

    class ThinkPart(BaseModel):  # type: ignore[no-redef]
        type: str = "think"
        think: str
        encrypted: str | None = None

        def merge_in_place(self, other: Any) -> bool:
            merges = isinstance(other, ThinkPart) and not self.encrypted
            if merges:
                self.think += other.think
                self.encrypted = other.encrypted
            return merges

    class ToolCall(BaseModel):  # type: ignore[no-redef]
        class FunctionBody(BaseModel):
            name: str
            arguments: str | None

        type: str = "function"
        id: str
        function: FunctionBody
        extras: dict[str, Any] | None = None

        def merge_in_place(self, other: Any) -> bool:
            merges = isinstance(other, ToolCallPart)
            if merges:
                self.function.arguments = (self.function.arguments or "") + other.arguments_part
            return merges

    class ToolCallPart(BaseModel):  # type: ignore[no-redef]
        arguments_part: str | None = None

        def merge_in_place(self, other: Any) -> bool:  # noqa: ARG002
            return False


def call(name: str, arguments: str | None = None, number: str = "c") -> Any:
    return ToolCall(id=number, function=ToolCall.FunctionBody(name=name, arguments=arguments))


def arguments(said: str) -> Any:
    return ToolCallPart(arguments_part=said)


def message(parts: Sequence[Any]) -> list[Any]:
    """The parts of the message that Kosong makes of a stream of parts."""
    made: list[Any] = []
    for part in parts:
        if not (made and made[-1].merge_in_place(part)):
            made.append(part)
    return made
