"""Whether the proxy answers others while some ask much of it: each such load, and all at once.

Run `python -m benchmarks.serve_mix [SECONDS]`. The loads are 300 streams of events of 3 MB each;
the same with a replay store in a Redis that takes connections and never answers; 1,100 sockets that
send a header one byte a second; and ten clients that send prompts of 10 MB, which the policy's
`input` judges. Meanwhile `/healthz` is asked on the same event loop, again and again, and the
memory of the proxy watched. The load, the clients and the proxy share this machine, each in a
process of its own; so beside the time until an answer is shown how much of that the proxy itself
has worked, on whatever, which is what would be left on a machine with nothing else to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.arguments import parser
from benchmarks.printed import headline, table
from benchmarks.serve_load import CHAT, free_port, memory, processor, started, wait_for

STREAMS, EVENT, PROMPTS, PROMPT, SLOW = 300, 3_000_000, 10, 10_000_000, 1100

PAUSE = 0.01
"""Seconds between two questions."""

SETTLE = 4.0
"""Seconds after which all have come."""

POLICY = """\
version: 1
name: mix
extends: guardstream/chat
input: {extends: [guardstream/pii-en, guardstream/injection]}
serve:
  upstream: %s
  limits: {connections: 2000}  # so that none of the mix is refused
"""

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _words(size: int) -> str:
    """So many characters of words, and with them what rules look for."""
    chosen = random.Random(1)
    made = ["".join(chosen.choices("abcdefghij", k=chosen.randint(2, 9))) for _ in range(size // 6)]
    return " ".join(made)[:size]


async def upstream(port: int) -> None:
    """Answer what streams with long events, one after the other; all else shortly."""
    delta = {"index": 0, "delta": {"content": _words(EVENT)}, "finish_reason": None}
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    data = f"data: {json.dumps({**said, 'choices': [delta]})}\n\n".encode()
    event = b"%x\r\n%b\r\n" % (len(data), data)
    whole = json.dumps({"id": "c", "object": "chat.completion", "choices": []}).encode()
    short = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].split(b"\r")[0])
                body = await reader.readexactly(size)
                if b'"stream":true' not in body[:100]:
                    writer.write(short % (len(whole), whole))
                    continue
                writer.write(_HEAD)
                while True:
                    writer.write(event)
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096, limit=1 << 24)
    await server.serve_forever()


async def silent(port: int) -> None:
    """Take connections, and never answer."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def _post(body: bytes) -> bytes:
    head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def _forever(client: Callable[[int], Awaitable[None]], port: int) -> None:
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await client(port)
        await asyncio.sleep(0.1)


async def _stream(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_post(b'{"stream":true,"model":"m","messages":[]}'))
        while await reader.read(1 << 20):
            pass
    finally:
        writer.close()


