"""Envoy's own answers, such as the 401 of a filter that stands before the processor.

They come without the request that they answer, or before it went on (a 408), and hold no text of a
model: they go on as they are.
That an answer is Envoy's is known by the attribute `response.code_details`, which the configuration
has to send; an answer of the provider's without its request is refused.

Source: envoyproxy.io, "Response code details" of HTTP connection management, of Envoy 1.40.
"""

from __future__ import annotations

from typing import Any, Protocol

from envoy.service.ext_proc.v3 import external_processor_pb2 as pb


class Talk(Protocol):
    """The gRPC call: what Envoy says, and what it is told."""

    async def read(self) -> Any: ...
    async def write(self, message: Any) -> None: ...


ATTRIBUTE = "response.code_details"

_PROVIDERS = "via_upstream"


def is_local(first: pb.ProcessingRequest) -> bool:
    """Return whether a message begins an answer of Envoy's own."""
    if first.WhichOneof("request") != "response_headers":
        return False
    for values in first.attributes.values():
        details = values.fields[ATTRIBUTE].string_value if ATTRIBUTE in values.fields else ""
        if details:
            return bool(details != _PROVIDERS)
    return False


async def passed(talk: Talk, first: pb.ProcessingRequest) -> None:
    """Let an answer of Envoy's own go on as it is."""
    message = first
    while message is not None:
        kind = message.WhichOneof("request")
        response = pb.ProcessingResponse()
        if kind == "response_body":
            streamed = response.response_body.response.body_mutation.streamed_response
            streamed.body, streamed.end_of_stream = (
                message.response_body.body,
                message.response_body.end_of_stream,
            )
        elif kind == "response_trailers":
            response.response_trailers.SetInParent()
        else:
            response.response_headers.SetInParent()
        await talk.write(response)
        message = await talk.read()
