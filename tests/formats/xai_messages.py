"""Messages and classes like those of the `xai-sdk` package, which asks for older packages."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass

ENUMS = {
    "Role": ["INVALID_ROLE", "ROLE_ASSISTANT", "ROLE_TOOL"],
    "Reason": ["REASON_INVALID", "REASON_STOP", "REASON_MAX_LEN", "REASON_TOOL_CALLS"],
    "Tool": ["TOOL_INVALID", "SERVER_SIDE_TOOL_WEB_SEARCH"],
}

_TEXTS = {"content": "string", "reasoning_content": "string", "encrypted_content": "string"}
_SAID = {**_TEXTS, "role": "Role", "tool_calls": ["ToolCall"], "citations": ["InlineCitation"]}
_BESIDE = {
    **dict.fromkeys(("id", "model", "system_fingerprint"), "string"),
    **{"usage": "Usage", "citations": ["string"], "debug_output": "DebugOutput"},
}

MESSAGES: dict[str, dict[str, Any]] = {
    "FunctionCall": {"name": "string", "arguments": "string"},
    "ToolCall": {"id": "string", "error_message": "string", "function": "FunctionCall"},
    "CollectionsCitation": {"file_id": "string", "chunk_content": "string"},
    "InlineCitation": {"id": "string", "collections_citation": "CollectionsCitation"},
    "TopLogProb": {"token": "string", "logprob": "float"},
    "LogProb": {"token": "string", "logprob": "float", "top_logprobs": ["TopLogProb"]},
    "LogProbs": {"content": ["LogProb"]},
    "Usage": {"prompt_tokens": "int32", "server_side_tools_used": ["Tool"]},
    "DebugOutput": {"prompt": "string", "chunks": ["string"]},
    "Delta": _SAID,
    "CompletionMessage": _SAID,
    "CompletionOutputChunk": {
        **{"delta": "Delta", "logprobs": "LogProbs", "finish_reason": "Reason", "index": "int32"},
    },
    "CompletionOutput": {
        **{"message": "CompletionMessage", "finish_reason": "Reason", "index": "int32"},
    },
    "GetChatCompletionChunk": {**_BESIDE, "outputs": ["CompletionOutputChunk"]},
    "GetChatCompletionResponse": {**_BESIDE, "outputs": ["CompletionOutput"]},
}


def _file() -> FileDescriptorProto:
    made = FileDescriptorProto(name="xai/api/v1/chat.proto", package="xai_api", syntax="proto3")
    for name, values in ENUMS.items():
        enum = made.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        message = made.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            _add(message.field.add(name=field, number=number), kind)
    return made


def _add(field: FieldDescriptorProto, kind: Any) -> None:
    field.label = FieldDescriptorProto.LABEL_OPTIONAL
    if isinstance(kind, list):
        field.label, (kind,) = FieldDescriptorProto.LABEL_REPEATED, kind
    if kind in MESSAGES or kind in ENUMS:
        field.type_name = f".xai_api.{kind}"
        of_message = kind in MESSAGES
        field.type = field.TYPE_MESSAGE if of_message else field.TYPE_ENUM
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")


_POOL = DescriptorPool()
_POOL.AddSerializedFile(_file().SerializeToString())


def _class(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"xai_api.{name}"))


CHUNK = _class("GetChatCompletionChunk")
RESPONSE = _class("GetChatCompletionResponse")


def message(*outputs: dict[str, Any], **more: Any) -> Any:
    """A chunk's message, by the JSON of its outputs and of what stands beside them."""
    return ParseDict({**more, "outputs": outputs}, CHUNK())


class _Holder:
    __module__ = "xai_sdk.chat"

    def __init__(self, proto: Any, index: int | None) -> None:
        self._proto = proto
        self._index = index

    @property
    def proto(self) -> Any:
        return self._proto

    def __repr__(self) -> str:
        return str(self._proto)


class Chunk(_Holder):
    """A chunk: of all that a model says, or of the answer of an index."""

    __module__ = "xai_sdk.chat"

    def _said(self, field: str, role: int = 1) -> str:
        return "".join(
            getattr(each.delta, field)
            for each in self._proto.outputs
            if each.delta.role == role and self._index in (None, each.index)
        )

    @property
    def content(self) -> str:
        return self._said("content")

    @property
    def reasoning_content(self) -> str:
        return self._said("reasoning_content")

    @property
    def of_tools(self) -> str:
        return self._said("content", role=2)


class Response(_Holder):
    """A response, to which chunks are added."""

    __module__ = "xai_sdk.chat"

    def process_chunk(self, chunk: Any) -> None:
        self._proto.id, self._proto.model = chunk.id, chunk.model
        self._proto.usage.CopyFrom(chunk.usage)
        self._proto.citations.extend(chunk.citations)
        for each in chunk.outputs:
            while len(self._proto.outputs) <= each.index:
                self._proto.outputs.add()
            output = self._proto.outputs[each.index]
            output.index, output.finish_reason = each.index, each.finish_reason
            said, delta = output.message, each.delta
            said.role = delta.role
            said.content += delta.content
            said.reasoning_content += delta.reasoning_content
            said.tool_calls.extend(delta.tool_calls)
            said.citations.extend(delta.citations)

    @property
    def content(self) -> str:
        """The last that a model said, or the answer of an index."""
        outputs = [each for each in self._proto.outputs if each.message.role == 1]
        own = [each for each in outputs if self._index in (None, each.index)]
        return str(own[-1].message.content) if own else ""
