"""The proxy and the transport carry out a policy's gate: streams, whole answers, transcripts."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from guardstream.http import GuardTransport
from guardstream.serve.proxy import SettingsError
from guardstream.serve.proxy.worker_thread import WorkerThread
from guardstream.stream.flows.frames import LONG_EVENT
from guardstream.stream.state import StreamState
from tests.serve.proxy.upstream import Provider, chat, completion, message, proxied
from tests.support.optional import optional
from tests.support.proxy.gates import POLICY, guard, settings
from tests.support.proxy.gates import checks as checks

anthropic = optional("anthropic")
openai = optional("openai")


CHAT = "/v1/chat/completions"
ASKED: Any = [{"role": "user", "content": "hi"}]


class Seen:
    def __init__(self) -> None:
        self.records: list[Any] = []

    def opened(self, start: Any) -> None:
        pass

    def closed(self, record: Any) -> None:
        self.records.append(record)


def said(provider: Provider, *texts: str) -> Response:
    return provider.stream(chat(*texts))


def test_an_openai_client_gets_what_the_checks_allow_and_the_provider_is_left() -> None:
    seen = Seen()
    given = settings(POLICY, seen)
    texts = ["A sec", "ret. It is ", "bad. ", *["Never. "] * 500]
    with proxied(lambda p, _: said(p, *texts), **given) as (url, provider):
        with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
            stream = client.chat.completions.create(model="m", messages=ASKED, stream=True)
            chunks = list(stream)
        assert provider.closed.wait(5)
    assert "".join(each.choices[0].delta.content or "" for each in chunks) == "A ######. "
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    (record,) = seen.records
    assert (record.finish, record.blocked_by) == ("content_filter", "judged")
    assert [each.rule for each in record.findings] == ["word", "judged"]


def test_long_events_are_guarded_in_the_thread_before_a_gate_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []
    worker = WorkerThread()
    step = StreamState.step

    def stepped(state: StreamState[bytes], piece: bytes) -> bytes | None:
        threads.append(threading.current_thread().name)
        return step(state, piece)

    monkeypatch.setattr(StreamState, "step", stepped)
    monkeypatch.setattr("guardstream.serve.proxy.context.WorkerThread", lambda: worker)
    text = "it was a secret. " * (LONG_EVENT // 8)
    policy = POLICY.replace("judged,", "judged, window: 1000, ahead: 10000000,")
    with proxied(lambda p, _: said(p, "Hi. ", text), **settings(policy)) as (url, _):
        asked = {"messages": ASKED, "stream": True, "model": "m"}
        answer = httpx.post(url + CHAT, json=asked, timeout=60).text
    assert answer.count("######") == LONG_EVENT // 8
    assert any(name.startswith("guardstream-long") for name in threads)
    assert worker.memory.taken == 0


def test_an_anthropic_client_gets_a_message_that_ends() -> None:
    with (
        proxied(lambda p, _: p.stream(message("Fine. A bad end. No.")), **settings()) as (url, _),
        anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream,
    ):
        final = stream.get_final_message()
    assert "bad" not in str(final.content)
    assert final.stop_reason == "refusal"


@pytest.mark.parametrize("bad", ["It is bad.", "It fails."])
def test_whole_answers_are_judged_too(bad: str) -> None:
    given = settings()
    with proxied(lambda *_: completion(f"A secret. {bad} Never."), **given) as (url, _):
        choice = httpx.post(url + CHAT, json={"model": "m", "messages": ASKED}).json()["choices"][0]
    assert choice["message"]["content"] == "A ######. "
    assert choice["finish_reason"] == "content_filter"


def test_what_is_allowed_passes_byte_for_byte() -> None:
    events = b"".join(chat("It is", " fine. ", "Really."))
    whole = json.dumps({**json.loads(bytes(completion("Fine.").body)), "x": [1.50]}).encode()

    def answer(provider: Provider, body: dict[str, Any]) -> Response:
        if body.get("stream"):
            return provider.stream([events[:50], events[50:]])
        return Response(whole, media_type="application/json")

    with proxied(answer, **settings()) as (url, _):
        body = {"model": "m", "messages": ASKED}
        assert httpx.post(url + CHAT, json=body).content == whole
        assert httpx.post(url + CHAT, json={**body, "stream": True}).content == events


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (JSONResponse({"text": "It is fine."}), 200),
        (JSONResponse({"text": "It is bad."}), 502),
        (PlainTextResponse("It is fine."), 200),
        (PlainTextResponse("It is bad."), 502),
        (PlainTextResponse('["It is b\\u0061d."]'), 502),
        (PlainTextResponse('{"a": "\u2028"}\n\n{"a": "It is b\\u0061d."}\n'), 502),
        (PlainTextResponse('\ufeff[{"a": "It is b\\u0061d."}]'), 502),
        (PlainTextResponse('{"a": "\u2028", "b": 1.50}\n\n[2]\n'), 200),
    ],
)
def test_transcripts_are_judged(response: Response, status: int) -> None:
    files = {"file": ("a.wav", b"RIFF", "audio/wav"), "model": (None, "whisper-1")}
    with proxied(lambda *_: response, **settings()) as (url, _):
        got = httpx.post(f"{url}/v1/audio/transcriptions", files=files)
    assert got.status_code == status
    assert "bad" not in got.text


def test_an_error_of_the_provider_is_not_judged_and_is_guarded() -> None:
    error = JSONResponse({"error": {"message": "secret and bad", "code": "x"}}, status_code=429)
    with proxied(lambda *_: error, **settings()) as (url, _):
        got = httpx.post(url + CHAT, json={"model": "m", "messages": ASKED})
    assert got.json()["error"]["message"] == "###### and bad"


def test_a_gate_and_a_vault_do_not_go_together() -> None:
    rules = "input: {rules: [{id: e, pattern: 'e+@x', reversible: true}]}\nvault: {}\n"
    with (
        pytest.raises(SettingsError, match="a gate would see the values that the vault restores"),
        proxied(lambda p, _: said(p, "x"), **settings(POLICY + rules)),
    ):
        pass


# The transports


def provided(*, whole: bool) -> httpx.MockTransport:
    def answer(_request: httpx.Request) -> httpx.Response:
        if whole:
            body = bytes(completion("A secret. It is bad.").body)
            return httpx.Response(200, content=body, headers={"content-type": "application/json"})
        data = b"".join(chat("A secret.", " It is", " bad.", "Never."))
        return httpx.Response(200, content=data, headers={"content-type": "text/event-stream"})

    return httpx.MockTransport(answer)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.asyncio  # under trio the SDK leaves generators behind
async def test_the_transport_of_a_client_carries_out_a_gate(whole: bool) -> None:
    http = httpx.AsyncClient(transport=GuardTransport(guard(), provided(whole=whole)))
    async with openai.AsyncOpenAI(api_key="k", http_client=http, max_retries=0) as client:
        if whole:
            answer = await client.chat.completions.create(model="m", messages=ASKED)
            text, finish = answer.choices[0].message.content, answer.choices[0].finish_reason
        else:
            stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
            chunks = [each async for each in stream]
            text = "".join(each.choices[0].delta.content or "" for each in chunks)
            finish = chunks[-1].choices[0].finish_reason
    assert (text, finish) == ("A ######. ", "content_filter")


@pytest.mark.asyncio
async def test_an_error_comes_through_the_transport_of_a_gated_guard() -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, json={"error": {"message": "a secret"}})

    transport = GuardTransport(guard(), httpx.MockTransport(answer))
    async with httpx.AsyncClient(transport=transport) as client:
        got = await client.post("http://x" + CHAT, json={"model": "m", "messages": ASKED})
    assert (got.status_code, got.json()) == (429, {"error": {"message": "a ######"}})
