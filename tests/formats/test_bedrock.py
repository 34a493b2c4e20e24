"""Bedrock's ConverseStream: its events as dicts, and as boto3 reads them off the wire."""

from __future__ import annotations

import json
import struct
from binascii import crc32
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats.bedrock.converse import Bedrock
from tests.laws.asked import GUARD, check_masked, recorded, unchanged
from tests.support.optional import optional

boto3 = optional("boto3")

RECORDINGS = recorded("vercel*/amazon-bedrock__*")


def delta(index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields}}


def text(said: str, index: int = 0) -> dict[str, Any]:
    return delta(index, text=said)


def stop(index: int = 0) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def end(reason: str = "end_turn") -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


START = {"messageStart": {"role": "assistant"}}


def blocks(chunks: Any) -> dict[Any, str]:
    """The text of each block by kind, and whether each is said inside of its block."""
    found: dict[Any, str] = {}
    for chunk in chunks:
        event = chunk.get("contentBlockDelta")
        if event is None:
            continue
        for kind, said in event["delta"].items():
            value = said if kind == "text" else said.get("input") or said.get("text") or ""
            channel = {"toolUse": "tool_args"}.get(kind, kind)
            key = (event["contentBlockIndex"], channel)
            found[key] = found.get(key, "") + value
    return found


def joined(chunks: Any) -> dict[Any, str]:
    """The text of each kind; consecutive text blocks are one text."""
    found: dict[Any, str] = {}
    for (index, kind), said in blocks(chunks).items():
        key = kind if kind == "text" else (index, kind)
        found[key] = found.get(key, "") + said
    return found


def test_what_is_not_known_is_refused() -> None:
    source = [START, delta(0, hologram={"words": "a"})]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=Bedrock(unknown="pass"))) == source


def frame(event: dict[str, Any]) -> bytes:
    """An event in the binary framing of AWS event streams."""
    [(name, body)] = event.items()
    headers = b""
    for key, value in (
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ):
        headers += (
            bytes([len(key)])
            + key.encode()
            + b"\x07"
            + struct.pack(">H", len(value))
            + value.encode()
        )
    payload = json.dumps(body).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return message + struct.pack(">I", crc32(message))


@contextmanager
def served(source: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A server on this machine that answers with these events."""
    body = b"".join(map(frame, source))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.amazon.eventstream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_boto3s_stream_is_guarded_and_closed() -> None:
    source = [
        START,
        text("a sec"),
        text("ret, forb"),
        text("idden thing"),
        text("unread"),
        stop(),
        end(),
    ]
    with served(source) as url:
        client = boto3.client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )
        events = client.converse_stream(modelId="m", messages=[])["stream"]
        with GUARD.wrap_sync(events) as stream:
            assert joined(stream) == {"text": "a ######, "}
        assert stream.finish == "content_filter"
        assert events._raw_stream.closed
        client.close()


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    source = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines() if row]
    assert unchanged(source)
    check_masked(source, joined)
