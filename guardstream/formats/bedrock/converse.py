"""Amazon Bedrock's ConverseStream: the events of boto3's and aioboto3's event streams.

`bedrock.yaml` describes them. Each event is a dict with one key; on the wire, its field `p` is
padding. A block of text has no start, and its stop may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.formats.in_blocks import InBlocks

FAULTS = frozenset(
    {
        *("internalServerException", "modelStreamErrorException", "validationException"),
        *("throttlingException", "serviceUnavailableException"),
    }
)


class Bedrock(InBlocks, of="bedrock"):
    """The adapter for events."""

    def fails(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event is an exception of the service."""
        return not FAULTS.isdisjoint(event)
