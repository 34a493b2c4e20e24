"""A provider on this machine for what stands before it: it says what the request asks it to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

RECORDINGS = Path(__file__).parents[2] / "examples" / "recordings"


class Provider(BaseHTTPRequestHandler):
    """A provider that says, chunk by chunk, what the request asks it to."""

    protocol_version = "HTTP/1.1"
    requests: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []
    said = 0
    seconds = 0.0

    def setup(self) -> None:
        # A client that does not read is noticed soon, whatever the system would keep for it.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        super().setup()

    def log_message(self, *_arguments: object) -> None:
        """Write nothing."""

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        Provider.requests.append((self.path, dict(self.headers), body))
        asked = json.loads(body)
        if "replay" in asked:
            data = (RECORDINGS / asked["replay"]).read_bytes()
            self._replay(data, asked["size"], asked.get("type", "text/event-stream"))
            return
        if not asked.get("stream"):
            self._whole(asked)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("x-note", "the bluebird")
        for name, value in asked.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        time.sleep(asked.get("think", 0))
        end = "".join(f"{name}: {value}\r\n" for name, value in asked.get("trailers", {}).items())
        try:
            if asked.get("empty"):
                self.wfile.write(f"0\r\n{end}\r\n".encode())
                return
            for text in asked["say"] * asked.get("times", 1):
                self._event({"delta": {"content": text}, "finish_reason": None})
                Provider.said += 1
                time.sleep(Provider.seconds)
            self._event({"delta": {}, "finish_reason": "stop"})
            self._piece(b"data: [DONE]\n\n")
            self.wfile.write(f"0\r\n{end}\r\n".encode())
        except OSError:
            self.close_connection = True

    def _replay(self, data: bytes, size: int, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for start in range(0, len(data), size):
            self._piece(data[start : start + size])
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, choice: dict[str, Any]) -> None:
        event = {"object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}
        self._piece(f"data: {json.dumps(event)}\n\n".encode())

    def _piece(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _whole(self, asked: dict[str, Any]) -> None:
        message = {"role": "assistant", "content": "".join(asked["say"])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
        self.send_response(asked.get("status", 200))
        self.send_header("content-type", asked.get("type", "application/json"))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def provider() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
