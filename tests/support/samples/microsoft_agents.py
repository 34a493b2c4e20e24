"""Streams of Microsoft's agents."""

from __future__ import annotations

from typing import Any


class Shown:
    """An object that is shown as its fields."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({vars(self)})"


class Content(Shown):
    """A content; its fields are those of all types, and most of them are None."""

    def __init__(self, type: str, **fields: Any) -> None:  # noqa: A002
        self.type = type
        self.annotations = self.raw_representation = self.merge_mode = None
        self.additional_properties: dict[str, Any] = {}
        self.text: Any = None
        self.call_id = self.name = self.arguments = self.id = None
        self.result = self.items = self.inputs = self.outputs = None
        self.usage_details = self.function_call = None
        self.__dict__.update(fields)


class Update(Shown):
    def __init__(self, *contents: Content, **fields: Any) -> None:
        self.contents = list(contents)
        self.role = "assistant"
        self.author_name: Any = "writer"
        self.agent_id = self.message_id = self.merge_mode = self.finish_reason = None
        self.continuation_token = self.additional_properties = self._operation_state = None
        self.raw_representation: Any = {"choices": [each.text for each in contents]}
        self.__dict__.update(fields)

    @property
    def text(self) -> str:
        return "".join(each.text for each in self.contents if each.type == "text")


def text(piece: str, **fields: Any) -> Content:
    return Content("text", text=piece, raw_representation={"delta": piece}, **fields)
