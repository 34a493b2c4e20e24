"""A policy file says what a guard does; what is wrong with it is said all at once, with places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardstream import Guard, Policy, PolicyError, pack
from guardstream.policy.model import CaseFile
from guardstream.stages.rules import Keep
from tests.support.policy_texts import FULL, problems

PACKS = Path(__file__).resolve().parents[2] / "policies"


def test_one_word_is_a_list_of_it() -> None:
    section = Policy.parse("json: {repair: truncated}").file.json_
    assert section is not None
    assert section.repair == ("truncated",)


def test_every_key_is_understood() -> None:
    policy = Policy.parse(FULL, allow_code=["guardstream.policy.validators:luhn"])
    words, key, several, checked = policy.rules
    assert (policy.name, policy.description) == ("all-keys", "every key once")
    assert words.words == ("no", "yes", "on")
    assert (words.severity, words.whole_word, words.ignore_case) == ("high", True, False)
    assert (words.allow_words, words.allow_patterns) == (("yes",), ("n.",))
    assert words.allow_after == ("say ",)
    assert (key.group, key.replacement) == ("value", Keep(1, 1))
    assert (several.patterns, several.action) == (("ab{2}", "cd{2}"), "block")
    assert (checked.normalize, len(checked.validators)) == (("case", "width"), 3)
    assert (checked.keywords, checked.keyword_distance) == (("card",), 20)
    assert policy.file.limits is not None
    assert policy.file.limits.idle == 30.0
    assert policy.tests["words"] == [CaseFile(input="on", output="**"), CaseFile(clean="off")]


def test_the_rules_do_what_they_say() -> None:
    guard = Guard(Policy.parse(FULL, allow_code=["guardstream.policy.validators:luhn"]))
    assert guard.check("on, No, no, key=abcde!").text == "**, No, no, key=a***e!"
    assert guard.check("never").text == "never"
    assert guard.check("abb").finish == "content_filter"
    assert guard.check("on", "thinking").text == "on"


def test_an_empty_list_of_rules_is_a_policy_that_changes_nothing() -> None:
    assert Guard(Policy.parse("version: 1")).check("anything").text == "anything"
    assert Guard(Policy.parse("version: 1\nrules: []")).check("x", "thinking").text == "x"


def test_words_come_from_a_file_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "zh.txt").write_text(
        "\ufeff# terms\n敏感词\n\n 密码 \n", encoding="utf-8"
    )
    file = tmp_path / "policy.yaml"
    file.write_text("rules: [{id: zh, words: {file: words/zh.txt}}]", encoding="utf-8")
    guard = Guard.load(file)
    assert guard.policy.rules[0].words == ("敏感词", "密码")
    assert guard.check("有敏感词吗").text == "有[zh]吗"


def test_all_problems_are_reported_in_the_order_of_the_file() -> None:
    text = """\
nme: x
max_holdback: 0
rules:
  - id: a
    words: [x, 12]
    acton: mask
    severity: hgh
    replacement: {keep: {first: -1, lst: 2}}
  - id: b
    channels: [txt]
    words: {fil: w}
  - idd: c
    pattern: 3
