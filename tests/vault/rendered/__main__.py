"""Renders what a hostile model writes, and shows each value that leaves in a request.

    python -m tests.vault.rendered [--renderings 100000] [--seed 0] [--always]

Only renderings of texts in which a value was restored count. `--always` restores everywhere, which
shows what the fuzz can find.
"""

from __future__ import annotations

import argparse
import collections
import sys

from tests.vault.rendered.fuzz import always, restored, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--renderings", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--always", action="store_true")
    parser.add_argument("--show", type=int, default=20)
    given = parser.parse_args()
    way = always if given.always else restored
    counted = run(given.seed, given.renderings, way)
    print(f"{counted.texts:,} texts, {counted.renderings:,} renderings with a value in them")
    by = collections.Counter(leak.renderer for leak in counted.leaks)
    print(
        f"{len(counted.leaks):,} of them leak: "
        + ", ".join(f"{n} {c}" for n, c in by.most_common())
    )
    for leak in counted.leaks[: given.show]:
        print(f"  seed {leak.seed}, {leak.renderer}: {leak.source!r}\n    -> {leak.sent!r}")
    return 1 if counted.leaks and not given.always else 0


if __name__ == "__main__":
    sys.exit(main())
