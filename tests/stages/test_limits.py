"""Limits end a text at a place that the text alone decides; a plain reference says which."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardstream.events import Event, Finding, Finish, FinishReason, Stage, Text
from guardstream.stages.limits import repeat as limits_repeat
from guardstream.stages.limits.limits import LimitSet, Loops, TokenLimit
from guardstream.stages.limits.repeat import RepeatScan
from guardstream.testing import check_stage
from tests.support.chunking import joined, one_by_one, play, random_split
from tests.support.effort import lines_executed

ALPHABET = "ab \n"


class Case:
    """Some limits and what they mean, said plainly and slowly."""

    def __init__(
        self,
        max_chars: int | None = None,
        max_lines: int | None = None,
        max_tokens: int | None = None,
        stop: tuple[str, ...] = (),
        repeat: tuple[int, int] | None = None,
    ) -> None:
        self.max_chars, self.max_lines, self.max_tokens = max_chars, max_lines, max_tokens
        self.stop, self.repeat = stop, repeat

    def stage(self) -> Stage:
        return LimitSet(
            max_chars=self.max_chars,
            max_lines=self.max_lines,
            tokens=TokenLimit(self.max_tokens, count) if self.max_tokens else None,
            stop=self.stop,
            repeat=Loops(*self.repeat) if self.repeat else None,
        ).stage()

    def expected(self, text: str) -> list[Event]:
        for read in range(1, len(text) + 1):
            end = self._end(text[:read])
            if end:
                return end
        return [*shown(text), Finish("stop")]

    def _end(self, text: str) -> list[Event]:
        """The events if the text's last character is the one that ends it."""
        stopped = max((each for each in self.stop if text.endswith(each)), key=len, default="")
        if stopped:
            cut = len(text) - len(stopped)
            return ended(text[:cut], "stop", cut, len(text), "stop")
        ends = []
        before = text[:-1]
        if self.max_chars is not None and len(text) > self.max_chars:
            ends.append(("max_chars", len(before)))
        if self.max_lines is not None and before.count("\n") >= self.max_lines:
            ends.append(("max_lines", len(before)))
        if self.max_tokens is not None and words(text) > words(before) > 0:
            said = before if words(before) else ""
            if count(said) >= self.max_tokens:
                ends.append(("tokens", len(before)))
        if ends:
            name, cut = ends[0]
            free = len(text) - self.held(text)
            return ended(text[: min(cut, free)], name, cut, cut, "length")
        return self._repeated(text)

    def _repeated(self, text: str) -> list[Event]:
        if self.repeat is None:
            return []
        least, times = self.repeat
        for piece in range(least, len(text) // times + 1):
            if text.endswith(text[-piece:] * times):
                start = len(text) - piece * times
                free = text[: len(text) - self.held(text)]
                return ended(free, "repeat", start, len(text), "length")
        return []

    def held(self, text: str) -> int:
        """How much of the end of `text` some continuation would take back."""
        for size in range(len(text), 0, -1):
            for each in self.stop:
                if each.startswith(text[-size:]) and len(each) > size:
                    whole = text + each[size:]
                    places = (
                        whole.find(other) + len(other) for other in self.stop if other in whole
                    )
                    first = min(places)
                    longest = max(len(o) for o in self.stop if whole[:first].endswith(o))
                    if first - longest <= len(text) - size:
                        return size
        return 0


def shown(text: str) -> list[Event]:
    return [Text(text)] if text else []


def ended(text: str, name: str, start: int, end: int, reason: FinishReason) -> list[Event]:
    return [*shown(text), Finding(f"limits.{name}", start, end, "stop"), Finish(reason)]


def words(text: str) -> int:
    """How many words have begun, each with the signs before it."""
    return sum(
        1 for at, c in enumerate(text) if c.isspace() and (at == 0 or not text[at - 1].isspace())
    ) + (not text[:1].isspace() and bool(text))


def count(text: str) -> int:
    """A counter of tokens that adds up over words: their letters."""
    return len(text.replace(" ", "").replace("\n", ""))


CASES = st.builds(
    Case,
    max_chars=st.none() | st.integers(1, 25),
    max_lines=st.none() | st.integers(1, 4),
    max_tokens=st.none() | st.integers(1, 12),
    stop=st.lists(st.text(ALPHABET, min_size=1, max_size=4), max_size=3).map(tuple),
    repeat=st.none() | st.tuples(st.integers(1, 3), st.integers(3, 4)),
)


@settings(max_examples=600)
@given(CASES, st.text(ALPHABET, max_size=40), st.randoms(use_true_random=False))
def test_limits_end_where_the_reference_says_in_any_chunking(
    case: Case, text: str, random: Random
) -> None:
    expected = case.expected(text)
    for chunks in ([text], one_by_one(text), random_split(text, random)):
        assert play(case.stage(), chunks) == expected


STOPS = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=4).map(tuple)


