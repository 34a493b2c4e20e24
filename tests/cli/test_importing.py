"""import: rules of scanners for secrets, and the patterns in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import regex

from guardstream import Guard, Policy
from guardstream.cli.importing import convert
from guardstream.cli.importing.betterleaks import read_filter
from guardstream.cli.importing.re2 import re2
from guardstream.cli.importing.secret_group import secrets
from guardstream.cli.importing.write import ImportingError

KINGFISHER = r"""
rules:
  - name: Acme key
    id: acme.1
    pattern: |
      (?xi)
      acme [_ ]? key      # it's (one [key
      \s* = \s*
      ( [a-z0-9]{6,12} )
      ;
    confidence: medium
    min_entropy: 1.5
    pattern_requirements:
      min_digits: 2
      min_uppercase: 0
      min_lowercase: 1
      ignore_if_contains: [example]
      checksum: {}
    examples: ["acmekey=ab12cd;"]
    validation: {type: Http}
  - {name: Named, id: acme.2, pattern: 'user=(\w+) pass=(?P<TOKEN>\w+)'}
  - {name: Both, id: acme.7, pattern: 'key=(\w+) value=(\w+);'}
  - name: Special
    id: acme.3
    pattern: 's=(\S{4});'
    pattern_requirements: {min_special_chars: 2, special_chars: "^-]"}
  - {name: Helper, id: acme.4, pattern: 'id=(\d+)', visible: false}
  - {name: None, id: acme.5}
  - {name: Odd, id: acme.6, pattern: 'odd', colour: red}
"""


def imported(tmp_path: Path, text: str, name: str) -> tuple[Guard, list[str]]:
    """The guard for a file of another tool, and the notes on it."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    made, notes = convert(path, None)
    return Guard(Policy.parse(made)), notes


def test_kingfishers_rules_mask_the_secret(tmp_path: Path) -> None:
    guard, notes = imported(tmp_path, KINGFISHER, "rules.yml")
    masked = {
        "acmekey=ab12cd;": "acmekey=[acme.1];",
        "ACME_key = ab12cd;": "ACME_key = [acme.1];",
        "user=someone pass=else": "user=someone pass=[acme.2]",
        "key=one value=two;": "key=[acme.7] value=[acme.7];",
        "s=a-]x;": "s=[acme.3];",
    }
    clean = [
        "acme key=ab12cd;",  # a space in a class is none in a verbose pattern
        "acmekey=ab1cde;",
        "acmekey=121212;",
        "acmekey=ab12Example;",
        "acmekey=11aaaaaaaaaa;",
        "s=a_!x;",
        "id=123",
    ]
    for text, shown in masked.items():
        assert guard.check(text).text == shown
    for text in clean:
        assert guard.check(text).text == text
    assert [note.partition(": ")[2] for note in notes] == [
        "rule 'acme.1': 'pattern_requirements.checksum' is not known, and left out",
        "rule 'acme.4' is not visible, and is left out",
        "rule 'acme.5' has no pattern, and is left out",
        "rule 'acme.6': 'colour' is not known, and left out",
    ]


TRIVY = r"""
allow-rules:
  - {id: placeholders, regex: '^x+$'}
  - {id: tests, path: '_test\.go$'}
enable-builtin-rules: [aws-access-key-id]
rules:
  - id: acme
    category: Acme
    title: Acme's token
    severity: CRITICAL
    keywords: [token]
    regex: '(?i)(?P<key>token|secret)=(?P<value>[a-z0-9]{4,8})'
    secret-group-name: value
    allow-rules: [{id: known, regex: 'known'}]
  - {id: whole, severity: odd, path: 'x', keywords: [y], regex: 'whole-(\d+)'}
  - {id: none}
"""


def test_trivys_rules_mask_the_named_group_or_the_whole_match(tmp_path: Path) -> None:
    guard, notes = imported(tmp_path, TRIVY, "trivy-secret.yaml")
    shown = "Secret=[acme] token=xxxx token=known1 [whole]"
    assert guard.check("Secret=ab12 token=xxxx token=known1 whole-12").text == shown
    assert [rule.severity for rule in guard.policy.rules] == ["critical", "medium"]
    assert [note.partition(": ")[2] for note in notes] == [
        "'enable-builtin-rules' is left out",
        "the rules for all: allow-rule 'tests' is about paths, left out",
        "rule 'whole': its path is left out, it holds for every text",
        "rule 'whole': its keywords ['y'] are left out, it holds without them",
        "rule 'whole': its severity is not known, and becomes medium",
        "rule 'none' has no regex, and is left out",
    ]


