"""A picture of one stream: arrivals, held text, releases and findings over time.

The picture is an SVG with the released text and the rules' ids; text that was not released appears
only by its length.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from time import monotonic
from typing import Any, Protocol, TypeVar, overload
from xml.sax.saxutils import escape

from guardstream.events import Finding, FinishReason
from guardstream.stream.loops import aclose_source
from guardstream.stream.result import Result, Stats
from guardstream.stream.synchronous import close_source

C = TypeVar("C")
G = TypeVar("G", bound="Watched")


class Watched(Protocol):
    """The properties of a guarded stream that are watched."""

    @property
    def stats(self) -> Stats: ...
    @property
    def held(self) -> int: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def result(self) -> Result: ...
    @property
    def finish(self) -> FinishReason | None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """The effect of one chunk of the source: the characters received, released, and held in total.

    `at` is in seconds since the first read of the stream; `findings` is the number of findings so
    far.
    """

    at: float
    came: int
    released: int
    held: int
    findings: int


class Timeline:
    """Measures one stream, and draws it.

        timeline = Timeline()
        guarded = timeline.watch(guard.wrap(timeline.source(stream)))
        async for chunk in guarded: ...
        timeline.save("stream.svg")     # in a notebook: timeline

    It costs some microseconds per chunk. `clock` returns monotonic seconds; pass the same one to
    the guarded stream.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.steps: list[Step] = []
        self._stream: Watched | None = None
        self._began: float | None = None
        self._came = self._released = 0

    @overload
    def source(self, stream: AsyncIterable[C]) -> AsyncIterator[C]: ...
    @overload
    def source(self, stream: Iterable[C]) -> Iterator[C]: ...
    def source(self, stream: Any) -> Any:
        """Return a stream, sync or async, with the same chunks, to be guarded."""
        if isinstance(stream, AsyncIterable):
            return self._timed(stream)
        return self._timed_sync(stream)

    def watch(self, stream: G) -> G:
        """Watch the guarded stream of the source; return it."""
        self._stream = stream
        return stream

    async def _timed(self, stream: AsyncIterable[C]) -> AsyncIterator[C]:
        self._began = self._clock()
        iterator = aiter(stream)
        try:
            async for chunk in iterator:
                came = self._clock()
                yield chunk
                self._step(came)
        finally:
            await aclose_source(*_sources(iterator, stream))

    def _timed_sync(self, stream: Iterable[C]) -> Iterator[C]:
        self._began = self._clock()
        iterator = iter(stream)
        try:
            for chunk in iterator:
                came = self._clock()
                yield chunk
                self._step(came)
        finally:
            close_source(*_sources(iterator, stream))

    def _step(self, came: float) -> None:
        """Record the effect of the last chunk, because the guard asks for another one."""
        if self._stream is not None and self._began is not None:
            step = self._taken(self._stream, came - self._began)
            self._came += step.came
            self._released += step.released
            self.steps.append(step)

    def _taken(self, stream: Watched, at: float) -> Step:
        """Return the changes of the stream since the last step."""
        stats = stream.stats
        return Step(
            at=at,
            came=stats.characters_in - self._came,
            released=stats.characters_out - self._released,
            held=stream.held,
            findings=len(stream.findings),
        )

    def _whole(self) -> tuple[list[Step], Watched]:
        """Return all steps, including the effect of the end."""
        stream = self._stream
        if stream is None:
            raise ValueError("nothing was watched: call `watch` with the guarded stream")
        end = max([stream.stats.seconds, *(step.at for step in self.steps)])
        return [*self.steps, self._taken(stream, end)], stream

    def svg(self) -> str:
        """Return the picture, a complete SVG that follows the reader's light or dark scheme.

        ValueError if no stream was watched.
        """
        steps, stream = self._whole()
        return _Picture(steps, stream).svg()

    def save(self, path: str | Path) -> None:
        """Write the picture to a file. Raises OSError, and ValueError as `svg` does."""
        Path(path).write_text(self.svg(), encoding="utf-8")

    def _repr_html_(self) -> str:
        return self.svg()


def _sources(iterator: object, stream: object) -> tuple[object, ...]:
    """Return what must be closed: a client's stream may have an iterator of its own."""
    return (stream,) if iterator is stream else (iterator, stream)


_WIDTH, _LEFT, _RIGHT = 960, 92, 24
_LANE, _GAP, _TOP = 54, 22, 46
_LANES = ("came in", "held", "released")
_LINE = 17
_COLUMNS = 118
_SHOWN = 1_500
"""Characters of the released text that are shown."""

_STYLE = """
.guardstream text { font: 13px system-ui, sans-serif; fill: #1d2733 }
.guardstream .small { font-size: 11px; fill: #566373 }
.guardstream .mono { font: 12px ui-monospace, monospace; fill: #1d2733 }
.guardstream .ground { fill: #ffffff }
.guardstream .axis { stroke: #aab4bf; stroke-width: 1 }
.guardstream .came { fill: #2a6fbb }
.guardstream .held { fill: #e0a100; stroke: #a87900 }
.guardstream .released { fill: #22863a }
.guardstream .found { stroke: #c62f3b; stroke-width: 1.5; stroke-dasharray: 3 3 }
.guardstream .end { stroke: #1d2733; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
.guardstream text, .guardstream .mono { fill: #e4e9ee }
.guardstream .small { fill: #a3afbb }
.guardstream .ground { fill: #14191f }
.guardstream .axis { stroke: #4a5560 }
.guardstream .came { fill: #6fb1ff }
.guardstream .held { fill: #c99a1e; stroke: #f2c552 }
.guardstream .released { fill: #56c271 }
.guardstream .found { stroke: #ff7b86 }
.guardstream .end { stroke: #e4e9ee }
}
"""


