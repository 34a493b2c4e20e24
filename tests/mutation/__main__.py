"""Draw bugs, put each into a copy of the project, and run the tests that execute its line.

`pytest --cov --cov-context=test` makes the data that it needs: which test executes which line. A
line of JSON is printed for each bug, in the end the share that was found in each area. A bug that
is not found in `--seconds` of CPU counts as not found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from random import Random

from coverage import CoverageData

from tests.mutation.operators import KINDS, Bug, bugs, described, with_bug

ROOT = Path(__file__).resolve().parents[2]

AREAS = ("stream", "formats", "framing", "jsonstream", "policy", "serve", "vault", "stages")

EQUIVALENT: dict[str, str] = json.loads(
    Path(__file__).with_name("equivalent.json").read_text(encoding="utf-8")
)
"""Bugs that change nothing that anyone could see, by name, and why."""

BATCHES = (10, 60, 400, 100_000)
"""So many tests are begun at once: each begin costs seconds, most bugs are found by the first."""


class Lines:
    """Which tests execute a line, those that execute least first."""

    def __init__(self, path: Path) -> None:
        self._data = CoverageData(str(path))
        self._data.read()
        with sqlite3.connect(path) as base:
            rows = base.execute(
                "select context, count(*) from arc join context on context.id = context_id"
                " group by context_id"
            )
            self._executed = {_test(name): count for name, count in rows}
        self._files = {name.partition("/guardstream/")[2]: name for name in self.measured()}

    def measured(self) -> set[str]:
        """The files of which there is data."""
        return self._data.measured_files()

    def of(self, file: str) -> dict[int, list[str]]:
        """The tests of each line of a module that any test executes."""
        name = self._files.get(file)
        found = self._data.contexts_by_lineno(name) if name else {}
        return {
            line: sorted(
                {_test(each) for each in contexts if each}, key=lambda test: self._executed[test]
            )
            for line, contexts in found.items()
            if any(contexts)
        }


def _test(context: str) -> str:
    return context.partition("|")[0]


Drawn = list[tuple[Bug, list[str]]]


def possible(area: str, lines: Lines) -> dict[str, Drawn]:
    """All bugs of an area on executed lines by kind, each with the tests of its line."""
    found: dict[str, Drawn] = {kind: [] for kind in KINDS}
    for path in sorted((ROOT / "guardstream" / area).rglob("*.py")):
        file = str(path.relative_to(ROOT / "guardstream"))
        tests = lines.of(file)
        for bug in bugs(file, path.read_text(encoding="utf-8")):
            if bug.line in tests:
                found[bug.kind].append((bug, tests[bug.line]))
    return found


def drawn(found: dict[str, Drawn], area: str, count: int, seed: int) -> Drawn:
    """Some bugs of an area, kind by kind in turn."""
    chance = Random(f"{seed} {area}")
    for each in found.values():
        chance.shuffle(each)
    turns = (each[n] for n in range(count) for each in found.values() if n < len(each))
    return [*islice(turns, count)]


def known(path: Path, found: dict[str, Drawn]) -> Drawn:
    """The bugs that another call has printed, so that two suites are measured on the same ones."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
    names = {(row["file"], row["kind"], row["at"]) for row in rows}
    every = [each for kind in found.values() for each in kind]
    return [each for each in every if (each[0].file, each[0].kind, each[0].at) in names]


@dataclass
class Copy:
    """A copy of the project, into which bugs are put."""

    root: Path

    @classmethod
    def made(cls) -> Copy:
        """Copy what git knows of, and the compiled modules; the corpora are linked."""
        root = ROOT / "build" / "mutation" / "tree"
        shutil.rmtree(root.parent, ignore_errors=True)
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
        built = [str(each.relative_to(ROOT)) for each in (ROOT / "guardstream").rglob("*.so")]
        for name in [*listed.stdout.decode().splitlines(), *built]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copy2(ROOT / name, root / name)
        corpora = ROOT.parent / "shared"
        if corpora.exists():
            (root.parent / "shared").symlink_to(corpora.resolve())
        return cls(root)

    def failed(self, tests: Sequence[str], seconds: float) -> str | None:
        """The first of some tests that fails in so many seconds of CPU; None if none does."""
        listed = self.root.parent / "tests.txt"
        listed.write_text("\n".join(tests), encoding="utf-8")
        options = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "--tb=no", "-rfE"]
        command = [sys.executable, "-m", "pytest", *options, f"@{listed}"]
        out = self._run(command, seconds)
        names = [_name(line) for line in out.splitlines() if _fails(line)]
        return names[0] if names else None

    def _run(self, command: Sequence[str], seconds: float) -> str:
        """What a command prints; nothing if its time is over."""
        limit = max(1, round(seconds))
        environ = {**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
        )
        try:
            return process.communicate(timeout=5 * limit)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return ""

    def found(self, bug: Bug, tests: Sequence[str], seconds: float) -> str | None:
        """The test that finds a bug: it fails with it, and passes without it."""
        path = self.root / "guardstream" / bug.file
        right = path.read_text(encoding="utf-8")
        path.write_text(with_bug(right, bug), encoding="utf-8")
        try:
            failed = self._first(tests, seconds)
        finally:
            path.write_text(right, encoding="utf-8")
        return None if failed is None or self.failed([failed], seconds) else failed

    def _first(self, tests: Sequence[str], seconds: float) -> str | None:
        left, begin = seconds, 0
        for size in BATCHES:
            batch = tests[begin : begin + size]
            if not batch or left <= 0:
                return None
            before = _cpu()
            failed = self.failed(batch, left)
            if failed is not None:
                return failed
            left -= _cpu() - before
            begin += size
        return None


def _fails(line: str) -> bool:
    return line.startswith(("FAILED ", "ERROR "))


def _name(line: str) -> str:
    """The test of a line of pytest's summary; names may have spaces."""
    return line.partition(" ")[2].partition(" - ")[0]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def results(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """What becomes of each bug; none is begun when the time is over."""
    lines, copy = Lines(options.data), Copy.made()
    end = time.monotonic() + 60 * options.minutes
    for area in options.areas:
        found = possible(area, lines)
        draw = drawn(found, area, options.count, options.seed)
        for bug, tests in known(options.again, found) if options.again else draw:
            if time.monotonic() > end:
                return
            source = (ROOT / "guardstream" / bug.file).read_text(encoding="utf-8")
            name = described(source, bug)
            why = EQUIVALENT.get(name)
            by = None if why else copy.found(bug, tests, options.seconds)
            told = {"area": area, **asdict(bug), "bug": name, "tests": len(tests)}
            yield {**told, "by": by, "equivalent": why}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="what `pytest --cov --cov-context=test` wrote")
    parser.add_argument("--areas", nargs="+", choices=AREAS, default=AREAS)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", type=Path, help="take the bugs of an earlier call's output")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--minutes", type=float, default=90)
    found: Counter[object] = Counter()
    total: Counter[object] = Counter()
    for each in results(parser.parse_args()):
        print(json.dumps(each), flush=True)
        if not each["equivalent"]:
            total[each["area"]] += 1
            found[each["area"]] += each["by"] is not None
    for area, count in total.items():
        print(f"{area}: {found[area]} of {count} found")


if __name__ == "__main__":
    main()
