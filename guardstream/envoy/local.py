"""Envoy's own answers, such as the 401 of a filter in front of the processor.

They come without a request, or before the request was forwarded (a 408), and contain no text of a
model, so they pass unchanged. They are recognised by the attribute `response.code_details`, which
the configuration has to send. A provider's answer without its request is refused.

Source: envoyproxy.io, "Response code details" of HTTP connection management, of Envoy 1.40.
"""

from __future__ import annotations

from typing import Any, Protocol

from envoy.service.ext_proc.v3 import external_processor_pb2 as pb


class MessageStream(Protocol):
    """The gRPC call: Envoy's messages, and the responses to them."""

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


async def passed(stream: MessageStream, first: pb.ProcessingRequest) -> None:
    """Let one of Envoy's own answers pass unchanged."""
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
        await stream.write(response)
        message = await stream.read()