@given(STOPS, st.text("ab", max_size=16))
def test_text_is_held_exactly_while_a_sequence_may_still_take_it(
    stop: tuple[str, ...], text: str
) -> None:
    case = Case(stop=stop)
    stage = case.stage()
    for at, character in enumerate(text, 1):
        if any(isinstance(event, Finish) for event in stage.feed(character)):
            return
        assert stage.held == case.held(text[:at])


@pytest.mark.parametrize(
    ("case", "text", "shows", "rule", "reason"),
    [
        (Case(max_chars=5), "12345", "12345", None, "stop"),
        (Case(max_chars=5), "123456", "12345", "max_chars", "length"),
        (Case(max_lines=2), "a\nb\n", "a\nb\n", None, "stop"),
        (Case(max_lines=2), "a\nb\nc", "a\nb\n", "max_lines", "length"),
        (Case(max_tokens=6), "two six", "two six", None, "stop"),
        (Case(max_tokens=6), "two six more", "two six", "tokens", "length"),
        (Case(stop=("\nUser:", "User")), "so\nUser: hi", "so\n", "stop", "stop"),
        (Case(stop=("</a>", "a>")), "x</a>", "x", "stop", "stop"),
        (Case(stop=("\nUser:",)), "so\nUse", "so\nUse", None, "stop"),
        (Case(stop=("4567",), max_chars=5), "1234567", "123", "max_chars", "length"),
        (Case(stop=("6",), max_chars=5), "123456", "12345", "stop", "stop"),
        (Case(repeat=(2, 3)), "I am am am am", "I am am am", "repeat", "length"),
    ],
)  # fmt: skip
def test_limits_by_example(
    case: Case, text: str, shows: str, rule: str | None, reason: FinishReason
) -> None:
    events = play(case.stage(), one_by_one(text))
    found = [event.rule for event in events if isinstance(event, Finding)]
    assert joined(events) == shows
    assert found == ([f"limits.{rule}"] if rule else [])
    assert events[-1] == Finish(reason)


def test_limits_keep_what_a_stage_promises() -> None:
    case = Case(max_chars=60, max_lines=3, max_tokens=40, stop=("stop", "op it"), repeat=(4, 3))
    texts = [
        "please stop it",
        "one\ntwo\nthree\nfour",
        "round and round and round and",
        "x" * 99,
        "",
    ]
    check_stage(case.stage, texts, most_held=4, alone=True)


# Repetition