"""
    assert problems(text) == [
        "p:1:1: unknown key 'nme', did you mean 'name'?",
        "p:2:15: expected a number of at least 1",
        "p:5:16: expected text: put it in quotes",
        "p:6:5: unknown key 'acton', did you mean 'action'?",
        "p:7:15: 'hgh' is not allowed here, did you mean 'high'?",
        "p:8:33: expected a number of at least 0",
        "p:8:37: unknown key 'lst', did you mean 'last'?",
        "p:10:16: 'txt' is not allowed here, did you mean 'text'?",
        "p:11:12: missing key 'file'",
        "p:11:13: unknown key 'fil', did you mean 'file'?",
        "p:12:5: missing key 'id'",
        "p:12:5: unknown key 'idd', did you mean 'id'?",
        "p:13:14: expected text: put it in quotes",
    ]


CASES = {
    "rules: [{id: a, words: [x], validate: lunh}]": "p:1:39: rule 'a': unknown check 'lunh', "
    "did you mean 'luhn'?",
    "rules: [{id: a, words: [x], validate: entropy}]": "p:1:39: rule 'a': 'entropy' needs a number "
    "of bits per character: {entropy: 3.5}",
    "rules: [{id: a, words: [x], validate: [luhn, no.such]}]": "p:1:46: rule 'a': cannot import "
    "'no.such': No module named 'no'; install it, or name its folder in PYTHONPATH",
    "rules: [{id: a, words: [x], validate: os.system}]": "p:1:39: rule 'a': 'os.system' is code, "
    "which the caller must allow: allow_code=['os:system'], or --allow-code os:system",
    "rules: [{id: a, words: [x], validate: math.tau}]": "p:1:39: rule 'a': 'math.tau' is not "
    "a function",
    "rules: [{id: a, words: [x], validate: math.nope}]": "p:1:39: rule 'a': cannot import "
    "'math.nope': 'math' has no 'nope'",
    "rules: [{id: a, words: [x], validate: {entropi: 3}}]": "p:1:40: unknown key 'entropi', "
    "did you mean 'entropy'?",
    "rules: [{id: a, words: [x], normalize: [wide]}]": "p:1:41: 'wide' is not allowed "
    "here, did you mean 'width'?",
    "rules: [{id: a, words: [x], keywords: {word: [y]}}]": "p:1:39: missing key 'words'",
    "rules: [{id: a, words: [x], replacement: {}}]": "p:1:42: a replacement has either 'keep' or "
    "'pseudonym'",
    "rules: [{id: a, words: [x], replacement: {pseudonym: {key_env: NO_SUCH_KEY}}}]": "p:1:64: the "
    "environment variable 'NO_SUCH_KEY', which holds the key, is not set",
    "limits: {idle: soon}": "p:1:16: expected a time such as 15s, 500ms or 2m",
    "limits: {idle: 0}": "p:1:16: expected a number above 0",
    "rules: [{id: a, regex: x}]": "p:1:17: unknown key 'regex', did you mean 'pattern'?",
    "rules: [&a {id: a, words: [x]}, {<<: *a, id: b}]": "p:1:34: unknown key '<<': YAML 1.2 has no "
    "merge keys: write the keys out, or use 'extends'",
    "rules: [{id: a, words: [x], exclude: [y]}]": "p:1:29: unknown key 'exclude', did you mean "
    "'allow'?",
    "rules: [{id: a, words: [x], keep: {last: 2}}]": "p:1:29: unknown key 'keep', did you mean "
    "'replacement'?",
    "rules: [{name: a, words: [x]}]": "p:1:10: unknown key 'name', did you mean 'id'?",
    "rules: [{id: a, words: [x], action: redact}]": "p:1:37: 'redact' is not allowed here, did you "
    "mean 'mask'?",
    "mode: monitor": "p:1:7: 'monitor' is not allowed here, did you mean 'shadow'?",
    "serve: {upstream: 'https://x/v1/messages/'}": "p:1:19: the URL of an upstream is the base of "
    "its paths: leave out '/v1/messages/'",
    "serve: {routes: {v1/messages: guardstream/chat}}": "p:1:18: a route's path begins with '/', "
    "such as /v1/messages",
    "limits: {repeat: {time: 2}}": "p:1:19: unknown key 'time', did you mean 'times'?",
    "limits: {max_char: 2}": "p:1:10: unknown key 'max_char', did you mean 'max_chars'?",
    "json: {fence: strip}": "p:1:8: unknown key 'fence', did you mean 'fences'?",
    "mode: shaddow": "p:1:7: 'shaddow' is not allowed here, did you mean 'shadow'?",
    "extends: nope.yaml": "p:1:10: cannot extend 'nope.yaml': nope.yaml:1:1: cannot be read: "
    "no such file or directory",
    "extends: [guardstream/nope]": "p:1:11: cannot extend 'guardstream/nope': no pack 'nope', "
    f"known: {', '.join(sorted(path.stem for path in PACKS.glob('*.yaml')))}",
    "": "p:1:1: the policy is empty: start with 'version: 1'",
    "- 1": "p:1:1: the policy must be a mapping: start with 'version: 1'",
    "version: 2": "p:1:10: expected 1",
    "version: true": "p:1:10: expected 1",
    "version: 1.0": "p:1:10: expected 1",
    "version: 1\nversion: 1": "p:2:1: duplicate key 'version', first in line 1",
    "name: [": "p:1:8: not valid YAML: expected the node content, but found '<stream end>', "
    "while parsing a flow node; close each bracket, put a value that has ': ' in it or begins "
    "with # in quotes, and double a single quote inside single quotes",
    "rules:\n- words: [x\n- id: a": "p:3:5: not valid YAML: expected ',' or ']', but got ':', "
    "while parsing a flow sequence that begins at line 2, column 10; close each bracket, put a "
    "value that has ': ' in it or begins with # in quotes, and double a single quote inside "
    "single quotes",
    "rules:\n- pattern: 'x\n": "p:3:1: not valid YAML: found unexpected end of stream, while "
    "scanning a quoted scalar that begins at line 2, column 12; close the quote",
    '{"a": 1}\n{"a": 2}': "p:2:1: not valid YAML: expected '<document start>', but found '{'; a "
    "policy is a single mapping",
    """# '\\U00110000'\nname: 'x'\nmode: "x\\U00110000\"""": "p:3:9: not valid YAML: no "
    "character has the number in this escape: the highest is 0010FFFF",
    'name: "\\UFFFFFFFF"': "p:1:8: not valid YAML: no character has the number in this escape: the "
    "highest is 0010FFFF",
    'name: "x\\ud83d"': "p:1:7: half of a surrogate pair: write the character itself",
    '"\\ude00": 1': "p:1:1: half of a surrogate pair: write the character itself",
    "max_holdback: 1_000": "p:1:15: expected a whole number",
    "max_holdback: 0b1000": "p:1:15: expected a whole number",
    "%YAML 1.1\n---\nname: a": "p:1:1: files are read as YAML 1.2: leave the directive %YAML out",
    "%YAML 1.2\n%FOO bar\n---\nname: a": "p:2:1: unknown directive: leave the directive %FOO out",
    "# a\n%YAML 1.3\n---\nname: a": "p:2:1: files are read as YAML 1.2: leave the directive %YAML "
    "out",
    "name: a\n---\nname: b": "p:2:1: not valid YAML: expected a single document in the stream, "
    "but found another document; leave out the line '---'",
    "rules:\n\t- a": "p:2:1: not valid YAML: found character '\\t' that cannot start any token, "
    "while scanning for the next token; indent with spaces, not with tabs",
    "rules:\n  - id: a\n   words: [x]": "p:3:4: not valid YAML: expected <block end>, but found "
    "'<block mapping start>', while parsing a block collection; keys of one mapping, and items of "
    "one list, begin in one column",
    "rules:\n- id: a\n  pattern: [0-9]{4}": "p:3:17: not valid YAML: expected <block end>, but "
    "found '{', while parsing a block mapping; put the whole value in quotes, a pattern in single "
    "ones",
    "name: [a]b": "p:1:10: not valid YAML: expected <block end>, but found '<scalar>', while "
    "parsing a block mapping; put the whole value in quotes, a pattern in single ones",
    "rules: [{id: a, pattern: x{4}}]": "p:1:27: not valid YAML: expected ',' or '}', but got '{', "
    "while parsing a flow mapping; put the whole value in quotes, a pattern in single ones",
    'rules: [{id: a, pattern: "\\d"}]': "p:1:28: not valid YAML: found unknown escape character "
    "'d', while scanning a double-quoted scalar; put patterns in single quotes, in which \\ is "
    "itself",
    "name: a: b": "p:1:8: not valid YAML: mapping values are not allowed here; put a value that "
    "has ': ' in it in quotes",
    "name: a\n\x01": "p:2:1: a control character that YAML does not allow",
    "name: !x y": "p:1:7: unknown tag '!x'",
    "name: !!binary eA==": "p:1:7: unsupported tag 'tag:yaml.org,2002:binary'",
    "rules: [!include {id: a, words: [x]}]": "p:1:9: unknown tag '!include'",
    "rules: !x [{id: a, words: [x]}]": "p:1:8: unknown tag '!x'",
    "!x {name: a}": "p:1:1: unknown tag '!x'",
    "name: a\n!x version: 1": "p:2:1: unknown tag '!x'",
    "rules: [{id: a, words: !!set {x}}]": "p:1:24: unsupported tag 'tag:yaml.org,2002:set'",
    "rules: !!map [{id: a, words: [x]}]": "p:1:8: unsupported tag 'tag:yaml.org,2002:map'",
    "name: !!int y": "p:1:7: not a whole number, or one of thousands of digits: put "
    "it in quotes if it is text",
    "name: 1" + "0" * 5000: "p:1:7: not a whole number, or one of thousands of digits: put "
    "it in quotes if it is text",
    "? [a]\n: b": "p:1:3: a key must be plain text",
    "name: *nope": "p:1:7: not valid YAML: found undefined alias 'nope'",
    "name: &a [*a]": "p:1:7: the alias *a is inside its own value",
    "rules:\n- &x {id: a, words: [x], allow: *x}": "p:2:3: the alias *x is inside its own value",
    "name: " + "[" * 40 + "]" * 40: "p:1:39: nested deeper than 32",
    "rules: [{id: " + "a" * 101 + ", words: [x]}]": "p:1:14: expected at most 100 characters",
    "on_error: perhaps": "p:1:11: 'perhaps' is not allowed here, known: block, allow",
    "on_error: true": "p:1:11: expected 'block' or 'allow'",
    "max_holdback: many": "p:1:15: expected a whole number",
    "rules: {}": "p:1:8: expected a list: begin each item with '- '",
    "rules: x": "p:1:8: expected a list: write it in brackets, as in [one, two]",
    "rules:\nname: a": "p:1:1: 'rules' has no value: expected a list: begin each item with '- '",
    "rules:\n- id: a\n  words: [x]\n  action:\n": "p:4:3: 'action' has no value: expected "
    "'monitor', 'mask', 'block' or 'stop'",
    "name:": "p:1:1: 'name' has no value: expected text",
    "rules: [{id: a, words: [x, ~]}]": "p:1:28: expected text",
    "rules: [{id: a, words: [x], validate: true}]": "p:1:39: expected text: put it in quotes",
    "extends: 1.5": "p:1:10: expected text: put it in quotes",
    "formats: {a: {text: 3}}": "p:1:21: expected text: put it in quotes",
    "json: {repair: trailing_coma}": "p:1:16: 'trailing_coma' is not allowed here, did you mean "
    "'trailing_commas'?",
    "json: {repair: 3}": "p:1:16: expected a list: write it in brackets, as in [one, two]",
    "serve: {upstream: 3}": "p:1:19: expected text: put it in quotes",
    "serve: {keys: {a: 3}}": "p:1:19: expected text: put it in quotes",
    "serve: {routes: {/x: [a]}}": "p:1:22: expected text, not a list",
    "rules: [{id: [a]}]": "p:1:14: expected text, not a list",
    "rules: [{id: {a: b}}]": "p:1:14: expected text, not a mapping",
    "rules: [{id: a, words: [x], allow: [y]}]": "p:1:36: expected a mapping, known keys: words, "
    "patterns, after",
    "version: '1'": "p:1:10: expected 1, without quotes",
    "extends: [chat]": "p:1:11: cannot extend 'chat': chat:1:1: cannot be read: no such file or "
    "directory, did you mean the pack 'guardstream/chat'?",
    "rules: [5]": "p:1:9: expected a mapping, known keys: id, description, severity, channels, "
    "words, pattern, group, ignore_case, whole_word, normalize, exact, validate, keywords, allow, "
    "public, yields, action, replacement, reversible, tests, enabled",
    "rules: [{id: a b, words: [x]}]": "p:1:14: an id is made of letters, digits, '_', '-' and '.'",
    "rules: [{id: a}]": "p:1:9: rule 'a' looks for nothing: give it words or a pattern",
    "rules: [{id: a, words: []}]": "p:1:24: rule 'a' looks for nothing: give it words or a pattern",
    "rules: [{id: a, words: ['']}]": "p:1:25: must not be empty",
    "rules: [{id: a, words: [x], channels: []}]": "p:1:39: must not be empty",
    "rules: [{id: a, words: [x], enabled: 1}]": "p:1:38: expected true or false",
    "rules: [{id: a, pattern: x, normalize: [case]}]": "p:1:26: rule 'a': normalisation 'case' is "
    "for words; patterns know canonical, confusables, digits, markdown, simplified, spaces, "
    "strokes, width, zero_width; write (?i) in them",
    "rules: [{id: a, words: [x], pattern: y, normalize: [repeats]}]": "p:1:38: rule 'a': "
    "normalisation 'repeats' is for words; patterns know canonical, confusables, digits, markdown, "
    "simplified, spaces, strokes, width, zero_width; give the words a rule of their own",
    "rules: [{id: a, words: [x], pattern: y, normalize: [markdown]}]": "p:1:38: rule 'a': "
    "normalisation 'markdown' searches for words as patterns: "
    "give the patterns a rule of their own",
    "rules: [{id: a, words: [x], allow: {patterns: [x, '[b-a]']}}]": "p:1:56: rule 'a': in an "
    "allowed pattern: bad character range",
    "rules: [{id: a, words: [x], allow: {patterns: ['x(?V1)']}}]": "p:1:50: rule 'a': in an "
    "allowed pattern: version 1 behaviour is not supported; remove (?V1)",
    "rules: [{id: a, words: [x], allow: {after: [x, 'y*z*']}}]": "p:1:48: rule 'a': in an "
    "allowed pattern: it can match the empty string, and would allow all; make a part mandatory",
    "rules: [{id: a, words: [x], allow: {after: ['(y']}}]": "p:1:46: rule 'a': in an "
    "allowed pattern: missing ')'",
    "rules: [{id: a, words: [x], normalize: [case], ignore_case: false}]": "p:1:61: rule 'a': "
    "'ignore_case: false' contradicts normalisation 'case': leave one of them out",
    "rules: [{id: a, pattern: x, ignore_case: true}]": "p:1:29: rule 'a': 'ignore_case' is for "
    "words, not for a pattern: write (?i) in it",
    "rules: [{id: a, pattern: x, whole_word: true}]": "p:1:29: rule 'a': 'whole_word' is for "
    "words, not for a pattern: write its bounds as lookarounds",
    "rules: [{id: a, words: [x], group: g}]": "p:1:29: rule 'a' names a group but has no pattern",
    "rules: [{id: a, words: [x]}, {id: a, words: [y]}]": "p:1:35: duplicate rule id 'a', "
    "first in line 1",
    "rules: [{id: a, words: [x], tests: [{input: x}]}]": "p:1:37: a test has either 'clean', "
    "or 'input' and 'output'",
    "rules: [{id: a, words: [x], tests: [{clean: x, output: y}]}]": "p:1:37: a test has either "
    "'clean', or 'input' and 'output'",
    "rules: [{id: a, words: {file: nope.txt}}]": "p:1:31: words of rule 'a': nope.txt:1:1: "
    "cannot be read: no such file or directory",
}


