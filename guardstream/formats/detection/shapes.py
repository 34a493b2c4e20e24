"""Marks that no list of fields tells: pairs, values of any keys, events within events.

The adapters of these formats use them, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.protobuf import is_message as is_protobuf

_MESSAGES = frozenset({"AIMessageChunk", "ai", "tool", "ToolMessageChunk", "human", "system"})
"""The types of LangChain's messages."""

MESSAGE_MODES = frozenset({"messages", "messages-tuple"})
STATE_MODES = frozenset({"values", "updates", "debug", "tasks", "checkpoints"})
MODES = STATE_MODES | MESSAGE_MODES | {"custom"}
"""The modes in which LangGraph streams."""

GROWING_MODES = frozenset({"messages/partial", "messages/complete"})
"""The modes of LangGraph's server in which messages grow."""

VERSION_2 = frozenset({"type", "ns", "data"})
"""The fields of LangGraph's chunks in version 2."""

CONVERSE = frozenset(
    {
        *("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop"),
        *("messageStop", "metadata", "internalServerException", "modelStreamErrorException"),
        *("validationException", "throttlingException", "serviceUnavailableException"),
    }
)
"""The events of Bedrock's Converse API, each the only field of its chunk."""

LINES = frozenset("0239abcdefghijkg8")
"""The codes of lines in the AI SDK's data stream."""

EVENT_FIELDS = frozenset({"event", "data", "id", "retry"})
SENT_FIELDS = EVENT_FIELDS | {"comment", "raw_data", "sep"}
"""The fields of server-sent events as objects, with those of events to be sent: FastAPI's have
unquoted text as `raw_data`."""

XAI_CHUNK = "xai_api.GetChatCompletionChunk"
"""The name of the message of xAI's chunks."""


def is_message(value: object) -> bool:
    """Return whether `value` is one of LangChain's messages, or the JSON of one."""
    fields = fields_of(value)
    return (
        isinstance(fields.get("type"), str)
        and fields["type"] in _MESSAGES
        and "content" in fields
        and "additional_kwargs" in fields
    )


def is_generation(value: object) -> bool:
    """Return whether `value` is a chunk that models create internally, with text or a message."""
    fields = fields_of(value)
    return not isinstance(value, dict) and {"text", "generation_info", "type"} <= fields.keys()


def is_message_object(value: object) -> bool:
    """Return whether `value` is one of LangChain's messages, and not the JSON of one."""
    return is_message(value) and not isinstance(value, dict)