KEY = r"'\b(AK[A-Z]{4})\b'"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trivy.yaml", f"rules: [{{id: a, regex: {KEY}, allow-rules: [{{regex: '('}}]}}]"),
        (
            "config.yaml",
            f"detectors: [{{name: a, regex: {{k: {KEY}}}, exclude_regexes_capture: ['(']}}]",
        ),
    ],
    ids=["trivy", "trufflehog"],
)
def test_what_is_allowed_and_cannot_be_read_is_left_out(
    tmp_path: Path, name: str, text: str
) -> None:
    guard, notes = imported(tmp_path, text, name)
    assert guard.check("键AKABCD键").text == "键[a]键"
    found = [note for note in notes if "1 allowed patterns cannot be read, left out" in note]
    assert len(found) == 1


TRUFFLEHOG = r"""
detectors:
  - name: Acme
    keywords: [acme]
    regex: {id: '\b(ACME[0-9]{4})\b', token: 'acme:([a-z0-9]{8})'}
    entropy: 2
    exclude_words: [sample]
    exclude_regexes_capture: ['^zz']
    exclude_regexes_match: ['x']
    verify: [{endpoint: "https://example.invalid"}]
  - {name: none, keywords: [x]}
"""


def test_trufflehogs_detectors_become_a_rule_for_each_pattern(tmp_path: Path) -> None:
    guard, notes = imported(tmp_path, TRUFFLEHOG, "config.yaml")
    text = "ACME1234 ACME1111 acme:ab12cd34 acme:sample12 acme:zz12cd34"
    shown = "[acme-id] [acme-id] acme:[acme-token] acme:sample12 acme:zz12cd34"
    assert guard.check(text).text == shown
    assert [note.partition(": ")[2] for note in notes] == [
        "detector 'acme': each of its patterns holds without the others",
        "detector 'acme': 'exclude_regexes_match' is left out, only the secret is seen",
        "detector 'none' has no regex, and is left out",
    ]


BETTERLEAKS = r"""
prefilter = '''matchesAny(get(attributes, "path", ""), [`x`])'''
filter = '''
(matchesAny(finding["secret"], [`^x+$`, `(?i)^none|null$`]) || containsAny(finding["secret"], ["EXAMPLE"]))
'''
[[rules]]
id = "acme"
regex = '''acme=(\w{4,12});'''
filter = '''filter.entropy(finding["secret"]) < 1.5
|| (containsAny(finding["line"], ["a || b"]) && matchesAny(finding["secret"], [`q`]))'''
validate = '''http.get("https://example.invalid")'''
"""  # noqa: E501 - a line of the format


def test_betterleaks_filters_become_checks_and_what_is_allowed(tmp_path: Path) -> None:
    guard, notes = imported(tmp_path, BETTERLEAKS, "betterleaks.toml")
    for secret in ("xxxx", "my_NULL", "noneOfIt", "ab12example", "aabb"):
        assert guard.check(f"acme={secret};").text == f"acme={secret};"
    for secret in ("ab12", "q123", "nullx"):
        assert guard.check(f"acme={secret};").text == "acme=[acme];"
    assert [note.partition(": ")[2] for note in notes] == [
        "the prefilter is about paths and commits, and is left out",
        "rule 'acme': its filter is left out where it asks for more than the secret",
    ]


