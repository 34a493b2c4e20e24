"""What the proxy adds to streams: latency, processor time for each event, memory for each stream.

Run `python -m benchmarks.serve_load [STREAMS] [RATE] [SECONDS] [WORKERS]`. An upstream replays
streams of chat completions, every event with the time it was sent; clients take the time when it
arrives: from the upstream itself, through a bare proxy of starlette and httpx, through ours on a
path that it only passes, and through it guarded by the pack `chat`. Then the same with answers that
the upstream writes at once, as fast as 20 clients can take them. If this Python's environment has
`litellm[proxy]`, or that whose Python `LITELLM` names, LiteLLM's proxy is measured beside them, by
fewer and slower streams, such as it can keep up with. Everything runs on this machine, each part
in a process of its own; the processor time is the proxy's alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.arguments import parser
from benchmarks.printed import headline, table

TEXT = """\
The quick answer is that a stream of tokens can be checked while it arrives, and what no rule can \
still claim is passed on at once. Ask for the token count, the sky, a secret garden, or anything \
else you like and it will be there in time for dinner, more or less."""

_EVENT = (
    'data: {{"id":"c","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":'
    '[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}],'
    '"obfuscation":"{sent}"}}\n\n'
)
"""As OpenAI sends them: the time is where they have what pads them to one length."""

_LAST = (
    'data: {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":'
    '[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
_TOLD = _EVENT.replace('"{text}"', '"{text} {sent}"').replace(',"obfuscation":"{sent}"', "")
"""With the time in the text, for a proxy that writes events anew, without what pads them."""

_SENT = re.compile(rb'"(?:obfuscation|content)":\s*"(?: \S+ )?(\d+)"')
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WARM_UP = 2.0
"""Seconds at the beginning that are not counted."""

BURST = 200
"""Events of an answer that is written at once."""

_AT_ONCE = 20
"""Clients that ask for such answers."""

CHAT, OTHER = "/v1/chat/completions", "/replay"

NONE, BARE, PASSING = "upstream itself", "starlette and httpx", "proxy, only passing"
GUARDED, LITELLM = "proxy, guarded", "LiteLLM's proxy"
ALL = (NONE, BARE, PASSING, GUARDED)


async def upstream(port: int, rate: float, seconds: float) -> None:
    """Serve streams of so many events a second, for so long, on any path.

    The model `burst` says all of it at once; those whose names end in `-told` tell the time in the
    text.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = b""
            while b"connection: close" not in head.lower():
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(found[1]) if found else 0)
                writer.write(_HEAD)
                event = _TOLD if b'-told"' in body else _EVENT
                if b'"burst' in body:
                    _write(writer, "".join(_said(islice(cycle(TEXT.split()), BURST), event)))
                else:
                    await replay(writer, event)
                _write(writer, _LAST)
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def replay(writer: asyncio.StreamWriter, shape: str) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + (id(writer) % 997) / 997 / rate
        words = islice(cycle(TEXT.split()), int(rate * seconds))
        for event in _said(words, shape, pauses=True):
            if event:
                _write(writer, event)
            else:
                await asyncio.sleep(max(0.0, due - loop.time()))
                due += 1 / rate

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def _said(words: Iterator[str], shape: str, *, pauses: bool = False) -> Iterator[str]:
    """The events of an answer in this shape, with an empty text before each for `pauses`."""
    for word in words:
        if pauses:
            yield ""
        yield shape.format(sent=time.monotonic_ns(), text=f" {word}")


def _write(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(text), text.encode()))


def bare(port: int, source: int) -> None:
    """Serve a proxy that passes all on, as starlette and httpx are usually put together."""
    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    client = httpx.AsyncClient(
        timeout=600, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None)
    )

    async def passed(request: Request) -> StreamingResponse:
        made = client.build_request(
            "POST",
            f"http://127.0.0.1:{source}{request.url.path}",
            headers={"content-type": "application/json"},
            content=await request.body(),
        )
        answer = await client.send(made, stream=True)
        return StreamingResponse(
            answer.aiter_raw(),
            headers={"content-type": answer.headers["content-type"]},
        )

    app = Starlette(routes=[Route("/{path:path}", passed, methods=["POST"])])
    kinds = {"loop": "asyncio", "http": "h11"}
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", **kinds)  # type: ignore[arg-type]


def _request(path: str, model: str, *, close: bool) -> bytes:
    said = '"messages":[{"role":"user","content":"hello"}]'
    body = f'{{"model":"{model}","stream":true,{said}}}'.encode()
    return (
        b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer sk-none\r\ncontent-length: %d\r\n%b\r\n%b"
    ) % (path.encode(), len(body), b"connection: close\r\n" if close else b"", body)


async def client(port: int, path: str, streams: int) -> list[float]:
    """Read so many streams at once; return the latency of each event, in milliseconds."""
    latencies: list[float] = []
    began = time.monotonic_ns()

    async def read() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(path, "m", close=True))
        while data := await reader.read(65536):
            now = time.monotonic_ns()
            if now - began < WARM_UP * 1e9:
                continue
            latencies.extend((now - int(sent)) / 1e6 for sent in _SENT.findall(data))
        writer.close()

    await asyncio.gather(*(read() for _ in range(streams)))
    return latencies


async def burst_client(port: int, path: str, seconds: float) -> int:
    """Read answers that come at once, one after the other; return how many events they had."""
    until = time.monotonic() + seconds
    events = 0

    async def read() -> None:
        nonlocal events
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            writer.write(_request(path, "burst", close=False))
            answer = await reader.readuntil(b"\r\n0\r\n\r\n")
            events += len(_SENT.findall(answer))
        writer.close()

    await asyncio.gather(*(read() for _ in range(_AT_ONCE)))
    return events


