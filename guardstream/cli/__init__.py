"""The command line: `guardstream run`, `lint`, `test`, `serve` and others.

Exit statuses: 0 done, 1 a check found something (tests, `lint --strict`, `diff`), 2 bad input or
usage, 3 blocked or not valid JSON, 4 the machine cannot (a port in use, a full disk, a closed
output), 130 interrupted, 141 the reader of a pipe left. What is wrong is one line on stderr.
"""

from guardstream.cli.app import main

__all__ = ["main"]
