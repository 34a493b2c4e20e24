"""lint, test, explain, eval, diff, import and schema: what they print, and how they exit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guardstream import Guard, Policy
from guardstream.cli.datasets import Example, read
from guardstream.cli.importing import convert
from guardstream.policy import schema
from tests.support.command_line import Cli
from tests.support.corpora import CORPORA, needs_corpora
from tests.support.policy_files import POLICY, dataset
from tests.support.policy_files import policy as policy


def test_lint_prints_warnings_and_errors_with_places(cli: Cli, policy: Path) -> None:
    done = cli("lint", policy, "guardstream/pii-zh")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{policy}:8:9: warning: rule 'card' has no test\n"
    assert cli("lint", "--strict", policy).status == 1
    policy.write_text("rulez: []", encoding="utf-8")
    done = cli("lint", policy)
    assert done.status == 2
    assert done.out.startswith(f"{policy}:1:1: error: unknown key 'rulez'")


NAMES = """
version: 1
rules: [{id: a, words: [b], tests: [{clean: c}]}]
limits: {tokens: {max: 5, counter: wrods}}
stages: [{use: my_stage}, {use: "company.stages:Mine"}]
gate:
  - {use: judgee}
  - {use: judge, options: {modle: x}}
  - {use: "company.checks:mine", options: {any: 1}}
formats: {own: {text: $.answer}}
extract: {format: openai_chatt}
json:
  tools:
    find: {schema: {type: object, propertys: {a: {x-own: 1}}, markdownDescription: b}}
    take: {schema: take.json}
