"""Amazon Bedrock's agents, flows and knowledge bases: what `bedrock-agent-runtime` streams.

InvokeAgent and InvokeInlineAgent send the answer as bytes of UTF-8, beside traces, requests to run
a tool, and files; RetrieveAndGenerateStream and AgenticRetrieveStream send it as text; flows send
the output of each output node. boto3 returns `{"chunk": {"bytes": b"…"}}`, with base64 on the wire:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Agents_for_Amazon_Bedrock_Runtime.html.
No event says that the answer is over.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from codecs import getincrementaldecoder
from collections.abc import Callable, Mapping
from typing import Any

from guardstream.errors import AdapterError
from guardstream.formats.adapter import Unknown
from guardstream.formats.described import described_as
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import BYTES, fields_of
from guardstream.framing.json import json_object

_NO_TEXT = "bedrock_agent: the bytes of a chunk are not text in UTF-8"


class BedrockAgent(Envelope):
    """The adapter for events; it reads and writes their bytes.

    A character may be cut by two events: its bytes wait for the rest.
    """

    name = "bedrock_agent"
    repeats = False
    in_turn = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(described_as("bedrock_agent")(unknown=unknown), unknown=unknown)
        self._as_bytes = False
        self._decoder = getincrementaldecoder("utf-8")()

    def taken(self, chunk: Any) -> Any:
        """Return an event of whole characters; the event itself, unless it cuts one."""
        data = _bytes_of(fields_of(fields_of(chunk).get("chunk")).get("bytes"))
        if data is None:
            return chunk
        waiting, _ = self._decoder.getstate()
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError:
            raise AdapterError(_NO_TEXT) from None
        if not waiting and not self._decoder.getstate()[0]:
            return chunk
        self._as_bytes = isinstance(chunk["chunk"]["bytes"], BYTES)
        return self.with_inner(chunk, {"chunk": {**chunk["chunk"], "bytes": {"text": text}}})

    def kept(self) -> None:
        """Take the end. AdapterError if it cuts a character."""
        if self._decoder.getstate()[0]:
            raise AdapterError("bedrock_agent: the bytes of the answer end inside a character")

    def unwrapped(self, chunk: Any) -> Any:
        """Return an event with text in place of its bytes. AdapterError if they are not text."""
        data = fields_of(fields_of(chunk).get("chunk")).get("bytes")
        inner = _each_part(chunk, self._with_text)
        if data is not None and inner["chunk"]["bytes"] is data:
            raise AdapterError(_NO_TEXT)
        return inner

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return an event with bytes in place of its text, in the form of the source's bytes."""
        return _each_part(inner, self._with_bytes)

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return nothing: the inner adapter reads all of an event."""
        return {}

    def _with_text(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a part or a file with text in place of its bytes, if they are text."""
        data = _bytes_of(part.get("bytes"))
        if data is None:
            return part
        self._as_bytes = isinstance(part["bytes"], BYTES)
        try:
            return {**part, "bytes": {"text": data.decode()}}
        except UnicodeDecodeError:
            return part

    def _with_bytes(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        text = fields_of(part.get("bytes")).get("text")
        if not isinstance(text, str):
            return part
        data = text.encode()
        return {**part, "bytes": data if self._as_bytes else b64encode(data).decode()}


def _each_part(event: Any, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    """Return an event like another, with its parts that have bytes changed."""
    if "chunk" in event and isinstance(event["chunk"], dict):
        return {**event, "chunk": change(event["chunk"])}
    files = fields_of(event.get("files")).get("files")
    if isinstance(files, list):
        changed = [change(each) if isinstance(each, dict) else each for each in files]
        return {**event, "files": {**event["files"], "files": changed}}
    return event


def is_text_part(part: Any) -> bool:
    """Return whether the bytes of a part are text, and no JSON object: that is a model's event."""
    data = fields_of(part).get("bytes")
    return isinstance(data, (str, *BYTES)) and not _is_object(data)


def _is_object(data: Any) -> bool:
    """Return whether the bytes of a part are a JSON object."""
    found = _bytes_of(data)
    try:
        return found is not None and json_object(found) is not None
    except AdapterError:  # a repeated key
        return True


def _bytes_of(data: Any) -> bytes | None:
    """Return bytes, decoded if they are in base64; None for anything else."""
    try:
        if isinstance(data, str):
            return b64decode(data, validate=True)
    except ValueError:
        return None
    return bytes(data) if isinstance(data, BYTES) else None
