"""Long texts are fed in slices, so that other threads have their turn."""

from __future__ import annotations

from guardstream.events import Event, Finish, Text
from guardstream.stages.pipeline import all_events


class _Counting:
    """A stage that notes how long the texts are which it is fed, and stops after a few."""

    def __init__(self) -> None:
        self.fed: list[int] = []

    def feed(self, text: str) -> list[Event]:
        self.fed.append(len(text))
        return [Finish("stop")] if len(self.fed) == 3 else [Text(text)]

    def finish(self) -> list[Event]:
        return [Finish("stop")] if len(self.fed) < 3 else []


def test_a_long_text_is_fed_in_slices_up_to_its_end() -> None:
    stage = _Counting()
    events = all_events(stage, "a" * 1_000_000)
    assert stage.fed == [65_536] * 3
    assert [type(event) for event in events] == [Text, Text, Finish]
    short = _Counting()
    assert all_events(short, "") == [Text(""), Finish("stop")]
    assert short.fed == [0]