def is_langchain(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is one of LangChain's messages, or holds one."""
    return holds_message(chunk)


def holds_message(chunk: Any) -> bool:
    """Return whether a chunk is one of LangChain's messages, or holds one."""
    if isinstance(chunk, tuple):
        message, *others = chunk
        return len(others) == 1 and is_message_object(message) and isinstance(others[0], dict)
    return is_message_object(chunk) or is_generation(chunk)


def adds_up(value: Any) -> bool:
    """Return whether a value is one of LangChain's dicts that are added up, and not a graph's."""
    kind = type(value)
    return kind.__name__ == "AddableDict" and kind.__module__.startswith("langchain_core.")


def is_piece(value: Any) -> bool:
    """Return whether a value is a piece of one of LangChain's messages."""
    return not isinstance(value, dict) and fields_of(value).get("type") == "AIMessageChunk"


def is_of_chain(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is a dict that others are added to, or has a piece of a message."""
    return isinstance(chunk, dict) and (adds_up(chunk) or any(map(is_piece, dict.values(chunk))))


def is_of_graph(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk names a mode of LangGraph or a namespace, or is a state with messages
    in it."""
    if isinstance(chunk, dict):
        if chunk.keys() >= VERSION_2:
            return chunk["type"] in MODES
        return _has_message(chunk, 4)
    if not isinstance(chunk, tuple) or not 2 <= len(chunk) <= 3:
        return False
    return isinstance(chunk[0], tuple) or (isinstance(chunk[0], str) and chunk[0] in MODES)


def _has_message(value: Any, depth: int) -> bool:
    """Return whether a value contains a message, at any depth."""
    if is_message(value):
        return not isinstance(value, dict)
    if depth == 0 or value is None or isinstance(value, (str, bytes, int, float)):
        return False
    if isinstance(value, (list, tuple)):
        return any(_has_message(item, depth - 1) for item in value[-8:])
    if isinstance(value, dict):
        return any(_has_message(item, depth - 1) for item in fields_of(value).values())
    return False


def is_server_event(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is the event of LangGraph's server that begins a run, or one of
    messages."""
    if not isinstance(chunk, dict) or chunk.keys() != {"event", "data"}:
        return False
    event, data = event_mode(chunk), chunk["data"]
    if event == "metadata":
        return isinstance(data, dict) and "run_id" in data
    return (event in MESSAGE_MODES and is_message_pair(data)) or event in GROWING_MODES


def event_mode(chunk: Any) -> str:
    """Return an event's name without its namespace: `messages|outer:1`."""
    return str(chunk.get("event")).partition("|")[0]


def is_message_pair(data: Any) -> bool:
    """Return whether an event's data is one of LangChain's messages and its metadata."""
    return isinstance(data, list) and len(data) == 2 and is_message(data[0])


def is_agentscope_pair(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is one of AgentScope's messages, and whether it is complete."""
    paired = isinstance(chunk, tuple) and len(chunk) in (2, 3) and isinstance(chunk[1], bool)
    return paired and fields_of(chunk[0]).keys() >= {"name", "content", "role", "metadata"}


def is_data_stream(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is a line that begins the AI SDK's data stream, as an object of one
    field."""
    if not isinstance(chunk, dict) or len(chunk) != 1:
        return False
    ((code, value),) = chunk.items()
    if isinstance(value, dict):
        return code in LINES and not value.keys().isdisjoint({"messageId", "toolCallId"})
    return code in ("0", "2", "3", "8")


def is_session_message(chunk: Any, fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is a `SessionMessage` of MCP, with a message in it."""
    return is_dataclass(chunk) and {"message", "metadata"} == fields.keys()


def is_part_of_agent(_chunk: Any, fields: Mapping[str, Any]) -> bool:
    """Return whether the bytes of a Bedrock part are no JSON object: that is a model's event."""
    from guardstream.formats.bedrock.agents import is_text_part

    return is_text_part(fields.get("chunk"))


def is_strands_event(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is an event of Strands, also within another agent's."""
    return isinstance(chunk, dict) and (_is_own(chunk) or bool(strands_step(chunk)))


def strands_step(chunk: Any) -> Sequence[str]:
    """Return the steps to another agent's event inside an event; () if there is none."""
    kind = chunk.get("type")
    if kind == "multiagent_node_stream" and isinstance(chunk.get("event"), dict):
        return ("event",)
    data = fields_of(chunk.get("tool_stream_event")).get("data") if kind == "tool_stream" else None
    inner = isinstance(data, dict) and (_is_own(data) or _tells_again(data) or strands_step(data))
    return ("tool_stream_event", "data") if inner else ()


def is_strands_model(chunk: Any) -> bool:
    """Return whether an event of Strands holds one of a model."""
    event = chunk.get("event")
    return isinstance(event, dict) and not event.keys().isdisjoint(CONVERSE)


def is_of_several(chunk: Mapping[str, Any]) -> bool:
    """Return whether an event is one of a graph or a swarm of Strands about its agents."""
    kind = chunk.get("type")
    return isinstance(kind, str) and kind.startswith("multiagent_")


def _is_own(chunk: Mapping[str, Any]) -> bool:
    """Return whether an event is one of an agent."""
    keys = chunk.keys()
    if is_of_several(chunk):
        return True
    if keys == {"event"}:
        return is_strands_model(chunk)
    begins = ("init_event_loop", "start_event_loop")
    says = {"delta", "event_loop_cycle_id"} <= keys
    return says or any(chunk.get(each) is True for each in begins) or chunk == {"start": True}


def _tells_again(event: Mapping[str, Any]) -> bool:
    """Return whether an event has only a message, or the result of a run."""
    if event.keys() == {"message"}:
        return fields_of(event["message"]).keys() >= {"role", "content"}
    return event.keys() == {"result"} and "stop_reason" in fields_of(event["result"])


def is_server_sent(chunk: Any, fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is a server-sent event of any class: it has only the fields of one.

    A dict need not have all of them, but text.
    """
    if isinstance(chunk, (str, bytes)):
        return False
    names = {name.lstrip("_") for name in fields}
    if isinstance(chunk, dict):
        return names <= SENT_FIELDS and isinstance(chunk.get("data"), str)
    return EVENT_FIELDS <= names <= SENT_FIELDS


def is_xai(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk has a message of xAI."""
    return xai_message(chunk) is not None


def is_kosong_part(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is an object to which others are added."""
    return hasattr(chunk, "merge_in_place")


def is_task_pair(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is a task of A2A and what changed in it."""
    from guardstream.formats.detection.marks import is_of

    return isinstance(chunk, tuple) and len(chunk) == 2 and is_of(chunk[0], ("a2a", "a2a_pb2"))


def is_ag2_event(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is of one of AG2's classes of events."""
    return hasattr(type(chunk), "_event_fields_")


def xai_message(chunk: Any) -> Any:
    """Return the message in a chunk of xAI, a pair of a response and a chunk, or several; None if
    it is something else."""
    value = chunk[1] if isinstance(chunk, tuple) and len(chunk) == 2 else chunk
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    message: Any = first if is_protobuf(first) else getattr(first, "proto", None)
    return message if is_protobuf(message) and message.DESCRIPTOR.full_name == XAI_CHUNK else None
