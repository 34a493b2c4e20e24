"""Ports for programs that a test starts, known before the program listens."""

from __future__ import annotations

import random
import socket

BELOW_EPHEMERAL = range(10_240, 32_768)
"""Ports that no system gives to a connection or to a listener that asks for any.

Linux gives those from 32,768 (`ip_local_port_range`), macOS and Windows from 49,152 (RFC 6335).
Once released, such a port may be taken by another program before the test's program listens.
"""

_chosen: set[int] = set()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at; never the same one twice."""
    while True:
        port = random.SystemRandom().choice(BELOW_EPHEMERAL)
        if port not in _chosen and _is_free(port):
            _chosen.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
