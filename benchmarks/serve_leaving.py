"""Whether anything stays open, taken or running once clients of the proxy have left.

Run `python -m benchmarks.serve_leaving [CLIENTS]`. Clients leave at the moments that `WAYS` names;
some stay, and must get all of their answer. Then nothing may be left: no answer of the upstream,
no connection, no task, no place of a key or of the policy, and no traceback in the log. All
runs in one process, so that it can be counted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from benchmarks.arguments import parser
from benchmarks.printed import headline, table
from benchmarks.serve_load import memory
from guardstream.resilience import Limiter
from guardstream.serve.proxy import ServeOptions, application
from guardstream.serve.proxy.keys import hashed
from guardstream.serve.proxy.protocol import BoundedProtocol
from guardstream.serve.proxy.state import MemoryState, Window

AT_ONCE = 80
PLACES = AT_ONCE

KEY = "gsk-of-all-clients"
POLICY = f"""\
input: {{rules: [{{id: mail, pattern: '\\w{{1,40}}@\\w{{1,40}}[.]com'}}]}}
rules: [{{id: word, words: [secret], replacement: "######"}}]
concurrency: {{at_once: {PLACES // 2}, timeout: 60s}}
"""

PATIENCE = 120
"""Seconds after which a client no longer waits: an answer is missing."""

WAYS = {
    "stays": "reads all of its answer",
    "head": "half of the head is sent",
    "body": "half of the body is sent",
    "store": "the budget is being asked for, or the policy's room",
    "long prompt": "a prompt of 300 KB is being judged",
    "held": "text of the answer is held",
    "chunk": "half an event has come from the upstream",
    "whole": "half of a whole answer has come from the upstream",
    "last": "the last event has come",
    "unread": "much of the answer waits, unread",
    "half closed": "the request is sent, and its side of the connection closed",
}
"""When clients leave."""

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def _event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
LAST += b"data: [DONE]\n\n"


class Upstream:
    """Answers as the request's way asks for; `open` are the answers that have not ended."""

    def __init__(self) -> None:
        self.open = 0
        self.asked = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                way = json.loads(await reader.readexactly(size))["user"]
                self.asked += 1
                self.open += 1
                try:
                    await self._say(way, writer)
                    if way not in ("stays", "last"):
                        await reader.read()  # until the proxy leaves
                        break
                finally:
                    self.open -= 1
        writer.close()

    async def _say(self, way: str, writer: asyncio.StreamWriter) -> None:
        if way == "whole":
            writer.write(HEAD % (b"application/json", b"content-length: 1000\r\n") + b'{"id": "c",')
            return
        writer.write(HEAD % (b"text/event-stream", CHUNKED) + _chunk(_event("hello ")))
        if way == "held":
            writer.write(_chunk(_event("a secr")))
        elif way == "chunk":
            writer.write(_chunk(_event("a word")[:30]))
        elif way == "unread":
            for _ in range(200):
                writer.write(_chunk(_event("many words " * 1000)))
                await writer.drain()
        else:
            for text in ("a se", "cret", " and more"):
                writer.write(_chunk(_event(text)))
                await asyncio.sleep(0)
            writer.write(_chunk(LAST) + b"0\r\n\r\n")
        await writer.drain()


class Slow(MemoryState):
    """A state that takes its time, as one over the network does."""

    async def reserve(self, spent: Window, tokens: int, limit: int) -> bool:
        await asyncio.sleep(0.005)
        return await super().reserve(spent, tokens, limit)

    async def enter(self, name: str, place: str, most: int) -> bool:
        await asyncio.sleep(0.005)
        return await super().enter(name, place, most)

    async def leave(self, name: str, place: str) -> None:
        await asyncio.sleep(0.001)
        await super().leave(name, place)

    @property
    def taken(self) -> int:
        """Places that are taken."""
        return sum(map(len, self._places.values()))


async def client(port: int, way: str, pause: float) -> str:
    """Ask, and leave; what one that stays says of its answer."""
    prompt = "a@b.com " * 40_000 if way == "long prompt" else "a@b.com"
    said = {
        "user": way,
        "stream": way != "whole",
        "messages": [{"role": "user", "content": prompt}],
    }
    body = json.dumps(said).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %b\r\n"
    request = head % KEY.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if way in ("head", "body"):
            writer.write(request[:40] if way == "head" else request[:-20])
            await asyncio.sleep(pause)
            return ""
        writer.write(request)
        if way in ("store", "long prompt", "whole"):
            await writer.drain()
            await asyncio.sleep(pause)
        elif way == "half closed":
            writer.write_eof()
            await reader.read()
        elif way == "stays":
            answer = await reader.readuntil(b"0\r\n\r\n")
            whole = answer.count(b"######") == 1 and b"and more" in answer and b"[DONE]" in answer
            return "" if whole else f"an answer that is not whole: {answer[:300]!r}"
        else:
            await reader.readuntil(b"[DONE]" if way == "last" else b"hello")
            await asyncio.sleep(pause if way != "last" else 0)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        return f"{way}: {type(error).__name__}" if way not in ("half closed",) else ""
    finally:
        writer.transport.abort()
    return ""


class Log(logging.Handler):
    """Counts what is logged as a warning, or as worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        trace = " (traceback)" if record.exc_info else ""
        self.lines[record.getMessage()[:200] + trace] += 1


async def free_of(limiter: Limiter) -> int:
    """Take the policy's places that are free, and return how many they were."""
    free = 0
    with suppress(TimeoutError):
        while free < PLACES // 2:
            async with asyncio.timeout(0.1):
                await limiter.enter()
            free += 1
    return free


async def run(clients: int, policy: Path) -> list[tuple[str, object]]:
    """Have clients come and leave; what is left then."""
    log, upstream, state = Log(), Upstream(), Slow()
    logging.getLogger().addHandler(log)
    source = await asyncio.start_server(upstream.answer, "127.0.0.1", 0, backlog=1000)
    url = f"http://127.0.0.1:{source.sockets[0].getsockname()[1]}"
    key = {"sha256": hashed(KEY), "at_once": PLACES, "tokens": "100000000/d"}
    options = ServeOptions(url, {"default": str(policy)}, keys={"all": key})
    settings = replace(options.settings(), state=state)
    app = application(settings)
    config = uvicorn.Config(
        app,
        port=0,
        log_level="warning",
        http=BoundedProtocol,
        loop="asyncio",
        timeout_graceful_shutdown=5,  # what is left then is in the table
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    listening: socket.socket = server.servers[0].sockets[0]
    port = listening.getsockname()[1]
    limiter = settings.operations["default"].limiter
    assert limiter is not None
    before = len(asyncio.all_tasks())
    chance, room = random.Random(1), asyncio.Semaphore(AT_ONCE)
    ways = [chance.choice(tuple(WAYS)) for _ in range(clients)]
    wrong: Counter[str] = Counter()
    resident = [memory(os.getpid())]

    async def in_turn(number: int, way: str) -> None:
        async with room:
            try:
                async with asyncio.timeout(PATIENCE):
                    said = await client(port, way, chance.choice((0.0, 0.002, 0.01, 0.05)))
            except TimeoutError:
                said = f"{way}: nothing more in {PATIENCE} seconds"
            wrong[said] += bool(said)
        if number % (clients // 5 or 1) == 0:
            resident.append(memory(os.getpid()))

    await asyncio.gather(*(in_turn(number, way) for number, way in enumerate(ways)))
    for _ in range(500):
        if not (upstream.open or server.server_state.connections or state.taken):
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    resident.append(memory(os.getpid()))
    running = asyncio.all_tasks()
    left = [each for each in running if "Upstream.answer" not in repr(each.get_coro())]
    rows: list[tuple[str, object]] = [
        ("clients", clients),
        ("requests that came to the upstream", upstream.asked),
        ("answers of the upstream that are open", upstream.open),
        ("connections", len(server.server_state.connections)),
        ("tasks", len(left) - before),
        ("places of the key", state.taken),
        ("places of the policy", PLACES // 2 - await free_of(limiter())),
        ("MB, from first to last", ", ".join(f"{each / 1024:.0f}" for each in resident)),
    ]
    rows += [(f"wrong: {said}", count) for said, count in (+wrong).items()]
    rows += [(f"log: {said}", count) for said, count in log.lines.items()]
    server.should_exit = True
    await serving
    source.close()
    return rows


def main() -> None:
    """Print the table."""
    asked = parser(__doc__)
    asked.add_argument("clients", type=int, nargs="?", default=10_000)
    clients = asked.parse_args().clients
    with TemporaryDirectory() as folder:
        policy = Path(folder, "policy.yaml")
        policy.write_text(POLICY)
        rows: Sequence[tuple[str, object]] = asyncio.run(run(clients, policy))
    headline()
    table("What is left when clients of the proxy have left", " | ", rows)


if __name__ == "__main__":
    main()
