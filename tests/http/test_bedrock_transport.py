"""Bedrock's endpoints below a client: binary event streams, whole answers, prompts."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from guardstream import BlockedError, Guard, Policy
from guardstream.framing import aws
from guardstream.http.transport import SyncGuardTransport
from tests.laws.asked import GUARD, left_raw
from tests.support.aws_frames import STREAM, body, read

URL = "http://127.0.0.1/model/m"


def client(guard: Guard, media: str, content: bytes) -> httpx.Client:
    headers = {"content-type": media}
    inner = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=content))
    return httpx.Client(transport=SyncGuardTransport(guard, inner))


def test_event_streams_are_guarded() -> None:
    made = client(GUARD, "application/vnd.amazon.eventstream", body(*STREAM))
    with made.stream("POST", f"{URL}/converse-stream", json={"messages": []}) as response:
        events = read(b"".join(response.iter_bytes()))
    assert not left_raw(events, "ret")
    assert events[-1] == STREAM[-1]


def test_whole_answers_are_guarded() -> None:
    message = {"role": "assistant", "content": [{"text": "a secret"}]}
    answer = json.dumps({"output": {"message": message}, "stopReason": "end_turn"}).encode()
    made = client(GUARD, "application/json", answer)
    found = made.post(f"{URL}/converse", json={"messages": []}).json()
    assert found["output"]["message"]["content"] == [{"text": "a ######"}]


def test_prompts_are_judged() -> None:
    rules = "input: {rules: [{id: bad, words: [forbidden], action: block}]}"
    made = client(Guard(Policy.parse(rules)), "application/vnd.amazon.eventstream", b"")
    said: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "forbidden"}]}]}
    with pytest.raises(BlockedError):
        made.post(f"{URL}/converse-stream", json=said)


def test_bytes_that_are_no_event_stream_end_it() -> None:
    data = bytearray(aws.message("messageStart", b'{"role": "assistant"}'))
    data[20] ^= 1
    made = client(GUARD, "application/vnd.amazon.eventstream", bytes(data))
    with (
        pytest.raises(Exception, match="checksum"),
        made.stream("POST", f"{URL}/converse-stream", json={}) as response,
    ):
        response.read()
