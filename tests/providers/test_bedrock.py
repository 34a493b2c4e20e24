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

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.providers.bedrock.converse import Bedrock
from tests.extract.test_extract import collect
from tests.providers.laws import (
    GUARD,
    check_masked,
    cuttings,
    left_raw,
    recorded,
    unchanged,
)
from tests.support.optional import optional

boto3 = optional("boto3")

RECORDINGS = recorded("vercel*/amazon-bedrock__*")


def delta(index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields}}


def text(said: str, index: int = 0) -> dict[str, Any]:
    return delta(index, text=said)


def tool(index: int, name: str = "find") -> dict[str, Any]:
    use = {"toolUseId": f"t{index}", "name": name}
    return {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": use}}}


def stop(index: int = 0) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def end(reason: str = "end_turn") -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


START = {"messageStart": {"role": "assistant"}}
USAGE = {"metadata": {"usage": {"totalTokens": 3}, "metrics": {"latencyMs": 1}}}


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


def test_every_kind_of_block_is_masked_in_any_cut() -> None:
    for pieces in cuttings('{"q": "a secret, no sec"}'):
        source = [START, *(delta(0, reasoningContent={"text": piece}) for piece in pieces)]
        source += [delta(0, reasoningContent={"signature": "s"}), stop(0)]
        source += [*(text(piece, 1) for piece in pieces), stop(1), tool(2)]
        source += [*(delta(2, toolUse={"input": piece}) for piece in pieces), stop(2)]
        source += [end("tool_use"), USAGE]
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        masked = '{"q": "a ######, no sec"}'
        assert set(blocks(out).values()) == {masked}
        assert len(blocks(out)) == 3
        assert not left_raw(out)
        call = stream.result.tool_calls[0]
        assert (call.name, call.id, call.arguments, call.complete) == ("find", "t2", masked, True)
        assert stream.result.usage == {"totalTokens": 3}
        assert stream.finish == "tool_calls"


def test_consecutive_text_blocks_are_one_text() -> None:
    for stops in (True, False):
        source = [START, text("a sec", 0), stop(0), text("ret", 1), stop(1), end()]
        source = [event for event in source if stops or "contentBlockStop" not in event]
        out = list(GUARD.wrap_sync(source))
        assert "".join(blocks(out).values()) == "a ######"
        assert [
            event for event in out if event not in source and "contentBlockDelta" not in event
        ] == []


def test_text_behind_a_tool_call_is_a_text_of_its_own() -> None:
    out = list(GUARD.wrap_sync([text("sec", 0), tool(1), stop(1), text("ret", 2), end()]))
    assert blocks(out) == {(0, "text"): "sec", (2, "text"): "ret"}
    assert out[1] == tool(1)


def test_held_text_goes_out_before_its_block_ends() -> None:
    source = [
        text("a sec", 0),
        stop(0),
        tool(1),
        delta(1, toolUse={"input": "sec"}),
        stop(1),
        end(),
    ]
    out = list(GUARD.wrap_sync(source))
    assert out == [
        text("a "), text("sec"), stop(0),
        tool(1), delta(1, toolUse={"input": "sec"}), stop(1), end(),
    ]  # fmt: skip


def test_what_no_rule_touches_passes_as_it_is() -> None:
    redacted = delta(0, reasoningContent={"redactedContent": b"\x00"})
    source = [START, redacted, stop(0), text("plain", 1), stop(1), end(), USAGE]
    assert unchanged(source)


def test_citations_results_and_traces_are_masked() -> None:
    cited = {"title": "secret", "sourceContent": [{"text": "the secret"}], "location": {}}
    trace = {"guardrail": {"modelOutput": ["a secret"]}}
    source = [
        text("so "),
        delta(0, citation=cited),
        delta(1, toolResult=[{"text": "secret"}, {"json": {"rows": ["secret"]}}]),
        {
            "messageStop": {
                "stopReason": "end_turn",
                "additionalModelResponseFields": {"x": "secret"},
            }
        },
        {"metadata": {"usage": {"totalTokens": 1}, "trace": trace}},
    ]
    assert not left_raw(list(GUARD.wrap_sync(source)))


@pytest.mark.parametrize("said", list(cuttings("a secret, no sec")))
def test_what_a_tool_gave_is_one_text_over_its_deltas(said: list[str]) -> None:
    begun = {"toolResult": {"toolUseId": "t0", "type": "found", "status": "success"}}
    start = {"contentBlockStart": {"contentBlockIndex": 0, "start": begun}}
    source = [START, start, *[delta(toolResult=[{"text": piece}]) for piece in said], stop()]
    source += [text("so", 1), stop(1), end()]
    assert unchanged(source)
    out = list(GUARD.wrap_sync(source))
    deltas = [event["contentBlockDelta"]["delta"] for event in out if "contentBlockDelta" in event]
    results = [part["text"] for each in deltas for part in each.get("toolResult", ())]
    assert "".join(results) == "a ######, no sec"
    assert all(results)
    assert out[:2] == [START, start]
    assert out[-4:] == [stop(), text("so", 1), stop(1), end()]
    told = [*source[:2], delta(toolResult=[{"text": "a forb"}, {"json": {"rows": [1]}}])]
    stream = GUARD.wrap_sync([*told, delta(toolResult=[{"text": "idden"}]), stop(), end()])
    assert list(stream)[-2:] == [stop(), end("content_filtered")]


def test_a_block_closes_the_open_block_and_ends_the_message() -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    stream = guard.wrap_sync([START, text("so "), text("forbidden "), text("unread")])
    assert list(stream) == [START, text("so "), text("no"), stop(0), end("content_filtered")]
    assert stream.finish == "content_filter"
    source = [START, tool(0), delta(0, toolUse={"input": '{"q": "forbidden"}'}), stop(0), end()]
    out = list(guard.wrap_sync(source))
    assert out[-4:] == [stop(0), text("no", 1), stop(1), end("content_filtered")]


def test_a_stop_ends_the_message() -> None:
    out = list(GUARD.wrap_sync([START, text("so enough "), text("unread"), stop(0), end(), USAGE]))
    assert out == [START, text("so "), stop(0), end()]


def test_a_fault_is_masked_and_ends_the_stream() -> None:
    fault = {"modelStreamErrorException": {"message": "the secret", "originalStatusCode": 500}}
    stream = GUARD.wrap_sync([text("so "), fault])
    assert not left_raw(list(stream))
    assert stream.finish == "error"


def test_what_is_not_known_is_refused() -> None:
    source = [START, delta(0, hologram={"words": "a"})]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=Bedrock(unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = [
        tool(0),
        delta(0, toolUse={"input": '{"rows": [1,'}),
        delta(0, toolUse={"input": "2]}"}),
    ]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]


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