@pytest.mark.parametrize("text", CASES)
def test_what_is_wrong_is_said_with_its_place(text: str) -> None:
    assert CASES[text] in problems(text)


def test_an_escape_of_too_large_a_number_is_refused() -> None:
    [problem] = problems('name: "\\UFFFFFFFF"')  # by an OverflowError or, later, a ValueError
    assert problem.startswith("p:1:8: not valid YAML: no character has the number")


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("a(b", "1:27"),
        ("'a(b'", "1:28"),
        ("'it''s (b'", "1:33"),
        ('"a(b"', "1:28"),
        (r'"\\d(b"', "1:26"),
        ("[ab, 'a(b']", "1:33"),
    ],
)
def test_a_bad_pattern_is_found_inside_the_file(pattern: str, place: str) -> None:
    found = problems(f"rules: [{{id: a, pattern: {pattern}}}]")
    assert len(found) == 1
    assert found[0].startswith(f"p:{place}: rule 'a': ")


def test_a_pattern_in_a_block_is_found_by_its_offset() -> None:
    found = problems("rules:\n  - id: a\n    pattern: |-\n      a(b\n")
    assert found[0].startswith("p:3:14: rule 'a': ")
    assert "offset" in found[0]


def test_every_bad_rule_is_named() -> None:
    text = "rules:\n  - {id: a, pattern: 'a('}\n  - {id: b, words: [x]}\n  - {id: c, pattern: 'x*'}"
    assert [line.split(": ")[1] for line in problems(text)] == ["rule 'a'", "rule 'c'"]


