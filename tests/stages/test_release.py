"""Release modes: what is whole goes out at once, in any chunking; a block drops what waits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardstream.events import Event, Finding, Finish, FinishReason, Text
from guardstream.stages.pipeline import Pipeline
from guardstream.stages.redact import RuleSet
from guardstream.stages.release import Mode, Release
from guardstream.stages.rules import Rule
from guardstream.stages.units import Lengths, Paragraphs, Sentences, Units
from guardstream.testing import check_stage
from tests.support.chunking import joined, one_by_one, play, random_split

RULES = RuleSet(
    [
        Rule("mask", words=("mark",), replacement="*"),
        Rule("bad", words=("bad",), action="block"),
        Rule("halt", words=("halt",), action="stop"),
    ]
)


def released(mode: Mode, chunks: Sequence[str], bound: int = 1000) -> list[Event]:
    return play(Release(RULES.stage(), mode, bound), chunks)


def cut(units: Units, text: str) -> list[str]:
    """The units that are known in `text`, and the rest."""
    parts, start = [], 0
    for known, end in units.read(text):
        assert known <= end <= known + 1
        parts.append(text[start:end])
        start = end
    return [*parts, text[start:]]


@pytest.mark.parametrize(
    "parts",
    [
        ["It is 3.14, e.g. this one! ", "Next"],
        ['"Really?", he said. ', '"Yes." ', "Next… and on. ", "Done?!  ", "**Bold.** ", "End"],
        ["你好。", "再见！", "「好。」", "她说：「走吧！」", "Ok？！", "嗯"],
        ["A line\n", "\n", "and U.S. law. \n", "x . . . y"],
        ["Wait. "],
        ["Wait.\n", ""],
        ["So. \r\n", "a=b!=c f(x).y ?q=1"],
    ],
)
def test_sentences_by_example(parts: list[str]) -> None:
    assert cut(Sentences(), "".join(parts)) == parts


def test_paragraphs_end_behind_a_blank_line() -> None:
    text = "a\nb\n\n\nc\n \t\r\nd\n"
    assert cut(Paragraphs(), text) == ["a\nb\n\n", "\n", "c\n \t\r\n", "d\n"]


def test_lengths_end_where_they_say() -> None:
    assert cut(Lengths(3), "abcdefgh") == ["abc", "def", "gh"]


CLOSING = re.escape("\"'”’»)]}」』】》〉）］｝〕*_`")
RUN = re.compile(rf"[.!?…。！？｡][.!?…。！？｡{CLOSING}]*")


def ends(text: str) -> list[tuple[int, int]]:
    """Where the sentences in a text end and by which character that is known, by expression."""
    found = [(match.end(), match.start()) for match in re.finditer("\n", text)]
    for run in RUN.finditer(text):
        behind = text[run.end() :]
        if re.search("[。！？｡]", run[0]):
            found += [(run.end(), run.end())] if behind[:1] not in ("", "\n") else []
            continue
        spaces = re.match(r"[^\S\n]+(?=[^\n])", behind)
        if spaces is None:
            continue
        after = behind[spaces.end()]
        full_stop = re.sub(rf"[{CLOSING}]", "", run[0])[-1] in ".…"
        if after not in ".!?…,;:" and not (full_stop and after.islower()) and not after.isspace():
            found.append((run.end() + spaces.end(), run.end() + spaces.end()))
    return sorted(found, key=lambda end: (end[1], end[0]))


TEXTS = st.text("aB.!。 \n”,…", max_size=25)


@settings(max_examples=500)
@given(TEXTS, st.randoms(use_true_random=False))
def test_a_sentence_goes_out_with_the_character_that_ends_it(text: str, random: Random) -> None:
    shown = 0
    for chunk in random_split(text, random), one_by_one(text):
        stage, out, read = Release(Pipeline([]), "sentence", 1000), "", 0
        for part in chunk:
            out += joined(stage.feed(part))
            read += len(part)
            shown = max((end for end, known in ends(text) if known < read), default=0)
            assert out == text[:shown]
            assert stage.held == read - shown
        assert out + joined(stage.finish()) == text


WORDS = st.lists(
    st.sampled_from(["a", "mark", "mar", "bad", "halt", ". ", "。", "\n", "\n\n", " "])
)


@settings(max_examples=400)
@given(
    WORDS.map("".join),
    st.sampled_from(["sentence", "paragraph", "complete"]),
    st.integers(1, 30),
    st.randoms(use_true_random=False),
)
def test_the_answer_is_the_same_in_any_chunking(
    text: str, mode: Mode, bound: int, random: Random
) -> None:
    whole = released(mode, [text], bound)
    for chunks in (one_by_one(text), random_split(text, random)):
        assert released(mode, chunks, bound) == whole
    plain = play(RULES.stage(), [text])
    assert joined(plain).startswith(joined(whole))
    if any(isinstance(event, Finding) and event.rule == "limits.release" for event in whole):
        return
    others = [event for event in plain if not isinstance(event, Text)]
    assert [event for event in whole if not isinstance(event, Text)] == others
    if plain[-1] != Finish("content_filter"):
        assert joined(whole) == joined(plain)
    elif mode == "complete":
        assert joined(whole) == ""


@pytest.mark.parametrize("mode", ["sentence", "paragraph", "complete"])
def test_release_keeps_what_a_stage_promises(mode: Mode) -> None:
    texts = ["One. Two mark.\n\nThree bad", "halt. A", "", "a" * 50]
    check_stage(lambda: Release(RULES.stage(), mode, 40), texts, most_held=40, alone=True)


@pytest.mark.parametrize(
    ("mode", "text", "shows", "reason"),
    [
        ("sentence", "One. Two bad", "One. ", "content_filter"),
        ("sentence", "One. Two halt", "One. Two ", "stop"),
        ("paragraph", "One.\n\nTwo. bad", "One.\n\n", "content_filter"),
        ("complete", "One.\n\nTwo. bad", "", "content_filter"),
        ("complete", "One.\n\nTwo.", "One.\n\nTwo.", "stop"),
    ],
)
def test_a_block_drops_what_waits(mode: Mode, text: str, shows: str, reason: FinishReason) -> None:
    events = released(mode, one_by_one(text))
    assert (joined(events), events[-1]) == (shows, Finish(reason))


def test_what_waits_is_bounded_and_blocks_there() -> None:
    text = "One. " + "X" * 11 + " Two. Three"
    finding = Finding("limits.release", 5, 15, "block", kind="overflow")
    blocked = [Text("One. "), finding, Finish("content_filter")]
    for chunks in ([text], one_by_one(text)):
        assert released("sentence", chunks, bound=10) == blocked
        assert released("sentence", chunks, bound=25)[-1] == Finish("stop")


def test_a_long_chunk_of_short_sentences_does_not_overflow() -> None:
    assert joined(released("sentence", ["So it is. " * 500], bound=12)) == "So it is. " * 500
