"""import: rules of scanners for secrets, and the patterns in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream import Guard, Policy
from guardstream.cli.importing import convert
from guardstream.cli.importing.betterleaks import read_filter
from guardstream.cli.importing.re2 import re2, secrets
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
        "detector 'acme': 'exclude_regexes_match' is left out, the secret alone is seen",
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
        ("(?x)(?i) a{2} [[:alnum:] _]", "(?i)a{2}[[:alnum:]_]"),
        ("a(?# a note )b[(?#)]", "ab[(?#)]"),
        ("a(?i)b", "a(?i:b)"),
    ],
)
def test_a_pattern_is_written_in_the_dialect_of_regex(pattern: str, written: str) -> None:
    assert re2(pattern) == written


def test_a_secrets_classes_know_ascii_alone(tmp_path: Path) -> None:
    assert secrets(r"\b(AK[A-Z]{4})\b") == ([r"(?a)\b(?<secret>AK[A-Z]{4})\b"], True)
    guard, _ = imported(
        tmp_path, "rules:\n  - {name: a, id: a, pattern: '\\b(AK[A-Z]{4})\\b'}", "r.yml"
    )
    assert guard.check("键AKABCD键").text == "键[a]键"


@pytest.mark.parametrize("text", ["a: 1", "rules: []", "rules: [1]", "null", "x"])
def test_a_yaml_file_of_no_known_format_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImportingError, match="its format cannot be told; name it: --from FORMAT"):
        imported(tmp_path, text, "x.yaml")
