"""import: guardrails of other tools, for prompts and for answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardstream import Guard, Policy
from guardstream.cli.importing import convert

REDACTED = "what it redacts is masked, and the text does not count as invalid"


def imported(tmp_path: Path, text: str, name: str = "config.yaml") -> tuple[Guard, list[str]]:
    """The guard for a file of another tool, and the notes on it."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    made, notes = convert(path, None)
    return Guard(Policy.parse(made)), [note.partition(": ")[2] for note in notes]


def answered(guard: Guard, text: str) -> str | None:
    """What is shown of an answer; None if it is blocked."""
    checked = guard.check(text)
    return None if checked.finish == "content_filter" else checked.text


def asked(guard: Guard, text: str, role: str = "user") -> str | None:
    """What a prompt becomes; None if it is blocked."""
    checked = guard.check_messages([{"role": role, "content": text}])
    return None if checked.blocked else str(checked.messages[0]["content"])


LLM_GUARD = r"""
app: {name: "${NAME:x}"}
auth: {type: http_bearer, token: hunter2-token}
input_scanners:
  - {type: BanSubstrings, params: {substrings: [Test, c++, a b], match_type: word, redact: true}}
  - {type: InvisibleText}
  - {type: BanTopics, params: {topics: [violence]}}
  - {type: TokenLimit, params: {limit: 4096}}
output_scanners:
  - {type: BanSubstrings, params: {substrings: [Plan], case_sensitive: true}}
  - {type: Regex, params: {patterns: ['tok-\d{4}', '(?s)a.b'], match_type: search}}
  - {type: Regex, params: {patterns: [vile], redact: false}}
  - {type: Nonesuch, params: {threshold: 0.5}}
"""


def test_llm_guards_scanners_mask_where_they_redact_and_block_elsewhere(tmp_path: Path) -> None:
    guard, notes = imported(tmp_path, LLM_GUARD, "scanners.yml")
    assert asked(guard, "a test, tests, c++x, C++ x, A b") == (
        "a [REDACTED], tests, [REDACTED]x, C++ x, [REDACTED]"
    )
    assert asked(guard, "in\u200bvisi\ue000ble") == "invisible"
    assert answered(guard, "tok-1234 tok-1 a\nb plan") == "[REDACTED] tok-1 [REDACTED] plan"
    assert answered(guard, "Planning") is None
    assert answered(guard, "how vile") is None
    assert notes == [
        "'app' is left out: it is about the server",
        "'auth' is left out: it is about the server",
        f"input BanSubstrings: {REDACTED}",
        f"input InvisibleText: {REDACTED}",
        "input BanTopics asks a model, and is left out",
        "input TokenLimit is left out: it bounds prompts, and limits.tokens answers",
        f"output Regex: {REDACTED}",
        "output Nonesuch is not known, and left out",
        "rule 'regex' exists already, and is called 'regex-2' here",
    ]


@pytest.mark.parametrize(
    ("scanner", "note"),
    [
        ("BanSubstrings, params: {substrings: [a], contains_all: true}", "needs the whole text"),
        ("BanSubstrings, params: {substrings: [a], match_type: stem}", "a known 'match_type'"),
        ("BanSubstrings, params: {substrings: ['${WORDS:a}']}", "comes from the environment"),
        ("Regex, params: {patterns: [a], is_blocked: false}", "what a text must have"),
        ("Regex, params: {patterns: [a], match_type: fullmatch}", "needs the whole text"),
        ("Regex", "has no patterns"),
        ("JSON, params: {required_elements: 1}", "answers that are JSON throughout"),
        ("Toxicity", "asks a model"),
    ],
)
def test_a_scanner_without_a_counterpart_is_named(tmp_path: Path, scanner: str, note: str) -> None:
    guard, notes = imported(tmp_path, f"output_scanners: [{{type: {scanner}}}]")
    assert guard.policy.rules == ()
    assert note in notes[0]
    assert notes[-1] == "the policy has no rules"


PERSONAL = r"""
input_scanners:
  - type: Anonymize
    params:
      entity_types: [EMAIL_ADDRESS_RE, PERSON]
      hidden_names: [Blue Bird]
      threshold: 0.75
  - {type: Secrets, params: {redact_mode: partial}}
output_scanners:
  - type: Sensitive
    params:
      entity_types: [EMAIL_ADDRESS, TICKET, PART]
      regex_patterns:
        - {name: TICKET, expressions: ['tk-\d{4}'], score: 0.75, context: [], languages: [en]}
        - {name: PART, expressions: ['\d{3}-\d'], score: 0.1, context: [part], languages: [en]}
      redact: true
"""


