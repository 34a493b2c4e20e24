"""`guardstream debug`: how a pattern is searched, character by character."""

from __future__ import annotations

from guardstream.cli.output import note
from guardstream.errors import GuardstreamError, PatternError
from guardstream.policy import packs
from guardstream.scan.regex.debug import Row, dot, rows


def debug(pattern: str, text: str, group: str | None, *, as_graph: bool) -> None:
    """Print the table or the graph. GuardstreamError says where and why a pattern is refused."""
    if pattern.endswith((".yaml", ".yml")) or pattern.startswith(packs.PREFIX):
        note(f"{pattern!r} is read as a pattern; for a policy, run: guardstream explain {pattern}")
    masked = int(group) if group and group.isdecimal() else group
    try:
        print(dot(pattern, masked) if as_graph else table(pattern, text, masked))
    except PatternError as error:
        place = "" if error.offset is None else f" at offset {error.offset}"
        called = pattern.startswith("(?&", error.offset or 0)
        reason = _CALL if called else str(error)
        raise GuardstreamError(f"the pattern is refused{place}: {reason}") from error


_CALL = (
    "only policy files have subpatterns to call: take the pattern that "
    "'guardstream explain POLICY --rule ID' prints"
)


def table(pattern: str, text: str, group: str | int | None = None) -> str:
    """Return a line for each character, and for each further thread."""
    lines = [("", "held", "accepts", "matches", "threads: where each began, what may follow")]
    for row in rows(pattern, text, group):
        lines += _lines(row)
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join((*(cell.ljust(widths[at]) for at, cell in enumerate(line[:4])), line[4])).rstrip()
        for line in lines
    )


def _lines(row: Row) -> list[tuple[str, str, str, str, str]]:
    name = f"{row.offset} {row.character!r}" if row.character else f"{row.offset} end"
    threads = row.threads or ("",)
    first = (name, str(row.held), _listed(row.accepts), _listed(row.matches), threads[0])
    return [first, *(("", "", "", "", thread) for thread in threads[1:])]


def _listed(spans: tuple[tuple[int, int], ...]) -> str:
    return " ".join(f"{start}-{end}" for start, end in spans)
