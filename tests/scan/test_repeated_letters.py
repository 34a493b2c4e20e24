"""Words whose letters may be repeated: as often as the word has them, or more."""

from __future__ import annotations

import pytest

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule


def spans(rules: RuleSet, text: str) -> list[tuple[int, int]]:
    """The matches' spans; the same whole and by single characters."""
    found = []
    for chunks in ([text], list(text)):
        stage = rules.stage()
        events = [event for chunk in chunks for event in stage.feed(chunk)] + stage.finish()
        findings = [event for event in events if isinstance(event, Finding)]
        found.append([(f.start, f.end) for f in findings if f.kind == "match"])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("book", [(0, 4)]), ("bbooookk", [(0, 8)]), ("bok", []), ("a boook.", [(2, 7)])],
)
def test_a_word_needs_its_own_doubled_letters(text: str, expected: list[tuple[int, int]]) -> None:
    rules = RuleSet([Rule("w", words=("book",), normalize=("repeats",))])
    assert spans(rules, text) == expected


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("text", "held"),
    [("bo", 2), ("bok", 0), ("boo", 3), ("boook", 5), ("la", 0), ("lla", 3), ("llam", 4)],
)
def test_text_waits_only_while_its_letters_are_enough(text: str, held: int, whole: bool) -> None:
    rules = RuleSet([Rule("w", words=("book", "llama"), whole_word=whole, normalize=("repeats",))])
    stage = rules.stage()
    stage.feed(text)
    assert stage.held == held


def test_an_overflow_names_only_rules_whose_words_may_come() -> None:
    words = Rule("one", words=("laid",), normalize=("repeats",))
    others = Rule("two", words=("llama",), normalize=("repeats",))
    stage = RuleSet([words, others], max_holdback=5).stage()
    events = [*stage.feed("laaaaaaa"), *stage.finish()]
    assert [event.rule for event in events if isinstance(event, Finding)] == ["one"]


def test_letters_are_counted_from_the_candidate_that_stays_when_an_older_one_is_dropped() -> None:
    words = Rule("w", words=("aabbccdd", "bccx"), whole_word=False, normalize=("repeats",))
    rules = RuleSet([words], max_holdback=4, on_overflow="release")
    # Of `bccx` only one c is there; that `aabbcc…` was dropped must not shift the count.
    assert spans(rules, "aabbcx.") == []
    assert spans(rules, "bccx.") == [(0, 4)]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("straße", "straße"),
        ("straße", "strasse"),
        ("straße", "STRASSSSE"),
        ("pass", "paß"),
        ("pass", "pasß"),
        ("pass", "paßß"),
        ("office", "oﬃce"),
        ("office", "ofﬁce"),
        ("office", "oﬀﬀﬁce"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_character_may_be_several_letters(word: str, text: str, whole: bool) -> None:
    rules = RuleSet(
        [Rule("w", words=(word,), whole_word=whole, normalize=("width", "repeats"), action="mask")]
    )
    assert spans(rules, text) == [(0, len(text))]
    assert spans(rules, f"a {text}.") == [(2, 2 + len(text))]
    assert spans(rules, f"{text}a") == ([] if whole else [(0, len(text))])


def test_a_letter_twice_in_one_character_counts_twice() -> None:
    rules = RuleSet([Rule("w", words=("passss",), normalize=("repeats",))])
    assert spans(rules, "paß") == spans(rules, "paßs") == []
    assert spans(rules, "paßß") == [(0, 4)]


@pytest.mark.parametrize("before", ["", "＿", "_", "!", "1①", "①1", "½", "x①"])
@pytest.mark.parametrize("text", ["_-ab", "1①ab", "1½ab", "x＿ab", "x①1a", "z①ab"])
def test_where_a_word_begins_depends_on_its_neighbour_alone(before: str, text: str) -> None:
    # The first character of a class stands for it: its letter must not be taken for another's.
    for names in ("width", "repeats"), ("width", "repeats", "separators"):
        rules = RuleSet([Rule("w", words=("ab", "1a", "zc"), normalize=names)])
        spans(rules, before)
        assert spans(rules, text) == [(len(text) - 2, len(text))]


@pytest.mark.parametrize("text", ["of-fin", "of-ﬁn", "oⓕfin", "oⓕﬁn"])
def test_a_word_begins_with_a_letter_that_another_has_before(text: str) -> None:
    names = ("width", "repeats", "separators")
    rules = RuleSet([Rule("w", words=("ofx", "fin"), normalize=names)])
    assert spans(rules, text) == [(text.index("n") - (1 if "ﬁ" in text else 2), len(text))]


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        (("xa", "abc"), "xaⓐⓐbc", [(3, 6)]),
        (("xa", "abc"), "xaⓐbc", []),
        (("xa", "a"), "xaⓐⓐ.", [(0, 4), (3, 4)]),
        (("b敏", "敏感"), "b敏敏感", [(0, 3), (2, 4)]),
    ],
)
def test_a_word_begins_with_the_letter_that_ends_another(
    words: tuple[str, ...], text: str, expected: list[tuple[int, int]]
) -> None:
    rules = RuleSet([Rule("w", words=words, whole_word=True, normalize=("width", "repeats"))])
    assert spans(rules, text) == expected


def test_a_letter_that_is_in_no_word_is_never_the_last_one_again() -> None:
    rules = RuleSet([Rule("w", words=("i",), normalize=("width", "repeats"))])
    assert spans(rules, "v Ⅳk") == []
    assert spans(rules, "Ⅳ.") == [(0, 1)]


@pytest.mark.parametrize("word", ["سري", "سـري"])
@pytest.mark.parametrize("names", [("repeats",), ("repeats", "separators", "zero_width")])
def test_what_stretches_the_joint_of_two_letters_is_ignored(
    word: str, names: tuple[str, ...]
) -> None:
    rules = RuleSet([Rule("w", words=(word,), normalize=names)])
    assert spans(rules, "هذا ســـري.") == [(4, 10)]
    assert spans(rules, "ـسري سر") == [(1, 4)]
    plain = RuleSet([Rule("w", words=("سري",), normalize=("zero_width", "separators"))])
    assert spans(plain, "ســـري") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y yx", []),
        ("y  yx", []),
        ("a y . yx", []),
        ("y yyx", [(2, 5)]),
        ("y  yyyx", [(3, 7)]),
        ("y y yx", []),
        ("y y x", [(0, 5)]),
        ("y-yx", [(0, 4)]),
    ],
)
def test_a_letter_before_white_space_does_not_count_for_the_word_after_it(
    text: str, expected: list[tuple[int, int]]
) -> None:
    rules = RuleSet([Rule("w", words=("yyx",), normalize=("repeats", "separators"))])
    assert spans(rules, text) == expected
