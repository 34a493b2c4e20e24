"""`guardstream formats`: the formats that the package knows, and what one reads in a recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.chunks import opened
from guardstream.errors import GuardstreamError
from guardstream.formats import ADAPTERS, detect, is_known, named
from guardstream.formats.adapter import Reading, Slot
from guardstream.formats.toolkit import files
from guardstream.framing.sniffing import Beginning
from guardstream.guard import Guard
from guardstream.hints import hint
from guardstream.stream.flows.choosing import own_formats

_SHOWN = 60
"""How many characters of a text are shown."""


def listed() -> str:
    """Return a line for each format: its name, and what it reads."""
    width = max(map(len, ADAPTERS))
    return "\n".join(f"{name:{width}}  {_about(name)}" for name in ADAPTERS)


def shown(name: str) -> str:
    """Return the file that describes a format. GuardstreamError if there is none."""
    if name not in files.names():
        known = f"{name!r} is described by no file" if name in ADAPTERS else f"no format {name!r}"
        raise GuardstreamError(f"{known}, {hint(name, files.names())}")
    return (files.FOLDER / f"{name}.yaml").read_text(encoding="utf-8").rstrip()


def tried(name: str | None, file: str, policy: Path | None) -> Iterator[str]:
    """Yield what a format reads in the events of a recording: its bytes as they came, server-sent
    events or lines of JSON. Without a name, the first event shows the format."""
    loaded = Guard.load(policy).policy if policy else None
    own = own_formats(loaded, loaded.unknown) if loaded else {}
    if name is not None and name not in own and not is_known(name):
        raise GuardstreamError(f"no format {name!r}, {hint(name, [*own, *ADAPTERS])}")
    adapter: Any = None
    said: dict[Slot, str] = {}
    for number, (kind, event) in enumerate(_events(file), 1):
        if adapter is None:
            mine = next((each for each in own.values() if each.accepts(event)), None)
            adapter = own.get(name or "") or (named(name) if name else mine or detect(event))
            yield f"format: {adapter.name}"
        reading = adapter.read(event)
        yield f"{number}{f' {kind}' if kind else ''}: {'; '.join(_told(reading)) or 'nothing'}"
        for slot, text, how in reading.pieces:
            if how in ("delta", "last", "whole"):
                said[slot] = said.get(slot, "") + text
    if adapter is None:
        raise GuardstreamError(f"{file}: no event")
    yield from ("", *(f"{_name(slot)} = {_short(text, 400)}" for slot, text in said.items()))


def _events(file: str) -> Iterator[tuple[str, Any]]:
    """Yield the events in a file, each with its name."""
    beginning = Beginning(None)
    with opened(file) as source:
        frames = beginning.take(source.read()) or beginning.end()
    for frame in (*beginning.read(), *frames.finish()):
        if frame.value is not None and not frame.done:
            yield "" if frame.name == "message" else frame.name, frame.value


def _told(reading: Reading) -> Iterator[str]:
    """Yield what an event says."""
    for slot, text, kind in reading.pieces:
        if kind == "name" or slot.field.endswith("~"):  # of a call, which is told; of a field
            continue
        yield f"{_name(slot)}{'' if kind == 'delta' else f' ({kind})'} {_short(text)}"
    for slot, call in reading.calls.items():
        yield f"call of {call.name!r}, id {call.id!r}, in {_name(slot)}"
    for slot in (*reading.complete, *reading.closed):
        yield f"end of {_name(slot)}"
    for choice, reason in reading.finished.items():
        yield f"answer {choice} is done: {reason}"
    if reading.usage is not None:
        yield f"usage {_short(str(reading.usage))}"
    if reading.failed:
        yield "failed"


def _name(slot: Slot) -> str:
    """Return the name of a text: its channel, field and number."""
    channel = "unknown text" if slot.field.startswith("$") else slot.channel
    field = "" if slot.field in ("text", "content", slot.channel) else f" {slot.field}"
    number = f" {slot.number}" if slot.number and channel != "unknown text" else ""
    return f"{channel}{field}{number}" + (f" of answer {slot.choice}" if slot.choice else "")


def _short(text: str, most: int = _SHOWN) -> str:
    return repr(text if len(text) <= most else text[:most] + "…")


def _about(name: str) -> str:
    """Return what a format reads."""
    if name in files.names():
        return str(files.described(name).content["about"])
    text = (ADAPTERS[name].__doc__ or "").split("\n\n")[0]
    return " ".join(text.split()).rstrip(".")
