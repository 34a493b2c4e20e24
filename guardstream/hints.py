"""Hints for unknown names: the nearest known name, or a list of all."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most similar to `word`, ignoring case; None if the similarity
    (from 0 to 1) is below `cutoff`."""
    from difflib import get_close_matches  # for a mistake alone

    names = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), names, n=1, cutoff=cutoff)
    return names[found[0]] if found else None


_MEANT = {
    "action": ("on_match",),
    "allow": ("allowlist", "except", "exceptions", "exclude", "ignore", "whitelist"),
    "block": ("deny", "refuse", "reject"),
    "extends": ("import", "imports", "include", "includes", "inherit", "inherits"),
    "id": ("name",),
    "ignore_case": ("case_insensitive", "case_sensitive"),
    "mask": ("anonymize", "censor", "redact", "replace"),
    "monitor": ("flag", "log", "report", "warn"),
    "output": ("expected",),
    "pattern": ("regex", "regexes", "regexp"),
    "replacement": ("keep", "mask", "mask_with", "pseudonym", "redact_with", "replace"),
    "shadow": ("dry_run", "log", "monitor", "report"),
    "use": ("check", "function", "type"),
    "validate": ("check", "checks", "validator", "validators"),
    "window": ("unit",),
    "words": ("banned_words", "blocklist", "denylist", "phrases", "terms"),
}
"""For some keys and values: what other tools call them, and keys that belong inside them."""


def hint(word: object, known: Iterable[str], others: str = "known") -> str:
    """Return the hint for an unknown `word`: the nearest known one, or `others` and the list."""
    known = list(known)
    if not isinstance(word, str):  # such as None
        return f"{others}: {', '.join(known)}"
    meant = next((name for name in known if word in _MEANT.get(name, ())), None)
    close = meant or nearest(word, known)
    return f"did you mean {close!r}?" if close else f"{others}: {', '.join(known)}"


def check_known(name: str, given: object, known: Collection[str]) -> None:
    """Raise ValueError for a value of the argument `name` that is not one of `known`."""
    if given not in known:
        raise ValueError(f"unknown {name} {given!r}: use {' or '.join(map(repr, known))}")
