"""Words that are searched for as patterns: with signs for letters, and with markup inside."""

from __future__ import annotations

import pytest

from guardstream import Guard, Policy, PolicyError

WORDS = "[password, shit, bluebird, Project Falcon, facade, café]"


def guard(*names: str, words: str = WORDS, more: str = "") -> Guard:
    """A guard that masks words with some normalisations."""
    listed = ", ".join(names)
    return Guard(Policy.parse(f"rules: [{{id: w, words: {words}, normalize: [{listed}], {more}}}]"))


FOUND = {
    "leet": ["p4$$word", "P@55W0RD", "5h!t", "b1u3bird", "Pr0j3ct  f4lcon", "pa55w\u200bord"],
    "markdown": [
        "blue**bird", "blue`bird", "Project** Falcon", "cafe\u0301",
        "Project_ *Falcon",
    ],
    "markup": [
        "blue<!-- no -->bird", "blue<b>bird", "&#98;luebird", "&#X42;lue&shy;bird",
        "Project <i>Falcon", "Project&nbsp;Falcon", "Project<br/>Falcon", "**Project** Falcon"[2:],
    ],
}  # fmt: skip

LEFT = {
    "leet": ["455", "$455", "5h1t5", "f4c4d3", "#f4c4d3", "100ml", "xp4ssword", "p4ssword2"],
    "markdown": ["blue_bird", "my_bluebird_x", "blue*** *bird", "Project\n\n\n# Falconry"],
    "markup": ["blue &amp; bird", "blue < bird", "blue&#98;bird", "<bluebirds>"],
}


@pytest.mark.parametrize(("name", "text"), [(n, text) for n in FOUND for text in FOUND[n]])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_disguised_word_is_masked_as_a_whole(name: str, text: str, size: int) -> None:
    whole = f"so a {text} it is"
    pieces = (whole[at : at + size] for at in range(0, len(whole), size))
    assert guard(name).wrap_sync(pieces).text() == "so a [w] it is"


@pytest.mark.parametrize(("name", "text"), [(n, text) for n in LEFT for text in LEFT[n]])
def test_what_is_no_disguise_stays(name: str, text: str) -> None:
    assert guard(name).check(f"so a {text} it is").text == f"so a {text} it is"


def test_a_line_break_in_a_phrase_stays() -> None:
    assert guard("markdown").check("a **Project**\n> Falcon b").text == "a **[w]\n b"


def test_emphasis_around_a_word_is_no_part_of_another_one() -> None:
    assert guard("markdown").check("a _bluebird_ or __bluebird__").text == "a _[w]_ or __[w]__"


def test_disguises_go_with_other_normalisations() -> None:
    both = guard("leet", "confusables", "repeats", "separators")
    text = "a p.4.s.s.w.0.r.d, a pаааssword, a p 4 s s w 0 r d"
    assert both.check(text).text == "a [w], a [w], a [w]"


def test_exceptions_see_the_match() -> None:
    made = guard("leet", more="allow: {words: [p4ssword]}")
    assert made.check("p4ssword and pa55word").text == "p4ssword and [w]"


def test_the_words_of_one_stream_may_be_disguised_too() -> None:
    stream = guard("leet").wrap_sync(["a w1", "dg3t"], words={"w": ["widget"]})
    assert stream.text() == "a [w]"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("words: [a b c d], pattern: x, normalize: [leet]", "searches for words as patterns"),
        ("pattern: x, normalize: [leet]", "'leet' is for words"),
        ("pattern: x, normalize: [markup]", "'markup' is for words"),
    ],
)
def test_patterns_need_a_rule_of_their_own(more: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        Policy.parse(f"rules: [{{id: w, {more}}}]")


def test_there_may_not_be_too_many() -> None:
    words = ", ".join(f"word{number}" for number in range(2_001))
    with pytest.raises(PolicyError, match="more than 2000 words"):
        guard("leet", words=f"[{words}]")
