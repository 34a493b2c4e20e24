"""What a hostile model writes around stand-ins, so that a value leaves in a request.

Texts are drawn from fragments of many markups: addresses in pieces, the places where a renderer
puts an address, and harmless sentences between them. Noise goes between any two pieces, and above
all before a stand-in, where it might make a reader believe that an address has ended. Nothing here
knows how the vault decides.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

HERE = "\ue000"
"""Stands for a stand-in in a text; it is written in one of its spellings at the end."""

SEEDS = {
    name: tuple(seeds)
    for name, seeds in tomllib.loads((Path(__file__).parent / "seeds.toml").read_text()).items()
}
CONTROLS = tuple(map(chr, (*range(1, 32), 127, *range(128, 160))))
MARKS = tuple("\\\"'`()[]{}<>*_~|!#$%&^+=:;,.?/@- \t\n")
NOISE = (CONTROLS, SEEDS["unseen"], MARKS, MARKS, SEEDS["entities"], SEEDS["spans"])


class Writer:
    """Writes texts; the same seed writes the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def text(self) -> str:
        """Return a text with one stand-in or more, each as `HERE`."""
        parts = [self._part() for _ in range(self._chance.choice((1, 1, 1, 2, 2, 3)))]
        text = parts[0]
        for part in parts[1:]:
            text += self._chance.choice(SEEDS["joints"]) + part
        for _ in range(self._chance.choice((0, 0, 0, 1, 1, 2, 4))):
            text = self._edited(text)
        return text if HERE in text else text + HERE

    def _part(self) -> str:
        chance = self._chance
        if chance.random() < 0.75:
            part = self._placed()
        else:
            part = chance.choice(SEEDS["harmless"]).format(s=HERE)
        if chance.random() < 0.35:
            part = chance.choice(SEEDS["wraps"]).replace("{}", part, 1)
        if prefix := chance.choice(SEEDS["prefixes"]):
            part = "\n".join(prefix + line for line in part.split("\n"))
        return part

    def _placed(self) -> str:
        place = self._chance.choice(SEEDS["places"])
        word = self._chance.choice(("x", "a b", "", HERE, "a](b", "a `b", 'a "b'))
        return place.format(u=self._address(), w=word, s=HERE)

    def _address(self) -> str:
        """Return an address with a stand-in anywhere in it."""
        chance = self._chance
        kind = chance.random()
        if kind < 0.15:  # in the host
            scheme = chance.choice(SEEDS["schemes"])
            return (
                scheme + self._noise(0.2) + HERE + self._noise(0.2) + chance.choice(SEEDS["after"])
            )
        if kind < 0.2:  # all of it
            return self._noise(0.5) + HERE + self._noise(0.3)
        address = (
            chance.choice(SEEDS["schemes"])
            + chance.choice(SEEDS["hosts"])
            + chance.choice(SEEDS["tails"])
        )
        after = chance.choice(SEEDS["after"]) if chance.random() < 0.15 else ""
        return address + self._noise(0.6) + HERE + self._noise(0.3) + after

    def _noise(self, share: float) -> str:
        """Return nothing, or a few pieces that might end an address for some reader."""
        noise = ""
        while self._chance.random() < share and len(noise) < 24:
            noise += self._piece()
        return noise

    def _piece(self) -> str:
        return self._chance.choice(self._chance.choice(NOISE))

    def _edited(self, text: str) -> str:
        """Return `text` with a small change, most often just before a stand-in."""
        chance = self._chance
        at = chance.randrange(len(text) + 1)
        if HERE in text and chance.random() < 0.5:
            at = max(0, text.index(HERE) - chance.choice((0, 0, 0, 1, 2, 5)))
        edit = chance.random()
        if edit < 0.65:
            return text[:at] + self._piece() + text[at:]
        if edit < 0.8:
            return text[:at] + text[at + 1 :]
        end = min(len(text), at + chance.randrange(1, 12))
        if edit < 0.9:
            return text[:end] + text[at:end] + text[end:]
        return text[:at] + HERE + text[at:]


def spelled(chance: random.Random, stand_in: str) -> str:
    """Return a spelling of a stand-in that is still one."""
    bare = stand_in.strip("[]")
    spellings = (
        bare,
        stand_in.lower(),
        f"[ {bare} ]",
        f"&#91;{bare}&#93;",
        stand_in.replace("_", "\\_"),
    )
    return stand_in if chance.random() < 0.7 else chance.choice(spellings)
