"""`guardstream diff`: what would change if one policy took the place of another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from guardstream.cli.datasets import read
from guardstream.guard import Guard
from guardstream.stream.result import Result

SAME, DIFFERENT = 0, 1

_SHOWN = 120


def diff(before: str, after: str, dataset: Path, *, show: int) -> int:
    """Print the texts that come out otherwise, and a count per rule; return the exit status."""
    old, new = Guard.load(before), Guard.load(after)
    texts = changed = 0
    gone: Counter[str] = Counter()
    come: Counter[str] = Counter()
    for example in read(dataset):
        texts += 1
        a, b = old.check(example.text), new.check(example.text)
        found_a, found_b = _found(a), _found(b)
        gone += found_a - found_b
        come += found_b - found_a
        if (a.text, a.finish, found_a) == (b.text, b.finish, found_b):
            continue
        changed += 1
        if changed <= show:
            print(f"line {example.line}:\n  - {_shown(a)}\n  + {_shown(b)}")
    if changed > show:
        print(f"… {changed - show} more")
    for rule in sorted(gone.keys() | come.keys()):
        print(f"  {rule:30} -{gone[rule]} +{come[rule]}")
    print(f"{changed} of {texts} texts change")
    return DIFFERENT if changed else SAME


def _found(result: Result) -> Counter[str]:
    return Counter(finding.rule for finding in result.findings)


def _shown(result: Result) -> str:
    text = result.text if len(result.text) <= _SHOWN else result.text[:_SHOWN] + "…"
    rules = ", ".join(dict.fromkeys(finding.rule for finding in result.findings))
    return f"{text!r} {result.finish} [{rules}]"
