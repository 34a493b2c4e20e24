"""A report as one HTML page, without scripts and external files, for screen and print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import floor, log10

from guardstream.observability.report import Report, percentiles

_TITLES = {
    "findings": "Findings by rule",
    "policies": "Streams by policy",
    "blocks": "Blocked streams by rule",
    "finishes": "Streams by how they ended",
    "errors": "Streams by error",
}
_MEASURED = {
    "seconds": "Seconds from the first read to the end",
    "first_received": "Seconds to the first chunk",
    "first_released": "Seconds to the first text released",
    "held_max": "Most characters held at once",
    "held_seconds": "Seconds in which anything was held",
    "characters_per_second": "Characters released per second",
    "tokens_per_second": "Tokens a second",
}
_BINS = 24

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #566373; --line: #d5dce3;
  --bar: #2a6fbb; --found: #b42333; --ground: #ffffff }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #a3afbb; --line: #35404a;
  --bar: #6fb1ff; --found: #ff7b86; --ground: #14191f } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 1rem }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-size: 1.4rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .2rem .5rem .2rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.b { width: 45% }
meter-bar { display: block; height: .7rem; background: var(--bar); min-width: 1px }
svg { width: 100%; height: auto; display: block } svg rect { fill: var(--bar) }
svg text { fill: var(--soft); font-size: 11px }
p.soft { color: var(--soft) }
"""


def page(report: Report, title: str = "Guarded streams") -> str:
    """Return a report as a whole HTML document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>{''.join(_parts(report))}</main></body></html>\n"
    )


def _parts(report: Report) -> Iterator[str]:
    blocked = report.finishes.get("content_filter", 0)
    yield _numbers(
        {
            "streams": report.streams,
            "blocked": blocked,
            "findings": sum(report.findings.values()),
            "unfinished": report.unfinished,
            "characters in": report.characters_in,
            "characters out": report.characters_out,
            "tokens out": report.output_tokens,
            "torn lines": report.torn,
        }
    )
    if report.days:
        yield "<h2>By day</h2>"
        yield _days(report.days)
    for name, heading in _TITLES.items():
        counted: Mapping[str, int] = getattr(report, name)
        if counted:
            yield f"<h2>{heading}</h2>{_bars(counted)}"
    for name, heading in _MEASURED.items():
        values = report.measured[name]
        if values:
            yield f"<h2>{heading}</h2>{_histogram(values, heading)}"


def _numbers(numbers: Mapping[str, int]) -> str:
    cells = (f"<div><dt>{name}</dt><dd>{value:,}</dd></div>" for name, value in numbers.items())
    return f"<dl>{''.join(cells)}</dl>"


def _days(days: Mapping[str, Mapping[str, int]]) -> str:
    most = max((counts.get("streams", 0) for counts in days.values()), default=1)
    head = (
        '<tr><th>day</th><th class="n">streams</th><th class="n">findings</th>'
        '<th class="n">blocked</th><th></th></tr>'
    )
    rows = (
        f"<tr><td>{escape(day)}</td>"
        + "".join(
            f'<td class="n">{counts.get(name, 0):,}</td>'
            for name in ("streams", "findings", "blocked")
        )
        + f"{_bar(counts.get('streams', 0), most)}</tr>"
        for day, counts in sorted(days.items())
    )
    return f"<table>{head}{''.join(rows)}</table>"


def _bars(counted: Mapping[str, int]) -> str:
    most = max(counted.values())
    rows = (
        f'<tr><td>{escape(name)}</td><td class="n">{count:,}</td>{_bar(count, most)}</tr>'
        for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"<table>{''.join(rows)}</table>"


def _bar(count: int, most: int) -> str:
    share = 100 * count / most if most else 0
    return f'<td class="b"><meter-bar style="width: {share:.1f}%"></meter-bar></td>'


def _histogram(values: Sequence[float], heading: str) -> str:
    """Return a histogram of the values, with their percentiles."""
    low, high = min(values), max(values)
    width = (high - low) / _BINS or 1
    counts = [0] * _BINS
    for value in values:
        counts[min(int((value - low) / width), _BINS - 1)] += 1
    most = max(counts)
    bars = "".join(
        f'<rect x="{1 + 30 * n}" width="28" y="{100 - 90 * count / most:.1f}" '
        f'height="{90 * count / most:.1f}"><title>{_short(low + n * width)} to '
        f"{_short(low + (n + 1) * width)}: {count:,}</title></rect>"
        for n, count in enumerate(counts)
        if count
    )
    summary = ", ".join(f"{name} {_short(value)}" for name, value in percentiles(values).items())
    return (
        f'<svg viewBox="0 0 720 118" role="img" aria-label="{escape(heading)}: {summary}">{bars}'
        f'<text x="0" y="114">{_short(low)}</text>'
        f'<text x="720" y="114" text-anchor="end">{_short(high)}</text></svg>'
        f'<p class="soft">{summary}</p>'
    )


def _short(value: float) -> str:
    """Return a number with three significant digits."""
    if value == 0:
        return "0"
    digits = max(0, 2 - floor(log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
