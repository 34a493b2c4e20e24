"""A progress bar on standard error for commands that take long, at a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def shown(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items; at a terminal a bar says how many there were, and of how many."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(items, what, total, console=console, transient=True, show_speed=False)
