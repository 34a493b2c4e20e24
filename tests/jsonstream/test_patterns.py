"""A schema's `pattern`: what JavaScript takes is taken, and nothing runs without a bound."""

from __future__ import annotations

import pytest

from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.schema.groups import regrouped
from guardstream.jsonstream.schema.patterns import STEPS, check, loosened
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        (r"^[a-z]+$", "abc", "ab1"),
        (r"^(?!foo$)\w+$", "food", "foo"),
        (r"^(\w)\1$", "aa", "ab"),
        # What stands for itself without the flag `u` (ECMA-262, annex B.1.2).
        (r"^[\w-.]+$", "a-b.c", "a b"),
        (r"^[a-c]]?$", "a]", "ab"),
        (r"^\${.*}$", "${a}", "$a"),
        (r"^{a}{2}$", "{a}}", "{a}"),
        (r"^a{1,}{$", "aa{", "{"),
        (r"^\<b\>$", "<b>", "b"),
        (r"^[\<\b]$", "<", "b"),
        (r"^[\p{L}-_]+$", "é-_", "!"),
        (r"^a.b$", "a\x85b", "a\u2028b"),
        (r"^(a).\1$", "axa", "a\ra"),
        (r"^[^\0]\0$", "a\0", "\0\0"),
        (r"^[^]b$", "\nb", "b"),
        (r"^(?!x)[^]b$", "\nb", "xb"),
        (r"^a[]?$", "a", "a]"),
        (r"^\[]$", "[]", "["),
        (r"^[^]]$", "a", "]"),
        (r"^[]a]$", "]", "b"),
        (r"^(?!x)\cJ[\cj]$", "\n\n", "JJ"),
        (r"^a(?!b)+.$", "ac", "ab"),
        (r"^a(?=b){2,3}?.$", "ab", "ac"),
        (r"^a(?=b)*(?=c)?(?!d){0,1}.$", "ad", "a"),
        # A boundary is one of ASCII, like `\w` (ECMA-262, 22.2.2.4).
        (r"\bab\b", "éabé", "ab1"),
        (r"\Bab", "1ab", "éab"),
        (r"(?=a)\bab\b", "éabé", "ab1"),
        (r"(?=a)\Bab", "1ab", "éab"),
        # What other dialects call the ends.
        (r"\Aab\Z", "ab", "cab"),
        (r"^ab\z", "ab", "abz"),
        # Their flags, for the rest of a group.
        (r"^(?i)a\w$", "AB", "A-"),
        (r"^(?:b|(?i)a)c$", "Ac", "Bc"),
        (r"^(?s).b$", "\nb", "b"),
        (r"(?is)^(?!x).B$", "\nb", "xb"),
        (r"^(?s:[.](?-s:.).).$", ".a\nb", ".\n\nb"),
        (r"^(?:(?s)..).$", "\n\nb", "\n\n\n"),
        (r"^\(?s.$", "(sa", "(s\n"),
        # Halves of surrogate pairs: two are a character, one is in no document.
        (r"^\u{1F600}$", "😀", "u"),
        (r"^\uD83D\uDE00$", "😀", "a"),
        (r"^[\uD83D\uDE00-\uD83D\uDE02]$", "😁", "😃"),
        (r"^[ -\uD7FF\uD800\uDBFF-\uDC00\uDFFF\t]*$", "a\t퟿", "\x01"),
        (r"^[\uDC00-\uE001]$", "\ue000", "\ud7ff"),
        (r"^[\u0061-\uDBFF]$", "\ud7ff", "\ue000"),
        (r"^[^\uD800-\uDFFF]$", "a", ""),
        (r"^\uD800?\\uD800$", r"\uD800", "a"),
    ],
)
def test_patterns_mean_what_they_mean_elsewhere(pattern, allowed, refused):
    found = check(pattern)
    assert found(allowed)
    assert not found(refused)


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        (r"""^(["'])?a\1$""", ("a", '"a"', "'a'"), ('"a', 'a"', "'a\"")),
        (r"""^(?<quote>["'])?a\k<quote>$""", ("a", '"a"'), ('"a', 'a"')),
        (r"^(?<one>a)b\k<one>0$", ("aba0",), ("ab0", "aba")),
        (r"^(?:(a)|(b))\1\2$", ("aa", "bb"), ("a", "b", "ab")),
        (r"^((a)?b(c)?)\3\2\1$", ("bb", "abaab", "abccaabc"), ("b", "abab", "abcabc")),
        (r"^(?:(a){2,}|b)\1$", ("aaa", "b"), ("aa", "ba")),
        (r"^\1(a)$", ("a",), ("aa",)),
        (r"^(a\1?b)$", ("ab",), ("aab", "abb")),
        (r"^(?!(a)b)a\1$", ("a",), ("aa",)),
        (r"^(?=(a))a\1$", ("aa",), ("a",)),
        (r"^(?=(a))?a\1$", ("a",), ("aa",)),
        (r"^([[(])?a\1$", ("a", "[a[", "(a("), ("[a", "(a")),
        # Each round of these sets the group, or the reference follows it in the round.
        (r"^(b+)+\1$", ("bb", "bbb", "bbbbb"), ("b",)),
        (r"^(?:x|(b+)+\1{1,2})$", ("x", "bbb"), ("b", "xb")),
        (r"^(?:(a|bb)c)*\1$", ("", "aca", "acbbcbb"), ("ac", "bbcac")),
        (r"^(?:([\"'])(?:(?!\1).)*\1)+$", ("'a'\"b'c\"",), ("'a'\"b'",)),
        (r"^(?:(?=(.))\1b?)+$", ("abc",), ("b\n",)),
        # And these match in one way only, in whichever direction.
        (r"(?<=(a)b)c\1", ("abca",), ("abc", "bca")),
        (r"^(a)b(?<=\1b)$", ("ab",), ("bb",)),
        (r"a(?<=\B(a)?a)", ("baa",), ("ab",)),
    ],
)
def test_a_reference_to_a_group_that_has_not_matched_matches_the_empty_text(
    pattern, allowed, refused
):
    found = check(pattern)
    assert [text for text in allowed if not found(text)] == []
    assert [text for text in refused if found(text)] == []


