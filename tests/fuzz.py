"""Compare the engine with the reference on fresh cases: `python -m tests.fuzz --minutes 10`.

Prints what the cases contained and the differences; exits with 1 if there were any. Ctrl-C ends it
early, once the batches that are running are done.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count
from secrets import randbits
from threading import Event

from tests.support.forms import FORMS
from tests.support.generate import (
    Composition,
    draw_behind,
    draw_groups,
    draw_rounds,
    draw_unseen,
)
from tests.support.harness import hunt, told

BATCH = 1_000

TOLD_EVERY = 50_000

KINDS = (draw_unseen, draw_groups, draw_behind, draw_rounds)

ENOUGH = 10
"""In so many batches there may be differences before it stops."""

APART = 200
"""How many cases more of a batch are of each other kind."""


def batch(seeds: range) -> tuple[Composition, int, str]:
    """One process's share: each case on both forms of the search, where there are two. Tells what
    the cases contained, how many of the other kinds there were, and the differences."""
    gc.disable()  # it takes a fifth of the time
    composition = Composition()
    apart = seeds[:: len(seeds) // APART or 1]
    found = hunt(seeds, composition, natives=FORMS)
    for draw in KINDS:
        gc.collect()
        found = found or hunt(apart, natives=FORMS, draw=draw)
    return composition, len(KINDS) * len(apart), told(found)


def interruption() -> Event:
    """Is set by the first Ctrl-C; the second ends the process."""
    interrupted = Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, interrupt)
    return interrupted


def ignore_interruption() -> None:
    """For the processes that compare: a terminal interrupts them too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=None, help="the first case's seed")
    return parser.parse_args()


def main() -> int:
    """Run until the cases or the minutes are used up, or enough differences are found."""
    chosen = options()
    first = randbits(40) if chosen.seed is None else chosen.seed
    deadline = time.monotonic() + 60 * chosen.minutes
    total, apart, differing = Composition(), 0, 0
    print(f"seeds from {first}", flush=True)
    starts = count(first, BATCH)
    interrupted = interruption()
    with ProcessPoolExecutor(chosen.jobs, initializer=ignore_interruption) as pool:
        running: set[Future[tuple[Composition, int, str]]] = set()
        submitted = 0
        while differing < ENOUGH:
            in_time = time.monotonic() < deadline and not interrupted.is_set()
            while in_time and submitted < chosen.cases and len(running) < chosen.jobs:
                start = next(starts)
                size = min(BATCH, chosen.cases - submitted)
                running.add(pool.submit(batch, range(start, start + size)))
                submitted += size
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                part, others, problems = future.result()
                apart += others
                total.total += part.total
                total.counts += part.counts
                if not total.total % TOLD_EVERY:
                    print(f"{total.total} cases so far", flush=True)
                if problems:
                    print(problems, flush=True)
                    differing += 1
    print(f"{total}; {apart} cases of other kinds")
    if not differing:
        print("no differences")
    missing = total.missing() if total.total >= BATCH else {}
    if missing:
        print(f"too few: {missing}")
    return 1 if differing or missing else 0


if __name__ == "__main__":
    sys.exit(main())
