"""CPU time until a program has judged its first 10 KB: importing, loading a pack, and the text.

Several interpreters that have the package take turns, so that two versions of it can be compared in
one run:

    python -m benchmarks.startup .venv/bin/python other/bin/python
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

from benchmarks.printed import table

ROUNDS = 11

CODE = """
from time import process_time
from guardstream import Guard
imported = process_time()
guard = Guard.load("guardstream/chat")
loaded = process_time()
guard.check("Hello, my email is ann@acme.com and my phone number is 212-555-0187. " * 150)
print(imported, loaded - imported, process_time() - loaded)
"""


def run(interpreter: str) -> list[float]:
    """The milliseconds of each part, in a new process."""
    done = subprocess.run(
        [interpreter, "-P", "-c", CODE], check=True, stdout=subprocess.PIPE, text=True
    )
    return [1000 * float(part) for part in done.stdout.split()]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("interpreters", nargs="*", default=[sys.executable])
    runs: dict[str, list[list[float]]] = {each: [] for each in parser.parse_args().interpreters}
    for _ in range(ROUNDS):
        for each, found in runs.items():
            found.append(run(each))
    first = 0.0
    rows = []
    for each, found in runs.items():
        parts = [median(column) for column in zip(*found, strict=True)]
        first = first or sum(parts)
        times = [f"{part:.0f} ms" for part in (*parts, sum(parts))]
        rows.append((f"`{each}`", *times, f"{sum(parts) / first:.2f}"))
    table("Until the first 10 KB", "interpreter | import | load | 10 KB | all | ratio", rows)


if __name__ == "__main__":
    main()
