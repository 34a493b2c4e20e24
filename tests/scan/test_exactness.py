"""Nothing is approximated: what is masked, blocked or reported is what the pattern matches."""

from __future__ import annotations

from random import Random

import pytest
import regex

from guardstream.events import Event, Finding, Finish, Text
from guardstream.stages.halves import paired
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import OnOverflow, Rule, Validator
from tests.support.chunking import joined, one_by_one, play, random_split
from tests.support.reference import check_whole

PROSE = "It's a long day, isn't it? The key: to it is one of 100 words, and so on; "
HEX = "3f2a9c0d1e4b5f6a7788990011223344556677889900aabbccddeeff00112233 "


def events_of(rule: Rule, text: str, limit: int, on_overflow: OnOverflow = "mask") -> list[Event]:
    """The events, the same whole, by single characters and cut at random."""
    rules = RuleSet([rule], max_holdback=limit, on_overflow=on_overflow)
    whole = play(rules.stage(), [text], limit)
    assert play(rules.stage(), one_by_one(text), limit) == whole
    assert play(rules.stage(), random_split(text, Random(len(text))), limit) == whole
    return whole


# Sets of characters

SETS = [
    r"\u4e00", r"[\u4e00-\u9fff]", r"[\x00-\uffff]", r"\U0001f600", r"[\U0001f600-\U0001f64f]",
    r"\x41", r"[\x41-\xff]", r"\101", r"[\101-\377]", r"\0", r"\N{GREEK SMALL LETTER ALPHA}",
    r"\p{L}", r"\P{L}", r"\p{Script=Han}", r"\pN", r"[[:alpha:]]", r"[[:^alpha:]]", r"[^a]",
    r"[[:]+:\]", r"[[:.]\w:\]",
    r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\h", r"\v", r"\R", r"\t", r"\n", r"\r", r"\f",
    r"\a", r"[^\w]",
    r".", r"(?s).", r"[\w--a]", r"(?i)k", r"(?i)[k-s]", r"(?i)ß", r"(?i)\u212b", r"[a\]]", r"[]a]",
    r"(?a)\w", r"(?a:\w)", r"(?a)[^\W\d]", r"(?a)\s", r"(?a)[^\d]",
    r"(?ai)k", r"(?ai:k)",
    r"(?ia)é", r"(?ia:é)", r"(?a)[[:alpha:]]", r"(?a:[[:alpha:]])", r"(?a)(?u:\w)", r"(?ai)[k-s]",
    r"\m\w", r"\w\M", r"(?a:\m)\w", r"\w(?a:\M)",
    r"(?a:(?:\w))", r"(?a:(?:\s)+)", r"(?a:(?i:[^\d]))", r"(?a:(\w))", r"(?u:(?:\w))(?a)",
    r"(?a:(?u)\w)", r"(?a)((?u)\w)", r"(?u:(?a)\w)",
    r"(?a)(?u:\m)\w", r"(?a)\m\w", r"(?a)\b\w", r"(?a:\b\w)", r"\w(?a)\w",
]  # fmt: skip
EDGES = "aAkKsSſ\u212aßẞéÉ中\uffff\U0001f600\u2003\u00a0\u0663\u2028\x85\r\n\v\f\0_-."


