"""What is played is what the guard answers: step by step, for any chunk size, text or recording."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.consumers.recording import RecordingError
from guardstream.play import chunkings, playing
from guardstream.play.examples import examples
from guardstream.play.playing import Playing, cut, drawn, is_text, recorded
from guardstream.play.policies import guard_of
from tests.play.recordings import AFTER_A_CALL, CALLS, DEMO, PARALLEL, TEXT

RECORDINGS = Path(__file__).resolve().parents[2] / "examples" / "recordings"

POLICY = "extends: guardstream/chat\nrules: [{id: name, words: [bluebird, 🐦 song]}]"


def played(guard: Guard, chunks: list[playing.Timed]) -> tuple[list[playing.Event], dict[str, Any]]:
    steps: list[playing.Event] = []
    end = Playing(guard, steps.append).play(chunks, text=is_text(chunks))
    return steps, end


def joined(steps: list[playing.Event], lane: str, slot: str = "0/text") -> str:
    return "".join(text for step in steps for name, text in step[lane] if name == slot)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("example", examples(DEMO), ids=lambda example: example.title)
def test_a_stream_equals_the_check_of_the_whole(example: Any, size: int) -> None:
    guard, text = guard_of(example.policy), example.text or TEXT
    expected = guard.check(text)
    steps, end = played(guard, cut(text, size))
    assert joined(steps, "released") == end["text"] == expected.text
    assert end["finish"] == expected.finish
    found = [finding for step in steps for finding in step["findings"]]
    assert [(f["rule"], f["start"], f["end"]) for f in found] == [
        (f.rule, f.start, f.end) for f in expected.findings
    ]


def test_each_chunk_is_a_step_with_what_is_held_after_it() -> None:
    guard = guard_of("rules: [{id: name, words: [bluebird]}]")
    steps, _ = played(guard, cut("a blue bluebird!", 4))
    assert [joined([step], "came") for step in steps] == ["a bl", "ue b", "lueb", "ird!", ""]
    assert [step["held"] for step in steps] == [2, 1, 5, 0, 0]
    assert [joined([step], "released") for step in steps] == ["a ", "blue ", "", "[name]!", ""]
    assert [step["t"] for step in steps[:4]] == [0.0, 0.04, 0.08, 0.12]
    assert [len(step["findings"]) for step in steps] == [0, 0, 0, 1, 0]


def test_findings_say_why() -> None:
    policy = "rules: [{id: name, words: [bluebird], description: A secret.}]"
    steps, _ = played(guard_of(policy), cut("a bluebird", 3))
    (finding,) = [each for step in steps for each in step["findings"]]
    assert finding["place"] == {"slot": "0/text", "start": 2, "end": 10}
    assert finding["why"] == ["rule: policy.yaml:1, severity medium", "why: A secret."]


def marked(steps: list[playing.Event]) -> list[tuple[str, str]]:
    """Each finding's slot, and the text that it marks there."""
    return [
        (at["slot"], joined(steps, "came", at["slot"])[at["start"] : at["end"]])
        for step in steps
        for at in (finding["place"] for finding in step["findings"])
    ]


def test_a_finding_in_arguments_stands_in_its_call() -> None:
    guard = guard_of("rules: [{id: name, words: [bluebird]}]")
    steps, _ = played(guard, recorded(CALLS))
    assert marked(steps) == [("0/tool_args/0", "bluebird"), ("0/tool_args/1", "Bluebird")]
    assert joined(steps, "released", "0/tool_args/1") == '{"a": "[name]"}'


def test_findings_in_calls_that_stream_side_by_side_stand_in_theirs() -> None:
    guard = guard_of("rules: [{id: name, words: [bluebird, redbird]}]")
    steps, _ = played(guard, recorded(PARALLEL))
    assert sorted(marked(steps)) == [
        ("0/tool_args/0", "bluebird"),
        ("0/tool_args/0", "redbird"),
        ("0/tool_args/1", "redbird"),
        ("0/tool_args/2", "bluebird"),
    ]


def test_a_finding_after_a_call_stands_in_the_text_after_it() -> None:
    guard = guard_of("rules: [{id: name, words: [bluebird]}]")
    steps, _ = played(guard, recorded(AFTER_A_CALL))
    assert marked(steps) == [("0/text", "bluebird")] * 3 + [("0/tool_args/2", "bluebird")] + [
        ("0/text", "bluebird")
    ]
    places = [each["place"]["start"] for step in steps for each in step["findings"]]
    answer = joined(steps, "came")
    assert places[:3] + places[4:] == [m.start() for m in re.finditer("bluebird", answer)]


def test_a_finding_of_a_limit_or_of_json_is_marked_too() -> None:
    steps, _ = played(guard_of("json: {repair: true}"), cut("```json\n{a: 1,}\n```", 4))
    assert [slot for slot, _ in marked(steps)] == ["0/text"] * len(marked(steps))
    assert marked(steps)


