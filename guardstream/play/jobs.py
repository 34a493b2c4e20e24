"""The jobs of a worker: each takes a request and emits events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from guardstream.errors import GuardstreamError
from guardstream.play import chunkings, playing, policies, saving
from guardstream.play.playing import Emit, Playing, Timed

SLICE = 0.3
"""Seconds of one slice of chunkings."""


class JobError(GuardstreamError):
    """A request that cannot be carried out; the message says why."""


def do(request: dict[str, Any], emit: Emit, more: Callable[[], dict[str, Any]]) -> None:
    """Do one job, and `emit` its events. `more` waits for the next message of a live stream.

    Raises JobError for a request that cannot be carried out, and GuardstreamError for a policy or a
    recording that cannot be used.
    """
    job = _JOBS.get(request.get("do", ""))
    if job is None:
        raise JobError("there is no such job")
    job(request, emit, more)


def _lint(request: dict[str, Any], emit: Emit, _more: Any) -> None:
    notes = [
        {"line": each.line, "column": each.column, "level": each.level, "message": each.message}
        for each in policies.judged(request["policy"])
    ]
    emit({"type": "notes", "notes": notes})


def _stream(request: dict[str, Any], emit: Emit, _more: Any) -> None:
    policy, chunks = request["policy"], _chunks(request)
    text = playing.is_text(chunks)
    mode = request.get("mode")
    guard = policies.guard_of(policy, mode)
    emit({"type": "start", "chunks": len(chunks), "mode": guard.policy.file.mode})
    end = Playing(guard, emit).play(chunks, text=text)
    if mode is None:  # and not one side of a comparison
        end |= _compared(policy, chunks) | {"cost": playing.cost(guard, chunks)}
    emit(end)


def _live(request: dict[str, Any], emit: Emit, more: Callable[[], dict[str, Any]]) -> None:
    policy = request["policy"]
    guard = policies.guard_of(policy)
    emit({"type": "start", "chunks": None, "mode": guard.policy.file.mode})
    kept: list[Timed] = []

    def arriving() -> Iterator[Timed]:
        while "chunk" in (said := more()):
            kept.append((said["t"], said["chunk"]))
            yield kept[-1]

    end = Playing(guard, emit).play(arriving(), text=False)
    emit(end | _compared(policy, kept) | {"cost": playing.cost(guard, kept)})


def _compared(policy: str, chunks: list[Timed]) -> dict[str, Any]:
    """Play the same stream in both modes of the policy; return both outcomes."""
    guards = {mode: policies.guard_of(policy, mode) for mode in policies.MODES}
    return {mode: playing.outcome(guard, chunks) for mode, guard in guards.items()}


def _chunkings(request: dict[str, Any], emit: Emit, _more: Any) -> None:
    text = request["text"]
    if len(text) > chunkings.LONGEST:
        raise JobError(f"chunkings are tried for texts of at most {chunkings.LONGEST:,} characters")
    guard = policies.guard_of(request["policy"])
    emit({"type": "slice", **chunkings.checked(guard, text, request["begin"], SLICE)})


def _save(request: dict[str, Any], emit: Emit, _more: Any) -> None:
    made = saving.saved(
        request["policy"], request["rule"], request["text"], request["start"], request["end"]
    )
    emit({"type": "saved", **asdict(made)})


def _timeline(request: dict[str, Any], emit: Emit, _more: Any) -> None:
    guard = policies.guard_of(request["policy"])
    emit({"type": "timeline", "svg": playing.drawn(guard, _chunks(request))})


def _chunks(request: dict[str, Any]) -> list[Timed]:
    if "recording" in request:
        return playing.recorded(request["recording"], request["size"])
    return playing.cut(request["text"], max(request["size"], 1))


_JOBS: dict[str, Callable[[dict[str, Any], Emit, Callable[[], dict[str, Any]]], None]] = {
    "lint": _lint,
    "stream": _stream,
    "live": _live,
    "chunkings": _chunkings,
    "save": _save,
    "timeline": _timeline,
}