@pytest.mark.parametrize("pattern", SETS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_every_escape_means_what_it_does_in_regex(pattern: str) -> None:
    random = Random(pattern)
    characters = [chr(random.randrange(0x11000)) for _ in range(300)]
    characters += [chr(random.randrange(0x110000)) for _ in range(100)]
    # Two halves that stand together are one character to the search.
    text = paired("".join(characters)) + EDGES + "".join(random.choices(EDGES, k=200))
    rule = Rule("p", patterns=(pattern,), replacement="*")
    assert joined(events_of(rule, text, 64)) == check_whole([rule], text)[0]


# Only what can still match overflows

CLEAN = [
    (r"(?<=key: )[\w ]+;", PROSE, 64),
    (r"(?<=\bkey: to )[\w ]{300}", PROSE, 64),
    (r"(?<!key: )[\w ]{10}#", PROSE, 16),
    (r"[\w ]{10}#", PROSE, 16),
    (r"""(['"])\w{3}\1""", PROSE, 8),
    (r"""(['"])\w{3}(\1)""", PROSE, 8),
    (r"(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", HEX, 40),
    (r"k.{0,60}?#", PROSE, 64),
    (r"(?>a|ab)c{30}", "abccccccccccccccccccccccccccccccccccccccc acccc", 32),
    (r"\d{2,5}+\w{30}", "12345678901234567890a", 40),
    (r"(?=\w{4}-)\w+-x", PROSE, 8),
    (r"(\w+) is \1 of \w{40}", PROSE, 16),
    (r"(?!\w{3,9} )\w+ \w", "one two three four five ", 16),
    (r"(..)\1{2,}", PROSE, 16),
    (r"(..)\1{2,}", f"ab ababab {PROSE}", 16),
    (r"(\w)(?:,\1)+", f"a,a,a b,{PROSE}c,c, ", 8),
    (r"x(\w)(\W*\1)+", f"xaa a xbc {PROSE}", 8),
    (r"(?=(?:[\w ]??)++)k\d", "k1 and then k2 or so, ", 4),
    (r"(\w)(?=[\w ]*?(?:\1)?,?)\d", "k1 and then k2 or so, ", 4),
]


@pytest.mark.parametrize(("pattern", "text", "limit"), CLEAN)
@pytest.mark.parametrize("on_overflow", ["mask", "block", "release"])
def test_what_can_no_longer_match_never_overflows(
    pattern: str, text: str, limit: int, on_overflow: OnOverflow
) -> None:
    rule = Rule("p", patterns=(pattern,), replacement="*")
    text = 40 * text
    expected, findings = check_whole([rule], text)
    events = events_of(rule, text, limit, on_overflow)
    assert joined(events) == expected
    assert [event for event in events if isinstance(event, Finding)] == findings


def test_a_candidate_that_is_dropped_takes_no_younger_one_with_it() -> None:
    rule = Rule("p", patterns=("k=[a-z=]{70}!",), replacement="*")
    text = "k=k=" + 70 * "a" + "! " + "k=" + 71 * "a" + "!"
    shown = joined(events_of(rule, text, 73, "release"))
    assert shown == "k=" + 73 * "*" + " k=" + 71 * "a" + "!"
    unbounded = Rule("p", patterns=("k=[a-z=]*!",), replacement="*")
    text = "k=k=" + 45 * "a" + "!"
    assert joined(events_of(unbounded, text, 48, "release")) == "k=" + 48 * "*"


def test_a_match_may_be_as_long_as_a_large_counter_says() -> None:
    rule = Rule("p", patterns=(r"key-(?:[a-z]{16,100}\d){1,200}!",), replacement="*")
    whole = "key-" + 100 * ("abcdefghij" * 9 + "7") + "!"
    cut = "key-" + 3 * ("abcdefghij" * 11 + "7") + "!"
    assert (
        joined(events_of(rule, f"a {whole} b {cut} c", 20_000)) == f"a {len(whole) * '*'} b {cut} c"
    )


def test_a_pattern_may_list_thousands_of_words() -> None:
    words = [f"{n:04}word{n * 7919 % 10_007}" for n in range(2_000)]
    rule = Rule("p", patterns=(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)",), replacement="*")
    text = f"{words[3]} {words[7]}x {words[1999]}, {words[1000]}"
    shown = f"{len(words[3]) * '*'} {words[7]}x {len(words[1999]) * '*'}, {len(words[1000]) * '*'}"
    assert joined(events_of(rule, text, 64)) == shown


EDGED = [
    (r"\b(\w+)\s+\1\b", "a some some b"),
    (r"([a-z]{4})-\1\B", "x some-somewhere"),
    (r"(?m)(\w{4,})=\1$", "x some=some\nb"),
    (r"([a-z]{4,})=\1$", "x some=some"),
]


@pytest.mark.parametrize(("pattern", "text"), EDGED)
@pytest.mark.parametrize("limit", range(4, 12))
def test_a_match_that_only_what_comes_next_decides_overflows(
    pattern: str, text: str, limit: int
) -> None:
    rule = Rule("p", patterns=(pattern,), replacement="*")
    shown = joined(events_of(rule, text, limit))
    for match in regex.finditer(pattern, text):
        assert set(shown[match.start() : match.end()]) == {"*"}


# Ends


@pytest.mark.parametrize(
    ("pattern", "tail"),
    [(r"(?:a|aa)+b(?=cc)", "bcd"), (r"(?:a+)+(x)(?:a+)+b", "cd"), (r"((?:a|aa)+)c", "bcd")],
)
@pytest.mark.parametrize("group", [None, 1])
def test_confirming_never_backtracks_without_end(
    pattern: str, tail: str, group: int | None
) -> None:
    if group and "(x)" not in pattern and "((" not in pattern:
        pattern = f"({pattern})"
    rule = Rule("p", patterns=(pattern,), validators=(bool,), group=group)
    text = "x".join(20 * [120 * "a"]) + tail  # `regex` would take years
    assert joined(events_of(rule, text, 4_096)) == text


def test_the_search_goes_on_after_what_is_confirmed_or_refused() -> None:
    def even(text: str) -> bool:
        return len(text) % 2 == 0

    rule = Rule("p", patterns=(r"\d+(?:-\d+)*",), validators=(even,), replacement="*")
    text = "12-34 123-4 1-2-3 1234-5-6-78 x12345y"
    assert joined(events_of(rule, text, 64)) == check_whole([rule], text)[0]


def test_held_text_is_what_a_preferred_way_can_still_take() -> None:
    stage = RuleSet([Rule("p", patterns=(r"(?>a|ab)c",))]).stage()
    held = []
    for character in "ab":
        stage.feed(character)
        held.append(stage.held)
    assert held == [1, 0]
    assert [e for e in stage.feed("c") if isinstance(e, Text)] == [Text("c")]


FAR = (r"(?s)BEGIN.*?key=(\d+)\s*;", r"(?s)BEGIN.*?(?:key=(\d+),?)+;")


@pytest.mark.parametrize("pattern", FAR)
@pytest.mark.parametrize("validators", [(), (str.isdigit,)])
def test_of_a_match_that_began_before_the_window_the_group_is_masked(
    pattern: str, validators: tuple[Validator, ...]
) -> None:
    rule = Rule("p", patterns=(pattern,), group=1, replacement="*", validators=validators)
    text = "BEGIN " + 900 * "no key " + "key=123; key=4;"
    assert joined(events_of(rule, text, 8)) == text.replace("123", "***")


def test_a_match_that_began_before_the_window_is_not_judged_by_halves() -> None:
    judged = []

    def judge(text: str) -> bool:
        judged.append(text)
        return True

    rule = Rule("p", patterns=(r"(?s)BEGIN.*?END",), validators=(judge,), replacement="*")
    text = "a BEGIN " + 3_000 * "x" + " END b BEGIN END c"
    assert joined(events_of(rule, text, 16)) == "a " + 3_010 * "*" + " b ********* c"
    assert set(judged) == {"BEGIN END"}


@pytest.mark.parametrize("pattern", [r"(?:[^b]+(\d{1,2}?)\ )+$", r"(?:[^b]+(\d{1,2}?)\ ){1,}$"])
def test_a_round_that_can_do_no_more_than_an_earlier_one_holds_nothing(pattern: str) -> None:
    stage = RuleSet([Rule("p", patterns=(pattern,), group=1)]).stage()
    held = []
    for character in "~1 1 ":
        stage.feed(character)
        held.append(stage.held)
    assert held == [0, 1, 2, 1, 2]


def test_what_lives_on_leaves_enough_to_confirm_its_match() -> None:
    rule = Rule("p", patterns=(r"k(.*?) (.)(.*)\2(.*)\2(.*)",), replacement="*")
    events = events_of(rule, 2 * PROSE, 4)
    assert [e.kind for e in events if isinstance(e, Finding)] == ["overflow", "match"]


def test_a_judge_that_fails_where_text_is_held_no_more_fails_its_rule() -> None:
    def judge(text: str) -> bool:
        raise ValueError(text)

    rule = Rule("p", patterns=(r"(..)\1{2,}",), validators=(judge,), replacement="*")
    events = events_of(rule, f"ababab {PROSE}", 16)
    assert [event.kind for event in events if isinstance(event, Finding)] == ["rule_error"]
    assert events[-1] == Finish("error")


def test_what_has_overflowed_lives_on_until_a_match_that_hid_it_is_judged() -> None:
    pattern = r"[ba]\w\w[^\W\d_]ac(?=.)"
    rule = Rule("p", patterns=(pattern,), validators=(lambda text: len(text) % 2 == 1,))
    events = events_of(rule, "aaacabacaab", 2)
    assert [(e.start, e.end) for e in events if isinstance(e, Finding)] == [(0, 3), (5, 8)]


def test_a_group_that_is_released_takes_no_younger_one_with_it() -> None:
    rule = Rule("p", patterns=(r"k=([a-z=]+)!",), group=1, replacement="*")
    events = events_of(rule, "k=aak=bbb!", 5, "release")
    assert joined(events) == "k=aak=***!"
    assert [(e.kind, e.start, e.end) for e in events if isinstance(e, Finding)] == [
        ("overflow", 2, 8),
        ("match", 6, 9),
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "shown", "found"),
    [
        (r"_{0,2}?(.)\d+$", "_11", "_*1", [("overflow", 0, 3), ("match", 1, 2)]),
        (r"[^b]([^x]*)-{2,}$", "----", "----", [("overflow", 1, 4)]),
    ],
)
def test_where_one_way_is_released_the_group_of_another_counts(
    pattern: str, text: str, shown: str, found: list[tuple[str, int, int]]
) -> None:
    rule = Rule("p", patterns=(pattern,), group=1, replacement="*")
    events = events_of(rule, text, 2, "release")
    assert joined(events) == shown
    assert [(e.kind, e.start, e.end) for e in events if isinstance(e, Finding)] == found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"((?:\-(?=b)))b\1", "-b-"),
        (r"((?<=x)\w{2})-\1", "xab-ab yab-ab"),
        (r"(\b\w{2})\w\1", "abcab"),
        (r"((?>a|ab)\d*)c\1", "a1ca1 ab1cab1"),
        (r"(^\w{3})-\1", "abc-abc"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_reference_asks_for_the_text_alone(pattern: str, text: str, size: int) -> None:
    """What stands around a group stands elsewhere where its text comes again."""
    stage = RuleSet([Rule(id="r", patterns=(pattern,), replacement="*")]).stage()
    events = [e for at in range(0, len(text), size) for e in stage.feed(text[at : at + size])]
    found = [(e.start, e.end) for e in [*events, *stage.finish()] if isinstance(e, Finding)]
    assert found == [match.span() for match in regex.finditer(pattern, text, regex.V0)]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"((['\"]))\w+\1", "say 'ab' \"cd'"),
        (r"(x(a|b)-?) \1", "xa xa xb- xb- xa xb"),
        (r"((?:(a|b)){2}) \1", "ab ab ba ab"),
        (r"((\d\d)x) \1", "12x 12x 12x 13x"),
    ],
)
def test_a_group_in_a_group_that_is_referred_to_is_masked(pattern: str, text: str) -> None:
    rule = Rule("p", patterns=(pattern,), group=2, replacement="*")
    assert joined(events_of(rule, text, 64)) == check_whole([rule], text)[0] != text