async def _dribble(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ")
        while not reader.at_eof():
            writer.write(b"a")
            await asyncio.sleep(1)
    finally:
        writer.close()


async def _prompt(port: int) -> None:
    text = _words(PROMPT // 100)
    messages = [{"role": "user", "content": text}] * 100
    request = _post(json.dumps({"model": "m", "messages": messages}).encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    finally:
        writer.close()


LOADS: dict[str, tuple[int, Callable[[int], Awaitable[None]]]] = {
    "streams": (STREAMS, _stream),
    "slow": (SLOW, _dribble),
    "prompts": (PROMPTS, _prompt),
}


async def load(port: int, name: str) -> None:
    """Be all clients of one load."""
    count, client = LOADS[name]
    await asyncio.gather(*(_forever(client, port) for _ in range(count)))


class Asking:
    """A client that asks over one connection whether the proxy runs, again and again."""

    async def open(self, port: int, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(self, seconds: float) -> list[tuple[float, float]]:
        """Ask for so long; how long answers took, and what the proxy worked, in milliseconds."""
        taken = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            worked, began = self._worked(), time.perf_counter()
            self._writer.write(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200")
            await self._reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
            passed = 1e3 * (time.perf_counter() - began)
            taken.append((passed, max(0.0, self._worked() - worked)))
            await asyncio.sleep(PAUSE)
        return taken

    def _worked(self) -> float:
        """The processor time of all threads of the proxy, in milliseconds."""
        total = 0
        for each in self._tasks.iterdir():
            with contextlib.suppress(OSError):  # one that has just ended
                total += int((each / "schedstat").read_text().split()[0])
        return total / 1e6


@contextmanager
def _proxy(source: int, redis: int | None) -> Iterator[tuple[int, int]]:
    """The proxy, with or without a replay store; its port, and its process."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder, "policy.yaml")
        text = POLICY % f"http://127.0.0.1:{source}"
        if redis is not None:
            text += "  replay: {redis: '${GUARDSTREAM_MIX_REDIS}'}\n"
            os.environ["GUARDSTREAM_MIX_REDIS"] = f"redis://127.0.0.1:{redis}/0"
        policy.write_text(text)
        command = ["guardstream", "serve", str(policy), "--port", str(port)]
        with started(sys.executable, "-m", *command) as pid:
            wait_for(port)
            yield port, pid


async def measured(
    loads: Sequence[str], source: int, redis: int | None, seconds: float
) -> Sequence[object]:
    """What one mix costs: a row without its name."""
    asking = Asking()
    with ExitStack() as stack:
        port, pid = stack.enter_context(_proxy(source, redis))
        await asking.open(port, pid)
        await asking.ask(1)
        before = memory(pid)
        for name in loads:
            module = [sys.executable, "-m", "benchmarks.serve_mix", name, str(port)]
            stack.enter_context(started(*module))
        await asking.ask(SETTLE)
        spent, began, peak = processor(pid), time.monotonic(), 0.0
        taken: list[tuple[float, float]] = []
        while time.monotonic() - began < seconds:
            taken += await asking.ask(0.5)
            peak = max(peak, memory(pid))
        share = (processor(pid) - spent) / (time.monotonic() - began)
    times = []
    for column in zip(*taken, strict=True):
        cuts = statistics.quantiles(column, n=100)
        times += [f"{each:.1f}" for each in (cuts[49], cuts[98], max(column))]
    return [*times, f"{len(taken):,}", f"{100 * share:.0f} %", f"{(peak - before) / 1024:.0f}"]


def run(seconds: float) -> None:
    """Print the table."""
    source, redis = free_port(), free_port()
    mixes: dict[str, tuple[Sequence[str], int | None]] = {
        "nothing else": ((), None),
        f"{STREAMS} streams of 3 MB events": (("streams",), None),
        "the same, and a Redis that is silent": (("streams",), redis),
        f"{SLOW:,} slow sockets": (("slow",), None),
        f"{PROMPTS} prompts of 10 MB at once": (("prompts",), None),
        "all of it": (tuple(LOADS), redis),
    }

    def rows() -> Iterator[Sequence[object]]:
        for name, (loads, store) in mixes.items():
            yield [name, *asyncio.run(measured(loads, source, store, seconds))]

    module = [sys.executable, "-m", "benchmarks.serve_mix"]
    with (
        started(*module, "upstream", str(source)),
        started(*module, "silent", str(redis)),
    ):
        wait_for(source)
        wait_for(redis)
        headline()
        head = " | p50, ms | p99 | longest | of it work, p50 | p99 | longest"
        head += " | asked | processor | MB more"
        table("/healthz while others ask much", head, rows())


def main() -> None:
    if sys.argv[1:2] == ["upstream"]:
        asyncio.run(upstream(int(sys.argv[2])))
    elif sys.argv[1:2] == ["silent"]:
        asyncio.run(silent(int(sys.argv[2])))
    elif sys.argv[1:2] and sys.argv[1] in LOADS:
        asyncio.run(load(int(sys.argv[2]), sys.argv[1]))
    else:
        asked = parser(__doc__)
        asked.add_argument("seconds", type=float, nargs="?", default=15.0)
        run(asked.parse_args().seconds)


if __name__ == "__main__":
    main()
