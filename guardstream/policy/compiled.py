"""The packs as a wheel has them: parsed, and with their patterns compiled.

A wheel has one file beside the packs. Its first line is JSON: the documents of the packs, by a hash
of their texts. What follows are the patterns of all packs (`scan.regex.stored`). A checkout has no
such file, and compiles what it loads; so does a package in which a pack was changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

from guardstream.policy import packs
from guardstream.scan.regex.forms import NATIVE
from guardstream.scan.regex.pattern import Pattern, pattern_of
from guardstream.scan.regex.stored import NOTHING, Stored, StoredSet, stored_set, written
from guardstream.stages.exceptions import After, checked_as
from guardstream.stages.redact import RuleSet
from guardstream.version import __version__

FILE = "compiled.bin"
"""The name of the file, in the folder of the packs."""


class Compiled(NamedTuple):
    """What was compiled before: documents by the keys of their texts, and patterns, of which the
    search in Python uses none."""

    documents: Mapping[str, Any]
    patterns: Stored


@cache
def compiled() -> Compiled:
    """Return what the wheel has; nothing in a checkout."""
    file = packs.folder() / FILE
    return read(file.read_bytes()) if file.is_file() else Compiled({}, NOTHING)


def read(data: bytes) -> Compiled:
    """Return what is in a file; nothing of one that another version has made."""
    line, _, rest = data.partition(b"\n")
    content = json.loads(line)
    if content["version"] != __version__:
        return Compiled({}, NOTHING)
    return Compiled(content["documents"], Stored(rest) if NATIVE else NOTHING)


def key_of(text: str) -> str:
    """Tell the text of a pack from all others."""
    return blake2b(text.encode(), digest_size=12).hexdigest()


def made() -> bytes:
    """Return the file for the packs as they are."""
    from guardstream.policy.build import CompiledPolicy, load
    from guardstream.policy.reading import read

    texts = {name: packs.pack(name).read_text(encoding="utf-8") for name in packs.names()}
    documents = {key_of(text): read(text, sound=True).value for text in texts.values()}
    line = {"version": __version__, "documents": documents}
    policies: list[CompiledPolicy] = []
    for name in texts:
        built = load(packs.pack(name))
        policies += (built, built.input) if built.input else (built,)
    checked = {
        checked_as(rule): After(rule, 0).reach if rule.allow_after else 0
        for built in policies
        for rule in built.rules
        if rule.allow_patterns or rule.allow_after
    }
    rulesets = [ruleset for built in policies for ruleset in built.rulesets.values()]
    dumped = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    return dumped.encode() + b"\n" + written(list(_sets(rulesets)), checked)


def _sets(rulesets: Iterable[RuleSet]) -> Iterator[StoredSet]:
    """Yield each set of patterns, without those that are part of another one."""
    found: dict[frozenset[str], list[Pattern]] = {}
    for ruleset in rulesets:
        for wanted in ruleset.wanted(ruleset.patterns).values():
            keys = frozenset(each.key for _, each in wanted)
            if keys not in found:
                found[keys] = [pattern_of(each, 0, True, None) for _, each in wanted]
    for keys, patterns in found.items():
        if not any(keys < others for others in found):
            yield stored_set(patterns)
