"""Amazon Bedrock's InvokeModelWithResponseStream: each chunk holds an event of the model's own.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html.
boto3 returns `{"chunk": {"bytes": b"…"}}`, with base64 on the wire. The first event shows the
format, as in any stream: messages of Anthropic or Nova (as in ConverseStream), pieces of Llama,
Mistral, Titan or Cohere, or chat-completion chunks.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from guardstream.errors import AdapterError
from guardstream.formats import detect
from guardstream.formats.adapter import Adapter, Passes, Reading, Unknown
from guardstream.formats.bedrock.agents import BedrockAgent, is_text_part
from guardstream.formats.bedrock.converse import Bedrock
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import BYTES
from guardstream.framing.json import json_bytes, json_object


class BedrockInvoke(Envelope):
    """The adapter for chunks, and for events among them, such as errors that end a stream."""

    name = "bedrock_invoke"
    field = "chunk"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(AnyJSON(unknown=unknown), unknown=unknown)
        self._unknown = unknown
        self._told = False
        self._beside_chunks = Bedrock(unknown=unknown)

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in events and in errors."""
        super().judge_marks(passes)
        self._beside_chunks.judge_marks(passes)

    def read(self, chunk: Any) -> Reading:
        """Find the text in the model's event inside, or in an event without one."""
        if _is_beside(chunk):
            return self._beside_chunks.read(chunk)
        if self._is_text(chunk):
            return Reading((), ())
        if not self._told:
            self._use(detect(self.inner_of(chunk), unknown=self._unknown))
            self._told = True
        return super().read(chunk)

    def recognised(self, chunk: Any, reading: Reading) -> Adapter[Any] | None:
        """Return the adapter for agents if a chunk is text: an agent's answer may begin with an
        object."""
        return BedrockAgent(unknown=self._unknown) if self._is_text(chunk) else None

    def _is_text(self, chunk: Any) -> bool:
        """Return whether a chunk is text, after objects of no known format."""
        is_unknown = self._told and isinstance(self._inner, AnyJSON)
        return is_unknown and not _is_beside(chunk) and is_text_part(chunk["chunk"])

    def write(self, chunk: Any, texts: Any, *, ends: bool = True) -> Any | None:
        """Return a chunk with `texts`; None if nothing is left in it."""
        if _is_beside(chunk):
            return self._beside_chunks.write(chunk, texts, ends=ends)
        return super().write(chunk, texts, ends=ends)

    def without_unknown(self, chunk: Any) -> Any:
        """Return a chunk without unknown text."""
        return chunk if _is_beside(chunk) else super().without_unknown(chunk)

    def passed(self, chunk: Any) -> None:
        """Tell the inner adapter what went out."""
        if not _is_beside(chunk):
            super().passed(chunk)

    def unwrapped(self, chunk: Any) -> Any:
        """Return the event in a chunk. AdapterError if its bytes are no JSON object."""
        data = _data(chunk)
        try:
            value = json_object(
                b64decode(data, validate=True) if isinstance(data, str) else bytes(data)
            )
        except ValueError:  # no base64
            value = None
        if value is None:
            raise AdapterError("bedrock_invoke: the bytes of a chunk are not a JSON object")
        return value

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return a chunk with another event in it."""
        data = json_bytes(inner)
        as_bytes = isinstance(_data(chunk), BYTES)
        made = {**chunk["chunk"], "bytes": data if as_bytes else b64encode(data).decode()}
        made.pop("p", None)  # it pads another length
        return {**chunk, "chunk": made}

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return the unknown fields beside the bytes."""
        inner = {name: each for name, each in chunk["chunk"].items() if name not in _KNOWN}
        return {**super().beside(chunk), **({"chunk": inner} if inner else {})}

    def with_beside(self, chunk: Any, fields: Mapping[str, Any]) -> Any:
        """Return a chunk with other fields beside the bytes."""
        return {**chunk, **fields, "chunk": {**chunk["chunk"], **(fields.get("chunk") or {})}}


_KNOWN = frozenset({"bytes", "p"})


def _is_beside(chunk: Any) -> bool:
    """Return whether an event has no event of the model inside: it is an error, or unknown."""
    return isinstance(chunk, dict) and _data(chunk) is None


def _data(chunk: Mapping[str, Any]) -> Any:
    held = chunk.get("chunk")
    data = held.get("bytes") if isinstance(held, Mapping) else None
    return data if isinstance(data, (str, *BYTES)) else None
