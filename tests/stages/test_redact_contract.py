"""The redaction contract, law by law, against the independent reference."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from guardstream.errors import PatternError
from guardstream.events import Event, Finding, Finish, Text
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Keep, OnError, OnOverflow, Rule
from tests.support.chunking import every_split, joined, one_by_one, play, random_split
from tests.support.forms import form
from tests.support.generate import draw_case, even
from tests.support.harness import difference, rule_set
from tests.support.reference import check_whole

__all__ = ["form"]

shrinkable = st.randoms(use_true_random=False)

CARD = "4111111111111111"


def luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[::2] + [sum(divmod(2 * d, 10)) for d in digits[1::2]]) % 10 == 0


def failing(_: str) -> bool:
    raise ValueError


def events_of(
    text: str,
    *rules: Rule,
    max_holdback: int = 256,
    on_overflow: OnOverflow = "mask",
    on_error: OnError = "block",
) -> list[Event]:
    """The events of a text fed character by character."""
    rule_set = RuleSet(rules, max_holdback=max_holdback, on_overflow=on_overflow, on_error=on_error)
    return play(rule_set.stage(), one_by_one(text), max_holdback)


def shown(text: str, *rules: Rule, **options: int) -> str:
    """The released text."""
    return joined(events_of(text, *rules, **options))  # type: ignore[arg-type]


def spans(events: list[Event]) -> list[tuple[str, int, int]]:
    """Rule and span of every finding."""
    return [(e.rule, e.start, e.end) for e in events if isinstance(e, Finding)]


def word(*words: str, **options: object) -> Rule:
    """A rule of words that need no boundaries, masked by stars."""
    values = {"id": "w", "replacement": "*", "whole_word": False} | options
    return Rule(words=words, **values)  # type: ignore[arg-type]


def pattern(*patterns: str, **options: object) -> Rule:
    """A rule of patterns, masked by stars."""
    values = {"id": "p", "replacement": "*"} | options
    return Rule(patterns=patterns, **values)  # type: ignore[arg-type]


# Against the reference


@settings(max_examples=300)
@given(randomness=shrinkable)
def test_shrinkable_cases_equal_the_reference(randomness: Random) -> None:
    case = draw_case(randomness)
    note(repr(case))
    assert difference(case, randomness) is None


@settings(max_examples=60)
@given(randomness=shrinkable)
def test_every_way_to_cut_a_text_gives_the_same_events(randomness: Random) -> None:
    case = draw_case(randomness, max_text=7)
    note(repr(case))
    rules = rule_set(case)
    whole = play(rules.stage(), [case.text])
    for chunks in every_split(case.text):
        assert play(rules.stage(), chunks, case.max_holdback) == whole


@settings(max_examples=200)
@given(randomness=shrinkable)
def test_the_two_references_agree(randomness: Random) -> None:
    case = draw_case(randomness)
    note(repr(case))
    if case.is_plain and case.has_trees:
        judged = case.judged()
        text, findings = check_whole(case.rules, case.text)
        found = {event for event in judged.events if isinstance(event, Finding)}
        assert (joined(judged.events), found) == (text, set(findings))


# Feeding


def test_an_empty_chunk_says_nothing_and_changes_nothing() -> None:
    stage = RuleSet([word("ab")]).stage()
    events = [*stage.feed(""), *stage.feed("a"), *stage.feed(""), *stage.feed("b")]
    assert joined(events) == "**"
    assert stage.feed("") == []


def test_nothing_follows_the_finish() -> None:
    stage = RuleSet([word("ab", action="block")]).stage()
    assert stage.feed("abab")[-1] == Finish("content_filter")
    assert stage.feed("ab") == []
    assert stage.finish() == []
    assert stage.held == 0


def test_an_empty_stream_ends_with_stop() -> None:
    assert events_of("", word("ab")) == [Finish("stop")]


def test_streams_of_one_rule_set_do_not_know_each_other() -> None:
    rules = RuleSet([word("ab")])
    first, second = rules.stage(), rules.stage()
    first.feed("a")
    assert second.feed("b") == [Text("b")]


SECRETS = (word("xyz", id="xyz"), pattern("v[uvw]+z", id="v"), pattern("k(xy+)k", group=1, id="k"))


@settings(max_examples=200)
@given(
    parts=st.lists(st.sampled_from(["ab", "b", " ", "xyz", "vuwz", "vuuuuz", "kxyyk"])),
    randomness=shrinkable,
)
def test_no_prefix_of_the_output_shows_a_character_of_a_secret(
    parts: list[str], randomness: Random
) -> None:
    stage = RuleSet(SECRETS).stage()
    for chunk in random_split("".join(parts), randomness):
        assert not set(joined(stage.feed(chunk))) & set("xyzuvw")
    assert not set(joined(stage.finish())) & set("xyzuvw")


# What is masked


def test_every_occurrence_of_a_word_is_a_finding_of_its_own() -> None:
    assert spans(events_of("abab", word("abab", "ab"))) == [("w", 0, 2), ("w", 0, 4), ("w", 2, 4)]


def test_overlapping_occurrences_of_a_word_are_one_region() -> None:
    assert shown("xababax", word("aba", replacement="[w]")) == "x[w]x"


def test_touching_spans_stay_apart() -> None:
    assert shown("abab", word("ab", replacement="[w]")) == "[w][w]"


def test_the_most_severe_rule_names_the_region() -> None:
    mild, severe = word("ab", replacement="[mild]"), word("bc", id="s", severity="high")
    assert shown("abc", mild, severe) == "***"


def test_of_equal_rules_the_first_names_the_region() -> None:
    rules = word("bc", id="1", replacement="[{id}]"), word("ab", id="2", replacement="[{id}]")
    assert shown("abc", *rules) == "[1]"


def test_rules_never_see_replacements() -> None:
    assert shown("ab", word("ab", replacement="cd"), word("cd", id="x")) == "cd"


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        ("*", "x***x"),
        ("", "xx"),
        ("[{id}]", "x[w]x"),
        ("{id}", "xwx"),
        ("é", "xéééx"),
        (Keep(1, 0), "xa**x"),
    ],
)
def test_a_replacement_takes_the_place_of_the_region(
    replacement: str | Keep, expected: str
) -> None:
    assert shown("xabcx", word("abc", id="w", replacement=replacement)) == expected
    assert shown("xabcx", pattern("abc", id="w", replacement=replacement)) == expected


def test_keep_shows_nothing_of_a_span_not_longer_than_twice_what_it_keeps() -> None:
    assert shown("abcd", word("abcd", replacement=Keep(1, 1))) == "****"
    assert shown("abcde", word("abcde", replacement=Keep(1, 1))) == "a***e"


def test_keep_shows_nothing_of_a_region_of_several_spans() -> None:
    assert shown("abcde", word("abcd", "bcde", replacement=Keep(1, 0))) == "*****"


def test_a_masked_group_hides_every_capture_and_nothing_else() -> None:
    assert shown("k=12;k=3;", pattern(r"(?:k=(?<v>\d+);)+", group="v")) == "k=**;k=*;"


def test_a_refused_match_consumes_only_its_first_character() -> None:
    card = pattern(r"\d{16}", validators=(luhn,))
    assert shown(f"123{CARD}", card) == "123" + 16 * "*"


def test_shorter_ends_of_a_refused_match_are_not_tried() -> None:
    assert shown("aaa", pattern("a+", validators=(even,))) == "a**"


def test_an_allowed_text_is_no_match() -> None:
    assert shown("AB ac", pattern("(?i)a[bc]", allow_words=("ab",))) == "AB **"
    assert shown("ab ac", pattern("a[bc]", allow_patterns=("ab",))) == "ab **"


def test_an_allow_pattern_must_match_in_full() -> None:
    assert shown("abb", pattern("ab+", allow_patterns=("ab",))) == "***"


def test_each_pattern_of_an_allowlist_is_a_pattern_by_itself() -> None:
    allowed = ("(?i)a|b", "(?s)(?i)c.?", "[^c-z]x", "[^A-Z]y", r"(d)\1", "(?x) e # f", r"(?a)\w{3}")
    rule = pattern(r"(?<!\S)\S{1,4}", allow_patterns=allowed)
    text = "A B D ab cx C dx ax Ay ay dd ee e fff ééé"
    assert shown(text, rule) == "A B * ** cx C ** ax ** ay dd ** e fff ***"
    with pytest.raises(PatternError, match=r"in an allowed pattern: missing \)"):
        shown("a", pattern("a", allow_patterns=("a", "(b")))


@pytest.mark.parametrize("normalize", ["spaces", "markdown"])
def test_checks_see_one_space_for_what_a_space_stands_for(normalize: str) -> None:
    seen: list[str] = []
    rule = pattern(
        "(?:my|a|no) blue bird",
        normalize=(normalize,),
        allow_words=("my blue bird",),
        allow_patterns=("a blue b[a-z]+",),
        validators=(lambda text: seen.append(text) is None,),
    )
    text = "my  \n blue\u00a0bird, a\r\nblue \n\n bird, no blue\u3000\tbird"
    assert shown(text, rule) == text[:-13] + "*" * 13
    assert seen == ["no blue bird"]


def test_checks_see_no_marks_where_a_space_stands_for_them() -> None:
    rule = pattern("(?:my|a) blue bird", normalize=("markdown",), allow_words=("my blue bird",))
    text = "my **blue**\\\n>> _bird"
    assert shown(f"{text}, a{text[2:]}", rule) == f"{text}, " + "*" * (len(text) - 1)


def test_words_ignore_case_unless_told_otherwise() -> None:
    assert shown("AB", word("ab")) == "**"
    assert shown("AB", word("ab", ignore_case=False)) == "AB"


def test_a_span_covers_whole_source_characters() -> None:
    assert shown("xßx", word("s")) == "x*x"
    assert shown("xSTRASSEx straße", word("straße")) == "x*******x ******"


def test_a_whole_word_needs_boundaries_of_its_kind_of_script() -> None:
    whole = word("password", whole_word=None)
    assert shown("passwords", whole) == "passwords"
    assert shown("我的password是", whole) == "我的********是"
    assert shown("제 password를", whole) == "제 ********를"
    assert shown("a_password", whole) == "a_password"


def test_a_word_of_a_script_without_spaces_needs_no_boundaries() -> None:
    assert shown("我的密码是", word("密码", whole_word=None)) == "我的**是"
    assert shown("제 비밀번호는", word("비밀번호", whole_word=None)) == "제 ****는"


def test_anchors_mean_the_ends_of_the_channel() -> None:
    assert shown("aba", pattern("^a")) == "*ba"
    assert shown("aba", pattern("a$")) == "ab*"


# When it is said


def test_a_lazy_repeat_is_not_held_past_its_first_match() -> None:
    stage = RuleSet([pattern("a.*?b")]).stage()
    assert joined(stage.feed("axb")) == "***"
    assert stage.held == 0


def test_a_keyword_before_the_masked_group_is_never_held() -> None:
    stage = RuleSet([pattern(r"key=(\d+);", group=1)]).stage()
    assert joined(stage.feed("key=")) == "key="
    assert joined(stage.feed("12")) == ""


def test_monitor_holds_nothing_and_reports() -> None:
    stage = RuleSet([word("abc", action="monitor")]).stage()
    assert stage.feed("ab") == [Text("ab")]
    assert stage.feed("c") == [Text("c"), Finding("w", 0, 3, "monitor")]


def test_findings_that_settle_together_stand_in_text_order() -> None:
    rules = word("bc", "abc", id="1"), word("abc", id="0")
    assert spans(events_of("abc", *rules)) == [("1", 0, 3), ("0", 0, 3), ("1", 1, 3)]


# Block and stop


def test_a_block_releases_what_is_not_held_and_nothing_of_the_match() -> None:
    assert events_of("xx ab", word("ab", action="block")) == [
        Text("xx "),
        Finding("w", 3, 5, "block"),
        Finish("content_filter"),
    ]


def test_a_block_fires_at_the_first_full_match_not_the_preferred_one() -> None:
    assert spans(events_of("abb", pattern("ab+", action="block"))) == [("p", 0, 2)]


def test_a_block_waits_for_its_trailing_assertion() -> None:
    block = pattern("ab(?!c)", action="block")
    assert events_of("abcab", block)[-2:] == [
        Finding("p", 3, 5, "block"),
        Finish("content_filter"),
    ]


def test_a_block_with_validators_fires_once_settled() -> None:
    block = pattern("ab+", action="block", validators=(even,))
    assert spans(events_of("abbabx", block)) == [("p", 3, 5)]


def test_a_block_discards_what_is_held() -> None:
    rules = word("abcd", id="m"), word("bc", id="b", action="block")
    assert joined(events_of("xabc", *rules)) == "x"


def test_a_stop_settles_what_is_open_and_shows_the_text_before_it() -> None:
    rules = word("abcd", id="m"), word("bc", id="s", action="stop")
    assert events_of("xabc", *rules) == [
        Text("xa"),
        Finding("s", 2, 4, "stop"),
        Finish("stop"),
    ]


def test_of_matches_that_end_together_a_stop_is_before_the_group_of_the_first() -> None:
    # As `regex` has it: of the match at 0 the group is empty, and the match at 2 is inside it.
    rule = pattern("(?:aabb|b)(?P<g>b?)c", id="s", group="g", action="stop")
    assert events_of("aabbc", rule) == [
        Text("aabb"),
        Finding("s", 4, 5, "stop"),
        Finish("stop"),
    ]


def test_a_stop_settles_what_only_a_matcher_knows_to_be_certain() -> None:
    rules = pattern("(?=(?:.??)++)b"), word("no", id="s", action="stop")
    assert shown("abc no", *rules) == "a*c "


@pytest.mark.parametrize("letters", ["b.*", "(?=(?:.??)++)b"])
def test_a_rule_that_fails_at_a_stop_fails_as_elsewhere(letters: str) -> None:
    rules = pattern(letters, validators=(failing,)), word("no", id="s", action="stop")
    blocked = events_of("abc no", *rules)
    assert joined(blocked) == "a"
    assert blocked[-2].kind == "rule_error"  # type: ignore[union-attr]
    assert blocked[-1] == Finish("error")
    assert events_of("abc no", *rules, on_error="allow") == [
        Text("abc "),
        Finding("p", 6, 6, "mask", kind="rule_error"),
        Finding("s", 4, 6, "stop"),
        Finish("stop"),
    ]


def test_the_most_severe_of_the_rules_that_fire_together_wins() -> None:
    rules = word("ab", id="1", action="stop"), word("ab", id="2", action="block", severity="high")
    assert spans(events_of("ab", *rules)) == [("2", 0, 2)]


# Overflow


def test_an_overflow_masks_the_candidate_while_it_lives() -> None:
    events = events_of("xabbbbcb", pattern("ab+d"), max_holdback=3)
    assert joined(events) == "x*****cb"
    assert events[1] == Text("****") or Finding("p", 1, 5, "mask", kind="overflow") in events


def test_a_template_is_written_once_for_an_overflow() -> None:
    rule = pattern("ab+d", replacement="[{id}]")
    assert shown("xabbbbbc", rule, max_holdback=3) == "x[p]c"


def test_a_template_is_written_once_where_a_group_begins_later_than_it_was_held() -> None:
    rule = pattern("a+(?P<g>[ab]b[ab])", group="g", replacement="[{id}]")
    events = events_of("aabbb", rule, max_holdback=2)
    assert joined(events) == "a[p]"
    assert spans(events) == [("p", 1, 4), ("p", 2, 5)]


def test_nothing_is_masked_on_once_another_rule_has_ended_the_stream() -> None:
    rules = RuleSet([pattern("b[^d]+d"), word("stop", id="s", action="block")], max_holdback=3)
    stage = rules.stage()
    assert joined(stage.feed("bxxxxx")) == "******"
    assert joined(stage.feed("xxx")) == "***"
    assert stage.feed("stop")[-1] == Finish("content_filter")
    assert stage.feed("xxx") == stage.finish() == []


def test_an_overflow_can_block() -> None:
    events = events_of("xabbbb", pattern("ab+d"), max_holdback=3, on_overflow="block")
    assert events == [
        Text("x"),
        Finding("p", 1, 5, "mask", kind="overflow"),
        Finish("content_filter"),
    ]


def test_an_overflow_can_be_released() -> None:
    events = events_of("xabbbbd", pattern("ab+d"), max_holdback=3, on_overflow="release")
    assert joined(events) == "xabbbbd"
    assert spans(events) == [("p", 1, 5)]


def test_a_word_that_ends_where_a_candidate_overflows_is_told_once() -> None:
    rules = RuleSet([pattern("k[a-z]{20}!"), word("ab")], max_holdback=8, on_overflow="release")
    for chunks in every_split("kxxxxxxab"):
        events = play(rules.stage(), chunks, 8)
        assert joined(events) == "kxxxxxx**"
        assert spans(events) == [("w", 7, 9), ("p", 0, 9)]


def test_a_region_that_never_closes_is_written_as_known() -> None:
    text = 40 * "ab"
    assert shown(text, word("aba", "bab"), max_holdback=4) == len(text) * "*"


def test_of_a_region_that_was_cut_nothing_is_kept() -> None:
    rule = word("aa我", "aaa我", "1a", replacement=Keep(first=1))
    assert shown("aa我1aaa我1", rule, max_holdback=2) == "a*******1"


@pytest.mark.parametrize("tail", ["a", "a{1,2}", "a+"])
def test_nothing_waits_for_a_group_that_an_overflow_has_written(tail: str) -> None:
    rule = pattern(rf"[^\W\d_]+(B){tail}\B(?!a)", group=1, replacement="*")
    stage = RuleSet([rule], max_holdback=2).stage()
    events = [event for char in "BBaBaq" for event in stage.feed(char)]
    assert stage.held == 0
    events += [*stage.feed("B"), *stage.finish()]
    assert joined(events) == "B***aqB"
    assert spans(events) == [("p", 1, 4), ("p", 3, 4)]
    assert events_of("BBaBaqB", rule, max_holdback=2)[-2:] == events[-2:]


# A rule that fails


def test_a_failing_validator_blocks() -> None:
    events = events_of("x ab y", pattern("ab", validators=(failing,)))
    assert joined(events) == "x "
    assert [e.kind for e in events if isinstance(e, Finding)] == ["rule_error"]
    assert events[-1] == Finish("error")


def test_a_failing_rule_can_be_disabled_and_the_others_go_on() -> None:
    rules = pattern("ab", validators=(failing,)), word("y", id="y")
    events = events_of("x ab y ab", *rules, on_error="allow")
    assert joined(events) == "x ab * ab"
    assert [e.kind for e in events if isinstance(e, Finding)] == ["rule_error", "match"]


# Judged groups


def pairs_only(text: str) -> bool:
    return len(text) == 2


@pytest.mark.parametrize("text", ["pqxxyrxyzzzzzz", "pqxxyrxy"])
def test_a_match_that_is_refused_gives_back_what_it_had_undone(text: str) -> None:
    # `xx` is held until the longer match, which masks the second `x`, is refused.
    rule = pattern("(?:p.{9}|p.{5}|p?q)(x+)y", group=1, validators=(pairs_only,))
    assert all(
        joined(play(RuleSet([rule]).stage(), chunks)) == text.replace("xx", "**", 1)
        for chunks in ([text], one_by_one(text), [text[:6], text[6:]])
    )


def test_an_empty_group_that_may_be_refused_holds_no_text_before_it() -> None:
    rule = pattern("e{1,3}(é*)[^ß]{2}", group=1, validators=(pairs_only,))
    for cut in every_split("eeeee"):
        stage = RuleSet([rule], max_holdback=2, on_overflow="block").stage()
        assert joined(play(stage, cut, 2)) == "eeeee"


def test_a_forced_end_does_not_look_at_what_comes_after() -> None:
    rule = pattern(r"(?:\b.+.|b.a)(\b|.{2,4}.)(?:[ab]{3})*", group=1)
    text = "ba aaabab"
    made = RuleSet([rule], max_holdback=2, on_overflow="release")
    assert play(made.stage(), [text], 2) == play(made.stage(), one_by_one(text), 2)


# Loading


@pytest.mark.parametrize("text", ["a*", "a?", "^", "(?:)", "a|", r"\b", "(?=a)"])
def test_a_pattern_that_can_match_nothing_is_refused_at_load(text: str) -> None:
    from guardstream.stages.redact import RuleError

    with pytest.raises(RuleError, match="p"):
        RuleSet([pattern(text)])


def test_extra_words_hold_for_their_rule_set_alone() -> None:
    rules = RuleSet([word("ab")])
    extra = rules.with_words({"w": ["cd"]})
    assert joined(play(extra.stage(), ["ab cd"])) == "** **"
    assert joined(play(rules.stage(), ["ab cd"])) == "** cd"
