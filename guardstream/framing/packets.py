"""Packets of Socket.IO: what stands before the JSON in them, and bodies of long polling.

https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/.
"""

from __future__ import annotations

import re

import regex

SEPARATOR = b"\x1e"
"""What stands between the packets of a body."""

_LEAD = re.compile(r"\d+(?:probe|/[^,]*,?)?\Z|\d*-?(?:/[^,]*,)?\d*(?=[\[{])|\d*")
"""What begins a packet: its type, a namespace, the number that is to be confirmed."""

_START = regex.compile(
    rb'(?:[1-36]\x1e)*+(?:0\{"sid":"'
    rb'|4[02456]\d{0,4}-?(?:/[\w./-]{0,64},)?\d{0,20}[\[{]"'
    rb"|43\d{0,4}-?(?:/[\w./-]{0,64},)?\d{1,20}\[)"
)
_MOST = 1024
"""Bytes by which a body of packets is known."""


def divided(packet: str) -> tuple[str, str]:
    """Return what stands before what a packet says, and that."""
    found = _LEAD.match(packet)
    assert found is not None  # it may be empty
    return found[0], packet[found.end() :]


def are_packets(start: bytes) -> bool | None:
    """Tell whether a body that begins so is packets; None if more must tell."""
    found = _START.match(start[:_MOST], partial=len(start) < _MOST)
    return None if found is not None and found.partial else found is not None
