"""The section `json` of a policy, and what rules do in the arguments of tool calls."""

from __future__ import annotations

import json
import random
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardstream import Guard
from guardstream.errors import PolicyError
from guardstream.events import Finding, Text
from guardstream.policy import Policy
from tests.jsonstream.corpora import cut, cuttings

RULES = """\
rules:
  - {id: w, words: [password, secret]}
  - {id: card, pattern: '\\b(?:\\d{4}[ -]?){3}\\d{4}\\b'}
  - {id: key, pattern: '-----BEGIN-----[\\s\\S]{1,100}-----END-----'}
  - {id: b, words: [boom], action: block}
  - {id: s, words: [halt], action: stop}
"""
SCHEMA = {"properties": {"id": {"type": "integer"}, "to": {"type": "string"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "order.json").write_text(json.dumps(SCHEMA))
    return tmp_path


def run(guard, chunks, channel="text"):
    """Text, findings and reason of a stream that is fed by hand."""
    session, events = guard.session(channel), []
    for chunk in chunks:
        events += session.feed(chunk)
        assert 0 <= session.held <= guard.policy.file.max_holdback
    events += session.finish()
    text = "".join(event.text for event in events if isinstance(event, Text))
    findings = [event for event in events if isinstance(event, Finding)]
    return text, [(each.rule, each.start, each.end) for each in findings], events[-1].reason


def outcome(policy, text, channel="text", folder="."):
    """What `run` gives, for every cutting the same."""
    guard = Guard(Policy.parse(policy, folder=folder))
    runs = [run(guard, chunks, channel) for chunks in cuttings(text, random.Random(0))]
    assert all(each == runs[0] for each in runs)
    return runs[0]


def refusal(policy, folder="."):
    with pytest.raises(PolicyError) as caught:
        Policy.parse(policy, name="p.yaml", folder=folder)
    return str(caught.value)


def test_the_schema_is_relative_to_the_policy(folder):
    (folder / "p.yaml").write_text("json: {schema: schemas/order.json}\n")
    guard = Guard.load(folder / "p.yaml")
    assert run(guard, ['{"id": "x"}']) == ('{"id": ', [("json", 7, 8)], "content_filter")
    assert run(guard, ['{"id": 1} more']) == ('{"id": 1}', [], "stop")


def test_the_schema_may_stand_in_the_policy():
    policy = "json:\n  schema:\n    properties: {id: {type: integer}}\n"
    assert outcome(policy, '{"id": "x"}')[1:] == ([("json", 7, 8)], "content_filter")


def test_rules_apply_inside_decoded_strings():
    text = '{"to": "\\u0070assword", "id": 4111111111111111}'
    assert outcome(RULES + "json: {}\n", text) == (
        '{"to": "[w]", "id": "[card]"}',
        [("w", 8, 21), ("card", 30, 46)],
        "stop",
    )


@pytest.mark.parametrize(
    ("section", "text", "expected"),
    [
        ("fences: strip", 'So:\n```json\n{"a": 1}\n```\n', '{"a": 1}'),
        ("fences: keep, documents: many", 'secret {"a": 1}!', '[w] {"a": 1}!'),
        ("on_violation: stop", '{"a": x', '{"a": '),
        ("on_violation: monitor", '{"a": secret', '{"a": [w]'),
        ("after: text", "[1] secret", "[1] [w]"),
        ("after: ignore", "[1] secret", "[1]"),
        ("repair: close", '{"a": ["x', '{"a": ["x"]}'),
        ("repair: true", "['secret', None,]", '["[w]", null]'),
        ("repair: [single_quotes]", "['a',]", '["a",'),
        ("repair: [truncated]", '{"a": [1, 2', '{"a": [1]}'),
        ("repair: false", "['a'", "["),
        ("documents: last", "[1]\n[2]\n", "[2]"),
        ("documents: last, last_max: 2", "[1]\n[2]\n", ""),
        ("documents: many", "[1]\n[2]\n", "[1]\n[2]\n"),
        ("redact_keys: true", '{"secret": 1}', '{"[w]": 1}'),
        ("numbers: zero", "[4111111111111111]", "[0]"),
        ("numbers: 'null'", "[4111111111111111]", "[null]"),
        ("numbers: null", "[4111111111111111]", "[null]"),
        ("numbers: leave", "[4111111111111111]", "[4111111111111111]"),
        ("duplicates: true", '{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ("limits: {depth: 1}", "[[", "["),
        ("limits: {digits: 3}", "[1234", "[123"),
        ("limits: {string: 3}", '["abcd', '["abc'),
        ("limits: {document: 3}", "[1, 2]", "[1,"),
        ("channels: [thinking]", "no JSON", "no JSON"),
    ],
)
def test_every_setting_reaches_the_stage(section, text, expected):
    rules = "" if "digits" in section else RULES
    assert outcome(f"{rules}json: {{{section}}}\n", text)[0] == expected


def test_shadow_mode_reports_and_changes_nothing():
    policy = "mode: shadow\njson: {schema: {type: object}}\n"
    assert outcome(policy, "[1] x") == ("[1] x", [("json", 0, 1)], "stop")


def test_a_policy_inherits_the_section_with_its_file(folder):
    (folder / "base.yaml").write_text("json: {schema: schemas/order.json}\n")
    (folder / "sub").mkdir()
    policy = "extends: ../base.yaml\n"
    assert outcome(policy, '{"id": "x"}', folder=folder / "sub")[2] == "content_filter"


def test_a_number_is_never_held_longer_than_allowed():
    policy = f"max_holdback: 16\n{RULES}json: {{}}\n"
    assert outcome(policy, "[12345678901234567]")[1:] == ([("json", 17, 18)], "content_filter")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (None, "order.json:1:1: cannot be read: no such file or directory"),
        ('{"type": "object",}', "order.json:1:19: expected a name in quotes"),
        ('{"properties": {"id": {"type": "int"}}}', "order.json:1:32: /properties/id/type: "),
        ('{"properties": {"1": {"type": "int"}}}', "order.json:1:31: /properties/1/type: "),
        ('{"allOf": [{}, {"type": "int"}]}', "order.json:1:25: /allOf/1/type: "),
        ("[]", "order.json:1:1: a schema is an object, true or false"),
        ('{"$id": "//[a"}', "order.json:1:9: /$id: the identifier '//[a' is not a URI"),
    ],
)
def test_a_bad_schema_file_is_named_with_both_places(folder, schema, message):
    (folder / "schemas" / "order.json").unlink()
    if schema is not None:
        (folder / "schemas" / "order.json").write_text(schema)
    found = refusal("version: 1\njson: {schema: schemas/order.json}\n", folder)
    assert found.startswith("p.yaml:2:16: cannot use the schema: ")
    assert message in found


def test_a_bad_schema_in_the_policy_is_named_where_it_stands():
    policy = "json:\n  schema:\n    properties:\n      id: {type: int}\n"
    assert refusal(policy).startswith("p.yaml:4:18: cannot use the schema: /properties/id/type: ")


def test_a_schema_may_refer_to_files_beside_it(folder):
    (folder / "schemas" / "defs.json").write_text('{"$defs": {"id": {"type": "integer"}}}')
    schema = {"properties": {"id": {"$ref": "defs.json#/$defs/id"}}}
    (folder / "schemas" / "order.json").write_text(json.dumps(schema))
    expected = ('{"id": ', [("json", 7, 8)], "content_filter")
    assert outcome("json: {schema: schemas/order.json}\n", '{"id": "x"}', folder=folder) == expected
    inline = "json: {schema: {properties: {id: {$ref: 'schemas/defs.json#/$defs/id'}}}}\n"
    assert outcome(inline, '{"id": "x"}', folder=folder) == expected


def test_a_schema_may_refer_to_files_by_their_identifier(folder):
    (folder / "id.json").write_text('{"$id": "https://example.com/id", "type": "integer"}')
    schema = {"properties": {"id": {"$ref": "https://example.com/id"}}}
    (folder / "schemas" / "order.json").write_text(json.dumps(schema))
    found = outcome("json: {schema: schemas/order.json, schemas: [id.json]}\n", '{"id": "x"}',
                    folder=folder)  # fmt: skip
    assert found[1] == [("json", 7, 8)]
    message = refusal("json: {schema: schemas/order.json}\n", folder)
    assert "nothing is fetched" in message


def test_a_schema_with_the_address_of_another_place_refers_to_files_beside_it(folder):
    place = "https://example.com/schemas"
    for name, schema in {
        "order": {"properties": {"id": {"$ref": "parts/id%20of.json#/$defs/id"}}},
        "parts/id of": {"$defs": {"id": {"$ref": "number.json"}}},
        "parts/number": {"type": "integer"},
    }.items():
        path = folder / "schemas" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"$id": f"{place}/v1/{path.name}", **schema}))
    expected = [("json", 7, 8)]
    found = outcome("json: {schema: schemas/order.json}\n", '{"id": "x"}', folder=folder)
    assert found[1] == expected
    inline = f"json: {{schema: {{$id: '{place}/a', $ref: 'v1/order.json'}}}}\n"
    (folder / "schemas").rename(folder / "v1")
    assert outcome(inline, '{"id": "x"}', folder=folder)[1] == expected
    (folder / "v1" / "parts" / "number.json").unlink()
    assert "'number.json' leads nowhere" in refusal(inline, folder)


