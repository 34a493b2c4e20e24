"""Pickles a policy for another process: as the texts of its files, which are compiled there.

What is compiled cannot be pickled, and compiling is fast beside what a worker does. The packs are
not pickled: the same version of the package is on the other side, or it is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from guardstream.errors import PolicyError
from guardstream.policy import build, packs
from guardstream.policy.build import Built
from guardstream.policy.plugins import Code
from guardstream.policy.sources import Loader


@dataclass(frozen=True, slots=True)
class Pickled:
    """What a policy was built of.

    `name` is the file's, or what stands for it; `text` is that of a policy without a file, whose
    other files are in `folder`. `texts` are the files that were read, the packs left out, and
    `code` what of the program's own the policy may name. `digest` is that of the built policy.
    """

    name: str
    text: str | None
    folder: str
    texts: tuple[tuple[str, str], ...]
    code: Code
    digest: str


def pickled(built: Built) -> Pickled:
    """Return what builds a policy again; TypeError for a part of a policy."""
    entry = built.entry
    if entry is None:
        raise TypeError("a part of a policy cannot be pickled: pickle the policy")
    texts = tuple(built.texts.items())
    return Pickled(entry.name, entry.text, str(entry.folder), texts, built.code, built.digest)


@lru_cache(maxsize=16)
def revived(given: Pickled) -> Built:
    """Build a policy of what was pickled; the same one for the same, in one process.

    Raises PolicyError where packs are of another version, and for what this process lacks: a
    variable that holds a key, a module that the policy names.
    """
    loader = Loader(given.code, texts=dict(given.texts))
    if given.text is not None:
        built = build.parse(given.text, given.name, Path(given.folder), loader)
    else:
        built = build.load(packs.resolve(given.name), loader)
    if built.digest != given.digest:
        raise PolicyError(
            f"{given.name}: the packs that this policy extends differ here from those where it was "
            "pickled: install the same version of guardstream on both sides"
        )
    return built