def first_loop(text: str, loops: Loops) -> tuple[int, int] | None:
    """The first place at which a text repeats itself, by trying everything."""
    for end in range(1, len(text) + 1):
        for piece in range(loops.min_chars, min(loops.longest, end // loops.times) + 1):
            span = text[end - piece * loops.times : end]
            if span[piece:] == span[:-piece]:
                return end - piece * loops.times, end
    return None


def found_loop(chunks: list[str], loops: Loops) -> tuple[int, int] | None:
    scan, start = RepeatScan(loops), 0
    for chunk in chunks:
        end = scan.read(chunk, start) if chunk else None
        start += len(chunk)
        if end is not None:
            assert (end.at, end.cut) == (end.end - 1, end.end)
            return end.start, end.end
    return None


def loopy(random: Random, times: int) -> str:
    """A text of pieces that stand nearly `times` times."""
    text = ""
    for _ in range(random.randint(1, 6)):
        piece = "".join(random.choice("ab") for _ in range(random.randint(1, 9)))
        text += piece * random.choice((1, 1, 2, times - 1, times, times + 1))
        if random.random() < 0.3:
            text += text[-random.randint(1, len(text)) :]
    return text


def test_loops_are_found_where_they_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    random, found = Random(7), 0
    for _ in range(6_000):
        # With a small bound there are as many scales as in a text that is a hundred times longer.
        monkeypatch.setattr(limits_repeat, "LONGEST", random.choice((1, 5, 12, 30)))
        loops = Loops(random.choice((1, 2, 3, 7)), random.choice((3, 4, 5, 8)))
        text = loopy(random, loops.times)
        expected = first_loop(text, loops)
        found += expected is not None
        for chunks in ([text], one_by_one(text), random_split(text, random)):
            assert found_loop(chunks, loops) == expected, (text, loops.min_chars, loops.times)
    assert 2_000 < found < 5_500


def test_two_loops_that_meet_are_not_one() -> None:
    loops, filler = Loops(20, 5), "abcdefghijklmnopqrstuvwxyz0123456789" * 2
    for before in range(61):
        text = filler[:before] + "ab" * 18 + "x" * 99
        assert found_loop([text + "y"], loops) is None
        assert found_loop(one_by_one(text + "x"), loops) == (before + 36, before + 136)


@pytest.mark.parametrize(("piece", "before"), [(1_999, 0), (700, 12_345), (20, 999), (1, 5_000)])
def test_long_loops_are_found_behind_other_text(piece: int, before: int) -> None:
    random, loops = Random(piece), Loops(20, 5)
    text = "".join(chr(random.randint(0x4E00, 0x9000)) for _ in range(before + piece))
    text = text[:-piece] + text[-piece:] * 200
    size = piece if piece >= 20 else 20
    assert found_loop([text], loops) == (before, before + 5 * size)
    assert found_loop(random_split(text[: before + 6 * size], random), loops) is not None


def test_what_is_kept_for_repetition_is_bounded() -> None:
    random, scan = Random(3), RepeatScan(Loops(20, 8))
    for number in range(3_000):
        scan.read("".join(random.choice("abcdefgh ") for _ in range(40)), number * 40)
        assert len(scan._text) < 12_000


# Cost


def steps(make: Callable[[], LimitSet], text: str) -> int:
    """How many lines of Python it takes to read a text in chunks of four."""
    stage = make().stage()

    def read() -> None:
        for at in range(0, len(text), 4):
            stage.feed(text[at : at + 4])

    return lines_executed(read)


@pytest.mark.parametrize("text", ["a" * 60, "ab" * 30, "a" * 59 + "b"], ids=["a", "ab", "aab"])
def test_the_work_is_linear_on_hostile_text(text: str) -> None:
    def make() -> LimitSet:
        stop = ("a" * 200 + "c", "b" + "a" * 100 + "c", "ba" * 50 + "c")
        return LimitSet(stop=stop, repeat=Loops(300, 5_000), max_chars=10**6)

    short, long = (steps(make, text * times) for times in (60, 240))
    assert long < 6 * short


# Counters


def test_tokens_are_counted_word_by_word_whatever_the_chunks() -> None:
    given: list[str] = []

    def counting(text: str) -> int:
        given.append(text)
        return 1

    for chunks in (
        ["Don't  panic: 世界, " + "x" * 70 + "... end"],
        one_by_one("Don't  panic: 世界, "),
    ):
        given.clear()
        play(LimitSet(tokens=TokenLimit(99, counting)).stage(), chunks)
        assert given[:3] == ["Don't", "  panic", ": 世界"]
    assert all(len(piece) <= 64 for piece in given)


@pytest.mark.parametrize("chunk", [1, 3, 99])
def test_a_counter_that_fails_blocks_where_it_fails(chunk: int) -> None:
    def fails(text: str) -> int:
        return {"one": 1, " two": 1}[text]

    text = "one two three four"
    stage = LimitSet(tokens=TokenLimit(99, fails)).stage()
    events = play(stage, [text[at : at + chunk] for at in range(0, len(text), chunk)])
    finding = Finding("limits.tokens", 13, 13, "block", kind="rule_error")
    assert events == [Text("one two three"), finding, Finish("error")]


@pytest.mark.parametrize(("min_chars", "times"), [(0, 3), (1, 2)])
def test_what_is_no_loop_is_refused(min_chars: int, times: int) -> None:
    with pytest.raises(ValueError, match="a loop needs"):
        Loops(min_chars, times)
