"""Requests as they go over the wire, byte for byte."""

from __future__ import annotations

import socket


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def answer_to(url: str, target: str, method: str = "POST") -> str:
    """The beginning of the answer to a request for exactly this target."""
    body = b'{"messages": []}'
    head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
    with connected(url) as connection:
        connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)
        parts = []
        while part := connection.recv(4096):
            parts.append(part)
        return b"".join(parts).decode()
