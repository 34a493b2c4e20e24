"""From the names in `validate` to functions."""

from __future__ import annotations

import importlib
from typing import Any

from guardstream import validators
from guardstream.policy.model import EntropyFile
from guardstream.policy.problems import nearest
from guardstream.stages.rules import Validator


class CheckError(ValueError):
    """A check that cannot be had; the message says why."""


def named(check: str | EntropyFile) -> Validator:
    """Return the function that an entry of `validate` means; CheckError says what is wrong."""
    if isinstance(check, EntropyFile):
        return validators.entropy(check.entropy)
    if check in validators.NAMED:
        return validators.NAMED[check]
    if check == "entropy":
        raise CheckError("'entropy' needs its bits a character: {entropy: 3.5}")
    if "." not in check:
        raise CheckError(f"unknown check {check!r}, {nearest(check, list(validators.names()))}")
    return _imported(check)


def _imported(path: str) -> Validator:
    """Import the function at a dotted path, such as `company.checks.customer_number`."""
    module, _, name = path.rpartition(".")
    try:
        function: Any = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, TypeError) as error:
        raise CheckError(f"cannot import {path!r}: {error}") from error
    except AttributeError:
        raise CheckError(f"cannot import {path!r}: {module!r} has no {name!r}") from None
    except Exception as error:  # a module runs any code when it is imported
        raise CheckError(f"cannot import {path!r}: {type(error).__name__}") from error
    if not callable(function):
        raise CheckError(f"{path!r} is no function")
    checked: Validator = function
    return checked


def spelled(check: str | EntropyFile) -> str:
    """Return a check as it is written in a policy."""
    return check if isinstance(check, str) else f"entropy: {check.entropy:g}"