def test_a_schema_with_the_address_of_another_place_refers_to_files_in_other_folders(folder):
    place = "https://example.com/schemas"
    for name, schema in {
        "orders/order": {"properties": {"id": {"$ref": "../parts/id.json"}}},
        "parts/id": {"$ref": "../number.json"},
        "number": {"type": "integer"},
    }.items():
        path = folder / "schemas" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"$id": f"{place}/{name}.json", **schema}))
    policy = "json: {schema: schemas/orders/order.json}\n"
    assert outcome(policy, '{"id": "x"}', folder=folder)[1] == [("json", 7, 8)]
    (folder / "schemas" / "number.json").unlink()
    assert "'../number.json' leads nowhere" in refusal(policy, folder)


def test_a_reference_that_climbs_out_of_its_identifier_refers_to_no_other_file(folder):
    near = {"$id": "https://example.com/v1/order.json#", "$ref": "/v1/order.json#/$defs/none"}
    schema = near | {"$ref": "../../id.json", "$defs": {"none": False, "near": near}}
    (folder / "schemas" / "order.json").write_text(json.dumps(schema))
    (folder / "id.json").write_text('{"type": "integer"}')
    policy = "json: {schema: schemas/order.json}\n"
    assert "'../../id.json' leads nowhere" in refusal(policy, folder)
    (folder / "schemas" / "order.json").write_text(json.dumps(schema | {"$ref": "../id.json"}))
    assert outcome(policy, '"x"', folder=folder)[1] == [("json", 0, 1)]