@pytest.mark.parametrize(
    ("pattern", "read"),
    [
        (r"(a)?b\1", r"(?:(a)())?b(?:\1|(?!\2))"),
        (r"(a(b)?)c\2\1", r"(a(?:(b)())?)c(?:\2|(?!\3))(?:\1)"),
        (r"x|(?<q>a)b\k<q>", r"x|(?<q>a)b(?:\1)"),
        (r"(a\1+)", "(a)"),
        (r"(?!a){2}(?=b)*", r"(?!a)(?:\P{Any}(?=b)|)"),
        (r"(?=a)b\1", r"(?=a)b\1"),
        (r"(a)?[(]\1)", r"(a)?[(]\1)"),
        (r"((a)?\2", r"((a)?\2"),
    ],
)
def test_only_a_group_that_may_not_have_matched_is_followed_by_one_that_tells(pattern, read):
    assert regrouped(pattern) == read


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        # A round of ECMA-262 forgets what the one before has matched.
        (r"^(?:(a)|b)*\1$", "a group that a repeat may leave out or forget"),
        (r"^(?:(a)?b\1){2}$", "a group that a repeat may leave out or forget"),
        (r"^(?:\1a|(b))+$", "a group that a repeat may leave out or forget"),
        (r"^(?:(?:(a)b?)?c)+\1$", "a group that a repeat may leave out or forget"),
        (r"^(?=(?:(a)|b)+)\1$", "a group that a repeat may leave out or forget"),
        # And it is no round, unless it has to be, if it reads nothing.
        (r"^(a|b?)*\1$", "a group that a repeat may leave out or forget"),
        (r"^(\u0061?){2,3}b\1$", "a group that a repeat may leave out or forget"),
        (r"^(?:(a)|b)*(?:x|\1c)$", "a group that a repeat may leave out or forget"),
        # A lookbehind of ECMA-262 is matched from its end.
        (r"(?<=(a+)b)c\1", "a group in a lookbehind"),
        (r"(?<=\1(a))b", "a group in a lookbehind"),
        (r"(?<=(a)\1)b", "a group in a lookbehind"),
    ],
)
def test_a_reference_that_the_engine_would_follow_otherwise_is_refused(pattern, reason):
    with pytest.raises(SchemaError, match=reason):
        check(pattern)


