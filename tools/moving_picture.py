"""The moving picture of the documentation: the demo's recorded stream, guarded and drawn as SVG.

    python tools/moving_picture.py docs/pictures/demo.svg

Times are those of a real run, shown at half speed. The picture moves by CSS alone, so that it does
in an `img`; whoever asks for less motion sees its end.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import perf_counter
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

import anyio

from guardstream import Finding, Guard
from guardstream.cli.demo import recording

SLOWER = 2.0
PAUSE = 4.0  # seconds in which the end is shown
COLUMNS = 84
WIDTH, LINE, LEFT, CELL = 760, 20, 22, 8.4
STYLE = """
text { font: 14px ui-monospace, Menlo, Consolas, "Noto Sans Mono CJK SC", monospace; fill: #1d2733 }
.label { font: 13px system-ui, sans-serif; fill: #566373 }
.ground { fill: #ffffff; stroke: #d5dbe1 }
.out { fill: #176f2c }
.held { fill: #ffd25e; visibility: hidden }
.found { fill: #c62f3b }
@media (prefers-color-scheme: dark) {
text { fill: #e4e9ee }
.label { fill: #a3afbb }
.ground { fill: #14191f; stroke: #2c343d }
.out { fill: #56c271 }
.held { fill: #7a5c10 }
.found { fill: #ff7b86 }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important } }
"""


@dataclass
class Run:
    """What one run showed: the texts, and when each character came, was settled, and went out."""

    came: str
    released: str
    came_at: list[float]
    settled_at: list[float]
    released_at: list[float]
    found: list[tuple[float, Finding]]
    seconds: float


async def run() -> Run:
    """Replay the recording through the pack `chat`, as fast as it was recorded."""
    deltas = recording()
    began = perf_counter()
    came_at: list[float] = []
    settled_at: list[float] = []
    released_at: list[float] = []
    found: list[tuple[float, Finding]] = []

    def note(held: int) -> None:
        now = perf_counter() - began
        settled_at.extend([now] * (len(came_at) - held - len(settled_at)))
        found.extend((now, each) for each in stream.findings[len(found) :])

    async def source() -> AsyncIterator[str]:
        for delta in deltas:
            await anyio.sleep(max(0.0, delta.at - (perf_counter() - began)))
            came_at.extend([perf_counter() - began] * len(delta.text))
            yield delta.text
            note(stream.held)

    async with Guard.load("guardstream/chat").wrap(source()) as stream:
        async for text in stream:
            released_at.extend([perf_counter() - began] * len(text))
    note(0)
    came = "".join(delta.text for delta in deltas)
    text = stream.result.text
    return Run(came, text, came_at, settled_at, released_at, found, perf_counter() - began)


def cells(text: str) -> Iterator[tuple[int, int, int]]:
    """The column, row and width of each character: lines of at most COLUMNS cells."""
    column = row = 0
    for place, character in enumerate(text):
        word = text[place:].split(maxsplit=1)[0] if not text[place - 1 : place].strip() else ""
        wide = 2 if east_asian_width(character) in "WF" else 1
        if column + max(wide, min(len(word), COLUMNS // 2)) > COLUMNS:
            column, row = 0, row + 1
        yield column, row, wide
        column += wide
        if character == "\n":
            column, row = 0, row + 1


class Picture:
    """Draws a run: above what came, below what went out; the elements share their keyframes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._length = run.seconds * SLOWER + PAUSE
        self._frames: dict[str, str] = {}

    def svg(self) -> str:
        """Return the picture."""
        run = self._run
        above = list(cells(run.came))
        below = list(cells(run.released))
        top = 40
        middle = top + LINE * (above[-1][1] + 1) + 40
        height = middle + LINE * (below[-1][1] + 1) + 4
        body = [
            f'<rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>',
            self._label(24, "The model's answer, as it arrives; yellow is held by the guard"),
            *self._held(above, top),
            *self._text(run.came, above, run.came_at, top, ""),
            *self._found(above, top),
            self._label(middle - 16, "What the user sees"),
            *self._text(run.released, below, run.released_at, middle, "out"),
        ]
        said = "A guarded stream at half speed: what arrives, what is held, what is released"
        style = STYLE + "".join(self._frames.values())
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}"><title>{said}</title><style>{style}</style>'
            f"{''.join(body)}</svg>\n"
        )

    def _label(self, y: int, text: str) -> str:
        return f'<text class="label" x="{LEFT}" y="{y}">{text}</text>'

    def _moving(self, begins: float, ends: float | None = None) -> str:
        """The attribute of an element that is visible from a time on, to the end or to another."""
        first = round(100 * begins * SLOWER / self._length, 2)
        last = "" if ends is None else str(round(100 * ends * SLOWER / self._length, 2))
        name = f"f{first}-{last}".replace(".", "_")
        hidden = "" if ends is None else f"{last}%,100%{{visibility:hidden}}"
        frames = f"0%{{visibility:hidden}}{first}%{{visibility:visible}}{hidden}"
        self._frames[name] = f"@keyframes {name}{{{frames}}}\n"
        return f'style="animation:{name} {self._length:.2f}s step-end infinite"'

    def _text(
        self, text: str, places: list[tuple[int, int, int]], at: list[float], top: int, kind: str
    ) -> Iterator[str]:
        """The characters, those together that stand in one row and appeared at one time."""
        shown = zip(text, places, at, strict=True)
        for (row, time), group in groupby(shown, lambda each: (each[1][1], each[2])):
            pieces = list(group)
            said = "".join(character for character, _, _ in pieces).rstrip("\n")
            if said.strip():
                size = sum(place[2] for _, place, _ in pieces[: len(said)]) * CELL
                x, y = LEFT + pieces[0][1][0] * CELL, top + LINE * row + 8
                yield (
                    f'<text class="{kind}" x="{x:.1f}" y="{y}" textLength="{size:.1f}" '
                    f'xml:space="preserve" {self._moving(time)}>{escape(said)}</text>'
                )

    def _held(self, places: list[tuple[int, int, int]], top: int) -> Iterator[str]:
        """What is yellow: characters that came and were not settled at once."""
        run = self._run
        shown = zip(places, run.came_at, run.settled_at, strict=True)
        for (row, came, settled), group in groupby(shown, lambda e: (e[0][1], e[1], e[2])):
            pieces = [place for place, _, _ in group]
            if settled - came > 0.01:
                yield self._box("held", pieces, top + LINE * row - 7, 20, came, settled)

    def _found(self, places: list[tuple[int, int, int]], top: int) -> Iterator[str]:
        """A line below each match, from when it was found."""
        for time, finding in self._run.found:
            inside = places[finding.start : finding.end]
            for row, group in groupby(inside, lambda place: place[1]):
                yield self._box("found", list(group), top + LINE * row + 12, 2, time)

    def _box(
        self,
        kind: str,
        pieces: list[tuple[int, int, int]],
        y: int,
        height: int,
        begins: float,
        ends: float | None = None,
    ) -> str:
        x, width = LEFT + pieces[0][0] * CELL, sum(place[2] for place in pieces) * CELL
        return (
            f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" '
            f'height="{height}" {self._moving(begins, ends)}/>'
        )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(Picture(anyio.run(run)).svg(), encoding="utf-8")