def test_a_reference_to_one_of_two_files_is_refused(folder):
    place = "https://example.com/v1"
    for name, schema in {
        "schemas/order": {"$id": f"{place}/order.json", "$ref": "id.json"},
        "schemas/id": {"type": "integer"},
        "money": {"$id": f"{place}/money.json"},
        "id": {"type": "string"},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(schema))
    policy = "json: {schema: schemas/order.json, schemas: [money.json]}\n"
    assert f"the schema '{place}/id.json' could be " in refusal(policy, folder)
    (folder / "id.json").unlink()
    assert outcome(policy, '"x"', folder=folder)[1] == [("json", 0, 1)]
    (folder / "id.json").symlink_to(folder / "schemas" / "id.json")
    assert outcome(policy, '"x"', folder=folder)[1] == [("json", 0, 1)]


def test_a_reference_prefers_the_file_in_the_nearer_folder(folder):
    place = "https://example.com"
    for name, schema in {
        "a": {"$id": f"{place}/a/a.json"},
        "schemas/order": {"$id": f"{place}/b/order.json", "$ref": "id.json"},
        "schemas/id": {"type": "integer"},
        "b/id": {"type": "string"},
    }.items():
        (folder / f"{name}.json").parent.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(schema))
    (folder / "sub").mkdir()
    (folder / "a.json").rename(folder / "sub" / "a.json")
    policy = "json: {schema: schemas/order.json, schemas: [sub/a.json]}\n"
    assert outcome(policy, '"x"', folder=folder)[1] == [("json", 0, 1)]


