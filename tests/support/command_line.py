"""The command line, run in this process: what it returns and what it prints."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple
from unittest.mock import patch

from guardstream.cli import main

SECONDS = 60
"""So long a command may take; then the process ends, as a server would else not."""


class Outcome(NamedTuple):
    """The exit status of a command, its output and its errors."""

    status: int
    out: str
    err: str


Cli = Callable[..., Outcome]
"""`guardstream`, or some of its commands: called with arguments, and `stdin=`."""


def guardstream(*arguments: object, stdin: bytes = b"") -> Outcome:
    """Run a command, as a shell would."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    status: object = 0
    if hasattr(signal, "alarm"):
        signal.alarm(SECONDS)
    with (
        patch.object(sys, "argv", ["guardstream", *map(str, arguments)]),
        patch.multiple(sys, stdin=io.TextIOWrapper(io.BytesIO(stdin)), stdout=out, stderr=err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code
        finally:
            if hasattr(signal, "alarm"):
                signal.alarm(0)
    out.flush(), err.flush()
    texts = (each.buffer.getvalue().decode() for each in (out, err))  # type: ignore[attr-defined]
    return Outcome(status if isinstance(status, int) else 0, *texts)
