"""What phrases find where nobody means them: `python -m benchmarks.harmless [FOLDER…]`.

Two-word phrases of common words are looked for in text files, by kind of file, exactly and as
`words` compare them: with white space of any kind between them. It prints how many matches there
are of each, and how much text was held; `--show N` prints that many of the others. So it does for
the rules of the pack `chat`, which mask or block.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks.arguments import parser
from guardstream import Guard
from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

KINDS = {".py": "code", ".js": "code", ".md": "markup", ".rst": "markup", ".html": "markup"}

COMMON = (
    "stop", "loss", "open", "door", "red", "light", "model", "name", "end", "user", "new",
    "line", "first", "last", "value", "right", "side", "file", "time", "out", "set", "up",
    "log", "in", "read", "only", "top", "level", "data", "base", "web", "site", "key", "word",
    "test", "case", "work", "space",
)  # fmt: skip

PHRASES = 200


def phrases() -> tuple[str, ...]:
    """Two-word phrases of common words."""
    random = Random(2026)
    made: dict[str, None] = {}
    while len(made) < PHRASES:
        made[" ".join(random.sample(COMMON, 2))] = None
    return tuple(made)


def texts(folders: Sequence[Path], most: int) -> Iterator[tuple[str, str]]:
    """The kind and the text of each file."""
    for folder in folders:
        found = (path for path in sorted(folder.rglob("*")) if path.suffix in (*KINDS, ".txt"))
        for path in islice(found, most):
            yield KINDS.get(path.suffix, "text"), path.read_text("utf-8", "replace")[:200_000]


def found(rules: RuleSet, text: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Where phrases stand in a text, and how much was held after each piece of it."""
    stage = rules.stage()
    spans, held = [], []
    for at in range(0, len(text), 64):
        events = stage.feed(text[at : at + 64])
        spans += [(e.start, e.end) for e in events if isinstance(e, Finding)]
        held.append(stage.held)
    spans += [(e.start, e.end) for e in stage.finish() if isinstance(e, Finding)]
    return spans, held


def main() -> None:
    """Print the counts."""
    given = parser(__doc__)
    given.add_argument("folders", nargs="*", type=Path)
    given.add_argument("--most", type=int, default=2_000, help="files of a folder")
    given.add_argument("--show", type=int, default=0, help="matches to print that exact has not")
    options = given.parse_args()
    folders = options.folders or [Path(sys.prefix) / "lib"]
    words = phrases()
    both = [RuleSet([Rule("w", words=words, exact=exact)]) for exact in (True, False)]
    counts: Counter[tuple[str, str]] = Counter()
    held: dict[str, list[int]] = {"exact": [], "words": []}
    shown = options.show
    chat, by_rule = Guard.load("guardstream/chat"), Counter[str]()
    for kind, text in texts(folders, options.most):
        counts[kind, "characters"] += len(text)
        spans = {}
        for name, rules in zip(held, both, strict=True):
            spans[name], waits = found(rules, text)
            held[name] += waits
            counts[kind, name] += len(spans[name])
        by_rule.update(each.rule for each in chat.check(text).findings if each.action != "monitor")
        for start, end in sorted({*spans["words"]} - {*spans["exact"]})[:shown]:
            print(repr(text[max(start - 20, 0) : end + 20]))
            shown -= 1
    for (kind, name), count in sorted(counts.items()):
        print(f"{kind:8} {name:12} {count}")
    for rule, count in by_rule.most_common():
        print(f"chat     {rule:12} {count}")
    for name, waits in held.items():
        print(f"held by {name}: {sum(waits) / len(waits):.3f} on average, {max(waits)} at most")


if __name__ == "__main__":
    main()
