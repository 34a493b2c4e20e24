"""The proxy and the transports with a vault: the provider never sees a value, the client does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from guardstream import Guard, Policy, PolicyError
from guardstream.framing.sse import Decoder, Event
from guardstream.http import GuardTransport, SyncGuardTransport
from guardstream.policy.key_file import hashed
from guardstream.serve.journal import Replay
from guardstream.serve.replay import MemoryReplay
from guardstream.vault import RedisStore, VaultError, Vaults
from tests.serve.proxy.upstream import Provider, chat, completion, event, message, proxied
from tests.support.optional import optional
from tests.support.proxy.vault import MAIL, POLICY, settings

anthropic = optional("anthropic")
openai = optional("openai")

CHAT = "/v1/chat/completions"


def asked(provider: Provider) -> str:
    """What the last request said, in which no value may stand."""
    text = json.dumps(provider.requests[-1])
    assert MAIL not in text
    return str(provider.requests[-1]["messages"][-1]["content"])


def cut(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def test_an_openai_client_reads_values_streamed_and_whole() -> None:
    def answer(provider: Provider, body: dict[str, Any]) -> Response:
        text = f"a secret for {asked(provider)}"
        return provider.stream(chat(*cut(text))) if body.get("stream") else completion(text)

    messages: Any = [{"role": "user", "content": MAIL}]
    with (
        proxied(answer, **settings()) as (url, _),
        openai.OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        read = "".join(each.choices[0].delta.content or "" for each in stream)
        whole = client.chat.completions.create(model="m", messages=messages)
    assert read == whole.choices[0].message.content == f"a ###### for {MAIL}"


def test_an_anthropic_client_reads_values() -> None:
    with (
        proxied(lambda p, _: p.stream(message(f"for {asked(p)}")), **settings()) as (url, _),
        anthropic.Anthropic(base_url=url, api_key="key", max_retries=0) as client,
        client.messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": MAIL}]
        ) as stream,
    ):
        assert stream.get_final_text() == f"for {MAIL}"


def post(url: str, text: str, key: str = "mine", **headers: str) -> httpx.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    given = {"authorization": f"Bearer {key}", **headers}
    return httpx.post(url + CHAT, json=body, headers=given)


def test_a_conversation_remembers_what_was_said_before() -> None:
    said: list[str] = []

    def answer(provider: Provider, _: dict[str, Any]) -> Response:
        said.append(asked(provider))
        return completion(f"it is {said[0]}")

    with proxied(answer, **settings()) as (url, provider):
        seven = {"guardstream-conversation": "seven"}
        first = post(url, MAIL, **seven).json()["choices"][0]["message"]["content"]
        later = post(url, "which one?", **seven).json()["choices"][0]["message"]["content"]
        theirs = post(url, "which one?", key="theirs", **seven).json()
        without = post(url, "which one?").json()
    assert first == later == f"it is {MAIL}"
    for other in (theirs, without):
        assert other["choices"][0]["message"]["content"] == f"it is {said[0]}"
    assert not any("guardstream-conversation" in headers for headers in provider.headers)


def test_an_empty_header_names_no_conversation() -> None:
    empty = {"guardstream-conversation": ""}
    with proxied(lambda p, _: completion(asked(p)), **settings()) as (url, provider):
        post(url, MAIL, **empty)
        stand_in = asked(provider)
        later = post(url, stand_in, **empty).json()["choices"][0]["message"]["content"]
    assert later == stand_in


def test_a_conversation_needs_somebody_whose_it_is() -> None:
    with proxied(lambda *_: completion("hi"), **settings()) as (url, provider):
        body = {"model": "m", "messages": [{"role": "user", "content": MAIL}]}
        named = {"guardstream-conversation": "seven"}
        answer = httpx.post(url + CHAT, json=body, headers=named)
        assert httpx.post(url + CHAT, json=body).status_code == 200
    assert (answer.status_code, len(provider.requests)) == (400, 1)
    assert "needs a key" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("on_error", "status"), [("block", 503), ("mask", 200)])
def test_a_store_that_is_down_closes_or_masks_for_good(
    on_error: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "KEY", "ID_KEY"):
        monkeypatch.setenv(name, "redis://127.0.0.1:1/0" if name == "URL" else "k" * 16)
    vault = "{redis: '${URL}', key: '${KEY}', id_key: '${ID_KEY}', timeout: 0.2, on_error: %s}"
    policy = POLICY.replace("{tools: {send: [to]}}", vault % on_error)
    with proxied(lambda p, _: completion(asked(p)), **settings(policy)) as (url, provider):
        answer = post(url, MAIL, **{"guardstream-conversation": "seven"})
    assert answer.status_code == status
    assert len(provider.requests) == (status == 200)
    assert MAIL not in answer.text
    if status == 200:
        assert answer.json()["choices"][0]["message"]["content"] == "[email]"


class Kept(MemoryReplay):
    """A store that remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given = b""

    async def append(self, stream: str, number: int, event: bytes) -> None:
        self.given += event
        await super().append(stream, number, event)