def test_llm_guards_entities_become_rules_of_packs_and_patterns_of_its_own(
    tmp_path: Path,
) -> None:
    guard, notes = imported(tmp_path, PERSONAL)
    text = "Blue Bird: ann@example.com, card 4111 1111 1111 1111"
    assert asked(guard, text) == "[hidden-names]: [email], card 4111 1111 1111 1111"
    text = "TK-1234, 123-4, part 123-4, ann@example.com, card 4111 1111 1111 1111"
    assert answered(guard, text) == (
        "<TICKET>, 123-4, part <PART>, <EMAIL_ADDRESS>, card 4111 1111 1111 1111"
    )
    assert notes == [
        "input Anonymize: 'threshold' is left out: rules have no scores",
        "input Anonymize: values become ids of rules, or stand-ins where there is a vault",
        "entity 'PERSON' is left out: no pack has a rule for it",
        "input Secrets: 'redact_mode' is left out: a secret becomes the id of its rule",
        "input Secrets: guardstream/secrets has its own rules, for secrets of other kinds, too",
        f"output Sensitive: {REDACTED}",
    ]


FILTER = r"""
model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: hunter2-key}}]
guardrails:
  - guardrail_name: filter
    litellm_params:
      guardrail: litellm_content_filter
      mode: [pre_call, post_call]
      default_on: true
      api_key: hunter2-key
      patterns:
        - {pattern_type: prebuilt, pattern_name: us_ssn, action: BLOCK}
        - {pattern_type: prebuilt, pattern_name: street_address, action: MASK}
        - {pattern_type: regex, pattern: 'emp-\d{4}', name: employee, action: MASK}
      blocked_words:
        - {keyword: Plan, action: BLOCK, description: plans are secret}
        - {keyword: "d*rn", action: MASK}
        - {keyword: (heck), action: MASK}
      categories: [{category: harmful_violence, enabled: true, action: BLOCK}]
  - guardrail_name: judge
    litellm_params: {guardrail: lakera_v2, mode: during_call, api_key: hunter2-key}
"""


def test_litellms_content_filter_finds_parts_of_words_in_any_case(tmp_path: Path) -> None:
    guard, notes = imported(tmp_path, FILTER)
    text = "EMP-1234 darn DRNS (Heck) 12 High Street"
    word = "[KEYWORD_REDACTED]"
    shown = f"[EMPLOYEE_REDACTED] {word} {word}S {word} 12 High Street"
    for seen in (answered, asked):
        assert seen(guard, text) == shown
        assert seen(guard, "explanation") is None
        assert seen(guard, "SSN 536-22-1234") is None
    assert asked(guard, "a plan", role="system") is None
    assert notes == [
        "guardrail 'filter': 'categories' is left out",
        "guardrail 'filter': prebuilt pattern 'us_ssn' becomes a pack's rules, which test more",
        "guardrail 'filter': prebuilt pattern 'street_address' is left out: "
        "no pack has a rule for it",
        "guardrail 'judge' is left out: 'lakera_v2' is not a filter that runs in the proxy",
    ]


PRESIDIO = """
guardrails:
  - guardrail_name: pii
    litellm_params:
      guardrail: presidio
      mode: pre_call
      pii_entities_config: {CREDIT_CARD: MASK, EMAIL_ADDRESS: BLOCK, PERSON: MASK}
      default_on: true
"""


def test_litellms_presidio_judges_answers_too_unless_its_scope_is_the_input(
    tmp_path: Path,
) -> None:
    guard, notes = imported(tmp_path, PRESIDIO)
    for seen in (answered, asked):
        assert seen(guard, "4111 1111 1111 1111, +1 415 555 0132") == (
            "<CREDIT_CARD>, +1 415 555 0132"
        )
        assert seen(guard, "ann@example.com") is None
    assert notes == [
        "guardrail 'pii': answers are judged too, as its 'presidio_filter_scope' is not input",
        "entity 'PERSON' is left out: no pack has a rule for it",
    ]
    guard, _ = imported(tmp_path, PRESIDIO + "      presidio_filter_scope: input\n")
    assert answered(guard, "ann@example.com") == "ann@example.com"


