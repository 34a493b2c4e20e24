"""What the lexer keeps of chunks: doing it again is the same as doing it for the first time."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.lexer import Lexer, Limits
from guardstream.jsonstream.lexer.plans import PlanCache
from guardstream.jsonstream.lexer.tokens import Token
from tests.jsonstream.corpora import cut
from tests.jsonstream.judge import first_error

PARTS = (t.STRING_PART, t.KEY_PART, t.SCALAR_PART)
NAMES = st.sampled_from(["id", "a", "na\\me", 'q"', "ä", ""])
VALUES = st.recursive(
    st.sampled_from(
        [
            None,
            True,
            False,
            0,
            -1,
            12,
            1.5,
            -0.25,
            1e30,
            -120345.0625,
            987654321,
            "",
            "a",
            "b c",
            "\n",
            "é",
        ]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)
EDITS = st.sampled_from(list('{}[]",:\\ 1e.-\nt'))


def read(lexer: Lexer, chunks: list[str]) -> list[Token]:
    """The tokens of all chunks, but for those that depend on how the text was cut."""
    tokens = []
    for chunk in chunks:
        begun = lexer.offset
        tokens += lexer.feed(chunk)
        if lexer.done:
            lexer.feed(chunk[lexer.offset - begun :])
    return whole([*tokens, *lexer.finish()])


def whole(tokens: list[Token]) -> list[Token]:
    """The tokens of values that are over; a string's begins behind the last part of it."""
    return [
        (kind, value, 0 if kind in (t.STRING, t.KEY) else start, end)
        for kind, value, start, end in tokens
        if kind not in PARTS
    ]


def state(lexer: Lexer) -> object:
    """What a reader can see of a lexer."""
    error = lexer.error
    place = error and (error.reason, error.offset, error.line, error.column, error.pointer)
    return place, lexer.offset, lexer.done, lexer.path


@given(VALUES, st.data(), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_chunks_that_come_back_give_the_same_again(value, data, rng):
    indent = data.draw(st.sampled_from([None, 1]))
    text = json.dumps(value, indent=indent, ensure_ascii=data.draw(st.booleans()))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(EDITS) + text[at + data.draw(st.integers(0, 2)) :]
    single = Lexer()
    expected = read(single, list(text))
    assert (single.error and single.error.offset) == first_error(text)
    for chunks in (cut(text, rng), [text[at : at + 4] for at in range(0, len(text), 4)]):
        for _ in range(4):
            lexer = Lexer()
            assert read(lexer, chunks) == expected
            assert state(lexer) == state(single)


@pytest.mark.parametrize(
    ("allowed", "refused", "limits", "offset"),
    [
        ("[ [[ [[ 1]", "[ [[ [[ 1]", Limits(depth=4), 4),
        ('[" aaaaaaaaa", 1]', '[" aaaaaaaaa aaaaaaaaa", 1]', Limits(string=16), 18),
        ("[ 1 11.1 11e1 1111 ,2]", "[ 1 11.1 11e1 1111 1111 1111 ,2]", Limits(digits=16), 17),
        ("[ 1 111111111, 2]", "[ 1 111111111 111111111, 2]", Limits(digits=16), 17),
        ('{"a ":1," b ":1," c ":1," d":1}', '{"a ":1," b ":1," b ":1," d":1}', Limits(), 15),
        ('{"c": {"b": 1},"a": 2}', '{"a": {"b": 1},"a": 2}', Limits(), 15),
    ],
)
def test_what_was_allowed_before_is_refused_where_it_must_be(allowed, refused, limits, offset):
    single = Lexer(limits)
    read(single, list(refused.replace(" ", "")))
    for _ in range(4):
        assert read(Lexer(), allowed.split()) == read(Lexer(), list(allowed.replace(" ", "")))
        lexer = Lexer(limits)
        read(lexer, refused.split())
        assert lexer.error is not None
        assert lexer.error.offset == offset
        assert state(lexer) == state(single)


@pytest.mark.parametrize(
    "chunks",
    [
        ["[1", "2.", "50", "0e", "-1", "23", ", ", "7]"],
        ["[12", "345", "678", "9, ", "-0.", "255", "],["],
        ['{"a":1', "05.0", '5, "b":', "2.25", ',"c":0', ".5e+", "10}"],
        ["[1", "2,3", "4,5", "6.7", ",8.", "9,1", "e5]"],
        ["[1", "2.", ".]"],
        ["[1", "2e", ",]"],
    ],
)
def test_pieces_of_numbers_are_the_same_again(chunks):
    def tokens() -> list[list[Token]]:
        lexer = Lexer()
        return [*(lexer.feed(chunk) for chunk in chunks), state(lexer)]

    lexer = Lexer()
    lexer._memory.resting = 1_000  # nothing is done from memory
    expected = [*(lexer.feed(chunk) for chunk in chunks), state(lexer)]
    assert [tokens() for _ in range(4)] == [expected] * 4


def test_brackets_lead_back_to_what_is_around_them():
    in_object = ['{"x":[', "[1", "],", '2],"k', '":3}']
    in_array = ["[[", "[1", "],", '2],"k', '",3]']
    for chunks in [in_object, in_array] * 3:
        assert read(Lexer(), chunks) == read(Lexer(), list("".join(chunks)))


def test_lexers_in_step_do_not_disturb_each_other():
    texts = [json.dumps([{"id": at, "name": f"n{at}"} for at in range(40)]), '[["a", {"id": 1}]]']
    expected = [read(Lexer(), list(text)) for text in texts]
    for _ in range(3):
        lexers = [Lexer(), Lexer()]
        found: list[list[Token]] = [[], []]
        for at in range(0, max(map(len, texts)), 3):
            for lexer, text, tokens in zip(lexers, texts, found, strict=True):
                tokens += whole(lexer.feed(text[at : at + 3]))
        assert found == expected


def test_many_plans_are_thrown_away_together():
    library = PlanCache(most=10)
    one, other = library.plans_for("one"), library.plans_for("other")
    for at in range(10):
        library.note(one if at % 2 else other, str(at))
    assert len(one) + len(other) == 10
    library.note(one, "more")
    assert (list(one), list(other)) == (["more"], [])
    assert library.plans_for("one") is one