# References where they may not match

REFERENCES = [
    (r"%([\W_])(?:\\\1|(?!\1).)*\1", r"%!\!++\!! %(a\)(\( %_a__"),
    (r"(\w+)-(?!.{0,9}\1)\w+", "ab-cd ab-xab ab-x"),
    (r"\b(\w+) (?!\1\b)\w+\b", "the the then the rest"),
    (r"([a-z]+)-(?>[a-z]|\1)c", "ab-abc ab-ac"),
    (r"([a-z]+)-(?>\1|[a-z]+b)c", "ab-abc ab-abbc ab-abb"),
    (r"([a-z])(?>x\1|x)y", "qxqy qxy axay axy"),
    (r"(\w)-(?!.*\1)\w", "a-b, c-d; a\nc-x"),
    (r"\b(\w+)\b(?=.*\b\1\b)", "the cat, the dog\nthe cat"),
    (r"(\w+),(?=\w+(?=\1))", "ab,cdab ab,cd;"),
    (r"(\w+),(?!(?=\w+\1))", "ab,cdab ab,cd;"),
    (r"(\w+),(?!\w(?!\1))", "a,bacd a,bcad"),
    (r"(\w)b(?!.\1$)", "abxac abxa"),
    (r"(\w)b(?!.\1\b)", "abxac abxa; abxa"),
    (r"(?=(\w+))\1:", "abc: d ef:"),
    (r"x(?=,?(\w))\W?\1+", "x,aab xbbc x,"),
    (r"(?<=(['\"=]))\w+\1", "='ab' \"cd' =ef="),
    (r"(?ai)(.)\1", "kK k\u212a sS s\u017f éÉ"),
    (r"(?i)(.)\1", "kK k\u212a sS s\u017f éÉ iI iİ iı Iı"),
    (r"((a|b)c?)\1\2", "aaa acaca acac bbb"),
    (r"((a)|(b))\1(?:\2|\3)", "aaa bbb aab"),
    (r"((?:(a|b)){2})\1\2", "ababb ababa aaaaa"),
    (r"(x(a|b)?)\1y\2", "xaxaya xxy xaxay"),
]

