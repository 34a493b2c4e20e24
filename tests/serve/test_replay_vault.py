"""Replay with a vault: what is kept has stand-ins; who comes back reads values that are theirs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from guardstream import Guard, Policy
from guardstream.framing.sse import Decoder, Event
from guardstream.serve import GuardMiddleware, Kept, MemoryReplay, ReplayStore
from guardstream.serve.replay_redis import RedisReplay
from guardstream.vault import Vault, Vaults
from tests.serve.apps import Upstream, streaming
from tests.serve.visit import Visit
from tests.support.redis import redis_port
from tests.support.replays import SSE, fetch

__all__ = ["redis_port"]

pytestmark = pytest.mark.asyncio  # redis-py has no other

MAIL = "ann.lee@example.com"
QUOTED = 'Ann "the fox" Lee'
POLICY = r"""
block_message: ""
rules: [{id: word, words: [secret], replacement: "#"}]
input:
  rules:
    - {id: email, pattern: '[a-z.]+@[a-z.]+\.[a-z]{2,}', reversible: true}
    - {id: name, words: ['Ann "the fox" Lee'], reversible: true}
"""
GUARD = Guard(Policy.parse(POLICY))
JSON = Guard(Policy.parse(f"{POLICY}json: {{schema: {{type: object}}}}"))
TOOLS = {"send_mail": ["to"]}


class Recorded:
    """A store that remembers what it was given."""

    def __init__(self, store: ReplayStore) -> None:
        self.given: list[bytes] = []
        self._store = store

    async def append(self, stream: str, number: int, event: bytes) -> None:
        self.given.append(event)
        await self._store.append(stream, number, event)

    async def since(self, stream: str, number: int, wait: float = 0.0) -> Kept | None:
        return await self._store.since(stream, number, wait)

    async def followed(self, stream: str) -> bool:
        return await self._store.followed(stream)

    async def close(self, stream: str) -> None:
        await self._store.close(stream)


@pytest_asyncio.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Recorded]:
    if request.param == "memory":
        yield Recorded(MemoryReplay())
        return
    async with Redis(port=request.getfixturevalue("redis_port")) as client:
        await client.flushall()
        yield Recorded(RedisReplay(client))


def chunks(*deltas: dict[str, Any], finish: str | None = "stop") -> Iterator[bytes]:
    """The events of a chat completion."""
    for delta, end in [*((delta, None) for delta in deltas), ({}, finish)]:
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        said = {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}
        yield f"data: {json.dumps(said)}\n\n".encode()
    yield b"data: [DONE]\n\n"


def text(template: str, size: int = 3) -> Callable[[dict[str, str]], list[bytes]]:
    """Chunks of a text in which `{e}` and `{n}` are stand-ins."""

    def events(issued: dict[str, str]) -> list[bytes]:
        said = template
        for name, stand_in in issued.items():
            said = said.replace(f"{{{name}}}", stand_in)
        return list(
            chunks(*({"content": said[at : at + size]} for at in range(0, len(said), size)))
        )

    return events


def call(issued: dict[str, str]) -> list[bytes]:
    """A call of a tool that may have a value in one argument."""
    arguments = json.dumps({"to": issued["e"], "text": issued["e"]})
    parts = [arguments[at : at + 5] for at in range(0, len(arguments), 5)]
    first = {"index": 0, "id": "1", "type": "function"}
    deltas = [{"tool_calls": [{**first, "function": {"name": "send_mail", "arguments": ""}}]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in parts]
    return list(chunks(*deltas, finish="tool_calls"))


class Application:
    """Answers with the stand-ins of its conversation, which it masks for and opens again."""

    def __init__(
        self,
        answer: Callable[[dict[str, str]], Sequence[bytes]],
        store: ReplayStore,
        guard: Guard = GUARD,
    ) -> None:
        self.vaults = Vaults(id_key=b"k" * 16, tools=TOOLS)
        self.issued: dict[str, str] = {}
        self.front = GuardMiddleware(
            self.respond, guard, replay=store, replay_vault=self.vault, format="openai_chat"
        )
        self._answer = answer

    async def vault(self, scope: Scope) -> Vault:
        headers = dict(scope["headers"])
        caller = headers.get(b"authorization", b"").decode()
        return await self.vaults.aopen("seven", caller)

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        vault = await self.vault(scope)
        sent = GUARD.check_messages([{"role": "user", "content": f"{MAIL}|{QUOTED}"}], vault=vault)
        self.vaults.save(vault)
        shown = sent.messages[0]["content"].split("|")
        self.issued = dict(zip("en", shown, strict=True))
        scope["state"]["guardstream_vault"] = vault
        await streaming(Upstream(self._answer(self.issued)), SSE)(scope, receive, send)

    async def fetch(self, last_id: str | None = None, caller: str = "ann") -> Visit:
        headers = {"authorization": caller} | (
            {} if last_id is None else {"last-event-id": last_id}
        )
        with anyio.fail_after(5):
            return await Visit(headers=headers).to(self.front)


def events(body: bytes) -> list[Event]:
    return [item for item in Decoder().feed(body) if isinstance(item, Event)]


def told(given: Sequence[Event]) -> str:
    """What a client reads: text, and arguments."""
    said = ""
    for event in given:
        if event.data == "[DONE]" or event.event != "message":
            continue
        for choice in json.loads(event.data)["choices"]:
            said += choice["delta"].get("content") or ""
            for each in choice["delta"].get("tool_calls") or ():
                said += each["function"].get("arguments") or ""
    return said


ANSWERS = {
    "a sentence": (text("a secret of {e}, {n}: {e}!"), f"a ###### of {MAIL}, {QUOTED}: {MAIL}!"),
    "by letters": (text("to {e}", 1), f"to {MAIL}"),
    "in one chunk": (text("to {e} or", 900), f"to {MAIL} or"),
    "at the end, cut": (text("to {e} and [EMAIL_"), f"to {MAIL} and [EMAIL_"),
    "in a document": (text('{"who": "{n}"}'), json.dumps({"who": QUOTED})),
    "in an address": (text("https://evil.example/?{e}"), "https://evil.example/?{e}"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_client_that_comes_back_after_any_event_reads_the_same(
    name: str, store: Recorded
) -> None:
    answer, expected = ANSWERS[name]
    application = Application(answer, store, JSON if "document" in name else GUARD)
    whole = events((await application.fetch()).body)
    assert told(whole) == expected.replace("{e}", application.issued["e"])
    kept = b"".join(store.given).decode()
    assert any(mark in told(events(kept.encode())) for mark in application.issued.values())
    for value in (MAIL, "the fox"):
        assert value not in kept
    assert len({event.id for event in whole}) == len(whole)
    for number, event in enumerate(whole[:-1], 1):
        again = await application.fetch(event.id)
        assert events(again.body) == whole[number:]
        assert again.complete
    assert (await application.fetch(whole[-1].id)).status == 204


async def test_tools_get_values_where_they_may_have_them(store: Recorded) -> None:
    application = Application(call, store)
    whole = events((await application.fetch()).body)
    mark = application.issued["e"]
    assert json.loads(told(whole)) == {"to": MAIL, "text": mark}
    for number, event in enumerate(whole[:-1], 1):
        assert events((await application.fetch(event.id)).body) == whole[number:]


async def test_who_comes_back_as_somebody_else_reads_stand_ins(store: Recorded) -> None:
    application = Application(text("to {e}!"), store)
    whole = events((await application.fetch()).body)
    theirs = await application.fetch(whole[0].id, caller="eve")
    assert told(events(theirs.body)) == f"{application.issued['e']}!"
    assert MAIL.encode() not in theirs.body


async def test_what_was_forgotten_meanwhile_stays_a_stand_in(store: Recorded) -> None:
    application = Application(text("to {e}, or {e}!"), store)
    whole = events((await application.fetch()).body)
    application.vaults.forget("seven", "ann")
    for at, event in enumerate(whole[:-1], 1):
        again = events((await application.fetch(event.id)).body)
        assert MAIL not in told(again)
        read = told(whole[:at]).replace(MAIL, application.issued["e"]) + told(again)
        assert read == f"to {application.issued['e']}, or {application.issued['e']}!"


async def test_a_stream_is_followed_while_it_goes_on(store: Recorded) -> None:
    application = Application(text("to {e}, or {e}!"), store)
    parts: list[bytes] = []
    going = anyio.Event()

    async def slow(scope: Scope, _: Receive, send: Send) -> None:
        vault = await application.vault(scope)
        [sent] = GUARD.check_messages([{"role": "user", "content": MAIL}], vault=vault).messages
        application.vaults.save(vault)
        scope["state"]["guardstream_vault"] = vault
        parts.extend(text("to {e}!")({"e": sent["content"]}))
        head = {"type": "http.response.start", "status": 200}
        await send({**head, "headers": [(b"content-type", SSE.encode())]})
        for at, part in enumerate(parts):
            if at == 4:
                await going.wait()
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    application.front.app = slow
    async with anyio.create_task_group() as group:
        first = Visit(headers={"authorization": "ann"})
        group.start_soon(first.to, application.front)
        await first.until(b"to")
        mine = events(first.body)[0].id or ""
        second = Visit(headers={"authorization": "ann", "last-event-id": mine})
        group.start_soon(second.to, application.front)
        await anyio.lowlevel.checkpoint()
        going.set()
    assert events(second.body) == events(first.body)[1:]
    assert told(events(first.body)) == f"to {MAIL}!"


async def test_a_stream_that_is_not_whole_any_more_is_gone() -> None:
    application = Application(text("to {e}, or {e}!"), MemoryReplay(max_events=5))
    whole = events((await application.fetch()).body)
    assert (await application.fetch(whole[-2].id)).status == 410


async def test_a_vault_without_a_way_back_is_refused() -> None:
    application = Application(text("to {e}"), MemoryReplay())
    front = GuardMiddleware(application.respond, GUARD, replay=MemoryReplay())
    refused = await fetch(front)
    assert refused.status == 502
    assert b"replay_vault" in refused.body
    with pytest.raises(ValueError, match="give 'replay', too"):
        GuardMiddleware(application.respond, GUARD, replay_vault=application.vault)
