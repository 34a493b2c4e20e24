"""The command line: `guardstream run` and `guardstream demo`.

Exit statuses: 0 clean or masked, 3 blocked, 2 bad input, which is one line on stderr.
"""

from guardstream.cli.app import main

__all__ = ["main"]
