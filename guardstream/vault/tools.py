"""The tool arguments that get real values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardstream.stages.json.settings import Place

ALL = "*"
"""The path that stands for all arguments of a tool."""

_ELEMENT = "[*]"


class Tools:
    """An allow list of arguments by tool: `{"send_mail": ["to", "cc", "people[*].mail"]}`.

    A path leads to a value; a path to a list allows each of its values. `*` allows all arguments.
    """

    def __init__(self, allowed: Mapping[str, Sequence[str]] | None = None) -> None:
        """Raise ValueError for an invalid path, TypeError for anything but lists by name."""
        if not isinstance(allowed, Mapping | None) or any(
            isinstance(paths, str) for paths in (allowed or {}).values()
        ):
            raise TypeError("tools= needs lists of arguments by tool, as in {'send_mail': ['to']}")
        self._allowed = {
            tool: frozenset(_place(path) for path in paths)
            for tool, paths in (allowed or {}).items()
        }

    def allows(self, tool: str | None, place: Place) -> bool:
        """Return whether the value at `place` in the arguments of `tool` may be a real value."""
        places = self._allowed.get(tool or "")
        if not places:
            return False
        if (ALL,) in places or place in places:
            return True
        while place and place[-1] == _ELEMENT:
            place = place[:-1]
            if place in places:
                return True
        return False


def _place(path: str) -> Place:
    parts: list[str] = []
    for part in path.split("."):
        name = part
        elements = 0
        while name.endswith(_ELEMENT):
            name, elements = name.removesuffix(_ELEMENT), elements + 1
        if not name:
            raise ValueError(
                f"{path!r} is not a path to an argument: write 'to' or 'people[*].mail'"
            )
        parts += [name, *[_ELEMENT] * elements]
    return tuple(parts)