@pytest.mark.parametrize("names", ["[id.json, number.json]", "[number.json, id.json]"])
def test_two_files_with_one_identifier_are_refused(folder, names):
    (folder / "id.json").write_text('{"$id": "https://example.com/id", "type": "string"}')
    (folder / "number.json").write_text('{"$id": "https://example.com/id#", "type": "number"}')
    policy = f"json: {{schema: {{$ref: 'https://example.com/id'}}, schemas: {names}}}\n"
    message = "another schema has the identifier 'https://example.com/id', too"
    assert message in refusal(policy, folder)
    alone = "json: {schema: id.json, schemas: [NAME]}\n"
    assert message in refusal(alone.replace("NAME", "number.json"), folder)
    assert outcome(alone.replace("NAME", "id.json"), '"x"', folder=folder)[2] == "stop"


@pytest.mark.parametrize("own", ["/schemas/order.json", "/order.json", "file:///v1/order.json"])
def test_relative_references_start_from_the_folder_if_the_identifier_is_a_path(folder, own):
    (folder / "schemas" / "order.json").write_text(json.dumps({"$id": own, "$ref": "id.json"}))
    (folder / "schemas" / "id.json").write_text('{"type": "integer"}')
    policy = "json: {schema: schemas/order.json}\n"
    assert outcome(policy, '"x"', folder=folder)[1] == [("json", 0, 1)]
    (folder / "schemas" / "id.json").unlink()
    assert "id.json:1:1: cannot be read: no such file" in refusal(policy, folder)


def test_a_schema_is_referred_to_by_an_identifier_that_is_a_path(folder):
    (folder / "id.json").write_text('{"$id": "/schemas/number", "type": "number"}')
    (folder / "schemas" / "id.json").write_text('{"$id": "/schemas/number", "type": "string"}')
    policy = "json: {schema: {$ref: /schemas/number}, schemas: [id.json]}\n"
    assert outcome(policy, '"x"', folder=folder)[1] == [("json", 0, 1)]
    both = policy.replace("[id.json]", "[id.json, schemas/id.json]")
    assert "another schema has the identifier 'file:///schemas/number', too" in refusal(
        both, folder
    )


def test_two_files_may_have_one_relative_identifier(folder):
    (folder / "id.json").write_text('{"$id": "#root", "type": "string"}')
    (folder / "schemas" / "id.json").write_text('{"$id": "#root", "$ref": "../id.json"}')
    policy = "json: {schema: id.json, schemas: [id.json, schemas/id.json]}\n"
    assert outcome(policy, "1", folder=folder)[1] == [("json", 0, 1)]


def test_a_file_that_a_schema_refers_to_must_be_there(folder):
    (folder / "schemas" / "order.json").write_text('{"$ref": "no.json"}')
    message = refusal("json: {schema: schemas/order.json}\n", folder)
    assert message.startswith("p.yaml:1:16: cannot use the schema: ")
    assert "no.json:1:1: cannot be read: no such file or directory" in message