# Lookbehinds, which may match in any of their ways

LOOKBEHINDS = [
    (r"\w(?<!a.{1,2}?)", "abb xabbb"),
    (r"(?<=x\d{1,3}?)y", "x1y x12y x1234y"),
    (r"(?<=x(?:|b|cd))y", "xy xby xcdy xbcdy"),
    (r"(?<=^(a?)(b??|cd))e", "acde"),
    (r"(?<=\bab\b)\W", "ab abc ab. xab-"),
    (r"(?<!ab\b)[ c]", "ab abc xab- c"),
    (r"(?<=a\b|b(?!\w)|ca(?=d))\w?.", "a b cad bd, b"),
    (r"(?<!a$|x)b|(?m:(?<=c$))\n", "ab xb c\nbb"),
]

# What stands before a repetition

REPEATED = [
    (r"(?:a|ab){1}+c", "ac abc"),
    (r"(?=ab){3}ab?", "ab aab"),
    (r"(?:<a>)(?!</a>.)+\w", "<a>b<a></a>c"),
    (r"\b?a|\B{2,}b|$*c", "ab abb c"),
    (r"(?=(a))?\w\1", "aa ba ab"),
    (r"(?=(a))??a\1|(?!b)*+b", "aa b"),
    (r"a(?#c){2}b", "ab aab"),
    (r"(?x)a (?#c) {2} # c\n b", "aab a{2}b"),
    ("(?x)a # c\n +(?#d)b", "aab a+b"),
]


