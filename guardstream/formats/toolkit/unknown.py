"""Treats text in fields and events that an adapter does not know.

A provider's new field must neither end a stream nor pass unguarded: by default its text is guarded
as a separate text, by its path. `refuse` makes it an error, `pass` lets it through; harmless fields
can be let through path by path.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.formats.adapter import Unknown
from guardstream.formats.toolkit.nodes import META, UNKNOWN
from guardstream.formats.toolkit.paths import Key, spoken
from guardstream.formats.toolkit.readers import Findings, Found, read_unknown, relabelled
from guardstream.jsonpath import steps_of

MODES = ("guard", "hold", "drop", "refuse", "pass")

SHOWN = 8
"""How many paths an error names."""


class _Every(frozenset[str]):
    """Every path."""

    def __contains__(self, path: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


class Unknowns:
    """The treatment of unknown text by one adapter."""

    def __init__(self, adapter: str, unknown: Unknown) -> None:
        check_unknown(unknown)
        if isinstance(unknown, Mapping):
            self._mode, passing = "guard", unknown.get("pass", ())
        else:
            self._mode, passing = unknown, _Every() if unknown == "pass" else ()
        self._adapter = adapter
        self.passing = passing if isinstance(passing, _Every) else frozenset(passing)

    def judged(self, found: Sequence[Found], repeated: Container[int] = ()) -> Sequence[Found]:
        """Return the findings; unknown ones that may pass become marks. AdapterError for refused
        ones.

        Findings at the indices in `repeated` repeat known text, and are not refused.
        """
        if self.passing:
            passes = self.passing
            found = relabelled(found, UNKNOWN, META, lambda each: spoken(each.steps) in passes)
        if self._mode == "refuse":
            refused = [
                each.steps
                for place, each in enumerate(found)
                if each.leaf is UNKNOWN and place not in repeated
            ]
            paths = sorted({spoken(steps) for steps in refused if not isinstance(steps[1], Key)})
            if paths:
                raise refusal(self._adapter, paths)
        return found


def check_unknown(unknown: object) -> None:
    """Raise ValueError unless it is a way to treat unknown text."""
    if isinstance(unknown, Mapping):
        paths = unknown.get("pass")
        listed = isinstance(paths, Collection) and not isinstance(paths, str)
        if unknown.keys() != {"pass"} or not listed:
            raise ValueError("unknown: a mapping has one key, 'pass', and a list of paths there")
        for path in paths or ():
            steps_of(str(path).removesuffix("~"))
    elif unknown not in MODES:
        raise ValueError(
            f"unknown: {unknown!r} is not allowed, known: {', '.join(map(repr, MODES))}, "
            "{'pass': [paths]}"
        )


def too_deep(adapter: str, event: Mapping[str, Any]) -> AdapterError:
    """Return the error for a value that is nested too deeply, such as an object that contains
    itself."""
    names = [name for name, value in event.items() if not _can_be_read(value)]
    objects = [name for name in names if not isinstance(event[name], (dict, list))] or names
    path = spoken(((), objects[0])) if objects else "$"
    return AdapterError(
        f"{adapter}: text at {path} cannot be read: it is nested too deeply or contains itself; "
        f"`unknown: {{pass: [{path!r}]}}` lets it through"
    )


def _can_be_read(value: Any) -> bool:
    try:
        read_unknown(value, (), (), Findings())
    except RecursionError:
        return False
    except AdapterError:
        pass
    return True


def refusal(adapter: str, paths: Sequence[str]) -> AdapterError:
    """Return the error for refused text; it names the paths."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return AdapterError(
        f"{adapter}: text at {', '.join(paths[:SHOWN])}{more} is not known, and `unknown: refuse` "
        f"is set: `guard` guards it, `unknown: {{pass: [{paths[0]!r}]}}` lets it through"
    )
