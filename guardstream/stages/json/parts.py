"""Small parts of the JSON stage: how it ends, what it can close, what its inner stages say last."""

from __future__ import annotations

import json
from dataclasses import replace

from guardstream.events import Event, Finding, Finish, Stage
from guardstream.jsonstream.lexer import tokens as t
from guardstream.stages.json.settings import Numbers

PARTS = (t.STRING_PART, t.KEY_PART)
NUMBERS = (t.INTEGER, t.FLOAT)

CLOSERS = {t.OPEN_OBJECT: "}", t.OPEN_ARRAY: "]"}
#: After these a document can be closed without inventing anything.
SAFE = frozenset(
    (
        t.STRING, t.STRING_PART, t.INTEGER, t.FLOAT, t.LITERAL,
        t.OPEN_OBJECT, t.OPEN_ARRAY, t.CLOSE_OBJECT, t.CLOSE_ARRAY,
    )
)  # fmt: skip


class Ended(Exception):  # noqa: N818  # no error: the stream is over
    """A document's stream ends with `finish`; raised to leave all that is under way."""

    def __init__(self, finish: Finish) -> None:
        self.finish = finish


def settled(stage: Stage) -> list[Event]:
    """What a stage says at its text's end; the Finish only if it is no ordinary one."""
    events = stage.finish()
    stopped = any(isinstance(event, Finding) and event.action == "stop" for event in events)
    if events and events[-1] == Finish("stop") and not stopped:
        return events[:-1]
    return events


def shifted(finding: Finding, by: int) -> Finding:
    """A finding in a text that begins at the offset `by` of the source."""
    return replace(finding, start=finding.start + by, end=finding.end + by)


def written_number(number: str, changed: str, how: Numbers | None) -> str:
    """How a number is written that rules made into `changed`: as it was, if they did not."""
    if changed == number:
        return number
    return {"null": "null", "zero": "0"}.get(str(how)) or json.dumps(changed)