def memory(pid: int) -> float:
    """The resident memory of a process, in KB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]


def processor(pid: int) -> float:
    """The seconds of processor time that a process, and those that it started, have taken."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor(int(child)) for child in children)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(*arguments: str) -> Iterator[int]:
    """A process of its own while the block runs; its id. If that fails, what it said is shown."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            arguments, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield process.pid
        except BaseException:
            said.seek(0)
            sys.stderr.buffer.writelines(said.readlines()[-20:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(port: int, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way costs: latencies in milliseconds, processor time in µs for each event."""

    latencies: Sequence[float]
    grown: float
    spent: float
    burst: float
    burst_spent: float


async def measured(port: int, path: str, streams: int, pid: int | None, seconds: float) -> Measured:
    """Measure one way, first streams and then bursts; `pid` is the proxy's."""
    before = peak = memory(pid) if pid else 0.0
    spent = processor(pid) if pid else 0.0
    began = time.monotonic()
    reading = asyncio.create_task(client(port, path, streams))
    while not reading.done():
        await asyncio.sleep(0.2)
        peak = max(peak, memory(pid) if pid else 0.0)
    latencies = await reading
    taken = time.monotonic() - began
    spent = processor(pid) - spent if pid else 0.0
    events = len(latencies) * taken / max(taken - WARM_UP, 1.0)
    mark = processor(pid) if pid else 0.0
    began = time.monotonic()
    burst = await burst_client(port, path, seconds / 2)
    burst_spent = processor(pid) - mark if pid else 0.0
    return Measured(
        latencies,
        (peak - before) / streams,
        1e6 * spent / max(events, 1),
        burst / (time.monotonic() - began),
        1e6 * burst_spent / max(burst, 1),
    )


@contextmanager
def proxy(name: str, source: int, workers: int) -> Iterator[tuple[int, int | None]]:
    """A proxy by its name; its port, and its process."""
    if name == NONE:
        yield source, None
        return
    port = free_port()
    at = f"http://127.0.0.1:{source}"
    with ExitStack() as stack:
        if name == BARE:
            command = [
                sys.executable,
                "-m",
                "benchmarks.serve_load",
                "bare",
                str(port),
                str(source),
            ]
        elif name == LITELLM:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            config = Path(folder, "config.yaml")
            of_model = "litellm_params: {{model: openai/{}-told, api_base: '{}/v1', api_key: none}}"
            listed = [f"- {{model_name: {m}, {of_model.format(m, at)}}}" for m in ("m", "burst")]
            # Like the others it takes all requests; without this it does not start.
            alone = "general_settings: {dangerously_permit_weak_or_unset_master_key: true}"
            config.write_text("\n".join(["model_list:", *listed, alone, ""]))
            os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # asks no server
            command = [str(_litellm()), "--config", str(config)]
            command += ["--host", "127.0.0.1", "--port", str(port)]
        else:
            command = [sys.executable, "-m", "guardstream", "serve", "--policy", "guardstream/chat"]
            command += ["--other", "pass", "--upstream", at, "--port", str(port)]
            command += ["--workers", str(workers)]
        pid = stack.enter_context(started(*command))
        wait_for(port)
        time.sleep(1.0)
        asyncio.run(burst_client(port, _path(name), 1.0))  # what is worked out once is not counted
        yield port, pid


def _litellm() -> Path:
    """Where the command that starts LiteLLM's proxy is, if there is one."""
    return Path(os.environ.get("LITELLM", sys.executable)).with_name("litellm")


def _path(name: str) -> str:
    return OTHER if name == PASSING else CHAT


def run(names: Sequence[str], streams: int, rate: float, seconds: float, workers: int = 1) -> None:
    """Print a table."""
    source = free_port()

    def one(name: str) -> Sequence[object]:
        with proxy(name, source, workers) as (port, pid):
            told = asyncio.run(measured(port, _path(name), streams, pid, seconds))
        cuts = statistics.quantiles(told.latencies, n=100)
        spent = f"{told.spent:.1f}" if pid else ""
        grown = f"{told.grown:.1f}" if pid is not None and workers == 1 else ""
        burst_spent = f"{told.burst_spent:.1f}" if pid else ""
        row = [name, f"{cuts[49]:.2f}", f"{cuts[98]:.2f}", spent, grown]
        return [*row, f"{told.burst:,.0f}", burst_spent]

    module = [sys.executable, "-m", "benchmarks.serve_load"]
    with started(*module, "upstream", str(source), str(rate), str(seconds)):
        wait_for(source)
        head = " | p50, ms | p99, ms | µs an event | KB a stream"
        head += " | in bursts, events/s | µs an event"
        beside = ", beside LiteLLM's" if LITELLM in names else ""
        title = f"The proxy{beside}: {streams} streams at once, {rate:g} events a second each"
        table(f"{title}, {os.cpu_count()} cores", head, map(one, names))


def main() -> None:
    if sys.argv[1:2] == ["upstream"]:
        asyncio.run(upstream(int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
        return
    if sys.argv[1:2] == ["bare"]:
        bare(int(sys.argv[2]), int(sys.argv[3]))
        return
    asks = parser(__doc__)
    asks.add_argument("streams", type=int, nargs="?", default=100)
    asks.add_argument("rate", type=float, nargs="?", default=50.0, help="events a second of each")
    asks.add_argument("seconds", type=float, nargs="?", default=10.0)
    asks.add_argument("workers", type=int, nargs="?", default=1)
    asked = asks.parse_args()
    headline()
    run(ALL, asked.streams, asked.rate, asked.seconds, asked.workers)
    if _litellm().exists():
        run((BARE, GUARDED, LITELLM), 20, 20.0, asked.seconds)


if __name__ == "__main__":
    main()
