"""Function calls in Gemini's responses: their numbers in the stream, and their strings.

Vertex streams arguments as values by JSON path (`partialArgs`); all pieces of a string but the last
have `willContinue`. LiteLLM in Google's Agent Development Kit repeats the name and the id of such a
call in every event.
https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Call, Piece, Slot
from guardstream.formats.google.written import camel
from guardstream.formats.toolkit.fields import fields_of


def get(fields: Mapping[str, Any], name: str) -> Any:
    """Return a field under whichever of its two names it has."""
    found = fields.get(name)
    return fields.get(camel(name)) if found is None else found


def parts_of(candidate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the fields of a candidate's parts."""
    parts = fields_of(candidate.get("content")).get("parts") or ()
    return [fields_of(part) for part in parts]


def call_in(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a part's function call; empty if it has none."""
    return fields_of(get(part, "function_call"))


def values_in(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the values by JSON path in a part's function call, as their fields."""
    return [fields_of(value) for value in get(call_in(part), "partial_args") or ()]


def continued(call: Mapping[str, Any], path: str, text: str, make: Callable[..., Any]) -> Any:
    """Return a call that continues the string at a JSON path of the arguments of `call`."""
    value = make("PartialArg", json_path=path, string_value=text, will_continue=True)
    named = {"id": call["id"]} if call.get("id") else {}
    return make("FunctionCall", **named, partial_args=[value], will_continue=True)


class Calls:
    """The function calls of one stream, by choice."""

    def __init__(self) -> None:
        self._count = 0
        self._last: dict[int, int] = {}
        self._open: set[Slot] = set()  # incomplete strings
        self._going_on: dict[tuple[int, Any], Slot] = {}  # incomplete calls, by choice and id

    def read(
        self, choice: int, candidate: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> tuple[list[Piece], dict[Slot, Call], list[Slot]]:
        """Return the pieces in the slots of their calls, the calls that begin, and the slots that
        end."""
        over: list[Slot] = []
        calls: dict[Slot, Call] = {}
        moved: dict[Slot, Slot] = {}
        whole: set[Slot] = set()
        for place, part in enumerate(parts_of(candidate)):
            call = call_in(part)
            if call.get("name"):
                slot = self._going_on.pop((choice, call.get("id")), None)
                if slot is None:
                    slot = self._begin(choice)
                    calls[slot] = Call(call["name"], call.get("id"))
                self._last[choice] = slot.number
                if not get(call, "will_continue"):
                    over.append(slot)
                elif call.get("id"):
                    self._going_on[choice, call["id"]] = slot
            args = Slot(choice, "tool_args", "args", self._last.get(choice, 0))
            moved[args._replace(number=place)] = args
            for value in values_in(part):
                slot = args._replace(field=str(get(value, "json_path")))
                moved[slot._replace(number=place)] = slot
                if not self._goes_on(slot, value, over):
                    whole.add(slot)
        return [_moved(piece, moved, whole) for piece in pieces], calls, over

    def end(self, choice: int) -> None:
        """End the calls of a choice: a later one may have the id of an earlier one."""
        for own in [own for own in self._going_on if own[0] == choice]:
            del self._going_on[own]

    def _begin(self, choice: int) -> Slot:
        self._count += 1
        return Slot(choice, "tool_args", "args", self._count - 1)

    def _goes_on(self, slot: Slot, value: Mapping[str, Any], over: list[Slot]) -> bool:
        """Note a value; return whether it is a piece of a longer string."""
        if get(value, "will_continue"):
            self._open.add(slot)
            return True
        if slot not in self._open:
            return False
        self._open.discard(slot)
        over.append(slot)
        return True


def _moved(piece: Piece, moved: Mapping[Slot, Slot], whole: set[Slot]) -> Piece:
    slot = moved.get(piece.slot, piece.slot)
    return piece._replace(slot=slot, kind="whole" if slot in whole else piece.kind)
