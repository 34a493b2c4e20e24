"""What a policy names and a program or another package provides: functions, stages, counters."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from guardstream.errors import PolicyError
from guardstream.hints import hint

STAGES = "guardstream.stages"
"""The group of entry points for stages: each is called with a policy's options and creates a
stage."""

COUNTERS = "guardstream.counters"
"""The group of entry points that count the tokens of a text."""

Code: TypeAlias = frozenset[str]
"""The program's own code that a policy may name, each entry as `module:name`."""

NO_CODE: Code = frozenset()

_ENTRY = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")

_counters: dict[str, Callable[[str], int]] = {}


def allowed(entries: Iterable[str]) -> Code:
    """Return what a caller allows; PolicyError for an entry that is not `module:name`."""
    if isinstance(entries, (str, bool)) or not isinstance(entries, Iterable):
        raise TypeError("allow_code is a list of 'module:name' entries, each named in full")
    code = frozenset(entries)
    for entry in code:
        if not isinstance(entry, str) or not _ENTRY.fullmatch(entry):
            raise PolicyError(f"{entry!r} cannot be allowed: write 'module:name', in full")
    return code


class PluginError(ValueError):
    """A plugin that cannot be resolved; the message says why."""


def register_counter(name: str, count: Callable[[str], int]) -> None:
    """Let policies that are loaded from now on count tokens with `count`, as `counter: NAME`.

    It is called with pieces of the text, a few words at most, and the results are summed.
    """
    _counters[name] = count


def counter(name: str, code: Code) -> Callable[[str], int]:
    """Return a token counter: registered, from an entry point, or at a dotted path."""
    known = list(_counters)
    found: Callable[[str], int] = _counters.get(name) or named(COUNTERS, name, code, known)
    return found


def encoding(name: str) -> Callable[[str], int]:
    """Return a token counter for an encoding of tiktoken."""
    try:
        tiktoken: Any = importlib.import_module("tiktoken")
    except ImportError as error:
        message = f"encoding {name!r} needs tiktoken: pip install 'guardstream[tokens]'"
        raise PluginError(message) from error
    try:
        encode = tiktoken.get_encoding(name).encode_ordinary
    except ValueError:
        raise PluginError(missing_encoding(name) or f"unknown encoding {name!r}") from None
    except Exception as error:  # its ranks are fetched on first use
        reason = type(error).__name__
        message = (
            f"encoding {name!r} cannot be loaded: {reason}; tiktoken fetches it when it is first "
            "used: load it once with a network, keep it in the folder TIKTOKEN_CACHE_DIR, or name "
            "a 'counter'"
        )
        raise PluginError(message) from error
    return lambda text: len(encode(text))


def missing_counter(name: str) -> str | None:
    """Return what is wrong with the name of a counter that is missing; otherwise None."""
    return missing(COUNTERS, name, list(_counters))


def missing_encoding(name: str) -> str | None:
    """Return what is wrong with the name of an encoding; None if it is known, or cannot be
    checked."""
    try:
        tiktoken: Any = importlib.import_module("tiktoken")
    except ImportError:
        return None
    known = list(tiktoken.list_encoding_names())
    return None if name in known else f"unknown encoding {name!r}, {hint(name, known)}"


def missing(group: str, name: str, others: list[str] | None = None) -> str | None:
    """Return what is wrong with a name that is neither code, an entry point nor one of `others`;
    otherwise None."""
    known = sorted({*entry_points(group=group).names, *(others or ())})
    if ":" in name and name not in known:
        return f"{name!r} has a colon: write {name.replace(':', '.')!r}"
    if name in known or "." in name:
        return None
    meant = hint(name, known) if known else "there is none"
    return f"no {name!r} among the entry points {group!r}, {meant}"


def named(group: str, name: str, code: Code, others: list[str] | None = None) -> Any:
    """Return the function or class of an entry point, or at a dotted path."""
    entries = entry_points(group=group)
    if name in entries.names:
        try:
            return entries[name].load()
        except Exception as error:  # importing a module runs arbitrary code
            raise PluginError(f"cannot import {name!r}: {type(error).__name__}") from error
    wrong = missing(group, name, others)
    if wrong is not None:
        raise PluginError(wrong)
    return imported(name, code)


def imported(path: str, code: Code) -> Any:
    """Import the function or class at a dotted path, such as `company.checks.customer_number`.

    Only what is in `code`: the author of a policy must not choose what the program runs.
    """
    module, _, name = path.rpartition(".")
    entry = f"{module}:{name}"
    if entry not in code:
        raise PluginError(
            f"{path!r} is code, which the caller must allow: "
            f"allow_code=[{entry!r}], or --allow-code {entry}"
        )
    try:
        function: Any = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, TypeError) as error:
        missing_module = isinstance(error, ModuleNotFoundError)
        how = "; install it, or name its folder in PYTHONPATH" if missing_module else ""
        raise PluginError(f"cannot import {path!r}: {error}{how}") from error
    except AttributeError:
        raise PluginError(f"cannot import {path!r}: {module!r} has no {name!r}") from None
    except Exception as error:  # importing a module runs arbitrary code
        raise PluginError(f"cannot import {path!r}: {type(error).__name__}") from error
    if not callable(function):
        raise PluginError(f"{path!r} is not a function")
    return function
