"""Generated conversations with values of every pack, as many as are asked for.

    python -m tests.vault.conversations --count 100000 --processes 2

Each has one to three turns, of texts, parts, JSON that tools are called with and give, and system
prompts, in which values of some packs stand: repeated, inside one another, with text between them
or Chinese without spaces. The provider must see none of them; a history must come out as it did
before. The model answers with what it was sent, and with stand-ins as it may write them, cut
anywhere: the user must read what would have come without masking, but for values in addresses.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from random import Random
from typing import Any

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault
from guardstream.vault.ids import Ids
from tests.vault.cases import FULL_WIDTH

KEY = b"0123456789abcdef"

GROUPS = (
    ("en", "zh", "de"),
    ("en", "hk", "tw", "mo"),
    ("uk", "fr", "es", "it"),
    ("au", "ca", "in", "za", "sg"),
    ("pl", "se", "fi", "tr", "br"),
    ("jp", "kr", "th", "zh"),
)
"""The packs that a conversation has: together all that are reversible."""

BETWEEN = (
    "\n",
    ".\n",
    "\n- ",
    "。\n",
    "\n\n> ",
    '"\n"',
    "\n[EMAIL_\n",
    "\n[EMAIL_2222222] \n",
    "；\n",
)
"""What stands between texts with values: nothing that is part of one."""


@dataclass(frozen=True)
class Sample:
    """A text with a value of a rule in it, and where that stands."""

    rule: str
    text: str
    value: str


@dataclass(frozen=True)
class Packs:
    """A guard of some packs, and a text with a value for each inline test of theirs."""

    guard: Guard
    samples: Sequence[Sample]


@cache
def packs(number: int) -> Packs:
    """One of the groups."""
    names = ", ".join(f"guardstream/pii-{name}" for name in GROUPS[number])
    guard = Guard(Policy.parse(f"input: {{extends: [{names}]}}"))
    rules = guard.policy.input
    assert rules is not None
    samples = []
    for rule, tests in rules.tests.items():
        for test in tests:
            if rule not in rules.reversible or not test.input:
                continue
            found = guard.check_messages([{"role": "user", "content": test.input}]).findings
            spans = [each.finding for each in found if each.finding.rule == rule]
            if all(each.finding.rule in rules.reversible for each in found):
                samples += [Sample(rule, test.input, test.input[s.start : s.end]) for s in spans]
    return Packs(guard, samples)


def joined(chance: Random, samples: Sequence[Sample]) -> str:
    """Texts with values, one after the other."""
    parts = []
    for sample in samples:
        around = chance.choice(["{}", "{}", "{}", "«{}»", "「{}」", "**{}**", "<p>{}</p>"])
        parts += [around.format(sample.text), chance.choice(BETWEEN)]
    return "".join(parts)


def message(chance: Random, samples: Sequence[Sample]) -> dict[str, Any]:
    """A message that says some texts, as any of the shapes of a chat."""
    text = joined(chance, samples)
    ascii_ = chance.random() < 0.5
    match chance.randrange(8):
        case 0:
            given = {"said": [each.text for each in samples], "n": {"again": text}}
            call = {"name": "tell", "arguments": json.dumps(given, ensure_ascii=ascii_)}
            calls = [{"id": "1", "type": "function", "function": call}]
            return {"role": "assistant", "content": None, "tool_calls": calls}
        case 1:
            told = {"rows": [{"text": each.text} for each in samples]}
            content = json.dumps(told, ensure_ascii=ascii_)
            return {"role": "tool", "tool_call_id": "1", "content": content}
        case 2:
            at = chance.randrange(len(text) + 1)
            both = [{"type": "text", "text": each} for each in (text[:at], text[at:])]
            return {"role": "user", "content": both}
        case 3:
            return {"role": "system", "content": text}
    return {"role": "user", "content": text}


def mangled(chance: Random, stand_in: str) -> str:
    """A stand-in as a model may write it; a fake as it is."""
    if not stand_in.startswith("["):
        return stand_in
    bare = stand_in.strip("[]")
    return chance.choice(
        [
            stand_in,
            stand_in,
            stand_in.lower(),
            stand_in.translate(FULL_WIDTH),
            stand_in.replace("_", r"\_"),
            f"[ {bare} ]",
            f"[**{bare}**]",
            f"&#91;{bare}&#93;",
            bare,
        ]
    )


def cut(chance: Random, text: str) -> Iterator[str]:
    """A text in chunks."""
    longest = chance.choice([1, 4, 12, 400])
    at = 0
    while at < len(text):
        size = chance.randrange(1, longest + 1)
        yield text[at : at + size]
        at += size


def strings(value: Any) -> Iterator[str]:
    """Every string in JSON, also in JSON that is told as text."""
    if isinstance(value, dict):
        yield from chain(value, *map(strings, value.values()))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(strings, value))
    elif isinstance(value, str):
        yield value
        if value[:1] in "{[" and value[:1]:
            try:
                told = json.loads(value)
            except ValueError:
                return
            yield from strings(told)


def conversation(seed: int) -> Counter[str]:
    """Hold a conversation. AssertionError if a value is sent, or not what was said is read."""
    chance = Random(seed)
    here = packs(seed % len(GROUPS))
    ids: Ids = chance.choice(["hash", "hash", "number", "fake"])
    history: list[dict[str, Any]] = []
    before: list[Any] = []
    known: set[str] = set()
    values: set[str] = set()
    counted: Counter[str] = Counter(conversations=1)
    some = chance.sample(here.samples, min(len(here.samples), chance.randrange(1, 6)))
    for _ in range(chance.choice([1, 1, 2, 3])):
        said = [chance.choice(some) for _ in range(chance.randrange(1, 5))]
        values |= {sample.value for sample in said}
        history.append(message(chance, said))
        vault = Vault(KEY, str(seed), ids=ids)
        sent = here.guard.check_messages(history, vault=vault).messages
        if ids != "number":
            # A value that this turn has made known is masked in the history, too.
            new = {entry.value for entry in vault.entries} - known
            for turn, was, now in zip(history, before, sent, strict=False):
                told = any(value in text for value in new for text in strings(turn))
                assert now == was or told, "the history came out otherwise"
        for text in strings(sent):
            # A fake may hold a short value: that of every address of IPv6 ends in "::1".
            for entry in vault.entries:
                text = text.replace(str(entry.name), "\n")
            for value in values:
                assert value not in text, "a value was sent"
        counted += Counter(turns=1, values=len(vault))
        answer, expected = reply(chance, vault, sent[-1], history[-1])
        stream = here.guard.wrap_sync(cut(chance, answer), vault=vault, framing="text")
        read = stream.text()
        if read != expected:
            # Nothing is missing but values in addresses.
            for entry in vault.entries:
                counted["withheld"] += read.count(str(entry.name))
                read = read.replace(str(entry.name), entry.value)
                expected = expected.replace(str(entry.name), entry.value)
            assert read == expected, "the user reads something else"
        history.append({"role": "assistant", "content": expected})
        vault = Vault(KEY, str(seed), ids=ids)
        before = here.guard.check_messages(history, vault=vault).messages
        known = {entry.value for entry in vault.entries}
    return counted


def reply(chance: Random, vault: Vault, sent: Any, meant: Any) -> tuple[str, str]:
    """What a model says, and what the user is to read."""
    said, expected = "", ""
    if isinstance(sent["content"], str) and meant["role"] == "user":
        said, expected = sent["content"] + "\n", meant["content"] + "\n"
    for entry in chance.sample(list(vault.entries), min(len(vault), 4)):
        filling = chance.choice(["word ", "字", "; ", ", ", "- ", "\nX "])
        written = mangled(chance, str(entry.name))
        said += filling + written + ", "
        expected += filling + entry.value + ", "
    return said, expected


def some(first: int, count: int) -> Counter[str]:
    """Hold several conversations; name the seed of one that fails."""
    counted: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            counted += conversation(seed)
        except AssertionError as error:
            counted += Counter(conversations=1, failed=1)
            print(f"seed {seed}: {error}", flush=True)
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    batch = 500
    begun = time.monotonic()
    counted: Counter[str] = Counter()
    with ProcessPoolExecutor(asked.processes) as pool:
        firsts = range(asked.first, asked.first + asked.count, batch)
        last = asked.first + asked.count
        sizes = [min(batch, last - first) for first in firsts]
        for each in pool.map(some, firsts, sizes):
            counted += each
            seconds = time.monotonic() - begun
            print(f"{dict(counted)} in {seconds:.0f} s", flush=True)
    sys.exit(1 if counted["failed"] else 0)


if __name__ == "__main__":
    main()
