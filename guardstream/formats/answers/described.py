"""Whole answers without code: an answer's description says where its text is and why it ended.

An answer is one choice, or the items of the list in which its text is described.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Slot
from guardstream.formats.answers.whole import Body
from guardstream.formats.described import settings_of
from guardstream.formats.spec import Leaf, Path
from guardstream.formats.toolkit.files import class_name, described
from guardstream.formats.toolkit.nodes import END, USAGE
from guardstream.formats.toolkit.places import (
    CallPlace,
    Steps,
    call_places,
    leaves,
    said_of,
    value_at,
    values_at,
    with_value,
)
from guardstream.formats.toolkit.reasons import reason_of


class DescribedBody(Body):
    """The adapter for a described answer; `body_of` makes a class of each.

    `choices` leads to the list of choices, if there is one; `text` and `done` to what a choice says
    and to why it ended, `usage` to the usage.
    """

    choices: ClassVar[Steps]
    text: ClassVar[Steps]
    done: ClassVar[Steps]
    usage: ClassVar[Steps | None]
    calls: ClassVar[Sequence[CallPlace]]
    own_reasons: ClassVar[Mapping[str, FinishReason]]
    words: ClassVar[Mapping[str, Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Find out what the description of an answer means."""
        super().__init_subclass__(**options)
        told = [*leaves(cls.spec)]
        text = next(
            steps for steps, leaf in told if leaf.kind == "delta" and leaf.channel == "text"
        )
        done = next(steps for steps, leaf in told if leaf == END)
        cut = text.index(None) if None in text else 0
        cls.choices, cls.text = text[:cut], text[cut and cut + 1 :]
        cls.done = done[cut and cut + 1 :]
        cls.usage = next((steps for steps, leaf in told if leaf == USAGE), None)
        cls.calls = call_places(cls.spec)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[-1] if path and leaf.channel == "tool_args" else 0
        listed = path and self.choices and leaf.kind == "delta" and leaf.channel != "tool_args"
        return Slot(path[0] if listed else 0, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        ends = {
            place: reason_of(value_at(choice, self.done), self.own_reasons)
            for place, choice in enumerate(self._in(event))
        }
        calls: dict[Slot, Call] = {}
        for place in self.calls:
            for path, call in values_at(event, place.steps):
                said = said_of(call, place)
                slot = Slot(0, "tool_args", place.field, path[-1] if path else 0)
                calls[slot] = Call(str(said.get("name") or ""), said.get("id"))
        usage = value_at(event, self.usage) if self.usage else None
        return Reading(pieces, tuple(ends), ends, calls=calls, usage=usage)

    def completed(self, body: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        made = []
        for place, (choice, before) in enumerate(
            zip(self._in(body), self._in(source), strict=True)
        ):
            said = (value_at(choice, self.text) or "") + self.messages.get(place, "")
            told = with_value(choice, self.text, said)
            reason = self.new_reason(place)
            word = value_at(before, self.done) if reason is None else self.words.get(reason, reason)
            made.append(told if word is None else with_value(told, self.done, word))
        result: dict[str, Any] = with_value(body, self.choices, made) if self.choices else made[0]
        return result

    def _in(self, event: Mapping[str, Any]) -> Sequence[Any]:
        """Return the choices of an answer."""
        return value_at(event, self.choices) or () if self.choices else (event,)


@cache
def body_of(name: str) -> type[DescribedBody]:
    """Return the adapter of the whole answers of a format that only its file describes."""
    description = described(name)
    settings = settings_of(description.content)
    return type(
        class_name(name) + "Body",
        (DescribedBody,),
        {
            "name": name,
            "spec": description.spec("answer"),
            "own_reasons": settings["reasons"],
            "words": settings["words"],
        },
    )
