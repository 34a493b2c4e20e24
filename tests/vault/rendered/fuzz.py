"""The fuzz itself: texts are written, restored, rendered, and read for values that leave."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from unittest import mock

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault
from guardstream.vault.restoring import _Over
from tests.vault.rendered.rendering import RENDERERS, leaks
from tests.vault.rendered.writing import HERE, Writer, spelled

SECRET = "wolfsohn"
"""Part of every value, in small letters."""

VALUES = {"name": "wolfsohn7", "email": "mia.wolfsohn@example.org"}

Way = Callable[[str], str]

_GUARD = Guard(Policy.parse("rules: []"))


def _vault() -> tuple[Vault, list[str]]:
    vault = Vault(b"0123456789abcdef", "rendered")
    return vault, [vault.issue(rule, value) for rule, value in VALUES.items()]


_VAULT, _STAND_INS = _vault()


def restored(text: str) -> str:
    """Return what a user reads."""
    return _GUARD.wrap_sync([text], vault=_VAULT).text()


def always(text: str) -> str:
    """Return what a user would read if every stand-in were restored."""
    with mock.patch.object(_Over, "_restored", _Over._brought):
        return restored(text)


def written(seed: int) -> str:
    """Return a text of a hostile model, with stand-ins in it."""
    chance = random.Random(seed)
    pieces = Writer(seed).text().split(HERE)
    text = pieces[0]
    for piece in pieces[1:]:
        text += spelled(chance, chance.choice(_STAND_INS)) + piece
    return text


@dataclass(frozen=True, slots=True)
class Leak:
    """A value in a request."""

    seed: int
    renderer: str
    source: str
    sent: str


@dataclass(slots=True)
class Counted:
    """What a run did."""

    texts: int = 0
    renderings: int = 0
    leaks: list[Leak] = field(default_factory=list)


def run(seed: int, renderings: int, way: Way = restored) -> Counted:
    """Render texts from `seed` on, until so many renderings had a value in them."""
    counted = Counted()
    while counted.renderings < renderings:
        source = written(seed)
        counted.texts += 1
        text = way(source)
        if SECRET in text:
            for name, renderer in RENDERERS.items():
                counted.renderings += 1
                if found := leaks(renderer, text, SECRET):
                    counted.leaks.append(Leak(seed, name, source, found[0]))
        seed += 1
    return counted
