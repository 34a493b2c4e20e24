"""Run every law on every recording after every change; print a line of JSON for each."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.laws import table
from tests.laws.changes import NAMES
from tests.laws.laws import LAWS, broken, run_of
from tests.laws.recordings import Recording, recordings


def lines(recording: Recording) -> list[dict[str, str]]:
    """What the laws say of one recording."""
    runs = [run for name in NAMES if (run := run_of(recording, name)) is not None]
    return [
        {"recording": recording.name, "change": run.change, "law": law, "broken": broken(run, law)}
        for run in runs
        for law in LAWS
    ]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="take one recording in so many")
    parser.add_argument("--summary", action="store_true", help="count by law and change instead")
    parser.add_argument("--write", action="store_true", help="write what is broken today")
    options = parser.parse_args()
    if options.write:
        table.write()
        return
    failed: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(lines, recordings()[:: options.every]):
            for line in found:
                total[line["change"], line["law"]] += 1
                failed[line["change"], line["law"]] += bool(line["broken"])
                if not options.summary:
                    print(json.dumps(line))
    if options.summary:
        for (change, law), count in failed.items():
            if count:
                print(f"{count:5} of {total[change, law]:5}  {change}: {law}")
        print(f"{sum(total.values())} runs, {sum(failed.values())} broken")


if __name__ == "__main__":
    main()
