"""Streams of formats that only a file describes, as their documentation has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Event = dict[str, Any]


def dify(texts: Iterable[str]) -> Iterator[Event]:
    ids = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
    for text in texts:
        yield {"event": "message", **ids, "answer": text, "created_at": 1}
    usage = {"total_tokens": 3}
    yield {"event": "message_end", **ids, "metadata": {"usage": usage}}


def coze(texts: Iterable[str]) -> Iterator[Event]:
    ids = {"id": "m", "conversation_id": "c", "bot_id": "b", "chat_id": "t"}
    said = ""
    for text in texts:
        said += text
        data = {**ids, "role": "assistant", "type": "answer", "content": text}
        yield {"event": "conversation.message.delta", "data": data}
    data = {**ids, "role": "assistant", "type": "answer", "content": said}
    yield {"event": "conversation.message.completed", "data": data}
    data = {"id": "t", "bot_id": "b", "status": "completed", "usage": {"token_count": 3}}
    yield {"event": "conversation.chat.completed", "data": data}


def ragflow(texts: Iterable[str]) -> Iterator[Event]:
    said = ""
    for text in texts:
        said += text
        yield {"code": 0, "data": {"answer": said, "reference": {}, "id": "m"}}
    yield {"code": 0, "data": True}


def hunyuan(texts: Iterable[str]) -> Iterator[Event]:
    for text in texts:
        delta = {"Role": "assistant", "Content": text}
        yield {"Created": 1, "Id": "a", "Choices": [{"Delta": delta, "FinishReason": ""}]}
    usage = {"TotalTokens": 3}
    last = {"Delta": {"Content": ""}, "FinishReason": "stop"}
    yield {"Created": 1, "Id": "a", "Usage": usage, "Choices": [last]}


def ernie(texts: Iterable[str]) -> Iterator[Event]:
    for number, text in enumerate(texts):
        yield {"id": "as-1", "sentence_id": number, "is_end": False, "result": text}
    yield {
        "id": "as-1",
        "sentence_id": 9,
        "is_end": True,
        "result": "",
        "usage": {"total_tokens": 3},
    }


def anythingllm(texts: Iterable[str]) -> Iterator[Event]:
    beside = {"uuid": "u", "error": False}
    for text in texts:
        yield {**beside, "type": "textResponseChunk", "textResponse": text, "close": False}
    yield {
        "uuid": "u",
        "type": "finalizeResponseStream",
        "close": True,
        "error": False,
        "chatId": 1,
    }


def flowise(texts: Iterable[str]) -> Iterator[Event]:
    yield {"event": "agentFlowEvent", "data": "INPROGRESS"}
    for text in texts:
        yield {"event": "token", "data": text}
    yield {"event": "end", "data": "[DONE]"}


def langflow(texts: Iterable[str]) -> Iterator[Event]:
    for text in texts:
        yield {"event": "token", "data": {"chunk": text, "id": "m", "timestamp": "2026"}}
    yield {"event": "end", "data": {}}


def onyx(texts: Iterable[str]) -> Iterator[Event]:
    yield {"user_message_id": 1, "reserved_assistant_message_id": 2}
    yield {"ind": 0, "obj": {"type": "message_start", "id": "m", "content": ""}}
    for text in texts:
        yield {"ind": 0, "obj": {"type": "message_delta", "content": text}}
    yield {"ind": 0, "obj": {"type": "section_end"}}
    yield {"ind": 0, "obj": {"type": "stop"}}


def chat_ui(texts: Iterable[str]) -> Iterator[Event]:
    said = ""
    yield {"type": "status", "status": "started"}
    for text in texts:
        said += text
        yield {"type": "stream", "token": text}
    yield {"type": "finalAnswer", "text": said, "interrupted": False}


def langserve_log(texts: Iterable[str]) -> Iterator[Event]:
    said = ""
    for text in texts:
        said += text
        yield {"ops": [{"op": "add", "path": "/streamed_output/-", "value": text}]}
    yield {"ops": [{"op": "replace", "path": "/final_output", "value": said}]}


def genkit(texts: Iterable[str]) -> Iterator[Event]:
    said = ""
    for text in texts:
        said += text
        yield {"message": {"role": "model", "index": 0, "content": [{"text": text}]}}
    whole = {"role": "model", "content": [{"text": said}]}
    yield {"result": {"message": whole, "finishReason": "stop", "usage": {"totalTokens": 3}}}


def bot_framework(texts: Iterable[str]) -> Iterator[Event]:
    said = ""
    for number, text in enumerate(texts, 1):
        said += text
        info = {"type": "streaminfo", "streamType": "streaming", "streamSequence": number}
        yield {"type": "typing", "text": said, "entities": [info]}
    info = {"type": "streaminfo", "streamType": "final"}
    yield {"type": "message", "text": said, "entities": [info]}


STREAMS: tuple[Callable[[Iterable[str]], Iterator[Event]], ...] = (
    *(dify, coze, ragflow, hunyuan, ernie, anythingllm, flowise, langflow, onyx, chat_ui),
    *(langserve_log, genkit, bot_framework),
)
