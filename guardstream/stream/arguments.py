"""Unknown keyword arguments, refused with the name that was probably meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import CO_VARKEYWORDS
from typing import Any, TypeVar, cast

from guardstream.hints import nearest
from guardstream.stream.options import Delivering

F = TypeVar("F", bound=Callable[..., Any])


def known_arguments(function: F) -> F:
    """Let an unknown keyword argument be a TypeError that names the nearest known one.

    Where a function takes `**options`, those of `Delivering` are known.
    """
    return knowing(())(function)


def knowing(more: Iterable[str]) -> Callable[[F], F]:
    """Do the same for a function that knows `more` than it names, and than `Delivering` has."""
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
                close = nearest(name, sorted(names), cutoff=0.5)
                there = f", it has: {', '.join(sorted(names))}"
                meant = f": did you mean {close!r}?" if close else there
                raise TypeError(f"{title}() has no argument {name!r}{meant}")
        return function(*args, **kwargs)

    return cast(F, checked)
