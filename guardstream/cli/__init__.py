"""The command line: `guardstream run`, `lint`, `test`, `serve` and others.

Exit statuses: 0 done, 1 a check found something (tests, `lint --strict`, `diff`), 2 bad input or
usage, 3 blocked or not valid JSON, 4 a failure of the machine (a port in use, a full disk, a closed
output), 130 interrupted, 141 the reader of a pipe left. An error is one line on stderr.
"""

import os
import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    _heed_termination()
    from guardstream.cli.app import main as run

    run()


def _heed_termination() -> None:
    """Have SIGTERM end the first process of a container: it ignores signals that it does not
    handle.

    Servers handle it themselves once they serve; until then a container would not stop.
    """
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
