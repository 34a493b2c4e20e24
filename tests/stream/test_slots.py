"""The pipelines of a stream by slot: what they hold is known without asking each of them."""

from __future__ import annotations

from random import Random

import pytest

from guardstream.errors import AdapterError
from guardstream.events import Event, Form, Text
from guardstream.formats.adapter import Slot
from guardstream.stream.flows.slots import MAX_TEXTS, Lanes


class Holding:
    """Holds the last characters of what it is fed; counts how often it is asked how many."""

    def __init__(self) -> None:
        self.asked = self._held = 0

    @property
    def held(self) -> int:
        self.asked += 1
        return self._held

    def feed(self, text: str) -> list[Event]:
        self._held = len(text) % 7
        return [Text(text[self._held :])]

    def finish(self) -> list[Event]:
        return [Text("-" * self._held)]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_held_is_the_sum_over_the_pipelines_that_are_open(seed: int) -> None:
    chance, stages = Random(seed), []

    def make(_channel: str, _tool: str | None = None, _form: Form = "json") -> Holding:
        stages.append(Holding())
        return stages[-1]

    lanes = Lanes(make)
    slots = [Slot(0, "tool_args", "arguments", number) for number in range(4)]
    for _ in range(200):
        slot = chance.choice(slots)
        act = chance.random()
        track = lanes.get(slot)
        if act < 0.8 or track is None:
            lanes.feed(slot, "x" * chance.randrange(20), None)
        elif act < 0.9:
            lanes.drop(slot=slot)
        elif act < 0.95:
            lanes.again(slot, "x" * chance.randrange(20))
        elif not track.lane.done:
            lanes.finish(track.lane)
        assert lanes.held == sum(lane.stage.held for lane in lanes.open())


def test_a_stream_of_too_many_texts_ends() -> None:
    lanes = Lanes(lambda *_: Holding())
    for choice in range(MAX_TEXTS):
        lanes.feed(Slot(choice, "text", "content"), "a", None)
    lanes.feed(Slot(0, "text", "content"), "b", None)
    with pytest.raises(AdapterError, match="more than 4096 texts"):
        lanes.feed(Slot(MAX_TEXTS, "text", "content"), "a", None)


def test_a_pipeline_is_not_asked_what_it_holds_because_others_have_text() -> None:
    stages: list[Holding] = []

    def make(_channel: str, _tool: str | None = None, _form: Form = "json") -> Holding:
        stages.append(Holding())
        return stages[-1]

    lanes = Lanes(make)
    for number in range(1000):
        lanes.feed(Slot(0, "tool_args", "arguments", number), "xxx", None)
        assert lanes.held == 3 * (number + 1)
    assert max(stage.asked for stage in stages) < 5
