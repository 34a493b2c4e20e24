"""Selects the branches of a large choice by the text of one member, such as `type` or `kind`.

A branch that only allows other texts there does not allow the object, and need not be asked. Only
branches that would refuse the value are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from guardstream.jsonstream.schema.refs import References

_MANY = 8  # branches; fewer are asked one by one


class _Tag(NamedTuple):
    """The branches by the text of the member `name`, and those that allow any text."""

    name: str
    by_text: dict[str, list[Any]]
    others: list[Any]


class Tags:
    """The tags of all choices of a schema, each found when it is first needed."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._known: dict[int, _Tag | None] = {}

    def left(self, branches: Sequence[Any], value: Any) -> Sequence[Any]:
        """Return the branches that may allow `value`."""
        if len(branches) < _MANY or not isinstance(value, dict):
            return branches
        if id(branches) not in self._known:
            self._known[id(branches)] = self._tag(branches)
        tag = self._known[id(branches)]
        text = value.get(tag.name) if tag else None
        if tag is None or not isinstance(text, str):
            return branches
        return [*tag.by_text.get(text, ()), *tag.others]

    def _tag(self, branches: Sequence[Any]) -> _Tag | None:
        """Return the tag that distinguishes most branches."""
        listed = [self._members(each) for each in branches]
        counted = Counter(name for members in listed for name in members).most_common(1)
        if not counted:
            return None
        tag = _Tag(counted[0][0], {}, [])
        for branch, members in zip(branches, listed, strict=True):
            if tag.name not in members:
                tag.others.append(branch)
                continue
            for text in members[tag.name]:
                tag.by_text.setdefault(text, []).append(branch)
        return tag

    def _members(self, branch: Any) -> dict[str, set[str]]:
        """Return the members for which a branch allows only certain texts, with these texts."""
        found: dict[str, set[str]] = {}
        for read in self._references.readings([branch], ("allOf",)):
            for name, schema in read.get("properties", {}).items():
                for inner in self._references.readings([schema], ("allOf",)):
                    if "const" in inner or "enum" in inner:
                        values = [inner["const"]] if "const" in inner else inner["enum"]
                        found[name] = {each for each in values if isinstance(each, str)}
        return found