def read(stream: httpx.Response) -> list[tuple[str | None, str]]:
    """The ids of the events of a chat, and the text of each."""
    found = []
    for item in Decoder().feed(stream.content):
        if isinstance(item, Event) and item.data != "[DONE]":
            choices = json.loads(item.data)["choices"]
            found.append((item.id, "".join(each["delta"].get("content") or "" for each in choices)))
    return found


@pytest.mark.parametrize("named", [True, False], ids=["a conversation", "what it brings again"])
def test_a_replay_keeps_stand_ins_and_restores_for_whom_they_are(*, named: bool) -> None:
    store = Kept()
    around = settings()

    def answer(provider: Provider, _: dict[str, Any]) -> Response:
        return provider.stream(chat(*cut(f"a secret for {asked(provider)}, yes")))

    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": MAIL}]}
    with proxied(answer, **around, replay=Replay(store)) as (url, provider):

        def ask(key: str = "mine", **headers: str) -> httpx.Response:
            given = {"authorization": f"Bearer {key}", **headers}
            given |= {"guardstream-conversation": "seven"} if named else {}
            return httpx.post(url + CHAT, json=body, headers=given)

        def back(last: str, key: str = "mine", **change: Any) -> httpx.Response:
            given = {"authorization": f"Bearer {key}", "last-event-id": last}
            given |= {"guardstream-conversation": "seven"} if named else {}
            return httpx.post(url + CHAT, headers=given, **({"json": body} | change))

        whole = read(ask())
        assert "".join(text for _, text in whole) == f"a ###### for {MAIL}, yes"
        assert MAIL.encode() not in store.given
        for at, (last, _) in enumerate(whole, 1):
            assert last is not None
            assert read(back(last)) == whole[at:]
        mark = asked(provider)
        first = whole[0][0] or ""
        theirs = back(first, "theirs") if named else back(first, json=None)
        assert MAIL not in theirs.text
        assert mark in "".join(text for _, text in read(theirs))
        if named:
            around["operations"]["default"].vaults.forget("seven", hashed("mine"))
            assert mark in "".join(text for _, text in read(back(first)))
        assert len(provider.requests) == 1


@pytest.mark.parametrize("path", ["/api/chat", "/v1/threads"])
def test_a_replay_of_events_whose_path_does_not_tell_their_format_restores_values(
    path: str,
) -> None:
    def answer(provider: Provider, _: dict[str, Any]) -> Response:
        said = [
            {"type": "text-delta", "id": "t", "delta": piece}
            for piece in cut(f"a secret for {asked(provider)}, yes")
        ]
        begun, ended = {"type": "text-start", "id": "t"}, {"type": "text-end", "id": "t"}
        return provider.stream([event(each) for each in ({"type": "start"}, begun, *said, ended)])

    def shown(answer: httpx.Response) -> list[tuple[str | None, str]]:
        found = [item for item in Decoder().feed(answer.content) if isinstance(item, Event)]
        return [(item.id, json.loads(item.data).get("delta", "")) for item in found]

    body = {"messages": [{"role": "user", "content": MAIL}]}
    given = {"authorization": "Bearer mine", "guardstream-conversation": "seven"}
    around = {**settings(), "replay": Replay(Kept()), "other": "guard"}
    with proxied(answer, **around) as (url, provider):
        whole = shown(httpx.post(url + path, json=body, headers=given))
        assert "".join(text for _, text in whole) == f"a ###### for {MAIL}, yes"
        for at, (last, _) in enumerate(whole, 1):
            back = {**given, "last-event-id": str(last)}
            assert shown(httpx.post(url + path, json=body, headers=back)) == whole[at:]
        assert len(provider.requests) == 1