def test_a_word_file_must_be_utf8_and_have_words(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"fine\nab\xff\n")
    (tmp_path / "none.txt").write_text("# nothing\n", encoding="utf-8")
    found = problems("rules: [{id: a, words: {file: bad.txt}}]", tmp_path)
    assert found == [
        f"p:1:31: words of rule 'a': {tmp_path / 'bad.txt'}:2:3: not valid UTF-8: save it as UTF-8"
    ]
    found = problems("rules: [{id: a, words: {file: none.txt}}]", tmp_path)
    assert found == ["p:1:31: rule 'a' looks for nothing: the word file has no words"]


def test_an_unreadable_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nope\.yaml:1:1: cannot be read: no such file"):
        Policy.load(tmp_path / "nope.yaml")
    with pytest.raises(PolicyError, match="cannot be read: is a directory"):
        Policy.load(tmp_path)
    with pytest.raises(PolicyError, match="cannot be read"):
        Policy.load("nul\0byte")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(PolicyError, match=r"latin\.yaml:1:10: not valid UTF-8"):
        Policy.load(tmp_path / "latin.yaml")


def test_packs_are_found_by_name() -> None:
    assert Policy.load("guardstream/chat").name == "chat"
    assert Policy.load(pack("chat")).name == "chat"
    with pytest.raises(PolicyError, match="no pack 'nope', known: chat"):
        Policy.load("guardstream/nope")
    with pytest.raises(PolicyError, match=r"no pack 'pii', known: pii-au, .*, pii-zh$"):
        Policy.load("guardstream/pii")
    with pytest.raises(PolicyError, match="no pack 'profanity', did you mean 'profanity-en'"):
        Policy.load("guardstream/profanity")
    for name in ("pii-us", "pii-cn", "pii-germany"):
        with pytest.raises(PolicyError, match=f"no pack '{name}', known: pii-au, .*, pii-zh$"):
            Policy.load(f"guardstream/{name}")
    for name in ("pii-en.yaml", "pii-en.yml", "PII-EN", "pii_en"):
        with pytest.raises(PolicyError, match=rf"no pack '{name}', did you mean 'pii-en'\?"):
            Policy.load(f"guardstream/{name}")


