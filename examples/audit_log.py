"""An audit log: one JSON line for each stream, whatever ended it, and a report of it.

`guardstream report audit.jsonl` prints the same. Nothing in it is text of a stream.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from guardstream import Guard
from guardstream.observability import AuditLog, read_audit, report


def answer(*chunks: str) -> Iterator[str]:
    yield from chunks


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "audit.jsonl"
    guard = Guard.load("guardstream/chat", observers=[AuditLog(path)])

    guard.wrap_sync(answer("Ask ann@exam", "ple.com."), attributes={"user": "u1"}).text()
    guard.wrap_sync(answer("Nothing to ", "see here.")).text()
    with guard.wrap_sync(answer("Nobody reads ", "this to its end.")) as stream:
        next(stream)

    masked, clean, left = (line for line in read_audit(path) if isinstance(line, dict))
    assert (masked["finish"], masked["attributes"]) == ("stop", {"user": "u1"})
    assert [found["rule"] for found in masked["findings"]] == ["email"]
    assert (clean["findings"], left["finish"]) == ([], "cancelled")
    assert "ann@" not in path.read_text()
    print(*report([str(path)]).lines(), sep="\n")
