"""Checks of arguments; an error names the argument or value that was probably meant."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import CO_VARKEYWORDS
from typing import Any, TypeVar, cast

from guardstream.hints import check_known, nearest
from guardstream.stream.options import Delivering

F = TypeVar("F", bound=Callable[..., Any])


def known_arguments(function: F) -> F:
    """Make an unknown keyword argument a TypeError that names the nearest known one.

    If the function takes `**options`, the keys of `Delivering` are known.
    """
    return knowing(())(function)


def knowing(more: Iterable[str]) -> Callable[[F], F]:
    """Like `known_arguments`, for a function that also accepts the names in `more`."""
    return lambda function: _checked(function, more)


def _checked(function: F, more: Iterable[str]) -> F:
    code = function.__code__
    known = [*more, *code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]]
    if code.co_flags & CO_VARKEYWORDS:
        known += Delivering.__annotations__
    names = frozenset(known) - {"self", "cls"}
    of_class = function.__name__ == "__init__"

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in names:
                title = type(args[0]).__name__ if of_class else function.__qualname__
                raise TypeError(f"{title}() has no argument {name!r}{_hint(name, names)}")
        return function(*args, **kwargs)

    return cast(F, checked)


_MEANT = {"provider": "format", "adapter": "format"}
"""Names that other libraries use, and what they are called here."""


def _hint(name: str, names: frozenset[str]) -> str:
    meant = _MEANT.get(name)
    if meant in names:
        return f": did you mean {meant!r}?"
    close = nearest(name, sorted(names), cutoff=0.5)
    return f": did you mean {close!r}?" if close else f", known: {', '.join(sorted(names))}"


def check_unknown_beside(format: object, unknown: object) -> None:
    """Raise TypeError for `unknown` beside an adapter, which was made with its own."""
    if unknown is not None and format is not None and not isinstance(format, str):
        raise TypeError(
            "unknown= does not apply to an adapter: pass it to the adapter, such as "
            "JSONFormat('mine', text='$.token', unknown='pass')"
        )


def check_framing(framing: str | None) -> None:
    """Raise if a framing is unknown."""
    if framing is not None:
        check_known("framing", framing, ("sse", "text"))


def check_listed(name: str, given: object) -> None:
    """Raise unless the argument `name` is a list or other collection."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{name}= needs a list, such as [one], not {described_kind(given)}")


def check_flag(name: str, given: object) -> None:
    """Raise for anything but True and False: a string such as "no" would count as True."""
    if not isinstance(given, bool):
        raise TypeError(f"{name}= needs True or False, not {type(given).__qualname__!r}")


def check_attributes(given: object) -> None:
    """Raise if attributes are not a mapping."""
    if not isinstance(given, Mapping):
        what = type(given).__qualname__
        raise TypeError(f"attributes= needs texts by name, such as {{'user': 'ann'}}, not {what!r}")


def check_format(format: object) -> None:
    """Raise for anything but the name of a format or an adapter."""
    if format is None or isinstance(format, str):
        return
    if isinstance(format, type) or not hasattr(format, "read"):
        raise TypeError(
            "format= needs a format's name or an adapter, such as "
            f"JSONFormat('mine', text='$.token'), not {described_kind(format)}"
        )


def described_kind(given: object) -> str:
    """Return how an error names what was given: a class itself, or the class of an object."""
    if isinstance(given, type):
        return f"the class {given.__qualname__!r}"
    return repr(type(given).__qualname__)


def check_vault(vault: object) -> None:
    """Raise for anything but a vault, such as the `Vaults` of all conversations."""
    if vault is None or hasattr(vault, "settled"):
        return
    if inspect.iscoroutine(vault):
        vault.close()
        raise TypeError("vault= was given a coroutine: await vaults.aopen(...) first")
    raise TypeError(
        "vault= needs the vault of one conversation, vaults.open(conversation, caller), "
        f"not {type(vault).__qualname__!r}"
    )