def test_the_draft_and_formats_are_settings():
    policy = "json: {draft: openapi-3.0, schema: {type: string, nullable: true, format: date}}\n"
    assert outcome(policy, "null")[2] == "stop"
    assert outcome(policy, '"soon"')[2] == "stop"
    assert outcome(policy.replace("draft:", "formats: true, draft:"), '"soon"')[2] != "stop"


def test_unknown_keys_are_refused_with_the_nearest():
    assert refusal("json: {fence: strip}\n") == (
        "p.yaml:1:8: unknown key 'fence', did you mean 'fences'?"
    )
    assert refusal("json: {limits: {deep: 3}}\n") == (
        "p.yaml:1:17: unknown key 'deep', did you mean 'depth'?"
    )


# Arguments of tool calls


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # JSON: inside the strings, and the result is JSON.
        ('{"a": "\\u0070assword"}', '{"a": "[w]"}'),
        ('"\\u0070assword"', '"[w]"'),
        ('{"n": 4111111111111111}', '{"n": "[card]"}'),
        ('{"a":1}{"b":"\\u0070assword"}', '{"a":1}{"b":"[w]"}'),
        ("[" * 1000 + '"\\u0070assword"', "[" * 1000 + '"[w]"'),
        # What no rule matches stays as it was written.
        (
            '{"é": "\\u00e9\\/\\n\\"", "x": [1.0, true]}',
            '{"é": "\\u00e9\\/\\n\\"", "x": [1.0, true]}',
        ),
        ('{"a": "\\ud83d\\ude00", "b": "\\ud83d', '{"a": "\\ud83d\\ude00", "b": "\\ud83d'),
        ('{"a": "\\u003cb\\u003e secret"}', '{"a": "\\u003cb\\u003e [w]"}'),
        # Text from the first character on.
        ("password", "[w]"),
        ("  4111 1111 1111 1111", "  [card]"),
        ("C:\\new\\password", "C:\\new\\[w]"),
        # No JSON any more from some character on.
        ('{"a": "my pass', '{"a": "my pass'),
        ('{"a": "-----BEGIN-----\nx\n-----END-----"}', '{"a": "[key]"}'),
        ('{"a": "-----BEGIN-----\\nx\n-----END-----"}', '{"a": "[key]"}'),
        ("[4111 1111 1111 1111]", "[[card]]"),
        ('{"a": 4111-1111-1111-1111}', '{"a": [card]}'),
        ('{"a": 4111', '{"a": 4111'),
        ("{secret}", "{[w]}"),
        ('{"a": NaN, "b": "\\u0070assword \\u00e9\\""', '{"a": NaN, "b": "[w] \\u00e9\\""'),
        ("{'a': '\\u0070assword', 'b': 'x\\\\\\q'}", "{'a': '[w]', 'b': 'x\\\\\\q'}"),
        ('{"x": "\\ud800", "y": "\\u0070assword"}', '{"x": "\\ud800", "y": "[w]"}'),
        ('{"a":1}, {"b":"\\u0070assword"}', '{"a":1}, {"b":"[w]"}'),
        ('{"a": "pass\\qword secret', '{"a": "pass\\qword [w]'),
        (
            '{"a": x, "b": "\\ud83d\\ude00secret \\u0073ecret',
            '{"a": x, "b": "\\ud83d\\ude00[w] [w]',
        ),
    ],
)
def test_arguments_never_leak_and_stay_as_they_are(text, expected):
    found = outcome(RULES, text, "tool_args")
    assert (found[0], found[2]) == (expected, "stop")
    assert all(rule != "json" for rule, _, _ in found[1])


@pytest.mark.parametrize(
    "text", ['{"a": "x boom"}', "{a: x boom", "x boom", '{"a": "\\q x \\u0062oom"']
)
def test_a_block_in_arguments_ends_the_stream(text):
    released, findings, reason = outcome(RULES, text, "tool_args")
    assert reason == "content_filter"
    assert "oom" not in released
    start, end = findings[0][1:]
    assert released == text[:start]
    assert text[start:end] in ("boom", "\\u0062oom")


