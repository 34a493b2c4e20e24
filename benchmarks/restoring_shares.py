"""How many stand-ins in ordinary answers are restored, by kind of text.

    python -m benchmarks.restoring_shares CORPORA [--json]

Names, and words drawn by a fixed seed where a text has too few names, are written as stand-ins in
real answers: those of `answers` and of the recorded streams in a folder of corpora. A passage is a
paragraph, a table, a list, a block of code, a mail or a JSON text; its kind is the first that fits.
Prints each kind's share of restored stand-ins, and what precedes some that stay.
"""

from __future__ import annotations

import collections
import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.arguments import parser
from guardstream import Guard, Policy
from guardstream.vault import Vault

LEAST = 400
"""How many stand-ins a kind should have."""

NAME = re.compile(r"(?<![\w\[])[A-Z][a-z]{2,12} [A-Z][a-z]{2,14}(?![\w\]])")
WORD = re.compile(r"(?<![\w./:@\-\\<&%#=])[A-Za-z]{4,12}(?![\w./:@\-\\>&%#=(])")

KINDS = ("json", "code blocks", "tables", "mails", "lists", "inline code", "prose")


def texts(corpora: Path) -> Iterator[str]:
    """Yield whole answers."""
    for file in sorted((corpora / "answers").glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            yield json.loads(line)["text"]
    for name in ("streams", "streams_more"):
        for file in sorted((corpora / name).rglob("*")):
            if file.is_file() and file.name != "MANIFEST.json":
                yield from _streamed(file.read_text("utf-8", "replace"))
    for file in sorted((corpora / "prose").glob("*.md")):
        yield from file.read_text("utf-8").split("\n# ")


_delta = re.compile(r'"(?:content|text|thinking|arguments|partial_json)": ?("(?:[^"\\]|\\.)*")')


def _streamed(body: str) -> Iterator[str]:
    """Yield the texts of a recording, joined roughly: for ordinary passages this is enough."""
    joined = "".join(json.loads(found, strict=False) for found in _delta.findall(body))
    if len(joined) > 200:
        yield joined.encode("utf-8", "replace").decode()


def passages(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each passage; code and mails stay whole."""
    if re.search(r"(?m)^Dear |^Subject: ", text) and len(text) < 6_000:
        yield "mails", text
    pieces = re.split(r"(?ms)(^[ \t]*```.*?^[ \t]*```[ \t]*$)", text)
    for number, piece in enumerate(pieces):
        if number % 2:
            kind = "json" if re.search(r"```\w*\s*[\[{]\s*[\"{\[\]}]", piece) else "code blocks"
            yield kind, piece
            continue
        if piece.lstrip()[:1] in ("{", "[") and re.match(r'\s*[\[{]\s*["{\[]', piece):
            yield "json", piece
            continue
        for passage in re.split(r"\n[ \t]*\n", piece):
            yield _kind(passage), passage


def _kind(passage: str) -> str:
    if re.search(r"(?m)^[ \t]*\|.*\|", passage):
        return "tables"
    if re.search(r"(?m)^[ \t]*(?:[-*+]|\d+[.)]) ", passage):
        return "lists"
    if "`" in passage:
        return "inline code"
    return "prose" if re.search(r"[\[(<]|https?:|www\.", passage) else ""


def with_stand_ins(
    passage: str, pattern: re.Pattern[str], vault: Vault, chance: random.Random, share: float
) -> tuple[str, int]:
    """Return a passage with stand-ins in place of some matches, and how many there are."""
    count = 0

    def put(found: re.Match[str]) -> str:
        nonlocal count
        if chance.random() > share:
            return found[0]
        count += 1
        return vault.issue("name", f"Zq{chance.randrange(1_000)}")

    return pattern.sub(put, passage), count


def corpus(corpora: Path) -> dict[str, list[str]]:
    """Return passages by kind, with stand-ins in them."""
    chance = random.Random(88)
    vault = opened()
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    counts: collections.Counter[str] = collections.Counter()
    spare: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for text in texts(corpora):
        for kind, passage in passages(text):
            if not kind or counts[kind] > 5_000:
                continue
            written, count = with_stand_ins(passage, NAME, vault, chance, 1)
            if count:
                found[kind].append(written)
                counts[kind] += count
            else:
                spare[kind].append(passage)
    for kind in KINDS:  # the same passages again, with other words drawn
        while counts[kind] < LEAST:
            for passage in [*spare[kind], *found[kind]]:
                written, count = with_stand_ins(passage, WORD, vault, chance, 0.1)
                counts[kind] += count
                found[kind] += [written] if count else []
    return found


def opened() -> Vault:
    return Vault(b"0123456789abcdef", "shares", max_entries=10**5)


STAND_IN = re.compile(r"\[NAME_\w{7}\]")


def measured(guard: Guard, vault: Vault, passages: list[str]) -> tuple[int, int, list[str]]:
    """Return how many stand-ins passages have, how many came back, and those that stayed."""
    total, stayed = 0, []
    for passage in passages:
        total += len(STAND_IN.findall(passage))
        left = guard.wrap_sync([passage], vault=vault, framing="text").text()
        found = STAND_IN.finditer(left)
        stayed += [left[max(0, each.start() - 70) : each.end() + 20] for each in found]
    return total, total - len(stayed), stayed


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("corpora", type=Path)
    arguments.add_argument("--json", action="store_true", help="print the shares as JSON")
    arguments.add_argument("--show", type=int, default=0, help="so many that stay, by kind")
    given = arguments.parse_args()
    found = corpus(given.corpora)
    guard, vault = Guard(Policy.parse("rules: []")), opened()
    for number in range(1_000):
        vault.issue("name", f"Zq{number}")
    rows = {kind: measured(guard, vault, found[kind]) for kind in KINDS}
    if given.json:
        json.dump({kind: row[:2] for kind, row in rows.items()}, sys.stdout)
        return
    print("| kind | passages | stand-ins | restored |\n|---|---|---|---|")
    for kind, (total, restored, _) in rows.items():
        print(f"| {kind} | {len(found[kind]):,} | {total:,} | {restored / total:.2%} |")
    for kind, (_, _, stayed) in rows.items():
        for each in random.Random(1).sample(stayed, min(given.show, len(stayed))):
            print(f"{kind}: {each!r}")


if __name__ == "__main__":
    main()
