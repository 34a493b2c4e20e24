"""Log messages about streams of JSON in no known format: which paths hold text, and what to do.

Such text is guarded, but not held: if events cut a match, its beginning can be released.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

log = logging.getLogger("guardstream")

SHAPES = 64
"""How many kinds of streams are reported."""

SHOWN = 8
"""How many paths a warning names."""


class FormatHints:
    """Warns once about each kind of stream, without naming paths in which a rule finds anything."""

    def __init__(self) -> None:
        self._reported: set[frozenset[str]] = set()

    def warn(self, found: Collection[str], check: Callable[[str], bool]) -> None:
        """Log the paths of a stream's text; `check` returns whether a path may be shown."""
        shape = frozenset(found)
        if shape in self._reported or len(self._reported) == SHAPES:
            return
        self._reported.add(shape)
        paths = [path for path in sorted(found) if check(path)]
        more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
        log.warning(
            "a stream of JSON in no known format: text at %s%s is judged event by event, so the "
            "beginning of a match that events cut can be shown; `unknown: hold` lets it wait, "
            "`formats` describes where an answer is; guard objects that repeat their text before "
            "they are parsed, as below the client with guardstream.http.GuardTransport",
            ", ".join(paths[:SHOWN]) or "paths that a rule matches",
            more,
        )