serve:
  upstream: {url: https://model.example, key: "${KEY}"}
  policies: {strict: strict.yaml, lax: guardstream/chat}
  routes:
    /a: strikt
    /b: {policy: lax, format: openai_chatt}
    /c: {format: own}
    /d: guardstream/chta
  keys:
    ann: {key: "${ANN}", policy: laxx}
"""


def test_lint_names_what_nothing_is_called(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "x")
    monkeypatch.setenv("ANN", "x")
    path = tmp_path / "policy.yaml"
    path.write_text(NAMES, encoding="utf-8")
    schema = '{"type": "object",\n "properties": {"a": {"anyOf": [{"maxLenght": 3}]}}}'
    (tmp_path / "take.json").write_text(schema, encoding="utf-8")
    lines = cli("lint", path).out.splitlines()
    take = tmp_path / "take.json"
    strict = tmp_path / "strict.yaml"
    assert [line.removeprefix(f"{path}:") for line in lines] == [
        "10:11: warning: the format 'own' has no end: a stream that the guard ends just closes: "
        "name its last event by 'done' or 'end'",
        "4:36: warning: no 'wrods' among the entry points 'guardstream.counters', there is none",
        "5:16: warning: no 'my_stage' among the entry points 'guardstream.stages', there is none",
        "5:33: warning: 'company.stages:Mine' has a colon: write 'company.stages.Mine'",
        "7:11: warning: no 'judgee' among the entry points 'guardstream.checks', "
        "did you mean 'judge'?",
        "8:27: warning: check 'judge' has no option 'modle', did you mean 'model'?",
        "11:19: warning: no adapter 'openai_chatt', did you mean 'openai_chat'?",
        "14:35: warning: 'propertys' is not a keyword of JSON Schema and has no effect, "
        "did you mean 'properties'?",
        f"18:22: warning: there is no file {str(strict)!r}",
        "20:9: warning: there is no policy 'strikt', did you mean 'strict'?",
        "21:31: warning: no adapter 'openai_chatt', did you mean 'openai_chat'?",
        "23:9: warning: no pack 'chta', did you mean 'chat'?",
        "25:34: warning: there is no policy 'laxx', did you mean 'lax'?",
        f"{take}:2:34: warning: 'maxLenght' is not a keyword of JSON Schema and has no effect, did "
        "you mean 'maxLength'?",
    ]


def test_lint_refuses_the_name_of_a_built_in_format(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("rules: []\nformats: {ollama: {text: $.token}}", encoding="utf-8")
    done = cli("lint", path)
    assert done.status == 2
    assert done.out == f"{path}:2:11: error: the format 'ollama' is built in: choose another name\n"


def test_test_prints_a_table_and_writes_xml(cli: Cli, policy: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = cli("test", policy, "--junit", report)
    assert done.status == 0
    assert "2 tests, 0 failed" in done.out
    root = ElementTree.parse(report).getroot()
    assert [case.get("classname") for case in root.iter("testcase")] == ["word", "word"]
    assert not list(root.iter("failure"))


def test_test_fails_where_an_expectation_does(cli: Cli, policy: Path, tmp_path: Path) -> None:
    policy.write_text(POLICY.replace("a ******", "a [word]"), encoding="utf-8")
    report = tmp_path / "report.xml"
    done = cli("test", policy, "--junit", report)
    assert done.status == 1
    assert f"{policy}:7:13: rule 'word': expected 'a [word]', got 'a ******'" in done.out
    assert len(list(ElementTree.parse(report).getroot().iter("failure"))) == 1


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ('{clean: "a secret"}', "expected 'a secret', got 'a ******'"),
        ('{input: "nothing", output: "nothing"}', "the rule finds nothing"),
    ],
)
def test_a_test_asks_for_findings_too(cli: Cli, policy: Path, case: str, said: str) -> None:
    policy.write_text(POLICY.replace("{clean: secrets}", case), encoding="utf-8")
    done = cli("test", policy)
    assert done.status == 1
    assert said in done.out


def test_a_failed_test_says_when_a_match_is_too_short_to_keep_its_ends(
    cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / "order.yaml"
    case = "{input: ORD-123456, output: ORD-****56}"
    keep = "{keep: {first: 4, last: 2}}"
    text = f"rules: [{{id: o, pattern: 'ORD-[0-9]{{6}}', replacement: {keep}, tests: [{case}]}}]"
    path.write_text(text, encoding="utf-8")
    done = cli("test", path)
    assert done.status == 1
    assert "; 'keep' shows ends only of matches of more than 12 characters" in done.out


def test_a_failed_test_names_the_other_rules_that_find_something(cli: Cli, policy: Path) -> None:
    policy.write_text(
        "rules:\n"
        "  - {id: loud, words: [bluebird], severity: high}\n"
        '  - {id: own, words: [bluebird], tests: [{input: bluebird, output: "[own]"}]}\n'
    )
    done = cli("test", policy)
    assert "expected '[own]', got '[loud]'; found by 'loud', too" in done.out


def test_debug_says_that_it_takes_a_pattern(cli: Cli, policy: Path) -> None:
    done = cli("debug", policy)
    assert "is read as a pattern; for a policy, run: guardstream explain" in done.err
    assert cli("debug", "a.yam").err == ""


def test_coverage_names_rules_without_tests(cli: Cli, policy: Path) -> None:
    done = cli("test", policy, "--coverage")
    assert done.status == 1
    assert f"{policy}: rule 'card' lacks 'input' or 'clean' tests" in done.out


def test_explain_prints_a_policy_that_is_the_same(cli: Cli, policy: Path, tmp_path: Path) -> None:
    top = tmp_path / "top.yaml"
    top.write_text(
        "extends: policy.yaml\nmax_holdback: 99\nrules:\n  - {id: card, action: block}\n"
        "  - {id: word, enabled: false}\n",
        encoding="utf-8",
    )
    done = cli("explain", top, "--yaml")
    assert done.status == 0
    assert f"# from {policy}:8, changed by {top}:4" in done.out
    again = Policy.parse(done.out)
    assert again.rules == Policy.load(top).rules
    assert again.file.max_holdback == 99


def test_explain_says_why_a_text_comes_out_as_it_does(cli: Cli, policy: Path) -> None:
    done = cli("explain", policy, "--text", "ＳＥＣＲＥＴ 4111111111111111")
    assert done.status == 0
    assert "text out: '****** [card]'" in done.out
    assert f"rule: {policy}:2, severity medium" in done.out
    assert "why: a reason" in done.out
    assert "normalised: case, width" in done.out
    assert "U+FF33" in done.out
    assert "validated: luhn" in done.out
    assert "no rule found anything" in cli("explain", policy, "--text", "x").out


@pytest.mark.parametrize(
    ("section", "said"),
    [("json: {}", "cannot become JSON that"), ("limits: {max_chars: 3}", "'limits' of the")],
)
def test_explain_says_which_section_ends_a_text(
    cli: Cli, tmp_path: Path, section: str, said: str
) -> None:
    path = tmp_path / "sections.yaml"
    path.write_text(section, encoding="utf-8")
    assert said in cli("explain", path, "--text", "some text").out


def test_eval_counts_spans_and_labels(cli: Cli, policy: Path, tmp_path: Path) -> None:
    path = dataset(
        tmp_path,
        {"text": "a secret", "spans": [[2, 8]]},
        {"text": "a phrase", "spans": [{"start": 2, "end": 8}]},
        {"text": "secret", "label": 0},
        {"text": "fine", "label": 0},
        {"text": "unlabelled"},
    )
    done = cli("eval", policy, path)
    assert done.status == 0
    assert "recall      50.0 % (1/2) spans found in full" in done.out
    assert "flagged     50.0 % (1/2) of the positives" in done.out
    assert "flagged     50.0 % (1/2) of the negatives" in done.out
    assert "precision   50.0 % (1/2) findings right" in done.out
    assert "missed line 2: 2–8 'phrase'" in done.out
    assert "wrong line 3: word: 'secret'" in done.out


def test_eval_is_by_source_and_knows_exact_spans(cli: Cli, policy: Path, tmp_path: Path) -> None:
    path = dataset(
        tmp_path,
        {"text": "a secret", "spans": [[2, 8]], "source": "one"},
        {"text": "a secret", "spans": [[3, 6]], "source": "two"},
        {"text": "a secret b", "spans": [[2, 10]], "source": "two"},
    )
    done = cli("eval", policy, path, "--json")
    sources = json.loads(done.out)["sources"]
    hits = {
        name: [each["spans"][kind]["hits"] for kind in ("exact", "full", "partly")]
        for name, each in sources.items()
    }
    assert hits == {"one": [1, 1, 1], "two": [0, 1, 2]}
    assert sources["two"]["rules"]["word"]["right"] == {"hits": 2, "total": 2, "percent": 100.0}
    assert sources["two"]["rules"]["word"]["exact"]["hits"] == 0
    assert sources["two"]["missed"] == [{"line": 3, "start": 2, "end": 10}]
    assert "secret" not in done.out
    printed = cli("eval", policy, path).out
    assert printed.index("source     one") < printed.index("source     two")
    assert "recall      50.0 % (1/2)" in printed


def test_eval_counts_findings_in_harmless_text_by_kind(
    cli: Cli, policy: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    (folder / "logs" / "more").mkdir(parents=True)
    (folder / "logs" / "a.txt").write_text("secret\n" + "x" * 49_993, encoding="utf-8")
    (folder / "logs" / "more" / "b.txt").write_text("x" * 50_000, encoding="utf-8")
    (folder / "plain.txt").write_text("nothing", encoding="utf-8")
    kinds = json.loads(cli("eval", policy, "--harmless", folder, "--json").out)["harmless"]
    assert {name: kind["per_100_kb"] for name, kind in kinds.items()} == {"logs": 1, "plain.txt": 0}
    assert kinds["logs"]["rules"] == {"word": 1}
    assert cli("eval", policy, "--harmless", folder, "--fail-under", "harmless=1").status == 0
    done = cli("eval", policy, "--harmless", folder, "--fail-under", "harmless=0.5")
    assert done.status == 1
    assert "failed     harmless 1.00 is over 0.5: logs" in done.out


def test_eval_reads_on_after_a_block(cli: Cli, tmp_path: Path) -> None:
    policy, folder = tmp_path / "block.yaml", tmp_path / "texts"
    policy.write_text("rules: [{id: word, words: [secret], action: block}]", encoding="utf-8")
    folder.mkdir()
    (folder / "a").write_text("a secret, a secret\n" * 3_000, encoding="utf-8")
    kinds = json.loads(cli("eval", policy, "--harmless", folder, "--json").out)["harmless"]
    assert (kinds["a"]["findings"], kinds["a"]["blocks"]) == (6_000, 6_000)


@pytest.mark.parametrize(
    ("bound", "status"),
    [
        ("recall=50", 1),
        ("recall=0", 0),
        ("precision=100", 1),
        ("precision=40", 0),
        ("negatives=50", 1),
        ("negatives=100", 0),
        ("harmless=1", 2),
        ("recall", 2),
        ("recall=nan", 2),
        ("others=1", 2),
    ],
)
def test_eval_fails_where_any_source_misses_a_bound(
    cli: Cli, policy: Path, tmp_path: Path, bound: str, status: int
) -> None:
    path = dataset(
        tmp_path,
        {"text": "a secret", "label": 1, "source": "one"},
        {"text": "a phrase", "label": 1, "source": "two"},
        {"text": "a secret", "label": 0, "source": "one"},
    )
    done = cli("eval", policy, path, "--fail-under", bound)
    assert done.status == status
    assert ("failed" in done.out) == (status == 1)


@pytest.mark.parametrize("command", ["evaluate", "diff"])
def test_a_policy_that_changes_meanwhile_is_measured_as_it_was(
    command: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, other, data = (tmp_path / name for name in ("p.yaml", "other.yaml", "data.jsonl"))
    policy.write_text("reload: true\nrules: [{id: word, words: [secret]}]")
    other.write_text("rules: []")
    data.write_text('{"text": "a secret", "label": 1}\n' * 2)

    def changing(path: Path) -> Iterator[Example]:
        for example in read(path):
            yield example
            policy.write_text("reload: true\nrules: []")

    monkeypatch.setattr(f"guardstream.cli.{command}.read", changing)
    if command == "evaluate":
        assert "100.0 % (2/2) of the positives" in cli("eval", policy, data).out
    else:
        assert "2 of 2 texts change" in cli("diff", policy, other, data).out


def test_eval_needs_something_to_measure_with(cli: Cli, policy: Path, tmp_path: Path) -> None:
    assert "nothing to measure with" in cli("eval", policy).err
    (tmp_path / "empty").mkdir()
    assert "no folder with texts" in cli("eval", policy, "--harmless", tmp_path / "empty").err
    (tmp_path / "empty" / "binary").write_bytes(b"\xff")
    assert f"{Path('empty', 'binary')}: not valid UTF-8" in cli(
        "eval", policy, "--harmless", tmp_path / "empty"
    ).err  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"text": 1}',
        '{"text": "x", "label": 7}',
        '{"text": "x", "spans": [[0, 9]]}',
        '{"text": "x", "spans": [[1, 1]]}',
        '{"text": "x", "label": 1, "source": 7}',
        '{"text": "x", "label": 0, "spans": [[0, 1]]}',
        '{"text": "x", "label": 1, "spans": []}',
    ],
)
def test_a_bad_dataset_is_named_with_its_line(
    cli: Cli, policy: Path, tmp_path: Path, line: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "x", "label": 0}\n' + line, encoding="utf-8")
    done = cli("eval", policy, path)
    assert done.status == 2
    assert done.err.startswith(f"{path}:2:")
    assert done.err.count("\n") == 1
    assert cli("eval", policy, dataset(tmp_path, {"text": "x"})).status == 2
    assert cli("eval", policy, tmp_path / "none").status == 2


def test_diff_says_what_changes(cli: Cli, policy: Path, tmp_path: Path) -> None:
    after = tmp_path / "after.yaml"
    after.write_text("extends: policy.yaml\nrules: [{id: word, replacement: X}]", encoding="utf-8")
    path = dataset(tmp_path, {"text": "a secret"}, {"text": "fine"})
    done = cli("diff", policy, after, path)
    assert done.status == 1
    assert "- 'a ******' stop [word]\n  + 'a XXXXXX' stop [word]" in done.out
    assert "1 of 2 texts change" in done.out
    assert cli("diff", policy, policy, path).status == 0


def test_schema_is_printed(cli: Cli) -> None:
    assert json.loads(cli("schema").out) == schema.schema()


GITLEAKS = """
title = "mine"
[allowlist]
regexes = ['''EXAMPLE$''']
[[rules]]
id = "one"
description = "a key"
regex = '''(?i)key[=:](k[0-9]{4}[a-z]*)(?:\\s|$)'''
entropy = 1
[[rules]]
id = "two"
regex = '''(?i)left-([a-z]{4})|right-([a-z]{4})'''
[[rules]]
id = "three"
regex = '''a(?:b-([0-9]{2})|c-([0-9]{3}))'''
[[rules]]
id = "four"
regex = '''(x)-([0-9]{2})'''
secretGroup = 2
[[rules]]
id = "path"
path = '''\\.pem$'''
"""


def test_gitleaks_rules_mask_only_the_secret(cli: Cli, tmp_path: Path) -> None:
    source, made = tmp_path / "leaks.toml", tmp_path / "made.yaml"
    source.write_text(GITLEAKS, encoding="utf-8")
    done = cli("import", source, "--output", made)
    assert (done.status, done.out) == (0, "")
    assert "rule 'path' has no regex of its own, and is left out" in done.err
    guard = Guard.load(made)
    shown = guard.check("KEY=k1234 left-abcd RIGHT-efgh ab-12 ac-123 x-77 key=k1234EXAMPLE").text
    assert (
        shown == "KEY=[one] left-[two] RIGHT-[two] ab-[three] ac-[three] x-[four] key=k1234EXAMPLE"
    )


ALLOWLISTS = """
[extend]
useDefault = true
[[allowlists]]
targetRules = ["one"]
stopwords = ["Sample"]
[[rules]]
id = "one"
regex = '''k=([a-z]{8})'''
keywords = ["elsewhere"]
[[rules.allowlists]]
condition = "AND"
regexes = ['''^aa''']
stopwords = ["zz"]
[[rules.allowlists]]
condition = "AND"
regexes = ['''^bb''']
paths = ['''tests/''']
[[rules.allowlists]]
regexTarget = "match"
regexes = ['''^k=cc''', '''dddd''', '''^ee''']
[[rules.required]]
id = "two"
[[rules]]
id = "two"
regex = '''t=[a-z]{8}'''
"""


def test_no_allowlist_becomes_wider_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    source = tmp_path / "leaks.toml"
    source.write_text(ALLOWLISTS, encoding="utf-8")
    text, notes = convert(source, None)
    guard = Guard(Policy.parse(text))

    def masked(value: str) -> bool:
        return value not in guard.check(value).text

    allowed = ["k=xsamplex", "k=aaxxzzxx", "k=xxddddxx"]
    assert [value for value in allowed if masked(value)] == []
    found = ["k=aaxxxxxx", "k=xxxxzzxx", "k=bbxxxxxx", "k=ccxxxxxx", "k=eexxxxxx", "t=xsamplex"]
    assert [value for value in found if not masked(value)] == []
    for named in ("useDefault", "keywords", "required", "paths", "anchored"):
        assert any(named in note for note in notes), named


def test_a_list_of_words_becomes_a_rule(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("# comment\nno: word\n敏感词\n\n敏感词\n", encoding="utf-8")
    text, notes = convert(path, None)
    assert notes == []
    assert Guard(Policy.parse(text)).check("no: word, 敏感词").text == "********, ***"


PRESIDIO = """
recognizers:
  - name: Zip
    supported_entity: ZIP
    patterns: [{name: zip, regex: '(?<![0-9])[0-9]{5}(?![0-9])', score: 0.01}]
    context: [zip, code]
  - name: Card
    supported_entity: CREDIT_CARD
    patterns: [{regex: '[0-9]{16}', score: 0.5}]
  - {name: Titles, supported_entity: TITLE, deny_list: [Mr, Mrs]}
  - {name: Model, supported_entity: PERSON}
"""


def test_presidio_recognisers_become_rules(tmp_path: Path) -> None:
    path = tmp_path / "recognisers.yaml"
    path.write_text(PRESIDIO, encoding="utf-8")
    text, notes = convert(path, None)
    assert [note for note in notes if "'person'" in note]
    guard = Guard(Policy.parse(text))
    assert guard.check("zip 90210, 90210").text.startswith("zip [zip]")
    assert guard.check("Mr 4111111111111111 4111111111111112").text == (
        "[title] [credit_card] 4111111111111112"
    )


BEDROCK = {
    "name": "My guardrail",
    "wordPolicy": {"words": [{"text": "secret plan"}], "managedWordLists": [{"type": "PROFANITY"}]},
    "sensitiveInformationPolicy": {
        "regexes": [{"name": "Order", "pattern": "ORD-[0-9]{4}", "action": "ANONYMIZE"}],
        "piiEntities": [{"type": "EMAIL", "action": "BLOCK"}],
    },
    "topicPolicy": {"topics": [{"name": "x"}]},
}


def test_bedrock_guardrails_become_rules(tmp_path: Path) -> None:
    path = tmp_path / "guardrail.json"
    path.write_text(json.dumps(BEDROCK), encoding="utf-8")
    text, notes = convert(path, None)
    assert len(notes) == 3
    guard = Guard(Policy.parse(text))
    assert guard.check("ORD-1234 and a secret plan").text == "[order] and a "


@pytest.mark.parametrize("name", ["x.toml", "x.json", "x.yaml"])
def test_what_cannot_be_imported_is_one_line(cli: Cli, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("[", encoding="utf-8")
    done = cli("import", path)
    assert done.status == 2
    assert done.err.startswith(str(path))
    assert done.err.count("\n") == 1
    assert cli("import", tmp_path / "none.toml").status == 2
    assert "unknown format 'x'" in cli("import", path, "--from", "x").err


@pytest.mark.corpus
@needs_corpora
def test_gitleaks_own_rules_import_and_find_their_own_cases() -> None:
    text, _ = convert(CORPORA / "secrets" / "gitleaks.toml", None)
    guard = Guard(Policy.parse(text))
    assert len(guard.policy.rules) == 221
    found = total = 0
    with (CORPORA / "secrets" / "gitleaks_cases.jsonl").open(encoding="utf-8") as file:
        for case in map(json.loads, file):
            if case["kind"] == "tp":
                total += 1
                found += case["rule"] in {f.rule for f in guard.check(case["text"]).findings}
    assert found / total > 0.99
