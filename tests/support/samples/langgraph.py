"""Streams of LangGraph."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from tests.support.optional import optional

Document = optional("langchain_core.documents", "Document")


AIMessage, AIMessageChunk, HumanMessage, ToolMessage = optional(
    "langchain_core.messages", "AIMessage", "AIMessageChunk", "HumanMessage", "ToolMessage"
)


def chunk(text: str, **fields: Any) -> AIMessageChunk:
    return AIMessageChunk(text, id="run-1", **fields)


def messages(pieces: Sequence[str]) -> list[Any]:
    told = [chunk(piece) for piece in pieces]
    return [(each, {"langgraph_node": "n"}) for each in (*told, chunk("", chunk_position="last"))]


def named(event: str, data: Any) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def as_json(text: str, kind: str = "AIMessageChunk", **fields: Any) -> dict[str, Any]:
    about = {"additional_kwargs": {}, "response_metadata": {}, "tool_calls": [], "name": None}
    return {"content": text, **about, "type": kind, "id": "run-1", **fields}


OWN = {
    **dict.fromkeys(("id", "type", "name", "status", "run_id", "tool_call_id"), "key 12345678"),
    "index": "12345678",
    "rows": [{"id": "12345678", "type": "12345678", "data": "12345678"}],
}


"""What a model asks a tool with, and what a tool gives."""


CALL_ID, RUN_ID = "call_87654321", "run-87654321"


class Row(BaseModel):
    id: str
    type: str


class Pair(NamedTuple):
    id: str
    rows: list[Row]


def told(as_json: bool) -> dict[str, Any]:
    call = {"name": "find", "args": OWN, "id": CALL_ID, "type": "tool_call"}
    use = {"type": "tool_use", "id": CALL_ID, "name": "find", "input": OWN}
    asked = AIMessage([use], id=RUN_ID, tool_calls=[call])
    gave = ToolMessage(
        "", tool_call_id=CALL_ID, id=RUN_ID, artifact=OWN, additional_kwargs={**OWN, "of": OWN}
    )
    pair = Pair("12345678", [Row(id="12345678", type="12345678")])
    found = Document("", id="87654321", metadata=OWN)
    objects = {"messages": [asked, gave], "row": OWN, "pair": pair, "documents": [found]}
    return to_jsonable_python(objects) if as_json else objects
