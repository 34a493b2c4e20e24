"""The policies that come with the package; a pack is an ordinary policy file."""

from __future__ import annotations

from functools import cache
from os import PathLike, listdir
from os.path import exists
from pathlib import Path

from guardstream.errors import PolicyError
from guardstream.hints import hint

PREFIX = "guardstream/"


@cache
def folder() -> Path:
    """Return the folder of the packs: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "policies"
    return installed if installed.is_dir() else package.parent / "policies"


def names() -> list[str]:
    """Return the names of the packs, in order; there is no folder in a package that is packed."""
    files = listdir(folder()) if folder().is_dir() else ()
    return sorted(file.removesuffix(".yaml") for file in files if file.endswith(".yaml"))


def pack(name: str) -> Path:
    """Return the file of the pack `name`; PolicyError lists the packs."""
    known = names()
    if not known:
        raise PolicyError(
            f"no pack {name!r}: {folder()} has no files; install the package unpacked, and with "
            "its data where a tool bundles it"
        )
    if name not in known:
        raise PolicyError(f"no pack {name!r}, {_meant(name)}")
    return folder() / f"{name}.yaml"


def _meant(name: str) -> str:
    """Return the hint for an unknown pack: all of its family, where there are several (`pii`), as a
    country's code resembles others by chance."""
    known = names()
    bare = name.removesuffix(".yaml").removesuffix(".yml").casefold()
    if bare in known:
        return f"did you mean {bare!r}?"
    family = [each for each in known if each.startswith(f"{bare.partition('-')[0]}-")]
    if len(family) == 1:
        return f"did you mean {family[0]!r}?"
    return f"known: {', '.join(family)}" if family else hint(name, known)


def has(path: Path) -> bool:
    """Return whether a file is a pack."""
    return path.parent == folder()


def resolve(path: str | Path) -> Path:
    """Return the file for `path`: a file, or a pack as `guardstream/NAME`."""
    if not isinstance(path, (str, PathLike)):
        raise TypeError(
            f"a policy's path is a str or a Path, not {type(path).__qualname__!r}: "
            "Policy.parse(text) takes a policy's text, in YAML"
        )
    text = str(path)
    if not text:
        raise PolicyError("the name of a policy is empty: name a file, or a pack: guardstream/NAME")
    if "\n" in text or (": " in text and not exists(text)):
        raise PolicyError(
            "a path was expected, not a policy's text: Guard(Policy.parse(text)) takes the text"
        )
    if text in names() and not Path(path).exists():
        raise PolicyError(f"{text}:1:1: no such file, did you mean the pack {PREFIX + text!r}?")
    if text.startswith(PREFIX) and not Path(path).exists():
        return pack(text.removeprefix(PREFIX))
    return Path(path)
