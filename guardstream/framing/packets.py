"""Packets of Socket.IO: the characters before their JSON, and bodies of long polling.

https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/.
"""

from __future__ import annotations

import re

import regex

SEPARATOR = b"\x1e"
"""Separates the packets of a body."""

_LEAD = re.compile(
    r"[0-6](?:probe)?\Z|4[01](?:/[^,]*,?)?\Z"  # without a payload
    r"|\d*-?(?:/[^,]*,)?\d*(?=[\[{])"
    r'|\d{0,2}(?=")|\d?'
)
"""The beginning of a packet: its type, a namespace, and the number of an acknowledgement. If no
JSON follows, only the first digit is a type; the rest is the text of an Engine.IO message."""

_START = regex.compile(
    rb'(?:[1-36]\x1e)*+(?:0\{"sid":"'
    rb'|4[02456]\d{0,4}-?(?:/[\w./-]{0,64},)?\d{0,20}[\[{]"'
    rb"|43\d{0,4}-?(?:/[\w./-]{0,64},)?\d{1,20}\[)"
)
_MOST = 1024
"""Bytes that suffice to recognise a body of packets."""


def split_packet(packet: str) -> tuple[str, str]:
    """Split a packet into what comes before its payload, and the payload."""
    found = _LEAD.match(packet)
    assert found is not None  # the match may be empty
    return found[0], packet[found.end() :]


def are_packets(start: bytes) -> bool | None:
    """Return whether a body that begins like this is packets; None if that is undecided."""
    found = _START.match(start[:_MOST], partial=len(start) < _MOST)
    return None if found is not None and found.partial else found is not None
