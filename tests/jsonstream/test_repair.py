"""Almost-JSON is mended while it arrives: what comes out is JSON, however it is cut."""

from __future__ import annotations

import json

import pytest

from guardstream.events import Finding, Finish
from guardstream.jsonstream.repair import KINDS, USUAL, Repairer
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import repaired
from guardstream.stages.json.structure import Settings, Structure
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.jsonstream.corpora import cut, cuttings, needs_corpus, parsing_cases
from tests.jsonstream.repairs import recorded
from tests.support.json_cuts import Writer, run

PIECES = [
    "'", "'a'", "'it's'", "’", "“a”", "`", "// a\n", "//", "/", "/*", "*/", "/* a, */", "# a\n",
    "#", "True", "None", "False", "Fal", "N", "a:", "a", "$b: ", "\\'", "\n", "\r\n", "\t", ",",
    ",,", ", \n", "]", "}", "\\u00", "\\ud83d\\ud", "tru", "-", "0x1", "...", "(1, ", ")", "{'a', ",
    "\\d", "1_0", "New York", ".5", "+", '"', '" ', '""', '"",', "…", ", ...", "null", ":", ": ,",
]  # fmt: skip


class Almost(Writer):
    """Writes what models write instead of JSON."""

    def text(self) -> str:
        """A document with the usual mistakes, some of them cut or with worse ones."""
        rng = self.rng
        text = super().text() if rng.random() < 0.3 else self._said(self.value())
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(PIECES) + text[at + rng.randrange(2) :]
        return text[: rng.randrange(len(text) + 1)] if rng.random() < 0.3 else text

    def settings(self) -> Settings:
        """Any settings, with some kinds of repair."""
        rng = self.rng
        some = frozenset(rng.sample(sorted(KINDS), rng.randrange(1, len(KINDS))))
        made = super().settings()
        fields = {name: getattr(made, name) for name in made.__slots__}
        if fields["on_violation"] == "text":
            fields["on_violation"] = "block"
        return Settings(**fields | {"repair": rng.choice([USUAL, KINDS, some])})

    def _said(self, value) -> str:
        rng = self.rng
        if isinstance(value, str):
            quote = rng.choice('""\'`')
            inside = json.dumps(value, ensure_ascii=rng.random() < 0.5)[1:-1]
            inside = inside.replace("\\n", rng.choice(["\\n", "\n"]))
            return quote + (inside if quote == '"' else inside.replace(quote, "\\" + quote)) + quote
        if value is None or isinstance(value, bool):
            return str(value) if rng.random() < 0.5 else json.dumps(value)
        if not isinstance(value, list | dict):
            return json.dumps(value)
        inner = [self._said(each) for each in value]
        if isinstance(value, dict):
            keys = [key if rng.random() < 0.4 else self._said(key) for key in value]
            inner = [f"{key}:{self._gap()}{each}" for key, each in zip(keys, inner, strict=True)]
        text = "".join(each + "," + self._gap() for each in inner)
        if rng.random() < 0.6:
            text = text.rstrip().removesuffix(",")
        return ("{%s}" if isinstance(value, dict) else "[%s]") % (self._gap() + text)

    def _gap(self) -> str:
        return self.rng.choice(["", " ", "\n", " // a, b\n", "/* ] */", " # it's\n"])


@pytest.mark.parametrize("seed", range(8))
def test_how_almost_json_is_cut_never_matters(seed):
    writer = Almost(seed)
    for _ in range(400):
        text, settings = writer.text(), writer.settings()
        whole = run(settings, [text])
        assert isinstance(whole[1][-1][1], Finish)
        for chunks in (list(text), cut(text, writer.rng) if text else [""]):
            assert run(settings, chunks) == whole, (text, chunks, settings)


