"""What a policy names and a program or another package provides: functions, stages, counters."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from guardstream.policy.problems import nearest

STAGES = "guardstream.stages"
"""The group of entry points that are stages: called with a policy's options, each makes one."""

COUNTERS = "guardstream.counters"
"""The group of entry points that count the tokens of a text."""

_counters: dict[str, Callable[[str], int]] = {}


class PluginError(ValueError):
    """What a policy names cannot be had; the message says why."""


def register_counter(name: str, count: Callable[[str], int]) -> None:
    """Let policies that are loaded from now on count tokens by `count`, as `counter: NAME`.

    It is given the text piece by piece, a few words at most, and what it returns is added up.
    """
    _counters[name] = count


def counter(name: str) -> Callable[[str], int]:
    """Return a token counter: registered, of an entry point, or at a dotted path."""
    found: Callable[[str], int] = _counters.get(name) or named(COUNTERS, name, list(_counters))
    return found


def encoding(name: str) -> Callable[[str], int]:
    """Return what counts the tokens of one of tiktoken's encodings."""
    try:
        tiktoken: Any = importlib.import_module("tiktoken")
    except ImportError as error:
        message = f"encoding {name!r} needs tiktoken: install guardstream[tokens]"
        raise PluginError(message) from error
    known = list(tiktoken.list_encoding_names())
    try:
        encode = tiktoken.get_encoding(name).encode_ordinary
    except ValueError:
        raise PluginError(f"unknown encoding {name!r}, {nearest(name, known)}") from None
    except Exception as error:  # its ranks are fetched when it is first used
        reason = type(error).__name__
        raise PluginError(f"encoding {name!r} cannot be loaded: {reason}") from error
    return lambda text: len(encode(text))


def named(group: str, name: str, others: list[str] | None = None) -> Any:
    """Return the function or class of an entry point, or at a dotted path."""
    entries = entry_points(group=group)
    if name in entries.names:
        try:
            return entries[name].load()
        except Exception as error:  # a module runs any code when it is imported
            raise PluginError(f"cannot import {name!r}: {type(error).__name__}") from error
    if "." in name:
        return imported(name)
    known = sorted({*entries.names, *(others or ())})
    hint = nearest(name, known) if known else "there is none"
    raise PluginError(f"no {name!r} among the entry points {group!r}, {hint}")


def imported(path: str) -> Any:
    """Import the function or class at a dotted path, such as `company.checks.customer_number`."""
    module, _, name = path.rpartition(".")
    try:
        function: Any = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, TypeError) as error:
        raise PluginError(f"cannot import {path!r}: {error}") from error
    except AttributeError:
        raise PluginError(f"cannot import {path!r}: {module!r} has no {name!r}") from None
    except Exception as error:  # a module runs any code when it is imported
        raise PluginError(f"cannot import {path!r}: {type(error).__name__}") from error
    if not callable(function):
        raise PluginError(f"{path!r} is no function")
    return function
