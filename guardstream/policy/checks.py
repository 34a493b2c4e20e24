"""Resolves the names in `validate` to functions."""

from __future__ import annotations

from guardstream.hints import hint
from guardstream.policy import validators
from guardstream.policy.model import EntropyFile
from guardstream.policy.plugins import Code, PluginError, imported
from guardstream.stages.rules import Validator


def named(check: str | EntropyFile, code: Code) -> Validator:
    """Return the function that an entry of `validate` names; raise PluginError if there is none."""
    if isinstance(check, EntropyFile):
        return validators.entropy(check.entropy)
    if check in validators.NAMED:
        return validators.NAMED[check]
    if check == "entropy":
        raise PluginError("'entropy' needs a number of bits per character: {entropy: 3.5}")
    if "." not in check:
        raise PluginError(f"unknown check {check!r}, {hint(check, list(validators.names()))}")
    checked: Validator = imported(check, code)
    return checked


def is_code(check: str | EntropyFile) -> bool:
    """Return whether a check is the program's own, at a dotted path."""
    return isinstance(check, str) and "." in check and check not in validators.NAMED


def spelled(check: str | EntropyFile) -> str:
    """Return a check as it is written in a policy."""
    return check if isinstance(check, str) else f"entropy: {check.entropy:g}"
