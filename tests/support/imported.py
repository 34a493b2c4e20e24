"""Patterns that other tools ship, with texts that they match, nearly match, or do not match."""

from __future__ import annotations

import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from random import Random

import regex

from guardstream.errors import PatternError
from guardstream.events import Finding
from guardstream.scan.regex.ast import (
    Alt,
    Assert,
    Atomic,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
)
from guardstream.scan.regex.parser import parse
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

from .chunking import joined, play, random_split
from .reference import check_whole

ROOM = 20_000
POOL = [chr(code) for code in range(32, 127)] + list("\t\né我ü٣")
NOISE = [
    "the",
    "key:",
    "is",
    "'one'",
    "of",
    "<them>",
    "127.0.0.1",
    "::1",
    "it's",
    "http://a.b/c?d=e",
    "x@y.zz",
    "2024-01-02",
    "password",
    "=",
    '"s3cr3t";',
    "token=abcDEF123456",
    "+49",
    "30",
    "123-45-6789",
    "[x](y)",
    '{"k":',
    "null}",
    "我的密码",
]


def load(path: Path) -> list[str]:
    """The patterns of a file of JSON lines."""
    return [json.loads(line)["pattern"] for line in path.read_text("utf-8").splitlines()]


@lru_cache(20_000)
def _members(fragment: str) -> tuple[str, ...]:
    judge = regex.compile(fragment, regex.V0)
    return tuple(character for character in POOL if judge.match(character))


def sample(node: Node, random: Random) -> str:
    """A text that the node is likely to match."""
    match node:
        case Char(fragment):
            return random.choice(_members(fragment) or ("?",))
        case Cat(items):
            return "".join(sample(item, random) for item in items)
        case Alt(items):
            return sample(random.choice(items), random) if items else ""
        case Repeat(item, low, high):
            most = low + 3 if high is None else min(high, low + random.choice((0, 1, 5, 20)))
            return "".join(sample(item, random) for _ in range(random.randint(low, most)))
        case Group(item) | Atomic(item):
            return sample(item, random)
        case Look(item, _, negate):
            return "" if negate or random.random() < 0.5 else sample(item, random)
        case Reference() | Assert():
            return random.choice(("", "'", '"', "-"))


def text_for(patterns: list[str], random: Random, pieces: int) -> str:
    """A text of whole, cut and spoiled matches among other text."""
    trees = [parse(pattern).tree for pattern in patterns]
    out = ""
    for _ in range(pieces):
        bait = sample(random.choice(trees), random)[:400]
        kind = random.randrange(10)
        if kind < 5:
            out += bait
        elif kind < 7:
            out += bait[: random.randrange(len(bait) + 1)]
        elif bait:
            at = random.randrange(len(bait))
            out += bait[:at] + random.choice(POOL) + bait[at + 1 :]
        out += random.choice((" ", "", "\n", " ", "'")) + random.choice(NOISE)
        out += random.choice((" ", " ", "", "="))
    # `$` means the end of the text here; in `regex` it also matches before a last line end.
    return out.rstrip("\n") + "."


def rules_of(patterns: list[str]) -> list[Rule]:
    """A rule for each pattern, which masks each character."""
    return [Rule(f"r{n}", patterns=(p,), replacement="*") for n, p in enumerate(patterns)]


def loads(pattern: str) -> str | None:
    """Why a pattern is refused, None if it is not."""
    try:
        RuleSet(rules_of([pattern]), max_holdback=ROOM)
    except PatternError as error:
        return str(error)
    return None


def difference(patterns: list[str], random: Random, pieces: int) -> str | None:
    """How the answer differs from that of `regex`, whole or in chunks; None if it does not."""
    rules = rules_of(patterns)
    text = text_for(patterns, random, pieces)
    wanted, findings = check_whole(rules, text)
    compiled = RuleSet(rules, max_holdback=ROOM)
    for chunks in ([text], list(text), random_split(text, random)):
        events = play(compiled.stage(), chunks, ROOM)
        found = Counter(event for event in events if isinstance(event, Finding))
        missed, added = Counter(findings) - found, found - Counter(findings)
        if missed or added:
            return f"missed {list(missed)[:3]}, added {list(added)[:3]} in {text!r}"
        if joined(events) != wanted:
            return f"masked otherwise: {text!r}"
    return None