def test_a_missing_file_hints_at_one_of_nearly_its_name(tmp_path: Path) -> None:
    for name in ("both.yaml", "company.yaml"):
        (tmp_path / name).write_text("rules: []", encoding="utf-8")
    with pytest.raises(PolicyError, match=r", did you mean 'company\.yaml'\?"):
        Policy.load(tmp_path / "compny.yml")
    with pytest.raises(PolicyError, match=r"no such file or directory$"):
        Policy.load(tmp_path / "other.yaml")


def test_standard_tags_of_lists_and_mappings_may_be_written_out() -> None:
    text = "%YAML 1.2\n---\n!!map\nrules: !!seq [!!map {id: !!str a, words: ! [x]}]"
    assert Guard(Policy.parse(text)).check("an x").text == "an [a]"


def test_json_that_escapes_a_character_as_two_halves_is_read_as_one() -> None:
    given = {"rules": [{"id": "a", "words": ["x\U0001f600y"]}]}
    text = json.dumps(given)
    assert "\\ud83d\\ude00" in text
    guard = Guard(Policy.parse(text))
    assert guard.check("a x\U0001f600y b").text == "a [a] b"
    with pytest.raises(PolicyError):
        Policy.parse(text.replace("\\ude00", ""))


def test_standard_input_is_no_policy() -> None:
    with pytest.raises(PolicyError, match="not standard input"):
        Policy.load("-")


def test_a_file_that_is_not_there_is_compared_with_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("rules: []")
    with pytest.raises(
        PolicyError, match=r"no such file or directory, did you mean 'policy\.yaml'"
    ):
        Policy.load(tmp_path / "policy.yml")
    with pytest.raises(PolicyError, match="there is no folder"):
        Policy.load(tmp_path / "nowhere" / "policy.yml")
