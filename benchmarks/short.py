"""A short measurement of the search, in well under a minute: `python -m benchmarks --short`.

For each form of the search, set of rules and kind of text: microseconds of processor time that a
chunk of 4 characters takes in a redaction stage, over the first 100,000 characters and over as
many that follow 100,000 more. The texts are Python's own modules, documents of installed packages,
prose, and text made to keep the search busy.
"""

from __future__ import annotations

import base64
import random
import string
import sysconfig
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from benchmarks import material
from guardstream import Policy
from guardstream.events import Finish
from guardstream.scan.regex import forms
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

LENGTH = 100_000
HEAD = "form | rules | text | µs, first 100 KB | µs, later"


def rows() -> Iterator[Sequence[object]]:
    """A row for each form, set of rules and text."""
    built = forms.NATIVE
    for native in (True, False) if built else (False,):
        forms.NATIVE = native
        for name, rules in rule_sets():
            for kind, text in texts():
                first, later = costs(RuleSet(rules), text)
                yield forms.form(), name, kind, f"{first:.1f}", f"{later:.1f}"
    forms.NATIVE = built


def rule_sets() -> Iterator[tuple[str, Sequence[Rule]]]:
    """The sets of rules that are measured."""
    chat = Policy.load("guardstream/chat").rules
    yield f"chat, {len(chat)}", chat
    secrets = material.secrets()
    yield f"secrets, {len(secrets)}", secrets


def texts() -> Iterator[tuple[str, str]]:
    """The kinds of text that are measured, three times `LENGTH` each."""
    paths = sysconfig.get_paths()
    yield "code", joined(Path(paths["stdlib"]).glob("*.py"))
    yield "documents", joined(Path(paths["purelib"]).rglob("*.md"))
    yield "prose", material.prose("en", 5 * LENGTH)[2 * LENGTH :]
    random_bytes = random.Random(material.SEED).randbytes(3 * LENGTH)
    yield "base64", base64.b64encode(random_bytes).decode()[: 3 * LENGTH]
    yield "keys", "".join(islice(_keys(), LENGTH))[: 3 * LENGTH]


def joined(paths: Iterator[Path]) -> str:
    """The files' texts, one after the other; prose where they are too few."""
    text = ""
    for path in sorted(paths):
        text += path.read_text("utf-8", errors="replace")
        if len(text) >= 3 * LENGTH:
            break
    return (text + material.prose("en", 3 * LENGTH))[: 3 * LENGTH]


def _keys() -> Iterator[str]:
    rng, letters = random.Random(material.SEED), string.ascii_letters + string.digits
    while True:
        value = "".join(rng.choices(letters, k=rng.choice((16, 32, 40))))
        yield f'key_{rng.randrange(1_000)} = "{value}";\n'


def costs(rules: RuleSet, text: str) -> tuple[float, float]:
    """Microseconds a chunk of 4 characters, in the first and in the last third of the text."""
    stage, taken = rules.stage(), []
    for begin in range(0, 3 * LENGTH, LENGTH):
        chunks = [text[at : at + 4] for at in range(begin, begin + LENGTH, 4)]
        start = time.process_time()
        for chunk in chunks:
            events = stage.feed(chunk)
            if events and isinstance(events[-1], Finish):
                stage = rules.stage()
        taken.append((time.process_time() - start) / max(len(chunks), 1) * 1e6)
    return taken[0], taken[-1]
