"""What the proxy adds: latency at the median and the 99th percentile, and memory for each stream.

Run `python -m benchmarks.serve_load [STREAMS] [RATE] [SECONDS] [WORKERS]`. An upstream replays
streams of chat completions, every event with the time it was sent; clients take the time when it
arrives: from the upstream itself, through the proxy on a path that it only passes, and through it
guarded by the pack `chat`. Everything runs on this machine, each part in a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

TEXT = """\
The quick answer is that a stream of tokens can be checked while it arrives, and what no rule can \
still claim is passed on at once. Ask for the token count, the sky, a secret garden, or anything \
else you like and it will be there in time for dinner, more or less."""

_EVENT = (
    'data: {{"id":"c","object":"chat.completion.chunk","created":{sent},"model":"m","choices":'
    '[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}\n\n'
)
_LAST = (
    'data: {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":'
    '[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
_SENT = re.compile(rb'"created":(\d{9,})')
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"connection: close\r\n\r\n"
)
WARM_UP = 2.0
"""Seconds at the beginning that are not counted."""


async def upstream(port: int, rate: float, seconds: float) -> None:
    """Serve streams of so many events a second, for so long, on any path."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(found[1]) if found else 0)
        writer.write(_HEAD)
        loop = asyncio.get_running_loop()
        due = loop.time() + (id(writer) % 997) / 997 / rate
        for word in islice(cycle(TEXT.split()), int(rate * seconds)):
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += 1 / rate
            _write(writer, _EVENT.format(sent=time.monotonic_ns(), text=f" {word}"))
        _write(writer, _LAST)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def _write(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(text), text.encode()))


async def client(port: int, path: str, streams: int) -> list[float]:
    """Read so many streams at once; return the latency of each event, in milliseconds."""
    latencies: list[float] = []
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}'
    request = (
        b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\nconnection: close\r\n\r\n%b"
    ) % (path.encode(), len(body), body)
    began = time.monotonic_ns()

    async def read() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        while data := await reader.read(65536):
            now = time.monotonic_ns()
            if now - began < WARM_UP * 1e9:
                continue
            latencies.extend((now - int(sent)) / 1e6 for sent in _SENT.findall(data))
        writer.close()

    await asyncio.gather(*(read() for _ in range(streams)))
    return latencies


def memory(pid: int) -> float:
    """The resident memory of a process, in KB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL)


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


async def measured(
    port: int, path: str, streams: int, pid: int | None
) -> tuple[Sequence[float], float]:
    """Return the latencies, and how many KB a stream the process `pid` grew by meanwhile."""
    before = memory(pid) if pid else 0.0
    reading = asyncio.create_task(client(port, path, streams))
    peak = before
    while not reading.done():
        await asyncio.sleep(0.2)
        peak = max(peak, memory(pid) if pid else 0.0)
    return await reading, (peak - before) / streams


def row(source: int, path: str, streams: int, workers: int) -> tuple[Sequence[float], float]:
    """Measure a path of a proxy of its own; of the upstream itself without workers."""
    if not workers:
        return asyncio.run(measured(source, path, streams, None))
    port = free_port()
    serve = ["-m", "guardstream", "serve", "--policy", "guardstream/chat", "--other", "pass"]
    serve += ["--upstream", f"http://127.0.0.1:{source}", "--port", str(port)]
    proxy = start(*serve, "--workers", str(workers))
    try:
        wait_for(port)
        time.sleep(1.0)
        asyncio.run(client(port, path, 20))  # what is worked out once is not counted
        return asyncio.run(measured(port, path, streams, proxy.pid))
    finally:
        proxy.terminate()
        proxy.wait()


def run(streams: int, rate: float, seconds: float, workers: int) -> None:
    """Print the table."""
    source = free_port()
    serving = start("-m", "benchmarks.serve_load", "upstream", str(source), str(rate), str(seconds))
    try:
        wait_for(source)
        print(f"{streams} streams at once, {rate:g} events a second each, {os.cpu_count()} cores")
        print(f"{'':<28}{'p50 ms':>10}{'p99 ms':>10}{'events/s':>10}{'KB/stream':>11}")
        for name, path, processes in (
            ("upstream itself", "/replay", 0),
            ("proxy, only passing", "/replay", workers),
            ("proxy, guarded", "/v1/chat/completions", workers),
        ):
            latencies, grown = row(source, path, streams, processes)
            cuts = statistics.quantiles(latencies, n=100)
            speed = len(latencies) / (seconds - WARM_UP)
            size = f"{grown:>11.1f}" if processes == 1 else f"{'':>11}"
            print(f"{name:<28}{cuts[49]:>10.2f}{cuts[98]:>10.2f}{speed:>10.0f}{size}")
    finally:
        serving.terminate()
        serving.wait()


def main() -> None:
    if sys.argv[1:2] == ["upstream"]:
        asyncio.run(upstream(int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
        return
    numbers = [float(value) for value in sys.argv[1:]] + [100.0, 50.0, 10.0, 1.0][
        len(sys.argv) - 1 :
    ]
    run(int(numbers[0]), numbers[1], numbers[2], int(numbers[3]))


if __name__ == "__main__":
    main()
