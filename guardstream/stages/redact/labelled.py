"""Rules for a value that has a label, as the member of a JSON object has its name.

The name is the value's context, as `password: ` is in a text: rules with keywords, groups and
lookbehinds need it. Yet `^` means the value's beginning, so that patterns which depend on what is
not before them are also asked without the label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex

from guardstream.events import Finish, Stage
from guardstream.stages.continued import Continued

LONGEST = 64
"""How many code points of a label count, its last ones: few keywords are longer."""

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_SET = re.compile(r"\[\^?\]?[^\]]*\]")


def after(label: str, stage: Stage) -> Stage | None:
    """Return a stage for the value of a label; None if the label alone ends a text."""
    labelled = Continued(stage, f"{label[-LONGEST:]}: ")
    ended = any(isinstance(event, Finish) for event in labelled.feed(""))
    return None if ended else labelled


def needs_start(pattern: str) -> bool:
    """Return whether a pattern may match at the beginning of a text and not after a label."""
    bare = _SET.sub("", _ESCAPED.sub("", pattern))
    if "^" in bare or "\\A" in pattern:
        return True
    return any(_sees_label(inner) for inner in _refused_before(pattern))


def _sees_label(inner: str) -> bool:
    try:
        return regex.search(rf"(?:{inner})\Z", "x: ") is not None
    except regex.error:  # a reference to a group outside of it
        return True


def _refused_before(pattern: str) -> Iterator[str]:
    """Yield what the negative lookbehinds of a pattern contain."""
    for found in re.finditer(r"\(\?<!", pattern):
        at, depth, in_set = found.end(), 1, False
        while at < len(pattern) and depth:
            character = pattern[at]
            if character == "\\":
                at += 1
            elif in_set:
                in_set = character != "]"
            elif character == "[":
                in_set = True
                at += len(re.match(r"\^?\]?", pattern[at + 1 :])[0])  # type: ignore[index]
            else:
                depth += (character == "(") - (character == ")")
            at += 1
        yield pattern[found.end() : at - 1]