def test_an_astral_character_and_a_cut_move_no_mark() -> None:
    guard = guard_of("rules: [{id: name, words: [bluebird]}]")
    for size in (1, 2, 3, 50):
        steps, _ = played(guard, cut("🐦🐦 bluebird 🐦 bluebird", size))
        assert marked(steps) == [("0/text", "bluebird")] * 2


def test_what_comes_after_a_block_is_not_read() -> None:
    guard = guard_of("rules: [{id: stop, words: [bluebird], action: block}]")
    steps, end = played(guard, cut("a bluebird sings on and on", 2))
    assert joined(steps, "came") == "a bluebird s"
    assert (joined(steps, "released"), end["finish"], end["blocked_by"]) == (
        "a ",
        "content_filter",
        "stop",
    )


def test_deadlines_of_a_policy_hold_in_the_streams_own_time() -> None:
    policy = guard_of("limits: {idle: 1s}\nrules: [{id: a, words: [x]}]")
    _, end = played(policy, [(0.0, "one "), (0.5, "two "), (9.0, "three")])
    assert (end["text"], end["finish"]) == ("one two ", "timeout")


@pytest.mark.parametrize("name", ["openai_chat.sse", "anthropic.sse", "openai_responses.sse"])
def test_the_recording_of_a_provider_is_played_by_its_format(name: str) -> None:
    guard = guard_of(POLICY)
    chunks = recorded((RECORDINGS / name).read_text(encoding="utf-8"))
    steps, end = played(guard, chunks)
    assert "ann@example.com" in joined(steps, "came")
    assert joined(steps, "released") == end["text"] == guard.check(joined(steps, "came")).text
    assert "ann@example.com" not in str([step["released"] for step in steps])


def test_a_recording_of_text_is_cut_anew_and_keeps_its_times() -> None:
    assert recorded(DEMO)[1] == (0.1, "to ann@")
    again = recorded(DEMO, 5)
    assert "".join(str(chunk) for _, chunk in again) == TEXT
    assert again[:3] == [(0.0, "Write"), (0.1, " to a"), (0.2, "nn@ex")]


def test_a_recorded_text_may_have_separators_of_lines() -> None:
    lines = '{"recording": 1}\r\n{"t": 0, "text": "a\u2028b\x85c"}\r\n'
    assert recorded(lines) == [(0.0, "a\u2028b\x85c")]


def test_a_line_that_is_none_of_a_recording_is_named() -> None:
    with pytest.raises(RecordingError, match="recording:2: "):
        recorded('{"recording": 1}\n{"tea": 1}')


def test_the_picture_is_that_of_the_timeline() -> None:
    svg = drawn(guard_of(POLICY), cut("the bluebird sings", 3))
    assert svg.startswith("<svg")
    assert "bluebird" not in svg
    assert "200.0 ms" in svg  # the last chunk's time, not that of the machine


def test_every_kind_of_chunking_is_tried() -> None:
    text = "a 🐦 song, bluebird"
    made = [chunkings.chunking(text, n) for n in range(chunkings.count(text))]
    assert made[: len(text) - 1] == [[text[:n], text[n:]] for n in range(1, len(text))]
    assert list(text) in made
    assert len(made) == len(text) + chunkings.RANDOM
    assert all("".join(chunks) == text for chunks in made)


@pytest.mark.parametrize("text", ["", "x", "the bluebird 🐦 song of ann@example.com", "data: x\n"])
def test_chunkings_are_tried_in_slices(text: str) -> None:
    guard, begin, done = guard_of(POLICY), 0, 0
    for _ in range(10_000):
        answer = chunkings.checked(guard, text, begin, 0.0)
        assert answer["differs"] is None
        done = answer["done"]
        if answer["next"] is None:
            break
        assert answer["next"] == begin + 1
        begin = answer["next"]
    assert done == chunkings.count(text)


def test_a_chunking_with_another_answer_is_found() -> None:
    class Rash:
        """A stage that looks at each chunk by itself."""

        def __init__(self) -> None:
            self._stage = Policy.parse("rules: [{id: a, words: [bird]}]")

        def feed(self, text: str) -> list[Any]:
            stage = self._stage.stages("text")[0]
            return [*stage.feed(text), *stage.finish()][:-1]

        def finish(self) -> list[Any]:
            from guardstream.events import Finish

            return [Finish("stop")]

        @property
        def held(self) -> int:
            return 0

    guard = Guard(Policy.parse("version: 1"), stages=[Rash])
    answer = chunkings.checked(guard, "a bird", 0, 60.0)
    assert answer["differs"] == [1, 5]  # it counts from the wrong place
    assert answer["next"] is None


def test_the_steps_are_json() -> None:
    steps, end = played(guard_of(POLICY), cut("a\ud800b bluebird", 1))
    assert json.loads(json.dumps([*steps, end]))
