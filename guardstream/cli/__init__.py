"""The command line: `guardstream run`, `guardstream json` and `guardstream demo`.

Exit statuses: 0 clean, masked or valid, 3 blocked or not valid, 2 bad input, which is one line on
stderr.
"""

from guardstream.cli.app import main

__all__ = ["main"]
