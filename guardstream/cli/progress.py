"""A progress bar on standard error, at a terminal only, for commands that take long."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def shown(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items; at a terminal, a bar shows how many of the `total` have been yielded."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(items, what, total, console=console, transient=True, show_speed=False)