# Rounds that match nothing, of loops that give nothing back

EMPTY_ROUNDS = [
    (r"()*+a", "ba"),
    (r"(?:a?)*+b", "aab b"),
    (r"(?:a*)*+b", "aab b"),
    (r"(?:a|)*+b", "aab b"),
    (r"(?:|a)*+b", "aab b"),
    (r"(?:a??)*+b", "aab b"),
    (r"(?>(?:a?)*)b", "aab b"),
    (r"(?>(?:a?b?)*?)c", "abc c"),
    (r"(?:a?){2,}+b", "aab b"),
    (r"(?:a?)*+ab", "aab b"),
    (r"(?:(?=a)|b)*+c", "bbc abc"),
    (r"a(?:b?\b)++", "a ab abb"),
    (r"a(?>(?:b?(?=c))*)c", "ac abc abbc"),
    (r"a(?:b?\b)*c?", "a ab abc ac"),
    (r"(?>(?:a{,}?)+(?<!b)a)", "baa"),
    (r"(?!(?>(?:a??)+(?<!b)a))[ab]{2}", "baab"),
    (r"(?:b||a){,2}b", "abb abbb"),
    (r"(?:b||a){2}b", "abb abbb"),
    (r"(?:b||a){1,3}b", "abb abbbb"),
    (r"(?:b||a){,3}?b", "abb abbbb"),
    (r"c(?:|[ab]{,2}){,3}b", "caabab caaaaaab"),
    (r"c(?:a(?:b||a){,2}|){,20}b", "caabab caaaaaab caaabbaabab"),
    (r"(?:|ab?){,40}c", "abaabac"),
    (r"x(?:a?b?){3}c", "xc xabc xabababc xababababc"),
    (r"x(?:a?b?){3}", "xabab xbaba xababababa"),
    (r"x(?:ab?|b*){2,4}?a", "xaa xaba xbaba"),
    (r"x(?:(?:a?){3}b?){2,}c", "xaaabaac xaaaabc xaabaabbc"),
    (r"x(?:a*|ab){2}b", "xaabb xabab"),
]

