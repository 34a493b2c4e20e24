"""A pattern refuses at the first character from which no match can follow, and never too early."""

from __future__ import annotations

import random

import pytest

from guardstream.jsonstream.document import Document
from guardstream.jsonstream.schema import patterns
from guardstream.jsonstream.schema.prefixes import _FORMATS, prefixes
from guardstream.jsonstream.schema.schema import Schema
from tests.jsonstream.corpora import cuttings

CLOSED = {"additionalProperties": False}
SHELF = {"properties": {"id": {}}, "patternProperties": {"^x-": {}, "^[a-c]+$": {}}, **CLOSED}


@pytest.mark.parametrize(
    ("schema", "marked"),
    [
        ({"pattern": "^[a-z]+$"}, '"ab|1"'),
        ({"pattern": "^\\d{3}-\\d"}, '"123|4"'),
        ({"pattern": "^(foo|bar)"}, '"fo|x"'),
        ({"pattern": "^a$|^b$"}, '"a|a"'),
        ({"pattern": "^a+$", "maxLength": 2}, '"aa|a"'),
        ({"pattern": "^\\w+$"}, '"a\\u00e|9b"'),
        ({"pattern": "^第\\s*\\d章$"}, '"第\u00a01|页"'),
        ({"pattern": "^[^\\s]é\\S$"}, '"öé|\u3000"'),
        ({"pattern": "^a.b$"}, '"a\\|rb"'),
        ({"pattern": "b$"}, '"xa|"'),
        ({"pattern": "^(?!x)a"}, '"b|"'),
        ({"anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]}, '"|c"'),
        (SHELF, '{"id|le": 1}'),
        (SHELF, '{"id": 1, "|note": 1}'),
        (SHELF, '{"id": 1, "|id": 1}'),
        (SHELF, '{"x-é": 1, "x|": 1}'),
        (SHELF, '{"a\\u003|1": 1}'),
        ({"anyOf": [SHELF, {"type": "array"}]}, '{"x-a": 1, "x|_": 1}'),
        ({"anyOf": [SHELF, {"properties": {"x_y": {}}, **CLOSED}]}, '{"x_|a": 1}'),
        ({"patternProperties": {"^a$": {}}, "unevaluatedProperties": False}, '{"a|b": 1}'),
        ({"minimum": 1}, "[|-1]"),
        ({"exclusiveMinimum": 0}, "[|-1]"),
        ({"minimum": 0}, "[-|1]"),
        ({"maximum": -1}, "[|1]"),
        ({"exclusiveMaximum": 0}, "[|0]"),
        ({"enum": [1, 2, "x"]}, "[|-1]"),
        ({"anyOf": [{"type": "null"}, {"minimum": 1}]}, "[|-5]"),
    ],
)
def test_what_is_certain_is_refused_at_once(schema, marked):
    at, text = marked.index("|"), marked.replace("|", "")
    made = Schema({"items": schema} if text[0] == "[" else schema)
    for chunks in cuttings(text, random.Random(0)):
        document = Document(made)
        for chunk in chunks:
            document.feed(chunk)
        document.finish()
        assert document.error is not None
        assert document.error.offset == at


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("date", "2020-1|3-01"),
        ("uuid", "12345678|9"),
        ("ipv4", "1.2.3.25|6"),
        ("date-time", "2020-01-01T00:00:00|x"),
    ],
)
def test_formats_that_are_regular_refuse_early(name, marked):
    document = Document(Schema({"format": name}, formats=True))
    document.feed('"' + marked.replace("|", "") + '"')
    assert document.error is not None
    assert document.error.offset == marked.index("|") + 1


PATTERNS = [
    "^[a-c]+$", "^a{2,3}b?$", "^(a|bc)*$", "^(?:ab|a.c)$", "^[^ab]*b", "^\\s*a\\S$", "^\\W\\d*$",
    "^$", "^a|b$",
    "^(a|^b)c$", "^.$", "^(a*)*b", "^\\u0061\\x62?$", "^[\\w-]+$", "(^a)?", "^a{0}b$",
    "a^b", "^(a$|b)c?$", "^é?[à-ü]$",
    "^é\\s*[^\\s-]$", "^[\\W\\d]+[\\s\\S]b$", "^[\\s-c]é]",
]  # fmt: skip


@pytest.mark.parametrize("pattern", [*PATTERNS, *_FORMATS.values()])
def test_nothing_is_refused_that_can_still_match(pattern):
    rng, check, judge = random.Random(pattern), patterns.check(pattern), prefixes(pattern)
    alphabet = "aabbc1-.:T0 é\n\ufeff\u00a0٣" if pattern in PATTERNS else "0123459-.:TZabf "
    refused = 0
    for _ in range(1_500):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(7)))
        bad = judge.step(judge.first, text)[1] if judge else None
        if bad is None:
            continue
        refused += 1
        for _ in range(4):
            rest = "".join(rng.choice(alphabet) for _ in range(rng.randrange(5)))
            assert not check(text[: bad + 1] + rest)
    assert refused or judge is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^https?://", "https://example.org/a"),
        ("^[a-z0-9](-*[a-z0-9]){0,62}", "x-y-z-0"),
        ("^(foo|bar)", "fooooo"),
        ("^a*b?", "aaabccc"),
    ],
)
@pytest.mark.parametrize("schema", ["plain", "parallel"])
def test_what_has_matched_is_free_in_any_cut(pattern, text, schema):
    prefixes.cache_clear()  # the states are as yet unknown
    asked = {"pattern": pattern}
    if schema == "parallel":
        asked = {"anyOf": [{**asked, "minLength": 1}, {**asked, "minLength": 2}]}
    made = Schema(asked)
    for chunks in cuttings(f'"{text}"', random.Random(0)):
        document = Document(made)
        for chunk in chunks:
            document.feed(chunk)
        document.finish()
        assert document.error is None, (chunks, document.error)


def test_formats_let_through_what_is_valid():
    valid = {
        "date": ["2024-02-29"],
        "uuid": ["2EB8AA08-AA98-11EA-B4AA-73B441D16380"],
        "ipv4": ["255.0.10.199"],
        "time": ["08:30:06.283185Z", "08:30:06+00:20"],
        "date-time": ["1963-06-19T08:30:06.283185Z", "1998-12-31t23:59:60Z"],
    }
    for name, texts in valid.items():
        schema = Schema({"format": name}, formats=True)
        for text in texts:
            document = Document(schema)
            document.feed(f'"{text}"')
            assert document.error is None, text