@pytest.mark.parametrize(
    ("expression", "entropy", "allowed", "is_whole"),
    [
        ("", 0, 0, True),
        ('entropy(finding["secret"]) <= 3', 3, 0, True),
        ('(entropy(finding["secret"]) <= 3.5) || entropy(finding["secret"]) < 2', 3.5, 0, True),
        ('((matchesAny(finding["secret"], [`a`, "\\\\d||"])))', 0, 2, True),
        ('(containsAny(finding["secret"], ["a"])) || (true)', 0, 1, False),
        ('entropy(finding["secret"]) >= 3', 0, 0, False),
        ('!(entropy(finding["secret"]) <= 3)', 0, 0, False),
        ('entropy(finding["secret"]) <= 3 && x', 0, 0, False),
        ('containsAny(finding["secret"], [])', 0, 0, True),
    ],
)
def test_a_filter_is_read_as_far_as_it_is_about_the_secret(
    expression: str, entropy: float, allowed: int, is_whole: bool
) -> None:
    found = read_filter(expression)
    assert (found.entropy, len(found.allowed), found.is_whole) == (entropy, allowed, is_whole)


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (r"a\z", r"a\Z"),
        (r"\x{1F600}", r"\U0001F600"),
        ("(?x) a b # [c (\n [a #] \\ ", "ab[a#]\\ "),
        ("(?x)(?i) a{2} [[:alnum:] _]", "(?i)a{2}[0-9A-Za-z_]"),
        ("a(?# a note )b[(?#)]", "ab[(?#)]"),
        ("a(?i)b", "a(?i:b)"),
        ("a(?i)b|c", "a(?i:b)|(?i:c)"),
        ("(?i)a(?-i)b|c", "(?i)a(?-i:b)|(?-i:c)"),
        ("x(?:a(?s)b|c.)d", "x(?:a(?s:b)|(?s:c.))d"),
        (r"\\\\(?i)a", r"\\\\(?i:a)"),
        ("(?U)a*b+?c{2,}", "a*?b+c{2,}?"),
        ("a*(?U:b*)c*", "a*(?:b*?)c*"),
        (r"\Qa.b(\Ec", r"a\.b\(c"),
        (r"\Qa|", r"a\|"),
        ("a{,2}{", r"a\{,2}\{"),
        ("a$", r"a\Z"),
        ("(?m)a$", "(?m)a$"),
        (r"[\d[:upper:]x]", "[0-9A-Zx]"),
        (r"[]\W]", r"[\]\x00-\x2F\x3A-\x40\x5B-\x5E\x60\x7B-\U0010FFFF]"),
        (r"[a-[b]", r"[a-\[b]"),
        (r"\101\x41", r"\x41\x41"),
        (r"\p{Greek}\pL\d", r"\p{Greek}\pL[0-9]"),
    ],
)
def test_a_pattern_is_written_in_the_dialect_of_regex(pattern: str, written: str) -> None:
    assert re2(pattern) == written


def test_a_secrets_classes_know_ascii_alone(tmp_path: Path) -> None:
    written = r"(?a:\b)(?<secret>AK[A-Z]{4})(?a:\b)"
    assert secrets(r"\b(AK[A-Z]{4})\b") == ([written], True, False)
    guard, _ = imported(
        tmp_path, "rules:\n  - {name: a, id: a, pattern: '\\b(AK[A-Z]{4})\\b'}", "r.yml"
    )
    assert guard.check("键AKABCD键").text == "键[a]键"


@pytest.mark.parametrize("text", ["a: 1", "rules: []", "rules: [1]", "null", "x"])
def test_a_yaml_file_of_no_known_format_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ImportingError, match="its format cannot be detected; name it: --from FORMAT"
    ):
        imported(tmp_path, text, "x.yaml")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"[^\D]\PL", "1-", "1-"),
        (r"(?i)[\W]k", "\N{KELVIN SIGN}k", None),
        (r"(?i)\wk", "\N{KELVIN SIGN}k", "\N{KELVIN SIGN}k"),
        (r"(?i)пароль=\w+", "ПАРОЛЬ=ab", "ПАРОЛЬ=ab"),
        (r"\d", "\N{ARABIC-INDIC DIGIT ONE}", None),
        (r"[[:^alpha:]]b", "\N{GREEK SMALL LETTER ALPHA}b", "\N{GREEK SMALL LETTER ALPHA}b"),
        (r"""(?:"(?i)x-key: (?:a|b)"|'(?i)x-key: c')""", "'X-KEY: C'", "'X-KEY: C'"),
    ],
)
def test_a_pattern_finds_what_it_finds_there(pattern: str, text: str, found: str | None) -> None:
    match = regex.search(re2(pattern), text, regex.V0)
    assert (match and match[0]) == found


@pytest.mark.parametrize("depth", [90, 3000])
def test_a_pattern_that_is_nested_deeply_is_left_to_the_engine(depth: int) -> None:
    assert re2("(" * depth + "a" + ")" * depth).count("(") == depth


def gitleaks(tmp_path: Path, rule: str) -> tuple[Guard, list[str]]:
    guard, notes = imported(tmp_path, f"[[rules]]\nid = 'a'\n{rule}", "gitleaks.toml")
    return guard, [note.partition(": ")[2] for note in notes]