class _Picture:
    """Three lanes over time, the findings across them, and the released text below."""

    def __init__(self, steps: Sequence[Step], stream: Watched) -> None:
        self._steps = steps
        self._findings = list(stream.findings)
        self._finish = stream.finish or "open"
        self._stats = stream.stats
        self._text = stream.result.text
        self._span = max(steps[-1].at, 1e-6)

    def svg(self) -> str:
        lines = list(self._lines())
        bottom = _TOP + len(_LANES) * (_LANE + _GAP)
        height = bottom + 34 + _LINE * len(lines)
        stats = self._stats
        title = f"A guarded stream: {stats.characters_in} characters came in, {self._totals()}"
        body = [
            f'<rect class="ground" width="{_WIDTH}" height="{height}" rx="6"/>',
            f'<text x="16" y="26">{escape(title)}</text>',
            *self._axis(bottom),
            *self._bars("came", 0, [step.came for step in self._steps], "came in"),
            *self._area(),
            *self._bars("released", 2, [step.released for step in self._steps], "went out"),
            *self._marks(bottom),
            *(
                f'<text class="{kind}" x="16" y="{bottom + 42 + _LINE * n}" xml:space="preserve">'
                f"{escape(line)}</text>"
                for n, (kind, line) in enumerate(lines)
            ),
        ]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="guardstream" role="img" '
            f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">'
            f"<title>{escape(title)}</title><style>{_STYLE}</style>{''.join(body)}</svg>\n"
        )

    def _totals(self) -> str:
        stats = self._stats
        return (
            f"{stats.characters_out} went out, {stats.held_max} held at most; finish {self._finish}"
        )

    def _x(self, at: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * min(at / self._span, 1), 1)

    def _base(self, lane: int) -> int:
        """Return the y coordinate of a lane's base line."""
        return _TOP + lane * (_LANE + _GAP) + _LANE

    def _axis(self, bottom: int) -> Iterator[str]:
        for lane, name in enumerate(_LANES):
            y = self._base(lane)
            yield f'<text x="16" y="{y - 4}">{name}</text>'
            yield f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        for tick in range(6):
            at = self._span * tick / 5
            anchor = "end" if tick == 5 else "start" if tick == 0 else "middle"
            yield (
                f'<text class="small" x="{self._x(at)}" y="{bottom + 6}" '
                f'text-anchor="{anchor}">{_seconds(at)}</text>'
            )

    def _bars(self, kind: str, lane: int, sizes: Sequence[int], what: str) -> Iterator[str]:
        most = max([*sizes, 1])
        for step, size in zip(self._steps, sizes, strict=True):
            if size > 0:
                height = round(max(3.0, _LANE * size / most), 1)
                yield (
                    f'<rect class="{kind}" x="{self._x(step.at) - 1}" width="2.5" '
                    f'y="{self._base(lane) - height}" height="{height}">'
                    f"<title>{_seconds(step.at)}: {size} {what}</title></rect>"
                )

    def _area(self) -> Iterator[str]:
        """Draw the held text as steps: it does not change until the next chunk."""
        base, most = self._base(1), max(*(step.held for step in self._steps), 1)
        points = [f"{_LEFT},{base}"]
        last: float = base
        for step in self._steps:
            y = round(base - _LANE * step.held / most, 1)
            x = self._x(step.at)
            points += [f"{x},{last}", f"{x},{y}"]
            last = y
        points.append(f"{self._x(self._span)},{base}")
        yield (
            f'<polygon class="held" points="{" ".join(points)}">'
            f"<title>{most} characters held at most</title></polygon>"
        )

    def _marks(self, bottom: int) -> Iterator[str]:
        marked = 0
        for step in self._steps:
            x = self._x(step.at)
            for finding in self._findings[marked : step.findings]:
                yield (
                    f'<line class="found" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{bottom - _GAP}">'
                    f"<title>{escape(_line(finding))}</title></line>"
                )
            marked = max(marked, step.findings)
        x = self._x(self._span)
        yield f'<line class="end" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{bottom - _GAP}"/>'

    def _lines(self) -> Iterator[tuple[str, str]]:
        for finding in self._findings[:12]:
            yield "small", _line(finding)
        if len(self._findings) > 12:
            yield "small", f"and {len(self._findings) - 12} findings more"
        if self._findings:
            yield "small", ""
        shown = self._text[:_SHOWN]
        for paragraph in shown.splitlines():
            for line in wrap(_printable(paragraph), _COLUMNS) or [""]:
                yield "mono", line
        if len(self._text) > _SHOWN:
            yield "small", f"and {len(self._text) - _SHOWN} characters more"


def _line(finding: Finding) -> str:
    place = f"{finding.end - finding.start} characters from {finding.start}"
    where = "" if finding.channel == "text" else f" of {finding.channel}"
    kind = "" if finding.kind == "match" else f", {finding.kind}"
    return f"{finding.rule}: {finding.action}, {place}{where}{kind}"


def _seconds(at: float) -> str:
    return f"{at * 1000:.1f} ms" if at < 1 else f"{at:.2f} s"


def _printable(text: str) -> str:
    """Return a text that XML allows (XML 1.0, section 2.2): without control characters and
    surrogates."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
