"""The pattern dialect: what is accepted means what `regex` means by it, the rest is refused."""

from __future__ import annotations

import random
import warnings
from contextlib import suppress
from itertools import product

import pytest
import regex

from guardstream.errors import PatternError
from guardstream.events import Text
from guardstream.scan.regex.ast import Cat
from guardstream.scan.regex.parser import _Parser, parse
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule

TOKENS = r"""
    a b A 1 _ - . | ( ) (?: ) [ab] [^a] [a-b1] ^ * + ? *? +? ?? {2} {1,2} {,2} {2,} {1,3}? *+ ++ ?+
    \A \Z \b \B \d \w \s \W \D (?= (?! (?<= (?<! (?> (?i) (?i: (?-i: (?s: (?m: (?P<n> (?<m> \1
    (?P=n) [[:alpha:]] []a] \. \x61 \u0061 \n \m \M \R \h (?#c) (?| \p{L} \P{L} \pL { } a{,} {e}
    [\w--a] (?x) {1}+ (?=a) \101 \07 \g<1> (?(1)a|b) é [^\W\d] [~&&] [à-é] [é-à] [b-a] b-a
    [a-\u00e9] \\ \[
""".split()  # noqa: SIM905

LAYOUT = (" ", "\n", " ", "#", "# (c\n", r"\ ", r"\#", "[ #]", "(?-x: )") * 2
"""What blanks are, and what they are not, under `(?x)`."""

REFUSED = {
    r"a{e<=1}": "fuzzy matching .*; write out the possible spellings",
    r"\Xa": "grapheme",
    r"a\Kb": r"\\K",
    r"\Ga": r"\\G",
    r"(?r)a": "reverse",
    r"(?p)a|b": "POSIX",
    r"(?b)a": "BESTMATCH",
    r"(?f)a": "full case",
    r"(?V1)a": "version 1",
    r"(*FAIL)a": "verbs",
    r"\L<words>": "named lists",
    r"(a(?R)?b)": "recursion.*; write out the levels",
    r"(a)?(?(1)b|c)d": "conditional.*; write both ways out",
    r"(?<=a+)b": "unbounded lookbehind.*; give its repeats a bound",
    r"(?<=(a|ab))c\1": "group in a lookbehind",
    r"x(?<=(?=b)y?)c": "looks ahead",
    r"(?<=x(?:a|ab|b){1,4}+)c": "too many ways; lower its counters",
    r"a*": "match the empty string",
    r"\b": "match the empty string",
    r"(?#c){2}a": "cannot follow a comment",
    r"(?x)(?#c) {2}a": "cannot follow a comment",
    r"(?<n>a|b(?P=n))c": "cannot refer to itself",
    r"(?P=n)(?<n>a)": "there is no group 'n' before",
    r"(a)\g{1}": r"write \\1",
    r"\N{e<=1}": r"\\N needs a name",
    r"a\N{DIGIT{2}": r"\\N needs a name",
    r"(?x)\x6 1": r"\\x needs 2 hexadecimal digits",
    r"\u12": r"\\u needs 4 hexadecimal digits",
    "(?x)a{#\n2}": "without blanks",
    "(?x)a{e#\n}": "without blanks",
    "(?x)a(?x){ 2}": "without blanks",
    r"\pl": r"write \\p\{Name\}",
    r"\p{Lu": r"write \\p\{Name\}",
    r"a{100000}": "counter",
    "x{secret}": r"write \\\{ for the character",
    r"(a": "missing",
    r"a)": "unbalanced",
    r"[a": "missing",
    r"(?u)a(?a)": "incompatible",
    r"(?ai)a[[:upper:]]": r"no clear meaning.*; write \[A-Za-z\]",
    r"(?<q>['\"])\w\k<q>": r"write \(\?P=name\)",
    r"\e\[0m": r"write \\x1b",
    r"\Qa.b\E": "write \\\\ before",
    r"\x{e9}": r"\\uHHHH",
    r"[\u{1f600}]": r"\\uHHHH",
    r"(?'q'a)": r"\(\?<name>a\)",
    r"*a": "nothing to repeat",
    r"(?x)(a)\1 23": r"write a digit after \\1 as \[2\]",
    "(?x)\\0#\n1": r"write a digit after \\0 as \[1\]",
    r"\400": r"\\uHHHH",
    r"(?x)(?< =a)b(?>c)": "not a name for a group",
    r"(a)\g<²>": "no group '²'",
    r"(?-1)(a)": "recursion",
    r"(?P&n)(?<n>a)": "recursion",
    r"(?|(?i)a)[b]": r"would hold after it: write \(\?i:…\)",
    r"\p{inf}a": "unknown property",
    r"\N{KEYCAP DIGIT ONE}": "unknown property or character",
    r"\p{L=}": r"write \\p\{Name\}",
    r"(?a)(?:(?>a|b){1000}){1000}": "counters within counters",
    "(?<=x" + 6 * "(?>" + "a|b|c|d|e|f|g|h" + 6 * "|y)" + "z)w": "too many ways",
    "x(?:(?:|a){100}b?){100}c": "make a part of each round mandatory",
    "x(?>(?:(?:a|){500}b??){3})c": "make a part of each round mandatory",
    "x(?:" + "".join(f"(?=a{c})|" for c in "bcdefgh") + "y?){20}z": "make a part of each round",
    r"x(?:b|\b|y|a?){50}+z": "make a part of each round mandatory",
    "x" + "".join(f"(?:(?=a{c})|y?)" for c in "bcdefghijk") + "z": "atomic parts in a row",
    "(?:" * 200 + "a" + ")" * 200: "nest",
}