WIDE = "rule 'a': all of a match is masked, its group is not a secret"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("regex = '(ghu|ghs)_[0-9]{4}'", "ghu_1234"),
        ("regex = '-----BEGIN ((EC|RSA) )?KEY-----'", "-----BEGIN KEY-----"),
        ("regex = '(x*)[0-9]{4}'", "1234"),
        ("regex = 'a(b+)?c'\nsecretGroup = 1", "ac"),
        ("regex = 'k=([0-9]+)'\nsecretGroup = 2", "k=12"),
        ("regex = 'k=([0-9]+)|token'", "token"),
    ],
)
def test_a_group_that_is_no_secret_does_not_leave_the_rest_bare(
    tmp_path: Path, rule: str, text: str
) -> None:
    guard, notes = gitleaks(tmp_path, rule)
    assert guard.check(text).text == "[a]"
    assert notes == [WIDE]


def test_what_a_secret_allows_does_not_allow_what_stands_around_it(tmp_path: Path) -> None:
    rule = "regex = '(ghu|ghs)_[0-9]{4}'\n[rules.allowlist]\nstopwords = ['99']"
    guard, notes = gitleaks(tmp_path, rule)
    assert guard.check("ghu_9999").text == "[a]"
    assert notes == [WIDE, "rule 'a': what it allows is left out, for the same reason"]


def test_keys_of_gitleaks_are_known_in_any_case(tmp_path: Path) -> None:
    rule = "Regex = '(a)=(b+)'\nsecretgroup = 2\n[rules.AllowList]\nstopWords = ['bb']"
    guard, notes = gitleaks(tmp_path, rule)
    assert (guard.check("a=b a=bb").text, notes) == ("a=[a] a=bb", [])


def test_betterleaks_names_the_group_in_its_own_way(tmp_path: Path) -> None:
    rule = "regex = '(login|token)=([0-9]+)'\nvalueGroup = 2\nconfidence = 'high'\nspecificity = -1"
    guard, notes = gitleaks(tmp_path, rule)
    assert (guard.check("token=12").text, notes) == ("token=[a]", [])


@pytest.mark.parametrize("key", ["required", "components"])
def test_rules_that_must_be_found_too_are_named(tmp_path: Path, key: str) -> None:
    _, notes = gitleaks(tmp_path, f"regex = 'x'\n{key} = [{{id = 'b'}}]")
    assert notes == [f"rule 'a': {key!r} is left out, it holds without the other rules' findings"]
    _, notes = gitleaks(tmp_path, f"regex = 'x'\n{key} = [{{id = 'b', optional = true}}]")
    assert notes == []


def test_a_rule_that_gitleaks_does_not_report_is_left_out(tmp_path: Path) -> None:
    guard, notes = gitleaks(tmp_path, "regex = 'name=[a-z]+'\nskipReport = true")
    assert guard.check("name=ann").text == "name=ann"
    assert notes[0] == "rule 'a' is not reported by itself, and is left out"


def test_an_older_rule_is_named_by_its_description(tmp_path: Path) -> None:
    text = "[[rules]]\ndescription = 'AWS key'\nregex = 'AKIA[A-Z]{4}'"
    guard, _ = imported(tmp_path, text, "gitleaks.toml")
    assert guard.check("AKIAABCD").text == "[aws-key]"


@pytest.mark.parametrize("line", ["condition = 'XOR'", "regexTarget = 'file'"])
def test_an_allowlist_of_an_unknown_kind_allows_nothing(tmp_path: Path, line: str) -> None:
    rule = f"regex = 'k=([0-9]+)'\n[rules.allowlist]\nregexes = ['9']\n{line}"
    guard, notes = gitleaks(tmp_path, rule)
    assert guard.check("k=99").text == "k=[a]"
    assert len(notes) == 1


def test_a_trivy_rule_that_is_disabled_is_left_out(tmp_path: Path) -> None:
    text = "disable-rules: [a, b]\nrules: [{id: a, regex: 'k=[0-9]+'}, {id: c, regex: 'c[0-9]'}]"
    guard, notes = imported(tmp_path, text, "trivy.yaml")
    assert guard.check("k=1 c2").text == "k=1 [c]"
    assert [note.partition(": ")[2] for note in notes] == [
        "'disable-rules': 'b' is not a rule of this file",
        "rule 'a' is disabled, and left out",
    ]


