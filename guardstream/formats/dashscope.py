"""DashScope's own stream (Qwen): the whole text so far or, with `incremental_output`, the new text.

https://help.aliyun.com/zh/model-studio/qwen-api-via-dashscope. A stream does not say which of the
two it does: see `guardstream.formats.toolkit.delta_or_cumulative`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot
from guardstream.formats.spec import (
    Leaf,
    Path,
)
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Growing

_TEXT = Leaf("grown", "text", "text")

_THOUGHT = ("thought", "response", "action_input_stream")
"""What an application tells of a step while it takes it; a model's thoughts are in two places."""


class DashScope(Growing):
    """The adapter for chunks of generations, as the wire or the `dashscope` package has them."""

    name = "dashscope"
    spec = spec_of("dashscope")
    scope = 1

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._nodes: dict[str, int] = {}

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        if leaf.channel == "tool_args":
            return number_in(event, path)
        if leaf.field in _THOUGHT:
            return path[0]
        node = fields_of(fields_of(event.get("output")).get("workflow_message")).get("node_id")
        return self._nodes.setdefault(node, len(self._nodes)) if isinstance(node, str) else 0

    def choice(self, event: Mapping[str, Any], path: Path) -> int:
        """Return a choice's index, or else its place; text outside of choices is choice 0."""
        choices, place = _choices(event), path[0] if path else 0
        return index_in(choices[place], place) if place < len(choices) else 0

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what a chunk says; an error has a code in place of an output."""
        failed = bool(event.get("code") and not event.get("output"))
        return super().meaning(chunk, event, pieces)._replace(failed=failed)

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        return {number: call for _, number, call in calls_in(event)}

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk like the last that had such text, with its choice alone."""
        return super().extra(_alone(chunk, slot.choice), slot, text, released)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk like the last that had text, with a finish reason."""
        chunk = _alone(chunk, choice)
        output = fields_of(fields_of(chunk).get("output"))
        field = "choices" if output.get("choices") else "text"
        slot = self.slot(_TEXT, {}, ())._replace(choice=choice)
        made = self.extra(chunk, slot, "", released) or [self.said_so_far(chunk, released)]
        output = fields_of(fields_of(made[-1])["output"])
        if field == "text":
            ended = replaced(output, {"finish_reason": reason})
        else:
            choices = [replaced(each, {"finish_reason": reason}) for each in output["choices"]]
            ended = replaced(output, {"choices": choices})
        return [replaced(made[-1], {"output": ended})]


def _alone(chunk: Any, choice: int) -> Any:
    """Return a chunk that has no other choice."""
    output = fields_of(chunk).get("output")
    choices = fields_of(output).get("choices") or ()
    own = [each for place, each in enumerate(choices) if index_in(each, place) == choice]
    if len(choices) < 2 or not own:
        return chunk
    return replaced(chunk, {"output": replaced(output, {"choices": own})})


def calls_in(event: Mapping[str, Any]) -> Iterator[tuple[int, int, Call]]:
    """The calls that are named in a response: the place of the choice, the call's number."""
    for choice, told in enumerate(_choices(event)):
        for place, call in enumerate(_calls(told)):
            if name := fields_of(fields_of(call).get("function")).get("name"):
                yield choice, index_in(call, place), Call(name, fields_of(call).get("id") or None)


def number_in(event: Mapping[str, Any], path: Path) -> int:
    """The number of the call at `path`: its index, or else its place."""
    choice, place = path
    return index_in(_calls(_choices(event)[choice])[place], place)


def _choices(event: Mapping[str, Any]) -> Sequence[Any]:
    return fields_of(event.get("output")).get("choices") or ()


def _calls(choice: Any) -> Sequence[Any]:
    return fields_of(fields_of(choice).get("message")).get("tool_calls") or ()