def test_a_replay_whose_vault_fails_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    around = settings()

    def answer(provider: Provider, _: dict[str, Any]) -> Response:
        return provider.stream(chat(*cut(f"for {asked(provider)}")))

    with proxied(answer, **around, replay=Replay(MemoryReplay())) as (url, _):
        headers = {"authorization": "Bearer k", "guardstream-conversation": "seven"}
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": MAIL}]}
        first = read(httpx.post(url + CHAT, json=body, headers=headers))[0][0] or ""

        def fails(*_: Any) -> Any:
            raise VaultError("the store 'redis://inside:6379/0' failed")

        monkeypatch.setattr(around["operations"]["default"].vaults, "open", fails)
        posted = httpx.post(url + CHAT, json=body, headers=headers)
        again = httpx.get(url + CHAT, headers={**headers, "last-event-id": first})
    assert again.status_code == 503
    assert again.json()["error"]["code"] == "vault_failed"
    assert posted.status_code == 503
    assert "inside" not in again.text + posted.text  # where it is, is nobody else's business


# below a client


def provider_of(seen: list[Any]) -> Any:
    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        seen.append((body, dict(request.headers)))
        said = body["messages"][0]["content"]
        call = {
            "id": "c",
            "type": "function",
            "function": {
                "name": "send",
                "arguments": json.dumps(dict.fromkeys(("to", "body"), said)),
            },
        }
        whole = completion(None, tool_calls=[call])  # type: ignore[arg-type]
        return httpx.Response(200, json=json.loads(bytes(whole.body)))

    return httpx.MockTransport(answer)


def request(text: str = MAIL) -> dict[str, Any]:
    return {
        "url": f"http://provider{CHAT}",
        "json": {"model": "m", "messages": [{"role": "user", "content": text}]},
        "headers": {"guardstream-conversation": "seven"},
    }


def called(answer: Any) -> Any:
    call = answer.json()["choices"][0]["message"]["tool_calls"][0]
    return json.loads(call["function"]["arguments"])


def test_a_synchronous_transport_restores_what_a_tool_may_have() -> None:
    seen: list[Any] = []
    transport = SyncGuardTransport(Guard(Policy.parse(POLICY)), provider_of(seen))
    with httpx.Client(transport=transport) as client:
        got = called(client.post(**request()))
    body, headers = seen[0]
    assert MAIL not in json.dumps(body)
    assert "guardstream-conversation" not in headers
    assert got == {"to": MAIL, "body": body["messages"][0]["content"]}


@pytest.mark.anyio
async def test_an_asynchronous_one_takes_vaults() -> None:
    seen: list[Any] = []
    guard = Guard(Policy.parse(POLICY.replace("vault:", "formats: {}\n#")))
    vaults = Vaults(tools={"send": ["*"]})
    async with httpx.AsyncClient(
        transport=GuardTransport(guard, provider_of(seen), vaults=vaults)
    ) as client:
        got = called(await client.post(**request()))
    assert got == {"to": MAIL, "body": MAIL}
    assert len(vaults.open("seven")) == 1


def test_a_store_that_is_down_sends_nothing() -> None:
    seen: list[Any] = []
    guard = Guard(Policy.parse(POLICY.replace("vault:", "formats: {}\n#")))
    down = RedisStore("redis://127.0.0.1:1/0", timeout=0.2)
    vaults = Vaults(down, key=b"k" * 16, id_key=b"k" * 16)
    transport = SyncGuardTransport(guard, provider_of(seen), vaults=vaults)
    with httpx.Client(transport=transport) as client, pytest.raises(VaultError, match="failed"):
        client.post(**request())
    assert seen == []


