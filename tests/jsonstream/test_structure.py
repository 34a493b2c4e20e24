"""The JSON stage: only the beginning of valid documents comes through, guarded inside strings."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardstream.events import Finding, Finish, Text
from guardstream.jsonstream.lexer.lexer import Lexer, Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.stages.json.structure import Settings, Structure
from guardstream.stages.pipeline import Pipeline
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.jsonstream.corpora import cut, cuttings

SCHEMA = Schema(
    {
        "properties": {
            "a": {"type": "string", "maxLength": 12},
            "b": {"type": "integer", "maximum": 50},
            "c": {"enum": ["red", "green"]},
            "d": {"type": "array", "uniqueItems": True, "items": {"type": ["integer", "string"]}},
        },
        "additionalProperties": False,
        "required": ["a"],
    }
)
RULES = RuleSet(
    [
        Rule(id="w", words=("password", "aa", "4111"), whole_word=False),
        Rule(id="k", words=("boom",), action="block", whole_word=False),
        Rule(id="s", words=("halt",), action="stop", whole_word=False),
    ]
)


def run(options, chunks):
    """Text, findings, finish and violations of a stream."""
    stage, events = Structure(options), []
    for chunk in chunks:
        events += stage.feed(chunk)
        assert stage.held >= 0
        if events and isinstance(events[-1], Finish):
            assert stage.feed("x") == stage.finish() == []
            break
    else:
        events += stage.finish()
    text = "".join(event.text for event in events if isinstance(event, Text))
    findings = [event for event in events if isinstance(event, Finding)]
    return text, findings, events[-1].reason, [str(each) for each in stage.violations]


def outcome(text, **options):
    """What `run` gives, for every cutting the same."""
    runs = [run(Settings(**options), chunks) for chunks in cuttings(text, random.Random(0))]
    assert all(each == runs[0] for each in runs)
    return runs[0]


def text_and_reason(text, **options):
    released, _, reason, _ = outcome(text, **options)
    return released, reason


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ('{"a": 1}', {}, ('{"a": 1}', "stop")),
        ('{"a": 1} and more', {}, ('{"a": 1}', "stop")),
        ('{"a": 1} and more', {"after": "text"}, ('{"a": 1} and more', "stop")),
        ('{"a": 1} and more', {"after": "ignore"}, ('{"a": 1}', "stop")),
        ('{"a": 1}\n{"a": 2}\n', {"documents": "many"}, ('{"a": 1}\n{"a": 2}\n', "stop")),
        ('{"a": x', {}, ('{"a": ', "content_filter")),
        ('{"a": x', {"on_violation": "stop"}, ('{"a": ', "stop")),
        ('{"a": x, "b"', {"on_violation": "monitor"}, ('{"a": x, "b"', "stop")),
        ('{"a": 1', {}, ('{"a": 1', "content_filter")),
        ("", {}, ("", "content_filter")),
        ("Hi!", {"fences": "keep"}, ("Hi!", "stop")),
        ("Hi!", {"fences": "strip"}, ("", "content_filter")),
        ('Hi {"a": 1}!', {"fences": "strip"}, ('{"a": 1}', "stop")),
        ('Hi {"a": 1}!', {"fences": "strip", "after": "text"}, ('{"a": 1}!', "stop")),
        ('Hi {"a": 1}!', {"fences": "keep", "documents": "many"}, ('Hi {"a": 1}!', "stop")),
        ('{"a":1} {"b":2}', {"fences": "strip", "documents": "many"}, ('{"a":1}\n{"b":2}', "stop")),
        ('{"a": 1}', {"fences": "require"}, ("", "content_filter")),
        ("```json\n[1]\n```", {"fences": "require"}, ("[1]", "stop")),
        ("\ufeff[1]", {}, ("[1]", "stop")),
    ],
)
def test_what_comes_through(text, options, expected):
    assert text_and_reason(text, **options) == expected


def test_a_violation_is_a_finding_where_it_is():
    _, findings, _, violations = outcome('{"c": "grey"}', schema=SCHEMA)
    assert findings == [Finding("json", 10, 11, "block")]
    assert violations == ["the schema's 'enum' does not allow this at line 1, column 11 (/c)"]


def test_monitoring_a_schema_goes_on_with_the_document():
    options = {"schema": SCHEMA, "on_violation": "monitor", "redact": RULES.stage}
    text = '{"c": "password", "b": "boo\\u006d"}'
    released, findings, reason, _ = outcome(text, **options)
    assert (released, reason) == ('{"c": "[w]", "b": "', "content_filter")
    assert [finding.rule for finding in findings] == ["json", "w", "k"]


@pytest.mark.parametrize(
    ("text", "released"),
    [
        ('{"a": "gre', '{"a": "gre"}'),
        ('{"a": "x\\u00', '{"a": "x"}'),
        ('{"a": [1, 2', '{"a": [1]}'),
        ('{"a": [1, tru', '{"a": [1]}'),
        ('{"a": 1, "bc": ', '{"a": 1}'),
        ('{"a": 1, "b', '{"a": 1}'),
        ("-", "null"),
        ('[{"a": "x"}, x', '[{"a": "x"}]'),
    ],
)
def test_repair_closes_what_was_stopped(text, released):
    assert text_and_reason(text, close=True) == (released, "content_filter")
    json.loads(released)


def test_rules_see_decoded_strings_and_findings_the_source():
    text = '{"key": "my \\u0070assword\\n", "n": ["x"]}'
    released, findings, _, _ = outcome(text, redact=RULES.stage)
    assert json.loads(released) == {"key": "my [w]\n", "n": ["x"]}
    assert [(each.start, each.end) for each in findings] == [(12, 25)]
    assert text[12:25] == "\\u0070assword"


def test_each_string_is_a_text_of_its_own():
    assert text_and_reason('["pass", "word"]', redact=RULES.stage)[0] == '["pass", "word"]'


def test_a_replacement_is_written_as_json():
    rules = RuleSet([Rule(id="q", words=("x",), replacement='"\\\n', whole_word=False)])
    released = text_and_reason('["axb"]', redact=rules.stage)[0]
    assert json.loads(released) == ['a"\\\nb']


def test_keys_are_guarded_by_option():
    text = '{"password": 1}'
    assert text_and_reason(text, redact=RULES.stage)[0] == text
    assert text_and_reason(text, redact=RULES.stage, redact_keys=True)[0] == '{"[w]": 1}'


@pytest.mark.parametrize(
    ("numbers", "released"),
    [("string", '[1, "[w]11"]'), ("null", "[1, null]"), ("zero", "[1, 0]"), (None, "[1, 411111]")],
)
def test_numbers_are_matched_and_replaced_by_setting(numbers, released):
    assert text_and_reason("[1, 411111]", redact=RULES.stage, numbers=numbers)[0] == released


def test_a_blocked_string_ends_the_stream():
    released, findings, reason, _ = outcome('{"a": "x boom y"}', redact=RULES.stage)
    assert (released, reason) == ('{"a": "x ', "content_filter")
    assert [(each.rule, each.start, each.end) for each in findings] == [("k", 9, 13)]


def test_a_blocked_string_is_closed_by_repair():
    released, reason = text_and_reason('{"a": "x boom"}', redact=RULES.stage, close=True)
    assert (json.loads(released), reason) == ({"a": "x "}, "content_filter")


def test_the_schema_judges_the_source():
    schema = Schema({"items": {"enum": ["password"]}})
    assert text_and_reason('["password"]', schema=schema, redact=RULES.stage) == ('["[w]"]', "stop")


def test_text_around_documents_is_guarded_where_it_comes_through():
    released = text_and_reason(
        'password {"a": "aa"} boom', fences="keep", documents="many", redact=RULES.stage
    )
    assert released == ('[w] {"a": "[w]"} ', "content_filter")


def test_a_text_that_is_no_json_is_still_guarded_when_monitored():
    options = {"on_violation": "monitor", "redact": RULES.stage}
    assert text_and_reason('{"a": password', **options)[0] == '{"a": [w]'


def test_nothing_waits_without_rules():
    stage = Structure(Settings(schema=SCHEMA))
    for char in '{"a": "text"':
        stage.feed(char)
        assert stage.held == 0
    stage.feed(', "c": "\\u00')
    assert stage.held == 4


def test_it_stands_in_a_pipeline():
    pipeline = Pipeline([Structure(Settings(redact=RULES.stage))])
    events = pipeline.feed('["aa"]')
    assert events[-1] == Finish("stop")


STRINGS = ["my password", "aa", "boom", "halt", "x\\u0061a", "\\u0070assword", "\\ud83d\\ude00aa",
           "red", "gre", "\\n\\\"q", "12", "longer than twelve", ""]  # fmt: skip
JSON = st.recursive(
    st.sampled_from(STRINGS).map('"{}"'.format)
    | st.sampled_from(["41112", "7", "1.0", "-0", "1e2", "true", "null", "false"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", "aa"]), inner), max_size=3).map(
            lambda each: "{" + ",".join(f'"{key}" : {value}' for key, value in each) + "}"
        )
    ),
    max_leaves=5,
)
AROUND = ["", " ", "\ufeff", "Hi aa [1]\n", "```json\n", "```\n", "\n```\nmy password", "\n{}"]
OPTIONS = st.fixed_dictionaries(
    {
        "schema": st.sampled_from([None, SCHEMA]),
        "fences": st.sampled_from([None, "strip", "keep", "require"]),
        "documents": st.sampled_from(["one", "many"]),
        "after": st.sampled_from(["stop", "ignore", "text"]),
        "on_violation": st.sampled_from(["block", "stop", "monitor", "text"]),
        "close": st.booleans(),
        "redact": st.sampled_from([None, RULES.stage]),
        "redact_keys": st.booleans(),
        "numbers": st.sampled_from(["string", "null", "zero", None]),
        "duplicates": st.booleans(),
    }
)


@st.composite
def texts(draw):
    """A document in its surroundings, sometimes spoilt."""
    text = draw(st.sampled_from(AROUND)) + draw(JSON) + draw(st.sampled_from(AROUND))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        spoiler = draw(st.sampled_from([*'{}[]",:\\u0 a`\n\x01', ""]))
        text = text[:at] + spoiler + text[at + draw(st.integers(0, 1)) :]
    return text


@given(texts(), OPTIONS, st.randoms(use_true_random=False))
@settings(max_examples=1500)
def test_chunks_do_not_matter_and_what_comes_through_begins_a_document(text, options, rng):
    options = Settings(**options)
    released, findings, reason, violations = run(options, [text])
    for chunks in (list(text), cut(text, rng)):
        assert run(options, chunks) == (released, findings, reason, violations)
    strict = not options.goes_on
    if options.documents == "one" and options.after != "text" and strict:
        if options.fences == "keep":
            return
        lexer = Lexer(duplicates=True)  # masked keys may be equal
        lexer.feed(released.lstrip())
        assert lexer.error is None
        if options.close and released.strip():
            json.loads(released)
    if options.redact and strict and not options.fences:
        inside = re.sub(r'"[^"]*" ?:', "", released) if not options.redact_keys else released
        assert options.after == "text" or "password" not in inside


@pytest.mark.parametrize(
    ("text", "released"),
    [
        ("no JSON aa", "no JSON [w]"),
        ("\ufeffaa", "\ufeff[w]"),
        ('{"a": "aa", x "a\\u0061', '{"a": "[w]", x "[w]'),
        ('{"a": "b\x01\\u0061a"}', '{"a": "b\x01[w]"}'),
        ('{"a": "a\x01\\u0061a"}', '{"a": "[w]"}'),
        ("[4, 4111", "[4, [w]"),
        ("[411 1]", "[411 1]"),
        ("[1]  and \\u0061a", "[1]  and [w]"),
    ],
)
def test_what_is_no_json_may_be_text(text, released):
    options = {"on_violation": "text", "documents": "many", "redact": RULES.stage}
    assert text_and_reason(text, **options) == (released, "stop")
    assert outcome(text, **options)[3] == []


def test_a_number_waits_for_its_separator_but_not_longer_than_a_number_may_be():
    options = Settings(on_violation="text", redact=RULES.stage, limits=Limits(digits=8))
    stage = Structure(options)
    released = ""
    for char in "[411" + " " * 20:
        released += "".join(e.text for e in stage.feed(char) if isinstance(e, Text))
        assert stage.held <= 8
    assert released == "[411" + " " * 20


def test_escapes_stay_as_the_source_writes_them():
    text = '["\\u00e9\\/\\u003c\\n\\"\\\\ é aa \\u00e9\\ud83d\\ude00"]'
    assert text_and_reason(text, redact=RULES.stage) == (
        '["\\u00e9\\/\\u003c\\n\\"\\\\ \\u00e9 [w] \\u00e9\\ud83d\\ude00"]',
        "stop",
    )


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ('A {"a": 1} or {"a": 2}.', {"fences": "strip"}, ('{"a": 2}', "stop")),
        ('{"a": 1}\n{"a": 2}\n', {}, ('{"a": 2}', "stop")),
        ('{"a": 1}', {}, ('{"a": 1}', "stop")),
        ('{"a": 1} {"a": ', {}, ("", "content_filter")),
        ('{"a": 1} {"a": ', {"close": True}, ("", "content_filter")),
        ('{"a": 1} {"a": x', {"on_violation": "stop"}, ("", "stop")),
        ('{"a": "12345"} {"a": 1}', {"last_max": 10}, ("", "content_filter")),
        ('{"a": 1} {"a": 2}', {"last_max": 8}, ('{"a": 2}', "stop")),
        ('{"a": "boom"} {"a": 1}', {"redact": RULES.stage}, ("", "content_filter")),
        ('{"a": "aa"} {"a": "password"}', {"redact": RULES.stage}, ('{"a": "[w]"}', "stop")),
    ],
)
def test_of_many_only_the_last_may_count(text, options, expected):
    assert text_and_reason(text, documents="last", **options) == expected


def test_what_waits_to_be_the_last_is_held():
    stage = Structure(Settings(documents="last"))
    assert stage.feed('{"a": 1}') == []
    assert stage.held == 8
    assert stage.feed(' {"b') == []
    assert stage.held == 3
    assert stage.feed('": 2}') == []
    assert stage.finish() == [Text('{"b": 2}'), Finish("stop")]