def masked(rules: RuleSet, text: str) -> str:
    stage = rules.stage()
    events = [event for character in text for event in stage.feed(character)] + stage.finish()
    return "".join(event.text for event in events if isinstance(event, Text))


def expected(pattern: regex.Pattern[str], text: str) -> str:
    covered = {place for match in pattern.finditer(text) for place in range(*match.span())}
    return "".join("*" if place in covered else c for place, c in enumerate(text))


def drawn(rng: random.Random, *others: str) -> str:
    """A random pattern, in some cases laid out by blanks and comments."""
    tokens = (*TOKENS, *others)
    begin = rng.choice(("", "", "(?x)", "(?ix)", "(?im)"))
    if "x" in begin:
        tokens += LAYOUT
    pattern = begin + "".join(rng.choices(tokens, k=rng.randint(1, 7)))
    return pattern + ")" * (pattern.count("(") - pattern.count(")"))


@pytest.mark.parametrize("seed", range(8))
def test_a_random_pattern_means_what_regex_means_by_it(seed: int) -> None:
    rng = random.Random(seed)
    texts = ["".join(rng.choices("abAB1 _-\né.c", k=rng.randint(3, 12))) for _ in range(20)]
    compared = 0
    while compared < 500:
        pattern = drawn(rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                judge = regex.compile(pattern, regex.V0)
            rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
        except (regex.error, RuleError):
            continue
        for text in rng.sample(texts, 6):
            assert masked(rules, text) == expected(judge, text), (pattern, text)
        compared += 1


@pytest.mark.parametrize("seed", range(8))
def test_what_regex_refuses_is_refused(seed: int) -> None:
    rng = random.Random(seed)
    refused = 0
    while refused < 500:
        wrong = ("[z-a]", r"[\u2013-\u2010]", r"[x\u00e9-\u00E8-]", "[^]", "a{3,1}", "(?<n>")
        pattern = drawn(rng, *wrong)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                regex.compile(pattern, regex.V0)
        except regex.error:
            with pytest.raises(RuleError):
                RuleSet([Rule("p", patterns=(pattern,))])
            refused += 1


@pytest.mark.parametrize(("pattern", "reason"), REFUSED.items(), ids=lambda value: value[:20])
def test_what_cannot_be_searched_exactly_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(RuleError, match=reason) as caught:
        RuleSet([Rule("p", patterns=(pattern,))])
    assert caught.value.rule == "p"
    assert caught.value.pattern == 0


def test_a_group_that_can_be_skipped_is_refused() -> None:
    for pattern in (r"(a)?b", r"(a)|b", r"(?:(a)|b)c", r"(?:x(a))*b", r"(?=(a))a"):
        with pytest.raises(RuleError, match="skipped"):
            RuleSet([Rule("p", patterns=(pattern,), group=1)])


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(RuleError, match="no group 'value'"):
        RuleSet([Rule("p", patterns=("a(?<other>b)",), group="value")])


@pytest.mark.parametrize(
    ("group", "what"),
    [("1", ": write the number without quotes, 1$"), ("2", "'2', known: "), ("othr", "'other'?")],
)
def test_the_hint_for_an_unknown_group_says_which_there_are(group: str, what: str) -> None:
    with pytest.raises(RuleError, match=what.replace("?", r"\?")):
        RuleSet([Rule("p", patterns=("a(?<other>b)",), group=group)])


READ_ALIKE = {
    r"(a)\１": "aa a１",
    r"[²\²]\é": "²é ²²é",
    r"(?#\)(a)b": "ab b",
    r"(?#\\)b": "b",
    "(?x)a{2} ?b+#c\n?": "aabb",
    r"(?|(?<n>a)|(?<m>b))c\2": "aca bcb",
    r"[[:a: :]]x": "a]x :x :]x",
    r"(?a)(?-a:\w)(?a:\w)": "aa éa aé",
    r"(?a:(?-a:\w)(?-u:é))a": "ééa aéa",
    r"(?u)\w(?-u)\w": "aa éa aé",
    r"(?u)\w(?-u)\w(?a)": "aa éa aé",
}


@pytest.mark.parametrize(("pattern", "text"), READ_ALIKE.items(), ids=lambda value: value[:20])
def test_what_is_seldom_written_means_what_regex_means_by_it(pattern: str, text: str) -> None:
    rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
    assert masked(rules, text) == expected(regex.compile(pattern, regex.V0), text)


def test_a_dollar_is_the_end_of_the_text_alone() -> None:
    rules = RuleSet([Rule("p", patterns=("a$",), replacement="*")])
    assert masked(rules, "ba") == "b*"
    assert masked(rules, "ba\n") == "ba\n"


def test_every_capture_of_a_masked_group_is_masked() -> None:
    rules = RuleSet([Rule("p", patterns=(r"(?:(\d+),)+;",), group=1, replacement="*")])
    assert masked(rules, "12,3,; 4,") == "**,*,; 4,"


@pytest.mark.parametrize(
    "pattern", ["[wx{]", "[[:alpha:]u{]", r"[]x{\]]", "[^]u{]", "[[x{]", r"[\\x{]"]
)
def test_a_brace_in_a_class_is_one_of_its_characters(pattern: str) -> None:
    text = "".join(map(chr, range(0x20, 0x7F)))
    rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
    assert masked(rules, text) == expected(regex.compile(pattern, regex.V0), text)


# Lookarounds that are read once

LOOKAROUNDS = [
    r"(?<![\w)]).(?=[(\]])(?=\()x",
    r"(?<=a|\)|(?<=[0-9;])m)x(?!(?:b|(?i:c))d)",
    r"(?i)(?<=a b)x(?<=a b)(?-i:(?<=a b))",
    r"(?i)(?=a)a(?-i)(?=a)",
    r"(?s)(?=.)x(?-s)(?=.)y",
    r"(?x) (?= a b ) x (?=[ ]c # (\n ) y",
    r"(a)(?=\1)b(?=(c))(?<=(?<!d)e)\2",
    r"(?P<n>a)(?=(?P=n)b)(?!\g<n>)c",
    r"(?=\p{Lu}\x41\u0042\101\0)A(?=[^\p{Lu}]])",
    r"(?a)(?=\w)a(?=é)",
    r"(?=a{2,3}b{,2}c{x})a(?=b{1,}?)",
    r"(?m)(?=^a$)a(?<=^\b)",
]


@pytest.mark.parametrize("space", [" ", r"\s+"])
@pytest.mark.parametrize("pattern", LOOKAROUNDS)
def test_a_lookaround_that_is_read_once_is_what_it_would_be_there(
    monkeypatch: pytest.MonkeyPatch, pattern: str, space: str
) -> None:
    def outcome() -> object:
        try:
            return parse(pattern, space)
        except PatternError as error:
            return str(error), error.offset

    known = outcome()
    monkeypatch.setattr(_Parser, "_known_look", lambda *_: None)
    assert known == outcome()


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [(r"a(?=b**)", 6), (r"(?<=x(?=a{3,2}))b", 14), (r"(?=[a)", 3), (r"ab(?!\e)", 5)],
)
def test_what_is_refused_in_a_lookaround_is_refused_there(pattern: str, offset: int) -> None:
    with pytest.raises(PatternError) as refused:
        parse(pattern)
    assert refused.value.offset == offset


