"""Log messages about streams of JSON in no known format: which paths hold text, and what to do.

Such text is guarded, but never held: if events cut a match, its beginning can be released. If a
policy describes the format in `formats`, text is held as long as necessary. That does not help for
objects that repeat their text as it grows, as parsers yield them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from guardstream.jsonpath import check_apart

if TYPE_CHECKING:
    from guardstream.providers.generic.any_json import Lengths

log = logging.getLogger("guardstream")

SHAPES = 64
"""How many kinds of streams are reported."""

SHOWN = 8
"""How many paths a warning names."""


class FormatHints:
    """Warns once about each kind of stream, without naming paths in which a rule finds anything."""

    def __init__(self) -> None:
        self._reported: set[frozenset[str]] = set()

    def warn(self, lengths: Lengths, repeats: bool, check: Callable[[str], bool]) -> None:
        """Log the paths of a stream's text, and how to describe the format.

        The answer is probably where most text changes. `repeats` says that each object repeats the
        text of the last one. `check` returns whether a path may be shown.
        """
        shape = frozenset(lengths)
        if not shape or shape in self._reported or len(self._reported) == SHAPES:
            return
        self._reported.add(shape)
        paths = [path for path in sorted(lengths) if check(path)]
        more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
        log.warning(
            "a stream of JSON in no known format: text at %s%s is guarded event by event, so the "
            "beginning of a match that events cut can be shown; %s",
            ", ".join(paths[:SHOWN]) or "paths that a rule matches",
            more,
            _REPEATS if repeats else _advice(max(paths, key=lengths.__getitem__, default="")),
        )


_REPEATS = (
    "these objects repeat their text as it grows: guard the answer before it is parsed, as below "
    "the client with guardstream.http.GuardTransport"
)


def _advice(path: str) -> str:
    """Return how to describe a format whose text is at a path."""
    try:
        check_apart([path])
    except ValueError:
        return "only objects with text in their fields can be described as a format"
    return (
        f"if the answer is at {path}, describe the format in the policy:\n"
        f'formats:\n  mine:\n    text: "{path}"\n'
        "    # by: what tells apart texts that come in turns, such as $.task_id"
    )