def test_a_trivy_group_that_is_not_there_leaves_the_whole_match(tmp_path: Path) -> None:
    text = "rules: [{id: a, regex: '(key)=[0-9]+', secret-group-name: x}]"
    guard, notes = imported(tmp_path, text, "trivy.yaml")
    assert guard.check("key=1").text == "[a]"
    assert "no group is called 'x'" in notes[0]


def test_a_trivy_file_without_rules_is_told_by_its_keys(tmp_path: Path) -> None:
    _, notes = imported(tmp_path, "allow-rules: [{id: a, path: x}]", "trivy.yaml")
    assert [note.partition(": ")[2] for note in notes] == [
        "the rules for all: allow-rule 'a' is about paths, left out",
        "the policy has no rules",
    ]


def test_presidio_patterns_have_its_flags(tmp_path: Path) -> None:
    text = "recognizers: [{supported_entity: ZIP, patterns: [{regex: '^[a-z]5.$', score: 1}]}]"
    guard, _ = imported(tmp_path, text, "presidio.yaml")
    assert guard.check("x\nA51\ny").text == "x\n[zip]\ny"
    guard, _ = imported(tmp_path, f"{text}\nglobal_regex_flags: 0", "presidio.yaml")
    assert guard.check("x\nA51\ny").text == "x\nA51\ny"


def test_presidio_recognisers_may_be_in_the_file_of_an_analyzer(tmp_path: Path) -> None:
    text = """
    supported_languages: [en]
    default_score_threshold: 0.4
    recognizer_registry:
      global_regex_flags: 0
      recognizers: [{supported_entity: ZIP, patterns: [{regex: '[A-Z]5', score: 1}]}]
    """
    guard, notes = imported(tmp_path, text, "analyzer.yaml")
    assert guard.check("A5 a5").text == "[zip] a5"
    assert [note.partition(": ")[2] for note in notes] == [
        "'default_score_threshold' is left out: patterns of a low score count, too"
    ]


def test_presidios_own_recognisers_become_the_rules_of_packs(tmp_path: Path) -> None:
    text = """
    recognizers:
      - {name: CreditCardRecognizer, supported_languages: [en], type: predefined}
      - {name: tickets, class_name: UsItinRecognizer, type: predefined}
      - {name: EmailRecognizer, type: predefined, enabled: false}
      - {name: UsBankRecognizer, type: predefined}
      - EsNifRecognizer
    """
    guard, notes = imported(tmp_path, text, "presidio.yaml")
    said = "4111111111111111, itin 911531234, 12345678Z, a@example.com, 192.168.0.1"
    assert guard.check(said).text == (
        "************1111, itin [us-itin-announced], [es-dni], a@example.com, 192.168.0.1"
    )
    assert [note.partition(": ")[2] for note in notes] == [
        "recogniser 'emailrecognizer' is not enabled, and is left out",
        "recogniser 'usbankrecognizer' has no patterns and no deny list, nor a rule of a pack, "
        "and is left out",
    ]


def test_a_presidio_recogniser_that_is_not_enabled_is_left_out(tmp_path: Path) -> None:
    text = "recognizers: [{supported_entity: ZIP, enabled: false, deny_list: [zip]}]"
    guard, notes = imported(tmp_path, text, "presidio.yaml")
    assert guard.check("zip").text == "zip"
    assert "recogniser 'zip' is not enabled, and is left out" in notes[0]


def test_a_bedrock_guardrail_says_its_message_and_leaves_prompts_alone(tmp_path: Path) -> None:
    words = [{"text": "plan"}, {"text": "ask", "outputEnabled": False}]
    config = {"blockedOutputsMessaging": "Sorry.", "wordPolicy": {"words": words}}
    guard, notes = imported(tmp_path, json.dumps(config), "guardrail.json")
    assert guard.check("ask plan").text == "ask Sorry."
    assert "'words[1]' is only for prompts, and is left out" in notes[0]


def test_two_rules_of_one_name_are_both_kept(tmp_path: Path) -> None:
    text = "rules: [{id: a, pattern: 'a1'}, {id: A, pattern: 'a2'}]"
    guard, notes = imported(tmp_path, text, "rules.yaml")
    assert guard.check("a1 a2").text == "[a] [a-2]"
    assert "rule 'a' exists already, and is called 'a-2' here" in notes[0]


def test_another_tools_json_is_no_list_of_words(tmp_path: Path) -> None:
    with pytest.raises(ImportingError, match="its format cannot be detected"):
        imported(tmp_path, '{"version": "1.5.0", "results": {}}', ".secrets.baseline")