EMPTY_ROUNDS_OF_REFERENCES = [
    (r"((.)*?|\2)*c", "aacc"),
    (r"(?:()|b)*b\1", "bb"),
    (r"(?:(a?)|b)*b\1", "abbaba"),
    (r"(?:(|a)\1b?){,2}b", "abab aabbab"),
    (r"(?:(|a)b?){,3}b\1", "abab aabbab"),
    (r"(?:(|a)b?){,3}?b\1", "abab aabbab"),
    (r"(?:(a)|()|b){,300}b\1?\2?", "abab aabbab"),
]


CONSTRUCTS = REFERENCES + LOOKBEHINDS + REPEATED + EMPTY_ROUNDS + EMPTY_ROUNDS_OF_REFERENCES


@pytest.mark.parametrize(("pattern", "text"), CONSTRUCTS)
def test_what_is_masked_is_what_finditer_finds(pattern: str, text: str) -> None:
    rule = Rule("p", patterns=(pattern,), replacement="*")
    shown = list(text)
    for match in regex.finditer(pattern, text):
        shown[match.start() : match.end()] = "*" * len(match[0])
    assert joined(events_of(rule, text, 64)) == "".join(shown)


@pytest.mark.parametrize(("pattern", "text"), EMPTY_ROUNDS + EMPTY_ROUNDS_OF_REFERENCES)
def test_an_empty_round_is_followed_by_what_regex_tries_next(pattern: str, text: str) -> None:
    events = events_of(Rule("p", patterns=(pattern,), replacement="*"), text, 64)
    found = [(event.start, event.end) for event in events if isinstance(event, Finding)]
    assert found == [match.span() for match in regex.finditer(pattern, text, regex.V0)]


@pytest.mark.parametrize("pattern", [r"a(b?){2,}+", r"a(?>(b?){2,})", r"a(c|b{0,2}){2,}+"])
def test_the_group_of_a_round_that_matches_nothing_is_found(pattern: str) -> None:
    rule = Rule("p", patterns=(pattern,), group=1, replacement="*")
    assert joined(events_of(rule, "ab, abb, a", 64)) == check_whole([rule], "ab, abb, a")[0]