def test_litellms_secrets_are_hidden_in_prompts(tmp_path: Path) -> None:
    text = """
    guardrails:
      - {guardrail_name: hide, litellm_params: {guardrail: hide-secrets, mode: pre_call}}
    """
    guard, notes = imported(tmp_path, text)
    key = "AKIAQ3EGRIZ5XW2KXT7B"
    assert asked(guard, f"key {key}") == "key [aws-access-key]"
    assert answered(guard, f"key {key}") == f"key {key}"
    assert notes == [
        "guardrail 'hide': it runs for requests that name it; here it holds for all",
        "guardrail 'hide': guardstream/secrets has its own rules, for secrets of other kinds, too",
    ]


def test_modes_that_neither_prompts_nor_answers_have_are_named(tmp_path: Path) -> None:
    text = """
    guardrails:
      - guardrail_name: log
        litellm_params:
          guardrail: litellm_content_filter
          mode: [logging_only]
          default_on: true
          blocked_words: [{keyword: a, action: MASK}]
    """
    _, notes = imported(tmp_path, text)
    assert notes == ["guardrail 'log': mode 'logging_only' is left out", "the policy has no rules"]


NEMO = r"""
models: [{type: main, engine: openai, model: m, parameters: {api_key: hunter2-key}}]
rails:
  config:
    regex_detection:
      input: {patterns: ['\bplan\b'], case_insensitive: true}
      output: {patterns: ['secret-\d{3}']}
    sensitive_data_detection:
      recognizers:
        - {supported_entity: TITLE, deny_list: [Mr., Mrs.]}
      input: {entities: [PERSON, EMAIL_ADDRESS]}
      output: {entities: [CREDIT_CARD, TITLE], score_threshold: 0.4}
    injection_detection: {injections: [code, sqli], action: reject}
    fact_checking: {parameters: {endpoint: x}}
  input: {flows: [self check input, regex check input, mask sensitive data on input]}
  output:
    flows: [regex check output, detect sensitive data on output, injection detection]
    streaming: {enabled: true, chunk_size: 200}
"""


def test_nemos_rails_hold_where_a_flow_uses_them(tmp_path: Path) -> None:
    guard, notes = imported(tmp_path, NEMO, "config.yml")
    assert asked(guard, "the PLAN") is None
    assert asked(guard, "the PLAN", role="assistant") == "the PLAN"
    assert asked(guard, "ann@example.com plans, Mr. X") == "<EMAIL_ADDRESS> plans, Mr. X"
    assert answered(guard, "Secret-123, ann@example.com") == "Secret-123, ann@example.com"
    assert [answered(guard, text) for text in ("secret-123", "Mr. X", "4111111111111111")] == [
        None
    ] * 3
    assert notes == [
        "'rails.config.fact_checking' is left out: it asks a model or a service",
        "'rails.output.streaming' is left out: text is held while it may match",
        "input: flow 'self check input' is left out: it asks a model, or is one of your own",
        "input: recogniser 'title' is left out: 'TITLE' is not one of the entities",
        "entity 'PERSON' is left out: no pack has a rule for it",
        "output: injection 'code' is left out: extend guardstream/code for calls that run code",
        "output: injection 'sqli' is left out",
    ]


def test_a_rail_that_no_flow_uses_is_left_out(tmp_path: Path) -> None:
    text = "rails: {config: {regex_detection: {output: {patterns: [a]}}}}"
    _, notes = imported(tmp_path, text)
    assert notes == [
        "output: 'regex_detection' is left out: no flow uses it",
        "the policy has no rules",
    ]


def test_an_entity_that_is_blocked_and_masked_is_blocked(tmp_path: Path) -> None:
    text = """
    rails:
      config: {sensitive_data_detection: {output: {entities: [EMAIL_ADDRESS]}}}
      output: {flows: [mask sensitive data on output, detect sensitive data on output]}
    """
    guard, _ = imported(tmp_path, text)
    assert answered(guard, "ann@example.com") is None


@pytest.mark.parametrize("text", [LLM_GUARD, FILTER, NEMO], ids=["llm-guard", "litellm", "nemo"])
def test_keys_and_tokens_of_a_configuration_are_in_no_policy_and_no_note(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    made, notes = convert(path, None)
    assert "hunter2" in text
    assert "hunter2" not in made + "".join(notes)
