"""Phrases and patterns whose spaces are any white space."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from guardstream.errors import PatternError
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.found import found

LETTERS = "ab \t\n\u00a0\u3000."


def spans(word: str, text: str, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Every occurrence of a word in a text, of which white space after white space is left out."""
    places = [
        at for at, char in enumerate(text) if not (char.isspace() and text[:at][-1:].isspace())
    ]
    seen = "".join(" " if text[at].isspace() else text[at] for at in places)
    wanted = " ".join(word.split())
    for at in range(len(seen) - len(wanted) + 1):
        start, end = places[at], places[at + len(wanted) - 1] + 1
        around = text[:start][-1:] + text[end : end + 1]
        if seen[at : at + len(wanted)] == wanted and not (whole and any(map(str.isalnum, around))):
            yield start, end


@given(
    st.text("ab ", min_size=1).filter(lambda word: word == word.strip()),
    st.text(LETTERS, max_size=12),
    st.booleans(),
    st.integers(1, 4),
)
def test_white_space_is_one_space(word: str, text: str, whole: bool, size: int) -> None:
    rule = Rule("w", words=(word,), whole_word=whole, normalize=("spaces",))
    rules = RuleSet([rule])
    expected = sorted(spans(word, text, whole=whole))
    assert sorted(found(rules, [text])) == expected
    assert sorted(found(rules, list(text))) == expected
    cut = [text[at : at + size] for at in range(0, len(text), size)]
    assert sorted(found(rules, cut)) == expected


@pytest.mark.parametrize(
    ("normalize", "text", "expected"),
    [
        (("spaces",), "a blue\n    bird.", "blue\n    bird"),
        (("spaces",), "a blue\u00a0bird", "blue\u00a0bird"),
        (("spaces",), "a bluebird", ""),
        (("spaces", "zero_width"), "a blue \u200b bird", "blue \u200b bird"),
        (("spaces", "repeats"), "a bluue \n birdd", "bluue \n birdd"),
        (("spaces", "separators"), "a b.l.u.e\r\n\tbi-rd", "b.l.u.e\r\n\tbi-rd"),
        (("spaces", "width"), "ａ ｂｌｕｅ　　ｂｉｒｄ", "ｂｌｕｅ　　ｂｉｒｄ"),
    ],
)
def test_it_goes_together_with_others(normalize: tuple[str, ...], text: str, expected: str) -> None:
    rules = RuleSet([Rule("w", words=("blue  bird",), normalize=normalize)])
    for chunks in ([text], list(text)):
        assert [text[slice(*span)] for span in found(rules, chunks)] == [expected] * bool(expected)


def test_a_long_gap_overflows() -> None:
    rules = RuleSet([Rule("w", words=("blue bird",), normalize=("spaces",))], max_holdback=20)
    assert found(rules, ["blue" + " " * 12 + "bird"]) == [(0, 20)]
    assert found(rules, ["blue" + " " * 100_000 + "bird"])[0][0] == 0


@pytest.mark.parametrize("word", [" a", "a\n"])
def test_a_word_with_space_at_its_ends_is_refused(word: str) -> None:
    with pytest.raises(PatternError, match="begins or ends with white space"):
        RuleSet([Rule("w", words=(word,), normalize=("spaces",))])


# Patterns

PARTS = ("a", "b", " ", " ?", " {2}", "(?: |b)", "[ b]", r"\ ", r"\s", "(?=a)", "(?i:A )")


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=5), st.text(LETTERS, max_size=12))
def test_a_space_in_a_pattern_is_white_space(parts: list[str], text: str) -> None:
    pattern = "".join(parts) + "a"
    written = "".join(part if part[0] in "[\\" else part.replace(" ", r"(?:\s+)") for part in parts)
    rules = RuleSet([Rule("p", patterns=(pattern,), normalize=("spaces",))])
    expected = [match.span() for match in regex.finditer(written + "a", text)]
    assert found(rules, [text]) == expected
    assert found(rules, list(text)) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("blue bird", "a blue\n  bird", "blue\n  bird"),
        ("blue bird", "> a **blue**\n> > _bird_", "blue**\n> > _bird"),
        ("(?i)BLUE BIRD", 'a "blue" `bird`', 'blue" `bird'),
        ("blue bird", ">a blue\n>bird", "blue\n>bird"),
        ("blue bird", ">> a blue\r\n>>\r\n>> bird", "blue\r\n>>\r\n>> bird"),
        ("blue bird", "a *blue*\\\n  bird", "blue*\\\n  bird"),
        ("blue bird", "a blue > bird", ""),
        ("blue bird", "a blue \\ bird", ""),
        ("blue bird", "a blue*bird", ""),
        ("blue bird", "a blue ****bird", ""),
        ("blue, bird", "a blue, ~~bird~~", "blue, ~~bird"),
        (r"blue\ bird", "a blue  bird", ""),
        ("(?x) blue [ ] bird", "a blue bird", "blue bird"),
        ("(?a)blue bird", "a blue\u2003bird", ""),
    ],
)
def test_markdown_at_a_space_is_passed_over(pattern: str, text: str, expected: str) -> None:
    rules = RuleSet([Rule("p", patterns=(pattern,), normalize=("markdown",))])
    for chunks in ([text], list(text)):
        assert [text[slice(*span)] for span in found(rules, chunks)] == [expected] * bool(expected)


def test_a_space_has_no_bound_in_a_lookbehind() -> None:
    with pytest.raises(PatternError, match=r"needs a bound, and .*: write \[ \]") as refused:
        RuleSet([Rule("p", patterns=("a (?<=(?:a| ))b",), normalize=("spaces",))])
    assert refused.value.offset == 11
    rules = RuleSet([Rule("p", patterns=("(?<=a[ ])b c",), normalize=("spaces",))])
    assert found(rules, ["a b  c"]) == [(2, 6)]