@pytest.mark.parametrize(
    ("kind", "text", "mended"),
    [
        ("trailing_commas", '[1, {"a": 2,\n}, ]', '[1, {"a": 2\n} ]'),
        ("comments", '{ // a "b"\n"a": /* , */ 1 # x\n}', '{ \n"a":   1 \n}'),
        ("comments", "[1, ..., 3]", "[1,  3]"),
        ("single_quotes", "{'a': '\"it\\'s\"', “b”: `c`}", '{"a": "\\"it\'s\\"", "b": "c"}'),
        ("single_quotes", "['it's']", '["it\'s"]'),
        ("python_literals", "[True, None, 1_0, .5, +7]", "[true, null, 10, 0.5, 7]"),
        ("python_literals", "((1, 2), (3), ())", "[[1, 2], 3, []]"),
        ("raw_newlines", '["a\n\tb"]', '["a\\n\\tb"]'),
        ("unquoted_keys", '{a: 1, $b-2 : 2}', '{"a": 1, "$b-2" : 2}'),
        ("unquoted_keys", '{"a": 1, b": 2}', '{"a": 1, "b": 2}'),
        ("unquoted_values", "[New York, 1.2.3, 3]", '["New York", "1.2.3", 3]'),
        ("inner_quotes", '["say "hi" now"]', '["say \\"hi\\" now"]'),
        ("bad_escapes", '["\\d+ \\n"]', '["\\\\d+ \\n"]'),
        ("bad_escapes", '["C:\\users\\u12", 1]', '["C:\\\\users\\\\u12", 1]'),
        ("bad_escapes", '["\\ud83d", "\\ude00!"]', '["\\ufffd", "\\ufffd!"]'),
        ("bad_escapes", '["\\ud83d\\ud83d\\ude00"]', '["\\ufffd\\ud83d\\ude00"]'),
        ("missing_commas", '{"a": [1 "b"] "c": 2}', '{"a": [1 ,"b"] ,"c": 2}'),
        ("missing_values", '[, 1,, {, "a": 2,, "b": 3}]', '[ 1, { "a": 2, "b": 3}]'),
        ("brackets", '[{"a": [1}]}', '[{"a": [1]}]'),
        ("bad_escapes", '["snake\\_case"]', '["snake_case"]'),
        ("full_width", '｛"a"：［1，"，："］｝', '{"a":[1,"，："]}'),
        ("odd_spaces", '{\u00a0"a":\u200b"\u00a0",\u3000"b": 1}', '{"a":"\u00a0","b": 1}'),
        ("truncated", '{"a": ["b", 12, {"c": 3, "d', '{"a": ["b", 12, {"c": 3}]}'),
        ("truncated", '["a\\u00', '["a"]'),
    ],
)  # fmt: skip
def test_each_kind_is_mended_where_it_is_asked_for(kind, text, mended):
    for chunks in ([text], list(text)):
        out, others, violations = run(Settings(repair=frozenset({kind})), chunks)
        assert (out, violations) == (mended, [])
        assert json.loads(out) is not None
        found = [event for _, event in others]
        assert {event.rule for event in found[:-1]} == {f"json.{kind}"}
        assert found[-1] == Finish("stop")
    _, _, violations = run(Settings(), [text])
    assert len(violations) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2, ...]", [1, 2]),
        ('[{"a": 1},\n  …\n]', [{"a": 1}]),
        ("[1, ..., ]", [1]),
        ('{"a": [1], ...}', {"a": [1]}),
        ('{"a": 1, ..., "b": 2}', {"a": 1, "b": 2}),
        ('[{"a": 1} ..., {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ],
)
def test_dots_may_stand_for_what_was_left_out(text, value):
    for chunks in ([text], list(text)):
        found = repaired(chunks, USUAL)
        assert (json.loads(found.text), found.error) == (value, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,\n"b": 2// two, "c"\n}', {"a": 1, "b": 2}),
        ("[-1.5e3/* a */, null/* b */, True// c\n, 1_0/**/]", [-1500.0, None, True, 10]),
        ("[http://a.b/c, a;b, 1.2.3 // d\n]", ["http://a.b/c", "a;b", "1.2.3"]),
    ],
)
def test_a_comment_may_directly_follow_a_number_or_a_literal(text, value):
    for chunks in ([text], list(text)):
        found = repaired(chunks, USUAL)
        assert (json.loads(found.text), found.error) == (value, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "she said "hi"", "b": 1}', {"a": 'she said "hi"', "b": 1}),
        ('["say "x"" , "y"\n]', ['say "x"', "y"]),
        ("['so 'it' is', 'he said 'hi'']", ["so 'it' is", "he said 'hi'"]),
        ('["a""b" "" ]', ["a", "b", ""]),
        ('["a""", ""]', ["a", "", ""]),
    ],
)
def test_the_last_of_two_quotes_ends_a_string_that_ends_with_a_quoted_word(text, value):
    for chunks in ([text], list(text)):
        found = repaired(chunks, USUAL)
        assert (json.loads(found.text), found.error) == (value, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,, ]", [1]),
        ('{"b": [1, ..., , 2]}', {"b": [1, 2]}),
    ],
)
def test_what_is_missing_may_meet_other_mistakes(text, value):
    for chunks in ([text], list(text)):
        found = repaired(chunks, USUAL)
        assert (json.loads(found.text), found.error) == (value, None)