def test_a_stop_in_broken_arguments_ends_the_stream_there():
    assert outcome(RULES, '{"a": x halt y', "tool_args") == ('{"a": x ', [("s", 8, 12)], "stop")


def test_findings_in_arguments_refer_to_the_source():
    text = '{"a": NaN, "é": "\\u0070assword \\ud83d\\ude00 secret"}'
    _, findings, _ = outcome(RULES, text, "tool_args")
    assert [text[start:end] for _, start, end in findings] == ["\\u0070assword", "secret"]


def test_without_rules_arguments_pass_untouched():
    assert Policy.parse("name: empty\n").stages("tool_args") == []
    assert outcome("rules: []\n", '{"a": [x', "tool_args") == ('{"a": [x', [], "stop")


def test_a_channel_of_json_is_as_strict_as_the_policy_says():
    policy = f"{RULES}json: {{channels: [tool_args], schema: {{type: object}}}}\n"
    assert outcome(policy, "[1]", "tool_args") == ("", [("json", 0, 1)], "content_filter")


def test_words_for_one_stream_reach_arguments():
    policy = Policy.parse(RULES).with_words({"w": ["canary"]})
    assert run(Guard(policy), ['{"a": "c\\u0061nary"}'], "tool_args")[0] == '{"a": "[w]"}'


PIECES = ['"', "\\", "{", "}", "[", "]", ":", ",", " ", "\n", "a", "1", "4111 ", "4111-", "1111",
          "password", "pass", "word", "\\u0070", "\\ud83d", "\\ude00", "\\n", '"a":', "NaN", "true",
          "é", "\\u00e9", "boom", "halt", "-----BEGIN-----", "-----END-----"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.randoms(use_true_random=False))
@settings(max_examples=1000, deadline=None)
def test_chunks_of_arguments_do_not_matter(pieces, rng):
    text = "".join(pieces)
    guard = Guard(Policy.parse(RULES))
    whole = run(guard, [text], "tool_args")
    assert run(guard, list(text), "tool_args") == whole
    assert run(guard, cut(text, rng), "tool_args") == whole
    if not whole[1]:
        assert whole[0] == text


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.sampled_from('[{"x'))
@settings(max_examples=500, deadline=None)
def test_what_is_valid_stays_valid_and_nothing_decoded_leaks(inner, kind):
    value = {"[": [inner], "{": {"a": inner}}.get(kind, inner)
    text = json.dumps(value)
    released, findings, reason = run(Guard(Policy.parse(RULES)), [text], "tool_args")
    if reason == "stop" and not any(rule in ("b", "s") for rule, _, _ in findings):
        json.loads(released)
    if not findings:
        assert released == text


@pytest.mark.parametrize(("after", "read"), [("stop", 8), ("ignore", 12), ("text", 12)])
def test_a_complete_document_closes_the_source_unless_more_is_wanted(after, read):
    class Source:
        read = 0
        closed = False

        async def __aiter__(self):
            for char in '{"a": 1} end':
                self.read += 1
                yield char

        async def aclose(self):
            self.closed = True

    async def run():
        source = Source()
        stream = Guard(Policy.parse(f"json: {{after: {after}}}\n")).wrap(source)
        return await stream.text(), source.read, source.closed, stream.finish

    text = '{"a": 1} end' if after == "text" else '{"a": 1}'
    assert anyio.run(run) == (text, read, True, "stop")


FENCED = '```json\n{"a": "```"}\n```'
NONE = ("", "content_filter")


