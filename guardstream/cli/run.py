"""`guardstream run`: guards a text, from a file or standard input to standard output."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias

import anyio
import anyio.to_thread

from guardstream.cli.chunks import cut, opened
from guardstream.cli.output import naming, note
from guardstream.errors import AdapterError, GuardstreamError
from guardstream.events import GUARD, is_refused
from guardstream.guard import ONLY_BY_WRAP, Guard
from guardstream.observability.timeline import Timeline
from guardstream.stream.flows.choosing import check_text, own_formats
from guardstream.stream.flows.str_streams import EventLines
from guardstream.stream.protocol import StreamOutcome

CLEAN, BLOCKED = 0, 3

_BYTES = 64 * 1024

Write: TypeAlias = Callable[[str], None]


class InputError(GuardstreamError):
    """The text to guard cannot be read."""


def run(
    policy: str,
    file: str,
    chunk: int | None,
    findings: Path | None,
    timeline: Path | None = None,
    code: Sequence[str] = (),
) -> int:
    """Guard `file`, and write released text at once; return the exit status."""
    guard = Guard.load(policy, allow_code=code)
    if timeline is not None:
        _check_drawn(guard)
    drawn = Timeline() if timeline is not None else None
    with ExitStack() as stack:
        write = stack.enter_context(_output())
        source = stack.enter_context(_open(file))
        report = stack.enter_context(findings.open("w", encoding="utf-8")) if findings else None
        name = "standard input" if file == "-" else file
        texts = _decoded(source, name)
        chunks = _checked(guard, cut(texts, chunk) if chunk else texts, name)
        if guard.policy.operational and drawn is None:
            stream: StreamOutcome = anyio.run(_run_around, guard, chunks, write, report, findings)
        else:
            stream = _run_rules(guard, chunks, write, report, findings, drawn)
    if drawn is not None and timeline is not None:
        with naming(timeline):
            drawn.save(timeline)
    if is_refused(stream.finish, stream.blocked_by):
        failed = stream.blocked_by == GUARD
        why = "the guard failed" if failed else f"blocked by rule {stream.blocked_by!r}"
        note(f"guardstream: {why}")
        return BLOCKED
    stopped = [each.rule for each in stream.findings if each.action == "stop"]
    if stopped and not guard.policy.shadow:  # the source may have more
        note(f"guardstream: stopped by rule {stopped[-1]!r}")
    return CLEAN


def _check_drawn(guard: Guard) -> None:
    """Raise InputError for a policy with a section that a timeline cannot show."""
    policy = guard.policy
    for name in ONLY_BY_WRAP:
        if getattr(policy.file, name):
            raise InputError(
                f"{policy.place(name)}: --timeline draws what the rules do, not the section "
                f"{name!r}: run it without --timeline, or leave the section out"
            )


def _checked(guard: Guard, chunks: Iterator[str], name: str) -> Iterator[str]:
    """Yield the chunks. InputError for events, and for a line of JSON in a known format.

    Other lines of JSON are text: a pipe may deliver it line by line.
    """
    own = own_formats(guard.policy, guard.policy.unknown)
    lines, watching = EventLines(), True
    for place, text in enumerate(chunks):
        try:
            if not place:
                check_text(text, own)
            watching = watching and lines.may_be_events(text)
        except AdapterError as error:
            raise InputError(
                f"{name}: holds server-sent events or other chunks of an API, and 'run' guards "
                "plain text: guard them with 'guardstream serve', or in Python with Guard.wrap"
            ) from error
        yield text


def _run_rules(
    guard: Guard,
    chunks: Iterator[str],
    write: Write,
    report: TextIO | None,
    path: Path | None,
    timeline: Timeline | None,
) -> StreamOutcome:
    if timeline is None:
        stream = guard.wrap_sync(chunks, keep_text=False, framing="text")
    else:
        stream = timeline.watch(guard.wrap_sync(timeline.source(chunks), framing="text"))
    with _reporting(stream, report, path), stream:
        for text in stream:
            write(text)
    return stream


async def _run_around(
    guard: Guard,
    chunks: Iterator[str],
    write: Write,
    report: TextIO | None,
    path: Path | None,
) -> StreamOutcome:
    """Do the same as `_run_rules` for a policy with other sections, which need an event loop."""

    async def read() -> AsyncIterator[str]:
        while (text := await anyio.to_thread.run_sync(next, chunks, None)) is not None:
            yield text

    section = guard.policy.file.concurrency
    attributes = {section.by: "guardstream run"} if section and section.by else {}
    stream = guard.wrap(read, keep_text=False, framing="text", attributes=attributes)
    with _reporting(stream, report, path):
        async with stream:
            async for text in stream:
                write(text)
    return stream


@contextmanager
def _output() -> Iterator[Write]:
    """Yield a function that writes text to standard output at once. In a terminal, end the last
    line, so that later output begins on a new one."""
    last = "\n"

    def write(text: str) -> None:
        nonlocal last
        # As UTF-8 whatever the terminal says: the text came in as UTF-8.
        sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
        sys.stdout.buffer.flush()
        last = text[-1:] or last

    try:
        yield write
    finally:
        if last != "\n" and sys.stdout.isatty():
            write("\n")


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    try:
        return opened(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{file}: cannot be read: {reason.lower()}") from error


def _decoded(source: BinaryIO, name: str) -> Iterator[str]:
    """Decode the bytes as they arrive. InputError says at which byte they are not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    offset = 0
    while True:
        try:
            data = source.read1(_BYTES)  # type: ignore[attr-defined]
            pending = len(decoder.getstate()[0])
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            place = offset - pending + error.start
            raise InputError(
                f"{name}: byte {place} is not valid UTF-8: convert it first"
            ) from error
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror}") from error
        if text:
            yield text
        if not data:
            return
        offset += len(data)


@contextmanager
def _reporting(stream: StreamOutcome, report: TextIO | None, path: Path | None) -> Iterator[None]:
    """Write the findings of a stream when it ends, however it ends."""
    try:
        yield
    finally:
        if report is not None and path is not None:
            with naming(path), report:
                report.writelines(json.dumps(asdict(each)) + "\n" for each in stream.findings)