CERTAIN = {
    "bad_escapes", "comments", "full_width", "missing_values", "odd_spaces", "python_literals",
    "single_quotes", "trailing_commas", "unquoted_keys",
}  # fmt: skip
"""Repairs of what needs no guess, though one of the two reads it otherwise or not at all."""


@pytest.mark.parametrize("read", recorded(), ids=lambda read: ascii(read.text))
def test_a_repair_never_invents_what_others_do_not_read(read):
    found = repaired([read.text], USUAL)
    if found.error is not None:
        return
    value = json.dumps(json.loads(found.text), sort_keys=True)
    assert value == read.agreed or CERTAIN & {each.kind for each in found.repairs}


def test_most_of_what_both_read_is_repaired_and_nothing_that_is_cut():
    agreed = [each for each in recorded() if each.agreed is not None]
    refused = [each.text for each in agreed if repaired([each.text], USUAL).error is not None]
    assert len(agreed) > 190
    assert len(refused) < 45
    assert {'{"cmd": "rm -rf x', '{"a": tru', "[1,", '{"a": {"b": 1'} < {*refused}


@pytest.mark.parametrize(
    "text",
    [
        '{"price": 1,234,567, "b": 2}',
        '{"args": "{"city": "Paris"}", "b": 1}',
        '{"a": "b,\n"c": "d"}',
        '{"t": "one of "a", "b" or "c"", "z": 1}',
        '{"s": "about "michael", jackson"}',
        '{"a": """x "q" y"""}',
        '{"a": , "b": 1}',
        '{"a", "b"}',
        '["say "x", please", "d"]',
    ],
)
def test_what_would_need_a_guess_is_refused_and_completes_nothing(text):
    for chunks in ([text], list(text)):
        _, others, violations = run(Settings(repair=USUAL), chunks)
        assert others[-1][1] == Finish("content_filter")
        assert len(violations) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[{'x' }]", [["x"]]),
        ("[{ 'x'\n, 'y'}]", [["x", "y"]]),
        ("{'a': {'x\\'' \t, 1}}", {"a": ["x'", 1]}),
    ],
)
def test_a_set_of_strings_may_have_space_before_its_comma(text, value):
    for chunks in ([text], list(text)):
        found = repaired(chunks, USUAL)
        assert (json.loads(found.text), found.error) == (value, None)


@pytest.mark.parametrize("kinds", [USUAL, {"python_literals", "unquoted_keys", "comments"}])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": {1, 2.5 , -3}}', {"a": [1, 2.5, -3]}),
        ("[{ 1_5\n}, {1_000}, {}]", [[15], [1000], {}]),
        ("[{1: {2}, 3.5 : 4}]", [{"1": [2], "3.5": 4}]),
        ('{"a": {...}, "b": {+.5}}', {"a": {}, "b": [0.5]}),
    ],
)
def test_a_set_of_numbers_becomes_an_array(kinds, text, value):
    for chunks in ([text], list(text)):
        found = repaired(chunks, frozenset(kinds))
        assert (json.loads(found.text), found.error) == (value, None)


@pytest.mark.parametrize(
    ("text", "out"),
    [('["\\d+", "a"]', '["\\\\d+", "a"]'), ('["a long first str', '["a long first str"]')],
)
def test_an_array_at_the_start_is_mended_from_its_first_string_on(text, out):
    for chunks in ([text], list(text)):
        assert run(Settings(fences="strip", repair=KINDS), chunks)[0] == out


