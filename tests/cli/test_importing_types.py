"""import: a value of the wrong type, or an unknown key, anywhere in another tool's file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from guardstream import Policy
from guardstream.cli.importing import convert
from guardstream.errors import GuardstreamError

ALLOWLIST = {
    "paths": ["p"],
    "commits": ["c"],
    "regexes": ["zz"],
    "stopwords": ["qq"],
    "regexTarget": "match",
    "condition": "OR",
    "targetRules": ["r"],
}

FILES: dict[str, dict[str, Any]] = {
    "gitleaks": {
        "title": "t",
        "extend": {"useDefault": True, "disabledRules": ["a"]},
        "allowlist": ALLOWLIST,
        "filter": 'entropy(finding["secret"]) <= 1.0',
        "rules": [
            {
                "id": "r",
                "description": "d",
                "regex": "key=([a-z]+)",
                "secretGroup": 1,
                "entropy": 1.5,
                "path": "x",
                "keywords": ["token"],
                "skipReport": False,
                "allowlists": [ALLOWLIST],
            }
        ],
    },
    "kingfisher": {
        "rules": [
            {
                "name": "n",
                "id": "r",
                "pattern": "key=([a-z]+)",
                "min_entropy": 1.5,
                "confidence": "medium",
                "visible": True,
                "pattern_requirements": {
                    "min_digits": 1,
                    "min_special_chars": 1,
                    "special_chars": "!",
                    "ignore_if_contains": ["x"],
                },
            }
        ]
    },
    "trivy": {
        "disable-rules": ["b"],
        "allow-rules": [{"id": "a", "regex": "zz", "path": "x"}],
        "rules": [
            {
                "id": "r",
                "title": "t",
                "severity": "HIGH",
                "regex": "key=(?P<s>[a-z]+)",
                "keywords": ["token"],
                "path": "p",
                "allow-rules": [{"id": "a", "regex": "b"}],
                "secret-group-name": "s",
            }
        ],
    },
    "trufflehog": {
        "detectors": [
            {
                "name": "n",
                "keywords": ["token"],
                "regex": {"a": "key=([a-z]+)", "b": "k:([a-z]+)"},
                "entropy": 1.5,
                "exclude_words": ["x"],
                "exclude_regexes_capture": ["y"],
                "exclude_regexes_match": ["z"],
            }
        ]
    },
    "presidio": {
        "global_regex_flags": 26,
        "recognizers": [
            {
                "name": "n",
                "enabled": True,
                "supported_languages": [{"language": "en", "context": ["x"]}],
                "patterns": [{"name": "p", "regex": "[0-9]{5}", "score": 0.1}],
                "context": ["zip"],
                "supported_entity": "ZIP",
                "deny_list": ["a"],
            }
        ],
    },
    "bedrock": {
        "name": "n",
        "blockedOutputsMessaging": "c",
        "wordPolicyConfig": {
            "wordsConfig": [{"text": "w", "outputAction": "NONE", "outputEnabled": True}],
            "managedWordListsConfig": [{"type": "PROFANITY"}],
        },
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [{"type": "EMAIL", "action": "BLOCK"}],
            "regexesConfig": [{"name": "r", "pattern": "k[0-9]", "action": "ANONYMIZE"}],
        },
    },
}

FILES |= {
    "llm-guard": {
        "input_scanners": [
            {
                "type": "BanSubstrings",
                "params": {
                    "substrings": ["plan"],
                    "match_type": "word",
                    "case_sensitive": True,
                    "redact": True,
                    "contains_all": False,
                },
            },
        ],
        "output_scanners": [
            {
                "type": "Regex",
                "params": {
                    "patterns": ["k[0-9]"],
                    "is_blocked": True,
                    "match_type": "search",
                    "redact": False,
                },
            },
            {
                "type": "Sensitive",
                "params": {
                    "entity_types": ["PL_PESEL", "TICKET"],
                    "regex_patterns": [
                        {"name": "TICKET", "expressions": ["tk"], "score": 0.1, "context": ["see"]}
                    ],
                    "hidden_names": ["ann"],
                    "allowed_names": ["bob"],
                    "redact": True,
                },
            },
        ],
    },
    "litellm": {
        "guardrails": [
            {
                "guardrail_name": "filter",
                "litellm_params": {
                    "guardrail": "litellm_content_filter",
                    "mode": ["pre_call", "post_call"],
                    "default_on": True,
                    "skip_system_message_in_guardrail": True,
                    "pattern_redaction_format": "<{pattern_name}>",
                    "keyword_redaction_tag": "<word>",
                    "patterns": [
                        {
                            "pattern_type": "regex",
                            "pattern": "k[0-9]",
                            "name": "k",
                            "action": "MASK",
                        },
                        {"pattern_type": "prebuilt", "pattern_name": "sg_nric", "action": "MASK"},
                    ],
                    "blocked_words": [{"keyword": "a*", "action": "MASK", "description": "d"}],
                },
            },
            {
                "guardrail_name": "pii",
                "litellm_params": {
                    "guardrail": "presidio",
                    "mode": {"default": "pre_call"},
                    "presidio_filter_scope": "input",
                    "output_parse_pii": True,
                    "pii_entities_config": {"PL_PESEL": "MASK", "SG_UEN": "BLOCK"},
                    "presidio_entities_deny_list": ["SG_NRIC_FIN"],
                },
            },
        ],
    },
    "nemo": {
        "rails": {
            "config": {
                "regex_detection": {"input": {"patterns": ["k[0-9]"], "case_insensitive": True}},
                "sensitive_data_detection": {
                    "recognizers": [
                        {
                            "supported_entity": "ZIP",
                            "patterns": [{"regex": "[0-9]{5}", "score": 0.1}],
                            "context": ["zip"],
                        }
                    ],
                    "output": {"entities": ["ZIP", "PL_PESEL"], "score_threshold": 0.3},
                },
                "injection_detection": {"injections": ["code"]},
            },
            "input": {"flows": ["regex check input"]},
            "output": {"flows": ["detect sensitive data on output", "injection detection"]},
        },
    },
}

WRONG: list[Any] = [True, -1, 10**30, 1.5, float("inf"), "", "(", [], [7], [None], [[]], [{}]]
WRONG += [{}, {"k": [1]}, "\0", " "]

SEEN = (list, dict)
"""What is not text, number or flag, and so always another type where one of those stands."""


PATTERN = ("recognizers", 0, "patterns", 0, "name")

UNUSED = [PATTERN, ("recognizers", 0, "supported_languages", 0, "language")]
"""The places of values that have no meaning here."""


def written(kind: str, value: Any) -> str:
    """A file of a tool; JSON is YAML, too."""
    if kind == "gitleaks":
        return "\n".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items())
    return json.dumps(value)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a value, its own left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        yield (*place, key)
        if isinstance(each, SEEN):
            yield from places(each, (*place, key))


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    found = value = copy.deepcopy(value)
    for key in place[:-1]:
        found = found[key]
    found[place[-1]] = new
    return value


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def outcome(path: Path, kind: str, value: Any) -> tuple[str, ...]:
    """The policy and the notes, or the error; the policy loads."""
    path.write_text(written(kind, value), encoding="utf-8")
    try:
        made, notes = convert(path, kind)
    except GuardstreamError as error:
        return (str(error),)
    load(made)
    return (made, *notes)


@cache
def load(policy: str) -> None:
    """Load a policy; many changes make the same one."""
    Policy.parse(policy)


@pytest.mark.parametrize("kind", FILES)
def test_a_value_of_another_type_is_said(tmp_path: Path, kind: str) -> None:
    path, usual = tmp_path / "file", FILES[kind]
    before = outcome(path, kind, usual)
    for place in places(usual):
        for wrong in WRONG:
            if kind == "gitleaks" and "None" in repr(wrong):
                continue  # TOML has no null
            after = outcome(path, kind, changed(usual, place, wrong))
            is_other = isinstance(wrong, SEEN) and not isinstance(at(usual, place), SEEN)
            if is_other and place not in UNUSED:
                assert after != before, (place, wrong)


@pytest.mark.parametrize("kind", FILES)
def test_a_key_that_is_not_known_is_said(tmp_path: Path, kind: str) -> None:
    path, usual = tmp_path / "file", FILES[kind]
    tables = [place for place in places(usual) if isinstance(at(usual, place), dict)]
    for place in [(), *tables]:
        if place[-1:] in (("regex",), ("pii_entities_config",)):
            continue  # its keys are names
        notes = outcome(path, kind, changed(usual, (*place, "colour"), 1))[1:]
        assert [note for note in notes if "colour' is not known, and left out" in note], place
