"""Control characters in matches: every one, in texts of eight kinds, at every place and split.

python -m tests.support.controls    # all of them; prints what is missed, and exits with 1 then
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

from guardstream import Guard, Policy
from guardstream.events import Channel, Text

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in b"\t\n\r"]
"""C0 and C1 without tab, line feed and carriage return, and DEL."""

_WORDS = """
  - {id: word, words: [bluebird]}
  - {id: phrase, words: [project falcon]}
  - {id: chinese, words: [秘密项目]}
"""

_TEXT = f"version: 1\nname: controls\nextends: [guardstream/chat]\nrules:{_WORDS}"
_JSON = f"{_TEXT}json: {{schema: {{type: object}}}}\n"


@dataclass(frozen=True)
class Kind:
    """A kind of text: a value that must be masked, whether it stands in JSON, and its channel."""

    value: str
    policy: str = _TEXT
    channel: Channel = "text"

    def written(self, text: str) -> str:
        """The text as the channel has it."""
        if self.policy == _TEXT and self.channel == "text":
            return text
        return json.dumps({"note": text})

    def read(self, text: str) -> str:
        """What a client shows of it, with controls."""
        return text if self.written("") == "" else json.loads(text)["note"]


KINDS = {
    "word": Kind("bluebird"),
    "phrase": Kind("project falcon"),
    "Chinese word": Kind("秘密项目"),
    "key": Kind("AKIAQYLPMN5HX7ZTR2VB"),
    "card": Kind("4111111111111111"),
    "address": Kind("ann.lee@mail.acme.com"),
    "JSON string": Kind("bluebird", _JSON),
    "tool argument": Kind("bluebird", _TEXT, "tool_args"),
}

PLACES = {
    "before": "see a{c}{left}{right} next",
    "after": "see {left}{right}{c}next",
    "inside": "see {left}{c}{right} next",
    "inside and beside": "see a{c}{left}{c}{right}{c}next",
}


@dataclass(frozen=True)
class Trial:
    """A control character at a place in a text of a kind."""

    kind: str
    place: str
    control: str

    def missed(self) -> str | None:
        """In which split the value is not found, if in any."""
        kind = KINDS[self.kind]
        text = kind.written(self._text(kind.value))
        whole = shown(kind, [text])
        if kind.value in kind.read(whole).replace(self.control, ""):
            return "whole"
        cuts = [[text[:at], text[at:]] for at in range(1, len(text))]
        for number, pieces in enumerate([list(text), *cuts]):
            if shown(kind, pieces) != whole:
                return f"cut {number}"
        return None

    def _text(self, value: str) -> str:
        half = len(value) // 2
        return PLACES[self.place].format(c=self.control, left=value[:half], right=value[half:])


@cache
def _guard(policy: str) -> Guard:
    return Guard(Policy.parse(policy))


def shown(kind: Kind, pieces: list[str]) -> str:
    """What is delivered of a text in pieces."""
    session = _guard(kind.policy).session(channel=kind.channel)
    events = [event for piece in pieces for event in session.feed(piece)]
    events += session.finish()
    return "".join(event.text for event in events if isinstance(event, Text))


def trials() -> Iterator[Trial]:
    """All trials."""
    for kind, place, control in product(KINDS, PLACES, CONTROLS):
        yield Trial(kind, place, control)


def main() -> int:
    """Run all trials."""
    missed = 0
    for trial in trials():
        if how := trial.missed():
            missed += 1
            print(f"{trial}: {how}")
    print(f"{missed} of {len(list(trials()))} are missed")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
