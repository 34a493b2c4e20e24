"""The long runs, and what guards against the next version of a dependency: `make weekly`.

`python -m tests.weekly PART` runs one part, step by step. A step that has passed at this commit is
not run again, so that a part that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

from benchmarks.recorded import COMMANDS

ROOT = Path(__file__).resolve().parents[1]

STATE = ROOT / "build" / "weekly"

MINUTES = 45
"""So long a part may take; what is left then is run by the next call."""

PYTEST = ["-m", "pytest", "-n", "2", "--durations=5"]

FIRST_SEED = 20261130000000

Step = tuple[str, ...]

PARTS: dict[str, list[Step]] = {
    "fuzz": [
        ("-m", "tests.fuzz", "--cases", "5000", "--seed", str(FIRST_SEED + 5000 * n))
        for n in range(20)
    ],
    "long": [(*PYTEST, "-m", "weekly")],
    "attacks": [
        ("-m", "tests.attacks.suite", "--streams", "9000", "--seed", str(seed))
        for seed in range(10)
    ],
    "charts": [("-m", "benchmarks.recorded", name) for name in COMMANDS],
}
"""The steps of each part, as arguments of the interpreter."""


def commit() -> str:
    """The commit that is checked out, and what differs from it."""
    asked = (["git", "rev-parse", "HEAD"], ["git", "diff", "HEAD"])
    out = [subprocess.run(each, cwd=ROOT, capture_output=True, check=True).stdout for each in asked]
    return f"{out[0].decode().strip()} {sha256(out[1]).hexdigest()[:16]}"


def run(part: str) -> int:
    """Run what is left of a part; 0 if all of it has passed, 75 if the time was over before."""
    state = STATE / f"{part}.json"
    now = commit()
    known = json.loads(state.read_text()) if state.exists() else {}
    passed: list[list[str]] = known.get("passed", []) if known.get("commit") == now else []
    end = time.monotonic() + 60 * MINUTES
    for step in PARTS[part]:
        if list(step) in passed:
            continue
        left = end - time.monotonic()
        if left <= 0:
            print(f"{part}: {len(passed)} of {len(PARTS[part])} steps; call it again for the rest")
            return 75
        print(f"$ python {' '.join(step)}", flush=True)
        done = subprocess.run([sys.executable, *step], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
        passed.append(list(step))
        STATE.mkdir(parents=True, exist_ok=True)
        state.write_text(json.dumps({"commit": now, "passed": passed}))
    print(f"{part}: all {len(passed)} steps have passed")
    return 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("part", choices=PARTS)
    sys.exit(run(options.parse_args().part))