def test_equal_lookarounds_are_one_object() -> None:
    patterns = "(?<![^()])a", "(?<![^()])b", "(?x) (?<![^()]) c"
    first, *others = [parse(pattern).tree for pattern in patterns]
    assert isinstance(first, Cat)
    for other in others:
        assert isinstance(other, Cat)
        assert first.items[0] is other.items[0]


ATOMIC_BEHIND = (
    "(?<=b{0,3}+b)a", "(?<=a(?>ab|b))b", "(?<=a(?>b|ab))b", "(?<!a(?>ab|b))b", "(?<=a(?>a?b?))b",
    "(?<=ba?+)b", "(?<=b(?>(a)|b(a))a??)b", "(?<=a(?>(?:ab){1,2}))b", "(?<=a(?>(?>a|ba)b|b))a",
    r"(?<=b(?>a|\Ba){0,2}+)b", "(?<=^(?>aa|a))b", "(?<=(?>a|ba)b)a", "(?<=a(?>a{1,2}?|ba))b",
    r"(?<=\r\R)a", "(?i)(?<=A(?>B|AB))a",
)  # fmt: skip


@pytest.mark.parametrize("pattern", ATOMIC_BEHIND)
def test_a_lookbehind_keeps_what_comes_first_from_its_end(pattern: str) -> None:
    judge = regex.compile(pattern, regex.V0)
    rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
    for length in range(2, 7):
        for letters in product("ab", repeat=length):
            text = "".join(letters) + "\r\na"
            assert masked(rules, text) == expected(judge, text), text