@pytest.mark.parametrize("kinds", [USUAL, KINDS])
def test_what_is_json_is_not_touched(kinds):
    writer = Almost(1)
    for _ in range(1_000):
        text = json.dumps(writer.value(), indent=writer.rng.choice([None, 2]))
        for chunks in cuttings(text, writer.rng):
            out, others, _ = run(Settings(repair=kinds), chunks)
            assert (out, [event for _, event in others]) == (text, [Finish("stop")])


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("kinds", [USUAL, KINDS])
def test_no_valid_file_of_the_suite_becomes_another(kinds):
    for path in parsing_cases():
        if path.name.startswith("y_"):
            text = path.read_text(encoding="utf-8")
            for chunks in ([text], list(text)):
                found = repaired(chunks, kinds, duplicates=True)
                assert found.error is None, path.name
                assert json.loads(found.text) == json.loads(text), path.name
                assert not found.repairs, path.name


@pytest.mark.parametrize("seed", range(4))
def test_what_comes_out_is_json_at_every_moment(seed):
    """Whatever was released can be closed to JSON, and with `truncated` the end does so."""
    writer = Almost(seed)
    for _ in range(300):
        text = writer.text()
        out, others, violations = run(Settings(repair=KINDS, after="ignore"), list(text))
        if out.strip():
            json.loads(out)
        else:
            assert violations
        spans = [(e.start, e.end) for _, e in others if isinstance(e, Finding)]
        assert all(0 <= start <= end <= len(text) for start, end in spans)


@pytest.mark.parametrize("documents", ["many", "last"])
@pytest.mark.parametrize("text", ["(1) ", "(1)(2)", "(1_0)}", "(1)x"])
def test_a_number_that_the_schema_refuses_ends_with_its_bracket(text, documents):
    settings = Settings(
        schema=Schema({"type": "object"}),
        repair=USUAL,
        on_violation="monitor",
        documents=documents,
    )
    assert run(settings, [text])[:2] == run(settings, list(text))[:2]


def test_a_violation_stands_where_it_stands_in_the_source():
    properties = {"a": {"type": "string"}, "ab": {}}
    schema = Schema({"properties": properties, "additionalProperties": False})
    text = "{ // first\n a: 'x',\n /* y */ b: 1}"
    for chunks in ([text], list(text)):
        stage = Structure(Settings(schema=schema, repair=USUAL))
        for chunk in chunks:
            stage.feed(chunk)
        (found,) = stage.violations
        assert (found.offset, found.line, found.column) == (text.index("b:"), 3, 10)


def test_rules_see_what_was_mended_and_report_the_source():
    rules = RuleSet([Rule(id="w", words=("it's pass\nword",), whole_word=False)])
    text = "{a: 'so it's pass\nword',}"
    for chunks in ([text], list(text)):
        settings = Settings(repair=USUAL, redact=rules.stage)
        out, others, _ = run(settings, chunks)
        assert out == '{"a": "so [w]\\n"}'
        (found,) = [e for _, e in others if isinstance(e, Finding) and e.rule == "w"]
        assert text[found.start : found.end] == "it's pass\nword"


def test_comments_may_stand_around_the_document():
    found = repaired(["// a\n{", "} /* b */ # c"], USUAL)
    assert (found.text, found.error) == ("{}", None)
    assert [each.kind for each in found.repairs] == ["comments"] * 3
    assert repaired(["{} // a\n x"], USUAL).error.offset == 9
    assert repaired(["// a"], USUAL).error.reason == "unexpected end of text"
    text = '{"a": 1} // b\n[2]'
    assert {repaired(chunks, USUAL).text for chunks in ([text], list(text))} == {'{"a": 1}'}


def test_what_is_held_is_bounded():
    for text in ("[1, " + " " * 999, "[1, //" + "x" * 999, '[1, "a"' + " " * 999, "[(" + "x" * 999):
        stage = Structure(Settings(repair=USUAL))
        for char in text:
            stage.feed(char)
            assert stage.held <= 257


def test_a_run_of_brackets_in_prose_costs_little_for_each(monkeypatch):
    read, sizes = Repairer.read, []

    def counted(self, text, index, *, final):
        sizes.append(len(text) - index)
        return read(self, text, index, final=final)

    monkeypatch.setattr(Repairer, "read", counted)
    run(Settings(repair=USUAL, fences="strip"), ["[" * 2000])
    assert 2000 < sum(sizes) < 100 * 2000
