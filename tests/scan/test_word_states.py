"""The states that the extension makes of the words are those that Python would have built."""

from __future__ import annotations

import gc
import tracemalloc
from random import Random

import pytest

from guardstream.scan.words import aho_corasick
from guardstream.scan.words.aho_corasick import WordIndex
from guardstream.scan.words.forms import stepping
from guardstream.scan.words.normalize import Folding
from guardstream.scan.words.stepper import WordStepper

LETTERS = "aabbcß -ΩK\u200b"


def indexes(chance: Random, names: frozenset[str], share: float) -> tuple[WordIndex, WordIndex]:
    """The same words twice, so that neither form finds what the other has built; `share` of them
    need not stand alone."""
    words = {
        "".join(chance.choices(LETTERS[:-1], k=chance.randint(1, 6))).strip() or "a"
        for _ in range(12)
    }
    whole: dict[str, list[int]] = {}
    parts: dict[str, list[int]] = {}
    for number, word in enumerate(sorted(words)):
        (parts if chance.random() < share else whole)[word] = [number]
    one, two = (WordIndex(whole, parts, Folding(names)) for _ in range(2))
    return one, two


@pytest.mark.parametrize("share", [0, 0.4, 1])
@pytest.mark.parametrize(
    "names", [(), ("case",), ("case", "zero_width"), ("separators",), ("repeats",)]
)
def test_both_forms_stand_in_the_same_states(names: tuple[str, ...], share: float) -> None:
    pytest.importorskip("guardstream.scan._native", reason="the extension is not built")
    chance = Random(f"{names} {share}")
    living = 0
    for _ in range(150):
        native, python = indexes(chance, frozenset(names), share)
        makes = stepping(native)
        for _ in range(4):
            ours, theirs = makes(), WordStepper(python)
            text = "".join(chance.choices(LETTERS, k=60))
            for at in range(len(text)):
                ours.run(text, at, at + 1)
                theirs.run(text, at, at + 1)
                if chance.random() < 0.5:  # a state that nobody asks for is never made
                    assert ours.state.shape == theirs.state.shape
                    living += native.living(ours.state) is not None
                assert (ours.held, ours.due) == (theirs.held, theirs.due)
    assert living > 1_000 or names in (("separators",), ("repeats",))


def test_what_is_remembered_of_a_long_phrase_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aho_corasick, "MAX_TRANSITIONS", 5_000)
    phrase = "".join(Random(1).choices("abcdefgh", k=200))
    folding = Folding(frozenset(("zero_width",)))
    makes = stepping(WordIndex({}, {phrase: [0]}, folding))
    stream = makes()
    stream.run(phrase, 0, 199)
    gc.disable()  # what is forgotten is free at once
    tracemalloc.start()
    try:
        stream.run("\u200b" * 2_000, 0, 2_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert peak < 2_500_000
    stream.run(phrase[-1], 0, 1)
    assert [found.began for found in stream.state.found] == [2_200]
