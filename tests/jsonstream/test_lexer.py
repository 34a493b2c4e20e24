"""The lexer: tokens, offsets and errors are the same however the text is cut."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardstream.jsonstream.errors import DocumentError
from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.lexer import Lexer, Limits
from guardstream.jsonstream.verdict import verdict
from tests.jsonstream.corpora import cut, decoded, needs_corpus, parsing_cases
from tests.jsonstream.judge import first_error
from tests.support.values import VALUES


def lex(chunks: list[str], **options: bool) -> DocumentError | None:
    """The error of a whole text, if any, as one document with nothing but space around it."""
    return verdict(chunks, **options)


def strings(chunks: list[str]) -> list[tuple[str, str]]:
    """Each string's parts joined, and its value as given at its end."""
    lexer, parts, found = Lexer(), "", []
    for chunk in chunks:
        for kind, value, start, end in lexer.feed(chunk):
            if kind in (t.STRING_PART, t.KEY_PART):
                parts += value
            elif kind in (t.STRING, t.KEY):
                tail = end - 1 - start
                found.append((parts + value[len(value) - tail :], value))
                parts = ""
    return found


@given(VALUES, st.randoms(use_true_random=False), st.booleans())
def test_what_json_writes_is_accepted_in_any_cutting(value, rng, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    for chunks in ([text], list(text), cut(text, rng)):
        assert lex(chunks) is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.randoms(), st.booleans())
def test_deltas_joined_are_the_string(texts, rng, ascii_only):
    text = json.dumps(texts, ensure_ascii=ascii_only)
    for chunks in ([text], list(text), cut(text, rng)):
        assert strings(chunks) == [(each, each) for each in texts]


@given(VALUES, st.data())
@settings(max_examples=200)
def test_a_changed_document_is_refused_where_the_judge_says(value, data):
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    at = data.draw(st.integers(0, len(text)))
    new = data.draw(st.sampled_from(['"', "\\", "{", "]", ",", ":", "0", "e", ".", " ", "\n", "u"]))
    text = text[:at] + new + text[at + data.draw(st.integers(0, 2)) :]
    error = lex([text])
    assert (error and error.offset) == first_error(text)


def test_half_an_escape_waits():
    lexer = Lexer()
    assert [token[1] for token in lexer.feed('"a\\ud83d\\ude0')] == ["", "a"]
    assert [token[1:] for token in lexer.feed("0")] == [("\N{GRINNING FACE}", 2, 14)]


def test_a_number_is_given_as_far_as_it_has_come():
    lexer = Lexer()
    assert lexer.feed("[12")[1] == (t.SCALAR_PART, "12", 1, 3)
    assert lexer.feed("3") == [(t.SCALAR_PART, "123", 1, 4)]
    assert lexer.feed(",")[0] == (t.INTEGER, "123", 1, 4)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a":\n [1,\n  x]}', (3, 3, "/a/1")),
        ('{"a/~b": }', (1, 10, "/a~1~0b")),
        ("[1 2]", (1, 4, "/0")),
        ("", (1, 1, "")),
        ('{"a":1,"a":2}', (1, 10, "")),
    ],
)
def test_an_error_names_line_column_and_pointer(text, place):
    for chunks in ([text], list(text)):
        error = lex(chunks)
        assert error is not None
        assert (error.line, error.column, error.pointer) == place


def test_duplicates_can_be_allowed():
    assert lex(['{"a":1,"a":2}'], duplicates=True) is None


@pytest.mark.parametrize(
    ("text", "limits", "offset"),
    [
        ("[" * 100_000, Limits(), 128),
        ("[" + "1" * 5_000, Limits(), 1 + 1_000),
        ("[1." + "1" * 5_000, Limits(digits=10), 1 + 10),
        ('["' + "a" * 50, Limits(string=20), 2 + 20),
        ('["' + "\\n" * 50, Limits(string=20), 2 + 2 * 20 + 1),
        ("[1," + "1," * 50, Limits(document=20), 20),
    ],
)
def test_limits_refuse_at_the_first_character_past_them(text, limits, offset):
    for size in (len(text), 1, 7):
        lexer = Lexer(limits)
        for at in range(0, len(text), size):
            lexer.feed(text[at : at + size])
        assert lexer.error is not None
        assert lexer.error.offset == offset


def test_a_document_ends_and_says_where():
    lexer = Lexer(offset=10)
    lexer.feed('{"a":1} {"b"')
    assert lexer.done
    assert lexer.offset == 17


@needs_corpus
@pytest.mark.corpus
def test_the_parsing_suite_by_bytes_and_characters_in_every_cutting():
    rng = random.Random(0)
    cases = parsing_cases()
    assert len(cases) == 318
    for path in cases:
        data = path.read_bytes()
        verdicts = set()
        for size in (len(data) or 1, 1, 3):
            chunks, utf8 = decoded(data, size)
            whole = "".join(chunks)
            for each in (chunks, list(whole), cut(whole, rng)):
                # The suite counts a key twice as valid, as the RFC does.
                error = lex(each, duplicates="duplicated_key" in path.name)
                verdicts.add((utf8 and error is None, error and error.offset))
        assert len(verdicts) == 1, path.name
        accepted = verdicts.pop()[0]
        assert path.name[0] == "i" or accepted == (path.name[0] == "y"), path.name


@needs_corpus
@pytest.mark.corpus
def test_the_first_error_of_20_000_mutated_documents_is_the_judges():
    rng = random.Random(1)
    seeds = [path.read_bytes() for path in parsing_cases() if path.name[0] == "y"]
    texts = [data.decode() for data in seeds if len(data) < 400]
    texts += [json.dumps({"name": f"n{i}", "tags": ["a", -1.5e3, None]}) for i in range(40)]
    alphabet = '{}[]",:\\/u0019-+.eE tfn\n\x01aé\ud83d'.replace("\ud83d", "")
    for _ in range(20_000):
        text = rng.choice(texts)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(text) + 1)
            text = (
                text[:at] + rng.choice(["", rng.choice(alphabet)]) + text[at + rng.randrange(2) :]
            )
        error = lex(cut(text, rng))
        assert (error and error.offset) == first_error(text), text
