"""Chat-completion chunks in the shapes that servers send."""

from __future__ import annotations

from typing import Any

from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
ChatCompletionChunk = optional("openai.types.chat", "ChatCompletionChunk")


def chunk(
    delta: dict[str, Any] | None = None,
    *,
    choice: int = 0,
    finish: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """One chunk with one choice."""
    values = {"index": choice, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    return whole([values], **fields)


def whole(choices: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """One chunk with these choices."""
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    return {**chunk, "choices": choices, **fields}


def call(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    """A delta with one tool call."""
    name = fields.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": index, **fields, "function": function}]}


def model(chunk: dict[str, Any]) -> ChatCompletionChunk:
    """The chunk as the SDK would give it, which does not validate."""
    made = construct_type(type_=ChatCompletionChunk, value=chunk)
    assert isinstance(made, ChatCompletionChunk)
    return made


def accumulate(chunks: list[Any]) -> dict[Any, str]:
    """The text of each field of each choice, joined, as a client would."""
    texts: dict[Any, str] = {}
    for item in chunks:
        plain = item if isinstance(item, dict) else item.model_dump()
        for choice in plain.get("choices") or []:
            _collect(choice["delta"] or {}, (choice["index"],), texts)
    return texts


def _collect(value: Any, path: tuple[Any, ...], texts: dict[Any, str]) -> None:
    if isinstance(value, str):
        texts[path] = texts.get(path, "") + value
    elif isinstance(value, dict):
        for name, inner in value.items():
            _collect(inner, (*path, name), texts)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            key = inner.get("index", place) if isinstance(inner, dict) else place
            _collect(inner, (*path, place if key is None else key), texts)
