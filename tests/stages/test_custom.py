"""Stages of your own: what they may leave out, and that what they do wrong is never let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from guardstream import Finding, Finish, Guard, Policy, StageError, Text
from guardstream.events import Event
from guardstream.stages.custom import Checked, CustomStage, StagePlan
from guardstream.testing import check_stage
from tests.support.chunking import joined, one_by_one, play
from tests.support.custom_stages import Upper

RULES = "rules: [{id: word, words: [secret], replacement: '*'}]"


class Vowels:
    """Holds vowels until something else comes, reports each, and ends at a full stop."""

    def __init__(self) -> None:
        self._waiting = ""
        self._at = 0

    @property
    def held(self) -> int:
        return len(self._waiting)

    def feed(self, text: str) -> list[Event]:
        events: list[Event] = []
        for character in text:
            if character == ".":
                return [*events, *self.finish(), Finish("length")]
            if character in "aeiou":
                self._waiting += character
                events.append(Finding("vowel", self._at, self._at + 1, "monitor"))
            else:
                events.append(Text(self._waiting + character))
                self._waiting = ""
            self._at += 1
        return events

    def finish(self) -> list[Event]:
        waiting, self._waiting = self._waiting, ""
        return [Text(waiting)] if waiting else []


class Says:
    """Returns the same from both methods, whatever it is."""

    def __init__(self, answer: Any, held: Any = 0) -> None:
        self.answer = answer
        self.held = held

    def feed(self, text: str) -> Any:  # noqa: ARG002
        return self.answer

    def finish(self) -> Any:
        return self.answer


class Raises:
    def feed(self, text: str) -> list[Event]:
        raise ValueError(text)

    def finish(self) -> list[Event]:
        return []


def guard(*stages: Callable[[], CustomStage] | StagePlan) -> Guard:
    return Guard(Policy.parse(RULES).with_stages(stages))


@pytest.mark.parametrize("make", [Upper, Vowels])
def test_a_stage_need_not_finish_nor_say_what_it_holds(make: Callable[[], CustomStage]) -> None:
    check_stage(lambda: Checked(make(), "mine"), ["aha, so. more", "oui", ""], alone=True)


def test_a_stage_after_the_rules_sees_what_they_leave() -> None:
    assert guard(Upper).check("a secret").text == "A ******"


def test_a_stage_before_the_rules_sees_the_source() -> None:
    class Reveals(Upper):
        def feed(self, text: str) -> list[Event]:
            return [Text(text.replace("0", "e"))]

    assert guard(StagePlan(Reveals, "reveals", "before")).check("a s0cr0t").text == "a ******"
    assert guard(StagePlan(Reveals, "reveals", "after")).check("a s0cr0t").text == "a secret"


def test_a_stage_stands_only_in_its_channels() -> None:
    named: Any = (each for each in ["thinking"])
    for channels in (frozenset(["thinking"]), named):
        made = guard(StagePlan(Upper, "upper", channels=channels))
        assert made.check("a").text == "a"
        assert made.check("a", channel="thinking").text == "A"


def test_stages_stand_in_the_order_in_which_they_are_given() -> None:
    class Lower(Upper):
        def feed(self, text: str) -> list[Event]:
            return [Text(text.lower() + "!")]

    assert guard(Upper, Lower).check("a").text == "a!"
    assert (
        Guard(Policy.parse(RULES).with_stages([Lower]).with_stages([Upper])).check("a").text == "A!"
    )


def test_more_words_and_more_stages_go_together() -> None:
    policy = Policy.parse(RULES)
    for made in (
        policy.with_words({"word": ["hidden"]}).with_stages([Upper]),
        policy.with_stages([Upper]).with_words({"word": ["hidden"]}),
    ):
        assert Guard(made).check("a hidden").text == "A ******"


def test_every_pipeline_has_a_stage_of_its_own() -> None:
    made = guard(Vowels)
    first, second = made.session(), made.session()
    first.feed("a")
    assert (first.held, second.held) == (1, 0)


def test_shadow_reports_what_a_stage_finds_and_passes_the_text() -> None:
    made = Guard(Policy.parse("mode: shadow\n" + RULES).with_stages([Vowels]))
    result = made.check("ah. oh")
    assert (result.text, [finding.rule for finding in result.findings]) == ("ah. oh", ["vowel"])


def test_the_rules_settle_where_a_stage_stops_and_drop_where_it_ends_otherwise() -> None:
    class Until(Upper):
        reason: Any = "stop"

        def feed(self, text: str) -> list[Event]:
            return [Text(text[:-1]), Finish(self.reason)] if text.endswith(".") else [Text(text)]

    class Cut(Until):
        reason = "length"

    for make, shows in ((Until, "secre"), (Cut, "")):
        events = play(guard(StagePlan(make, "until", "before")).session(), one_by_one("secre."))
        assert (joined(events), events[-1]) == (shows, Finish(make.reason))


WRONG = [
    (Says(None), "returned 'NoneType' instead of a list"),
    (Says("text"), "returned 'str' instead of a list"),
    (Says(["text"]), "returned 'str', which is not an event"),
    (Says([Text(3)]), "returned a Text with an invalid value"),  # type: ignore[arg-type]
    (Says([Finding("a", 2, 1, "mask")]), "returned a Finding with an invalid value"),
    (Says([Finding("a", 0, 1, "hide")]), "returned a Finding with an invalid value"),  # type: ignore[arg-type]
    (Says([Finish("done")]), "returned a Finish with an invalid value"),  # type: ignore[arg-type]
    (Says([Finish("stop"), Text("x")]), "returned an event after a Finish"),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "problem"), WRONG, ids=[problem for _, problem in WRONG])
def test_what_is_no_event_is_an_error_that_blocks(stage: CustomStage, problem: str) -> None:
    checked = Checked(stage, "mine")
    with pytest.raises(StageError, match=f"^stage 'mine' {problem}$"):
        checked.feed("a")
    assert checked.feed("b") == [] == checked.finish()
    with pytest.raises(StageError):
        guard(lambda: stage).check("a secret")


def test_an_asynchronous_stage_is_sent_behind_a_gate() -> None:
    class Waits(Upper):
        async def feed(self, text: str) -> list[Event]:  # type: ignore[override]
            return [Text(text)]

    with pytest.raises(StageError, match="put what waits behind a gate"):
        Checked(Waits(), "mine").feed("a")  # type: ignore[arg-type]


def test_a_stage_that_raises_ends_the_stream_as_blocked() -> None:
    stream = guard(Raises).wrap_sync(["a", "b"])
    with pytest.raises(StageError) as caught:
        list(stream)
    assert stream.finish == "error"
    assert stream.result.text == ""
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("held", [-1, "1", None])
def test_what_is_held_is_a_number(held: object) -> None:
    with pytest.raises(StageError, match="'held' must be a number"):
        _ = Checked(Says([], held), "mine").held


def test_a_stage_has_two_methods() -> None:
    with pytest.raises(StageError, match="stage 'mine' has no method 'feed'"):
        Checked(object(), "mine")  # type: ignore[arg-type]


def test_nothing_is_fed_after_the_end() -> None:
    checked = Checked(Vowels(), "mine")
    assert checked.feed("a.") == [Finding("vowel", 0, 1, "monitor"), Text("a"), Finish("length")]
    assert checked.feed("b") == [] == checked.finish()
    assert checked.held == 0


class Fails:
    """Fails wherever it can, and says what it was about."""

    def feed(self, text: str) -> list[Event]:
        raise ValueError(text)

    def finish(self) -> list[Event]:
        raise ValueError("secret")


@pytest.mark.parametrize(
    "source",
    [
        [b": a secret\n\n", b"data: x\n\n"],
        ['{"t": "a secret"}\n', '{"t": "more"}\n'],
    ],
    ids=["a comment", "a line of JSON"],
)
def test_a_stage_that_fails_beside_the_text_blocks_the_stream(source: list[Any]) -> None:
    stream = guard(Fails).wrap_sync(source)
    with pytest.raises(StageError, match="ValueError") as raised:
        list(stream)
    assert "secret" not in str(raised.value)
    assert stream.finish == "error"