def test_a_reference_to_no_group_is_refused():
    with pytest.raises(SchemaError, match="not a regular expression"):
        check(r"^(?:(a)|(b))\1\3$")


def test_a_reference_to_a_group_that_has_matched_takes_no_more_steps():
    found = check(r"^([\"'])(?:(?!\1).)*\1$")
    assert found(f'"{"a" * (STEPS // 2 - 10)}"')


def test_the_patterns_of_keys_are_read_one_by_one():
    schema = Schema(
        {"patternProperties": {"^a[^]": {}, "^[b]]": {}}, "additionalProperties": False}
    )
    assert verdict(['{"a)": 1, "b]": 2}'], schema) is None
    assert verdict(['{"a": 1}'], schema) is not None
    found = verdict(list('{"c": 1}'), schema)
    assert found is not None
    assert found.offset == 2


@pytest.mark.parametrize("letter", "dDwWsS")
@pytest.mark.parametrize("shape", [r"\{}", r"[\{}]", r"[^\{}]"])
def test_classes_are_the_same_in_both_engines(letter, shape):
    name = shape.format(letter)
    linear, backtracking = check(f"^{name}$"), check(f"^(?!ab){name}$")
    codes = (*range(0x3100), *range(0xFE00, 0x10010), 0x1D7D8, 0x10FFFF)
    for char in map(chr, codes):
        assert linear(char) == backtracking(char), hex(ord(char))


def test_a_pair_of_surrogates_in_a_pattern_refuses_no_beginning_of_its_character():
    schema = Schema({"pattern": r"^\uD83D\uDE00+$"})
    for text in ('"😀😀"', r'"\ud83d\ude00"'):
        assert verdict(list(text), schema) is None
    assert verdict(['"a"'], schema) is not None


def test_a_pattern_that_is_too_large_says_what_to_do():
    with pytest.raises(SchemaError, match="use 'maxLength'"):
        check("^(?:ab?){1,65535}c$")


@pytest.mark.parametrize("pattern", [r"^[\w-.]$", r"a{2}{", r"]", r"\]", "[a]", r"[x-\d]"])
def test_loosening_again_changes_nothing(pattern):
    assert loosened(loosened(pattern)) == loosened(pattern)


@pytest.mark.parametrize("pattern", ["(", "*a", "(?1)", "[a", r"\01", "[b"])
def test_what_no_engine_runs_is_refused_with_its_place(pattern):
    with pytest.raises(SchemaError, match=r"^/properties/a: a pattern is no"):
        Schema({"properties": {"a": {"pattern": pattern}}})


def test_a_pattern_that_turns_back_too_often_refuses():
    found = check(r"^(a|aa)+$(?<!x)b?")
    assert found("a" * 10)
    assert not found("a" * (STEPS // 10) + "!")


def test_schemas_from_generators_refer_to_names_that_no_uri_has():
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/definitions/Partial<Record<string,number>>",
        "definitions": {"Partial<Record<string,number>>": {"type": "object"}},
    }
    assert Schema(schema).node.all_of


@pytest.mark.parametrize("at", ["#/properties/multipleOf", "#/definitions/positiveInteger"])
def test_a_part_of_a_metaschema_may_be_referred_to(at):
    schema = Schema({"$ref": f"http://json-schema.org/draft-04/schema{at}"}, draft="draft-04")
    assert schema.verdict(3, "3") is None
    assert schema.verdict(-3, "-3") is not None
    with pytest.raises(SchemaError, match="leads nowhere"):
        Schema({"$ref": "http://json-schema.org/draft-04/schema#/nothing"})


def test_a_reference_that_leads_nowhere_names_the_identifier_it_is_resolved_against():
    part = {"$id": "http://a/part", "$ref": "#/$defs/id"}
    with pytest.raises(SchemaError, match="leads nowhere in 'http://a/part';"):
        Schema({"items": part, "$defs": {"id": {"type": "string"}}})


def test_nothing_is_fetched_for_a_document_either():
    documents = {"http://x/a": {"$defs": {"b": {"$ref": "http://localhost:9/b"}}}}
    assert Schema({"$ref": "http://x/a"}, documents=documents).verdict(1, "1") is None
    documents["http://x/a"]["$ref"] = "#/$defs/b"
    with pytest.raises(SchemaError, match="nothing is fetched"):
        Schema({"$ref": "http://x/a"}, documents=documents)
