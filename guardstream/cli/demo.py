"""`guardstream demo`: replays a recorded stream through a guard, at its original pace."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import resources
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, TypeAlias

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from guardstream.cli.output import naming
from guardstream.guard import Guard
from guardstream.observability.timeline import Timeline
from guardstream.stream.asynchronous import GuardedStream

_ROUNDS = 50


class Delta(NamedTuple):
    """A recorded chunk: its time in seconds since the request, and its text."""

    at: float
    text: str


class View(NamedTuple):
    """The state of the display: all text that came in, how much of its end is held, all that was
    released."""

    received: str
    held: int
    released: str


Show: TypeAlias = Callable[[float, str, View], None]
"""Called with the time, what came in or went out just now, and the whole view."""


class _Output(Console):
    """Standard output; a broken pipe is handled as by all other commands."""

    def on_broken_pipe(self) -> None:
        raise  # the error for which rich calls this


def recording() -> list[Delta]:
    """Return the recorded stream that comes with the package."""
    file = resources.files("guardstream.cli") / "recordings" / "demo.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Delta(**json.loads(line)) for line in lines]


def demo(policy: str, speed: float, timeline: Path | None = None, code: Sequence[str] = ()) -> None:
    """Replay the recording through `policy`, live on a terminal, line by line elsewhere."""
    guard = Guard.load(policy, allow_code=code, rules_only=True)
    console = _Output(highlight=False)
    deltas = recording()
    drawn = Timeline()
    console.print(f"Replaying {len(deltas)} chunks through the policy {guard.policy.name!r}.\n")
    if console.is_terminal:
        with Live(console=console, refresh_per_second=30, transient=False) as live:
            stream = anyio.run(_replay, guard, deltas, speed, _screen(live), drawn)
    else:
        stream = anyio.run(_replay, guard, deltas, speed, _lines(console), drawn)
    if timeline is not None:
        with naming(timeline):
            drawn.save(timeline)
    _summary(console, guard, deltas, stream)


async def _replay(
    guard: Guard, deltas: list[Delta], speed: float, show: Show, timeline: Timeline
) -> GuardedStream[str]:
    received: list[str] = []
    released: list[str] = []
    started = perf_counter()

    async def source() -> AsyncIterator[str]:
        for delta in deltas:
            if speed:
                await anyio.sleep(max(0.0, delta.at / speed - (perf_counter() - started)))
            received.append(delta.text)
            yield delta.text
            # The guard has taken the chunk when it asks for the next one.
            show(perf_counter() - started, delta.text, _view(received, stream, released))

    async with timeline.watch(guard.wrap(timeline.source(source()))) as stream:
        async for text in stream:
            released.append(text)  # noqa: PERF401  (the source looks at it meanwhile)
    show(perf_counter() - started, "", _view(received, stream, released))
    return stream


def _view(received: list[str], stream: GuardedStream[str], released: list[str]) -> View:
    return View("".join(received), stream.held, "".join(released))


def _screen(live: Live) -> Show:
    def show(_seconds: float, _text: str, view: View) -> None:
        settled = len(view.received) - view.held
        came = Text(view.received[:settled])
        came.append(view.received[settled:], style="black on yellow")
        live.update(
            Group(
                Panel(came, title=f"came in, {view.held} held", title_align="left"),
                Panel(Text(view.released, style="green"), title="released", title_align="left"),
            )
        )

    return show


def _lines(console: Console) -> Show:
    shown = 0

    def show(seconds: float, text: str, view: View) -> None:
        nonlocal shown
        held = view.received[len(view.received) - view.held :]
        new, shown = view.released[shown:], len(view.released)
        line = f"{seconds:6.2f}s  in {text!r:12} held {held!r:28} out {new!r}"
        console.print(line, markup=False, soft_wrap=True)

    return show


def _summary(
    console: Console, guard: Guard, deltas: list[Delta], stream: GuardedStream[str]
) -> None:
    console.print()
    if not console.is_terminal:
        console.print(Text(stream.result.text), soft_wrap=True)
        console.print()
    table = Table("rule", "action", "severity", "characters")
    for finding in stream.findings:
        place = f"{finding.start}-{finding.end}"
        table.add_row(finding.rule, finding.action, finding.severity, place)
    console.print(table)
    stats = stream.stats
    first, fresh = (1e6 * seconds / len(deltas) for seconds in _cost(guard, deltas))
    console.print(
        f"{stats.characters_in} characters in, {stats.characters_out} out, "
        f"held {stats.held_mean:.1f} on average, {stats.held_max} at most; finish {stream.finish}"
    )
    console.print(
        f"first text received after {stats.first_received or 0:.3f} s, "
        f"released after {stats.first_released or 0:.3f} s"
    )
    console.print(f"cost per chunk: {first:.1f} µs in a stream, {fresh:.1f} µs at best")


def _cost(guard: Guard, deltas: list[Delta]) -> tuple[float, float]:
    """Return the seconds that the policy takes for the recording: the first time, and at best."""
    times = []
    for _ in range(_ROUNDS):
        session = guard.session()
        started = perf_counter()
        for delta in deltas:
            session.feed(delta.text)
        session.finish()
        times.append(perf_counter() - started)
    return times[0], min(times)