EMPTY_ROUNDS = (
    r"\b(?:A*?|1)+1", r"\b(?:(?:aa)?A*?|1)+1", r"\b(?:A*?|1)+?1", r"\b(?:(?:A*?)*|1)+1",
    r"\b(?:a?(?:A*?|1)*|A)+1", r"\b(?>(?:A*?|1)+)?1", r"\b(?:(?>A*+|1)*?|a)+1",
    r"a(?:(?:1|A??)*A??)*?1", r"\b(?:(?:(?:a??)*A??)*1??)*a1", r"(?<=a(?:A??|1){0,2})(?:a*?|1)+A",
)  # fmt: skip


@pytest.mark.parametrize("pattern", EMPTY_ROUNDS)
def test_a_loop_ends_with_an_empty_round_wherever_its_body_has_been_before(pattern: str) -> None:
    judge = regex.compile(pattern, regex.V0)
    rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
    for length in range(2, 7):
        for letters in product("aA1", repeat=length):
            text = "".join(letters)
            assert masked(rules, text) == expected(judge, text), text


def test_lookbehinds_in_lookbehinds_are_read_in_little_time() -> None:
    for begin in ("(?<=a", "(?<!b"):
        pattern = begin + 60 * begin + "a" + ")" * 61 + "a"
        rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
        assert masked(rules, "aab") == expected(regex.compile(pattern, regex.V0), "aab")


def test_counters_of_what_may_be_empty_are_written_out_when_the_text_reaches_them() -> None:
    pattern = "(?:" * 20 + "a?" + "){0,5}" * 20 + "b"
    rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
    assert masked(rules, "aab xb") == "*** x*"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("x(?:(?<=a)|a?+){20}b", "xaab xbaab xacb"),
        ("x(?:(?:(?=ab)?y?){4}z?){5}b", "xyyzb xzab yxyzyb"),
        (r"x(?:(?:(?:(?!ab)\b)+?){3,9}){20}+ b", "x ab x b xab"),
        ("x(?:(?:(?:(?:a?+){3,9}?){3}?){9}+){3,9}b", "xaaab xb xaac"),
        ("x(?:a|b?|c?|d){50}+z", "xabz xz xcz xaad"),
    ],
)
def test_what_every_round_asks_for_is_asked_for_once(pattern: str, text: str) -> None:
    rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
    assert masked(rules, text) == expected(regex.compile(pattern), text)


def test_many_required_rounds_may_be_empty() -> None:
    rules = RuleSet([Rule("p", patterns=("x(?:a?b?){5000}c",), replacement="*")])
    assert masked(rules, "xabbac xc xd") == "****** ** xd"


def test_rounds_that_read_something_may_begin_in_many_ways() -> None:
    words = "|".join(f"{number}z" for number in range(1_200))
    rules = RuleSet([Rule("p", patterns=(f"(?:{words}){{2}}",), replacement="*")])
    assert masked(rules, "7z 7z1199z") == "7z *******"


@pytest.mark.parametrize("part", ["{", "a{1", " {1", "a {b}", "{e:"])
def test_long_patterns_are_read_in_time_that_grows_with_their_length(part: str) -> None:
    pattern = "(?x)" + part * 20_000
    with suppress(PatternError):
        parse(pattern)


def test_loops_in_loops_are_followed_in_little_time() -> None:
    pattern = "x" + "(?:" * 60 + "a?" + ")*" * 60 + "y"
    rules = RuleSet([Rule("p", patterns=(pattern,), replacement="*")])
    assert masked(rules, "xaaay xaa xy") == "***** xaa **"
