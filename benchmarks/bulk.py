"""Stored texts: megabytes a second of `guardstream.bulk` beside a bare process pool.

    python -m benchmarks.bulk [--megabytes N] [--jobs N] [--rounds N] [--ray]

The bare pool does the least: the parent reads lines and hands them out a thousand at a time, each
worker parses them, calls `Guard.check` on their text and writes them again. Both get the same file
of JSON lines, prose in English and Chinese with a value in every fifth line, and the pack `chat`.
With `--ray` the same file goes through a local Ray, too; what counts there are CPU seconds, beside
those of one process. That needs `psutil`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks import material
from guardstream import Guard
from guardstream.bulk import Job, run

PACK = "guardstream/chat"
_guard: Guard
"""That of a worker."""


def write(path: Path, size: int) -> None:
    """Write JSON lines of `size` bytes or a little more."""
    texts = [material.prose("en", 2_000_000), material.prose("zh", 400_000)]
    with path.open("w") as file:
        number = 0
        while file.tell() < size:
            text = texts[number % len(texts)]
            start = number * 450 % (len(text) - 900)
            piece = text[start : start + 900]
            if number % 5 == 0:
                piece += f" write to ana{number}@example.com"
            file.write(json.dumps({"id": number, "text": piece}) + "\n")
            number += 1


def begin() -> None:
    """Load the policy in a worker."""
    global _guard
    _guard = Guard.load(PACK, rules_only=True)


def check(lines: list[bytes]) -> list[bytes]:
    """Do what the least worker does."""
    made = []
    for line in lines:
        record = json.loads(line)
        record["text"] = _guard.check(record["text"]).text
        made.append(json.dumps(record, ensure_ascii=False).encode() + b"\n")
    return made


def batches(path: Path) -> Iterator[list[bytes]]:
    """Read a file a thousand lines at a time."""
    with path.open("rb") as file:
        while lines := list(islice(file, 1000)):
            yield lines


def bare(source: Path, target: Path, jobs: int) -> None:
    """Guard a file with a process pool and nothing else."""
    with multiprocessing.get_context("spawn").Pool(jobs, begin) as pool, target.open("wb") as out:
        for lines in pool.imap(check, batches(source)):
            out.writelines(lines)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print megabytes a second, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "in.jsonl"
        write(source, asked.megabytes * 1_000_000)
        size = source.stat().st_size / 1e6
        guard = Guard.load(PACK, rules_only=True)
        job = Job(
            guard,
            str(source),
            str(folder / "out.jsonl"),
            columns=("text",),
            jobs=asked.jobs,
            overwrite=True,
        )
        ones, twos = [], []
        for _ in range(asked.rounds):  # in turn: the machine may be busier at one time than another
            ones.append(timed(lambda: bare(source, folder / "bare.jsonl", asked.jobs)))
            twos.append(timed(lambda: run(job)))
        ratio = median(one / two for one, two in zip(ones, twos, strict=True))
        print(f"{size:.0f} MB, {asked.jobs} workers, medians of {asked.rounds}")
        print(f"bare pool         {size / median(ones):6.2f} MB/s")
        print(f"guardstream.bulk  {size / median(twos):6.2f} MB/s   ×{ratio:.2f}")
        if asked.ray:
            on_ray(guard, source, folder, asked.jobs)


def on_ray(guard: Guard, source: Path, folder: Path, jobs: int) -> None:
    """Print the CPU seconds of one process beside those of a local Ray's workers."""
    ray, psutil = import_module("ray"), import_module("psutil")
    start = time.process_time()
    run(Job(guard, str(source), str(folder / "one.jsonl"), columns=("text",)))
    alone = time.process_time() - start
    begun, own = time.perf_counter(), time.process_time()
    target = str(folder / "ray.jsonl")
    # Seen while they live: of workers that have ended nobody may know any more.
    times: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    times[child.pid] = sum(child.cpu_times()[:2])

    watcher = threading.Thread(target=watch)
    watcher.start()
    run(Job(guard, str(source), target, columns=("text",), jobs=jobs, engine="ray"))
    done.set()
    watcher.join()
    wall, own = time.perf_counter() - begun, time.process_time() - own
    there = own + sum(times.values())
    ray.shutdown()
    print(f"one process       {alone:6.1f} CPU s")
    print(f"ray, with its own {there:6.1f} CPU s  in {wall:.1f} s, ×{alone / there:.2f}")


if __name__ == "__main__":
    main()