def test_markup_is_no_list_of_words(tmp_path: Path) -> None:
    with pytest.raises(ImportingError, match="one of gitleaks, kingfisher, trivy"):
        imported(tmp_path, '<rail version="0.1"><output/></rail>', "checks.rail")


FILES = {
    "settings": "name: guard\nrules:\n  - id: a\n    action: mask\n",
    "config.conf": "# settings\nlisten = 80\nname = x\n",
    "items.txt": "- one\n- two\n",
    "guard.py": "words\n",
    "script": "#!/bin/sh\necho words\n",
    "code.txt": "import os\n\n\ndef words():\n    return os.listdir('.')\n",
    "code.c": '#include <stdio.h>\nint main(void)\n{\n  puts("a");\n  return 0;\n}\n',
    "page": "\n<!DOCTYPE html>\n<p>words</p>\n",
    "page.txt": "Words:\n<ul>\n  <li>one\n  <li>two\n</ul>\n",
    "rows.csv": "word,count\na,1\n",
    "phrases.cf": "body OFFER /100% free/i\ndescribe OFFER An offer\nscore OFFER 1.0\n",
    "binary.txt": "\x7fELF\x02\0\0\n",
    "words.txt.gz": "words\n",
}


@pytest.mark.parametrize("name", FILES)
def test_what_evidently_is_no_list_of_words_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImportingError, match=r"words \(plain text, one a line\)$"):
        imported(tmp_path, FILES[name], name)
    if "\0" not in FILES[name]:
        assert convert(tmp_path / name, "words")[0]


def test_a_list_of_patterns_is_no_list_of_words(tmp_path: Path) -> None:
    text = "# logs\n^\\w{3} sshd: accepted .*$\nfailed [[:digit:]]+ times\nplain\n"
    with pytest.raises(ImportingError, match="its lines are patterns: list them under 'pattern'"):
        imported(tmp_path, text, "ignored")
    _, notes = convert(tmp_path / "ignored", "words")
    assert "2 of its lines look like patterns, and are only found" in notes[0]


@pytest.mark.parametrize(
    "name", ["words.txt", "words", "words.en", "bad.dic", "words.lst", "words.md", "words.rst"]
)
@pytest.mark.parametrize(
    "text", ["", "# terms\none\ntwo three\n", "eval(\n<script>\nrm -rf\nAKIA", "敏感词\r\n词\r\n"]
)
def test_a_list_of_words_may_have_any_name_and_words_of_code(
    tmp_path: Path, name: str, text: str
) -> None:
    guard, _ = imported(tmp_path, text, name)
    for word in text.split("\n")[1:2]:
        assert set(guard.check(word.strip()).text) == {"*"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.toml",
            "title = 'x'\n[[rules]\n",
            "2:8: not valid TOML: Expected ']]' at the end of an",
        ),
        ("a.toml", "title = 'x'\nid = [1,\n2", "3:2: not valid TOML: Unclosed array"),
        ("a.toml", "text", "1:5: not valid TOML: Expected '=' after a key"),
        ("a.toml", "a = " + "[" * 50_000, "1:1: not valid TOML: nested too deeply"),
        ("a.json", '{"name":\n x}', "2:2: not valid JSON: expected a value"),
        ("a.json", '{"name": "a",\n"name": "b"}', "2:6: not valid JSON: the object repeats a key"),
        ("a.json", '{"name": "\\ud800"}', "1:17: not valid JSON: unpaired surrogate"),
        ("a.json", "[" * 50_000, "1:129: not valid JSON: the document is nested too deeply"),
        ("a.json", "[]", "1:1: not a guardrail: expected an object in braces"),
        ("a.toml", "title = 'x'\nrules = 3", "2:1: 'rules' is not a list"),
        ("a.yaml", "a: 1\nguardrails: 3", "2:1: 'guardrails' is not a list: begin each item"),
    ],
)
def test_what_is_not_valid_is_said_with_its_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(ImportingError) as caught:
        imported(tmp_path, text, name)
    assert str(caught.value).startswith(f"{tmp_path / name}:{said}")


def test_a_number_of_thousands_of_digits_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImportingError, match=r"gitleaks\.toml:1:11: not valid TOML: the number"):
        imported(tmp_path, "entropy = " + "9" * 5000, "gitleaks.toml")