@pytest.mark.parametrize(
    ("text", "bare", "strip", "require"),
    [
        ("[1] see", ("[1]", "stop"), ("[1]", "stop"), NONE),
        ("{Note: x}", ("{", "content_filter"), NONE, NONE),
        ('So {"a": 1}!', NONE, ('{"a": 1}', "stop"), NONE),
        (FENCED, NONE, ('{"a": "```"}', "stop"), ('{"a": "```"}', "stop")),
        ('```json\n{"a": 1}', NONE, ('{"a": 1}', "stop"), ('{"a": 1}', "stop")),
        ('{"a": 1}\n{"b": 2}', ('{"a": 1}', "stop"), ('{"a": 1}', "stop"), NONE),
        ("42", ("42", "stop"), NONE, NONE),
        ("see [1]", NONE, NONE, NONE),
        ('a {"set"}: {"a": 1}', NONE, ('{"a": 1}', "stop"), NONE),
        ('<think>{x}</think>{"a": 1}', NONE, ('{"a": 1}', "stop"), NONE),
        ("\ufeff[1]", ("[1]", "stop"), ("[1]", "stop"), NONE),
    ],
)
def test_the_table_of_the_docs_holds(text, bare, strip, require):
    for fences, expected in (("null", bare), ("strip", strip), ("require", require)):
        found = outcome(f"json: {{fences: {fences}}}\n", text)
        assert (found[0], found[2]) == expected


KEYS = 'rules: [{id: w, words: [secret, hidden], replacement: "[w]"}]\n'


def test_keys_of_arguments_are_guarded_unless_the_policy_says_no() -> None:
    text = '{"a secret": {"secret": "secret"}}'
    released, _, reason = outcome(KEYS, text, "tool_args")
    assert (released, reason) == ('{"a [w]": {"[w]": "[w]"}}', "stop")
    no = "json: {channels: [text], redact_keys: false}"
    assert outcome(KEYS + no, text, "tool_args")[0] == '{"a secret": {"secret": "[w]"}}'


@pytest.mark.parametrize("section", ['tools: {"*": {}}', "channels: [text, tool_args]"])
def test_keys_of_arguments_that_are_judged_are_guarded_too(section: str) -> None:
    text = '{"a secret": {"secret": "secret"}}'
    released, _, reason = outcome(f"{KEYS}json: {{{section}}}", text, "tool_args")
    assert (released, reason) == ('{"a [w]": {"[w]": "[w]"}}', "stop")
    no = f"{KEYS}json: {{{section}, redact_keys: false}}"
    assert outcome(no, text, "tool_args")[0] == '{"a secret": {"secret": "[w]"}}'


def test_keys_of_arguments_that_become_the_same_are_told_apart() -> None:
    text = '{"secret": 1, "x": {"hidden": 2}, "hidden": 3, "[w]": {"[w] 2": 4}, "hidden": 5}'
    released, _, reason = outcome(KEYS, text, "tool_args")
    told = '{"[w]": 1, "x": {"[w]": 2}, "[w] 2": 3, "[w] 3": {"[w] 2": 4}, "[w] 2": 5}'
    assert (released, reason) == (told, "stop")
    same = '{"secret": 1, "secret": 2}'  # the source names it twice itself
    assert outcome(KEYS, same, "tool_args")[0] == '{"[w]": 1, "[w]": 2}'


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{last_max: 5}", "'last_max' has no effect without 'documents: last'"),
        ("{documents: many, after: stop}", "'after' has no effect without 'documents: one'"),
        ("{formats: true}", "'formats' has no effect without 'schema'"),
        ("{draft: draft-07}", "'draft' has no effect without 'schema'"),
    ],
)
def test_what_would_change_nothing_is_refused(section: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(f"json: {section}\n", name="p")
    assert str(caught.value) == f"p:1:7: {problem}"


@pytest.mark.parametrize(
    "section",
    [
        "{documents: last, last_max: 5}",
        "{documents: one, after: stop}",
        "{formats: true, schema: {type: object}}",
        "{formats: true, tools: {send: {schema: {type: object}}}}",
    ],
)
def test_what_has_its_effect_is_taken(section: str) -> None:
    assert Policy.parse(f"json: {section}\n")