# what a policy says


def test_a_guard_of_a_policy_with_a_vault_asks_for_it() -> None:
    guard = Guard(Policy.parse(POLICY))
    with pytest.raises(PolicyError, match=r"<policy>:4:\d+: give the request's vault"):
        guard.check_messages([{"role": "user", "content": MAIL}])
    with pytest.raises(PolicyError, match="give the request's vault"):
        guard.wrap_sync(["x"])
    vault = guard.vaults.open("seven")
    sent = guard.check_messages([{"role": "user", "content": MAIL}], vault=vault)
    assert guard.wrap_sync([sent.messages[0]["content"]], vault=vault).text() == MAIL
    with pytest.raises(PolicyError, match="has no section 'vault'"):
        _ = Guard(Policy.parse("rules: []")).vaults


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{sqlite: a.db}", "give 'key' and 'id_key'"),
        ("{sqlite: a.db, redis: '${URL}'}", "give 'sqlite' or 'redis'"),
        ("{key: abc}", r"write the variable as \$\{NAME\}"),
        ("{key: '${NOT_THERE}'}", "'NOT_THERE', which holds the secret, is not set"),
        ("{key: '${SHORT}'}", r"4:\d+: \${SHORT}: a key needs at least 16 bytes, not 5"),
        ("{tools: {a: ['x..y']}}", "is not a path to an argument"),
        (
            "{redis: '${SHORT}', key: '${LONG}', id_key: '${LONG}'}",
            r"4:1: \${SHORT} does not hold a Redis URL",
        ),
        ("{ids: words}", "hash"),
    ],
)
def test_what_a_vault_cannot_be_is_an_error_with_its_place(
    section: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHORT", "short")
    monkeypatch.setenv("LONG", "l" * 16)
    text = POLICY.replace("{tools: {send: [to]}}", section)
    with pytest.raises(PolicyError, match=rf"<policy>:4:\d+: .*{message}|<policy>:{message}"):
        Guard(Policy.parse(text, folder=tmp_path))


def test_a_policy_keeps_its_vaults_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KEY", "k" * 32)
    section = "{sqlite: vault.db, key: ['${KEY}'], id_key: '${KEY}', days: 0.5, ids: number}"
    text = POLICY.replace("{tools: {send: [to]}}", section)
    for _ in range(2):
        guard = Guard(Policy.parse(text, folder=tmp_path))
        vault = guard.vaults.open("seven")
        assert vault.issue("email", MAIL) == "[EMAIL_1]"
        guard.vaults.save(vault)
    assert (tmp_path / "vault.db").exists()


def test_json_answers_without_text_stay() -> None:
    answer = JSONResponse({"error": {"message": "no", "type": "x"}}, status_code=400)
    with proxied(lambda *_: answer, **settings()) as (url, _):
        assert post(url, MAIL).json() == {"error": {"message": "no", "type": "x"}}


def test_arguments_are_judged_by_the_schema_that_the_model_was_sent() -> None:
    policy = f"{POLICY}\njson: {{tools: from_request}}\n"

    def answer(provider: Provider, _: dict[str, Any]) -> Response:
        asked(provider)
        offered = provider.requests[-1]["tools"][0]["function"]["parameters"]["properties"]["to"]
        call = {"name": "send", "arguments": json.dumps({"to": offered["enum"][0]})}
        calls = [{"id": "c", "type": "function", "function": call}]
        said = {"role": "assistant", "content": None, "tool_calls": calls}
        choice = {"index": 0, "finish_reason": "tool_calls", "message": said}
        return JSONResponse({"id": "1", "object": "chat.completion", "choices": [choice]})

    schema = {"type": "object", "properties": {"to": {"type": "string", "enum": [MAIL]}}}
    tool = {"type": "function", "function": {"name": "send", "parameters": schema}}
    body = {"model": "m", "messages": [{"role": "user", "content": MAIL}], "tools": [tool]}
    with proxied(answer, **settings(policy)) as (url, _):
        found = httpx.post(url + CHAT, json=body, headers={"authorization": "Bearer mine"})
    (choice,) = found.json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"to": MAIL}
