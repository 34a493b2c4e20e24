"""How soon an upstream is closed: streams through the proxy that end at random moments.

Run `python -m benchmarks.closing [STREAMS]`. Clients leave, rules block, deadlines pass and sources
fail; the upstream takes the time from then until its connection is closed. Everything runs in one
process, twenty streams at once.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress

import uvicorn

from benchmarks.arguments import parser
from benchmarks.printed import headline, table
from guardstream import Guard, Policy
from guardstream.serve.proxy import ProxySettings, application

AT_ONCE = 20
REASONS = ("client gone", "blocked", "deadline", "upstream error")

POLICY = "limits: {idle: 300ms}\nrules: [{id: bad, words: [forbidden], action: block}]"


class Upstream:
    """Serves endless streams; notes when each is to end, and when its connection is closed."""

    def __init__(self) -> None:
        self.ending: dict[str, float] = {}
        self.closed: dict[str, float] = {}
        self.begun: set[str] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client left before its request was sent on
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        request = json.loads(await reader.readexactly(size))
        name, reason, pause = request["name"], request["reason"], request["pause"]
        self.begun.add(name)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        speaking = asyncio.create_task(self._speak(writer, name, reason, pause))
        with suppress(ConnectionError):
            await reader.read()  # until the other side closes
        self.closed[name] = time.monotonic()
        speaking.cancel()
        writer.close()

    async def _speak(
        self, writer: asyncio.StreamWriter, name: str, reason: str, pause: float
    ) -> None:
        end = time.monotonic() + pause
        said = time.monotonic()
        while time.monotonic() < end:
            said = time.monotonic()
            _say(writer, " hello")
            await asyncio.sleep(0.01)
        if reason == "client gone":
            await asyncio.sleep(60)
        self.ending[name] = said + 0.3 if reason == "deadline" else time.monotonic()
        if reason == "blocked":
            _say(writer, " forbidden ")
        elif reason == "upstream error":
            writer.write(b"data: {broken\n\n")
        await asyncio.sleep(60)


def _say(writer: asyncio.StreamWriter, text: str) -> None:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    writer.write(b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n")


async def one(upstream: Upstream, port: int, name: str, reason: str, pause: float) -> None:
    """Read one stream until it ends, or leave it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"name": name, "reason": reason, "pause": pause, "messages": []}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    writer.write(head % len(body) + body)
    if reason == "client gone":
        await asyncio.sleep(pause)
        upstream.ending[name] = time.monotonic()
        writer.transport.abort()
    else:
        while data := await reader.read(65536):
            if data.endswith(b"0\r\n\r\n"):
                break
        writer.close()
    for _ in range(1000):
        if name in upstream.closed or name not in upstream.begun:
            return
        await asyncio.sleep(0.01)


async def run(streams: int) -> tuple[dict[str, Sequence[float]], int, int]:
    """Return the milliseconds until closing, by reason; open connections and tasks at the end."""
    upstream = Upstream()
    source = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{source.sockets[0].getsockname()[1]}"
    app = application(ProxySettings(url, {"default": Guard(Policy.parse(POLICY))}))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    before = len(asyncio.all_tasks())
    chance = random.Random(1)
    reasons = {f"{number}": chance.choice(REASONS) for number in range(streams)}
    room = asyncio.Semaphore(AT_ONCE)

    async def in_turn(name: str) -> None:
        async with room:
            await one(upstream, port, name, reasons[name], chance.uniform(0.0, 0.3))

    await asyncio.gather(*map(in_turn, reasons))
    await asyncio.sleep(0.1)
    left = len(asyncio.all_tasks()) - before
    late = {reason: list[float]() for reason in REASONS}
    for name, reason in reasons.items():
        if name in upstream.closed:
            late[reason].append((upstream.closed[name] - upstream.ending[name]) * 1000)
    server.should_exit = True
    await serving
    source.close()
    return dict(late), len(upstream.begun - upstream.closed.keys()), left


def main() -> None:
    """Print the table."""
    asked = parser(__doc__)
    asked.add_argument("streams", type=int, nargs="?", default=1000)
    streams = asked.parse_args().streams
    late, unclosed, tasks = asyncio.run(run(streams))
    headline()
    table(
        "Streams that end at random moments: milliseconds until the upstream is closed",
        " | streams | median | p99 | longest",
        (_row(reason, times) for reason, times in late.items()),
    )
    print(f"\nNot closed: {unclosed}; tasks left: {tasks}.")


def _row(reason: str, times: list[float]) -> list[object]:
    cuts = statistics.quantiles(times, n=100)
    return [reason, len(times), f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", f"{max(times):.1f}"]


if __name__ == "__main__":
    main()
