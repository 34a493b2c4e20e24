"""Pickles a policy for another process: as the texts of its files, which are compiled there.

Compiled rules cannot be pickled, and compiling is fast compared with a worker's job. Packs are not
pickled: the other process must have the same version of the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from guardstream.errors import PolicyError
from guardstream.policy import build, packs
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.plugins import Code
from guardstream.policy.sources import Loader


@dataclass(frozen=True, slots=True)
class Pickled:
    """What a policy was built from.

    `name` is the name of the file, or stands for it; `text` is the text of a policy without a file,
    whose other files are in `folder`. `texts` are the files that were read, except packs, and
    `code` the names of the program's own code that the policy may use. `digest` is the built
    policy's.
    """

    name: str
    text: str | None
    folder: str
    texts: tuple[tuple[str, str], ...]
    code: Code
    digest: str


def pickled(built: CompiledPolicy) -> Pickled:
    """Return what rebuilds a policy; TypeError for a part of a policy."""
    entry = built.entry
    if entry is None:
        raise TypeError("a part of a policy cannot be pickled: pickle the policy")
    texts = tuple(built.texts.items())
    return Pickled(entry.name, entry.text, str(entry.folder), texts, built.code, built.digest)


@lru_cache(maxsize=16)
def revived(given: Pickled) -> CompiledPolicy:
    """Build a policy from its pickled form; a process builds each only once.

    Raises PolicyError if packs have another version, or if this process lacks something: a variable
    with a key, a module that the policy names.
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
