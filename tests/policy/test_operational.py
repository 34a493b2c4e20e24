"""The sections that say how streams are run: checked, explained, and of the named file alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from guardstream import Guard, Policy, PolicyError
from guardstream.cli import diff, explain
from guardstream.policy.lint import warnings
from guardstream.policy.operational import rate_of, revealed, secrets_of
from guardstream.policy.schema import schema
from guardstream.policy.serving import address_of

EACH = {
    "reload": "true",
    "retry": "{attempts: 2}",
    "concurrency": "{at_once: 3}",
    "audit": "{path: audit.jsonl}",
    "metrics": "{prometheus: true}",
    "extract": "{fences: strip}",
    "gate": "[{use: presidio}]",
    "serve": "{upstream: {url: 'https://api.openai.com', key: '${KEY}'}, keys: {a: '${OTHER}'}}",
}


def refusal(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, name="p.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("retry: {attmpts: 2}", "1:9: unknown key 'attmpts', did you mean 'attempts'?"),
        ("retry: {attempts: 0}", "1:19: expected a number of at least 1"),
        ("retry: {wait_max: soon}", "1:19: expected a time such as 15s, 500ms or 2m"),
        ("retry: 3", "1:8: expected a mapping"),
        ("retry: {wait_initial: 40s}", "1:8: 'wait_initial' is longer than 'wait_max'"),
        ("concurrency: {}", "1:14: there is no limit"),
        ("concurrency: {by: user, at_once: 1}", "1:14: 'by' and 'per_key' need each other"),
        ("concurrency: {by: user, per_key: {}}", "1:14: 'per_key' sets no limit"),
        ("concurrency: {rate: 10}", "1:21: expected text: put it in quotes"),
        ("concurrency: {rate: 10/week}", "1:21: expected a number and a time, such as 10/s"),
        ("concurrency: {rate: 0/s}", "1:21: expected a number and a time"),
        ("audit: {}", "1:8: records go nowhere"),
        ("audit: {path: a, mode: 0600}", "1:24: expected text: put it in quotes"),
        ("audit: {path: '${FOLDER}/a'}", "1:15: ${…} is only for secrets"),
        ("audit: {log: {levl: info}}", "1:15: unknown key 'levl', did you mean 'level'?"),
        ("metrics: {prometheus: false}", "1:10: nothing is measured"),
        ("extract: {repair: close}", "1:10: 'close' changes output"),
        ("extract: {draft: draft-07}", "1:10: 'draft', 'schemas' and 'formats' have no"),
        ("extract: {schema: none.json}", "1:19: cannot use the schema"),
        ("extract: {limits: {dept: 2}}", "1:20: unknown key 'dept', did you mean 'depth'?"),
        ("audit: {path: 1}", "1:15: expected text"),
        ("serve: {listen: localhost}", "1:17: expected an address and a port"),
        ("serve: {listen: 8080}", "1:17: expected an address and a port"),
        ("serve: {metrics_listen: 9464}", "1:25: expected an address and a port"),
        ("serve: {listen: 'a:99999'}", "1:17: expected an address and a port"),
        ("serve: {upstream: nowhere}", "1:19: expected a URL such as"),
        ("serve: {upstream: 'https://u:p@x'}", "1:19: the URL of an upstream must have no user"),
        ("serve: {upstream: {url: 'https://x', key: sk-1}}", "1:43: a secret is read from the env"),
        ("serve: {keys: {a: '${A}'}}", "1:8: 'keys' of clients need a key of the upstream"),
        ("serve: {limits: {body: 4 apples}}", "1:24: expected a size such as 64KB"),
        ("serve: {limits: {bdy: 4}}", "1:18: unknown key 'bdy', did you mean 'body'?"),
        ("serve: {routes: {/x: {polcy: a}}}", "1:23: unknown key 'polcy', did you mean 'policy'?"),
        ("serve: {replay: {redis: 'redis://x'}}", "1:25: a secret is read from the environment"),
        ("audit: {log: {}, fsync: true}", "1:8: 'fsync' has no effect without 'path'"),
        ("gate: [{use: judge, options: {key: '${K}'}}]", "1:30: ${…} is only for secrets"),
        (
            "serve: {routes: {/x: {guard: false, policy: a}}}",
            "1:22: a path that is not guarded has",
        ),
        ("serve: {replay: {prefix: a}}", "1:17: 'prefix' has no effect without 'redis'"),
        (
            "serve: {replay: {redis: '${A}', max_total: 1}}",
            "1:17: 'max_total' has no effect",
        ),
        ("serve: {workers: 2, replay: {}}", "1:8: a replay in memory is for one process"),
        ("serve: {replay: {lingr: 1s}}", "1:18: unknown key 'lingr', did you mean 'linger'?"),
        (
            "serve: {receipts: {key: '${K}', isuer: a}}",
            "1:33: unknown key 'isuer', did you mean 'issuer'?",
        ),
        (
            "serve: {upstreams: {b: {ur: x, url: 'http://x'}}}",
            "1:25: unknown key 'ur', did you mean 'url'?",
        ),
        ("serve: {models: {a: none}}", "1:8: no upstream 'none', known: default"),
        ("serve: {state: {redis: '${A}'}}", "1:8: 'state' has no effect without 'keys'"),
        (
            "serve: {workers: 2, upstream: {url: 'http://x', key: '${U}'}, keys: {a: '${A}'}}",
            "1:8: the usage of clients' keys",
        ),
        ("serve: {keys: {a: {shaa256: x}}}", "1:20: unknown key 'shaa256', did you mean 'sha256'?"),
        ("formats: {mine: {txt: $.a, text: $.b}}", "1:18: unknown key 'txt', did you mean 'text'?"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    assert refusal(text).startswith(f"p.yaml:{said}")


@pytest.mark.parametrize("section", EACH)
def test_they_count_only_in_the_file_that_is_named(tmp_path: Path, section: str) -> None:
    (tmp_path / "base.yaml").write_text(f"version: 1\n{section}: {EACH[section]}\n")
    (tmp_path / "policy.yaml").write_text("version: 1\nextends: ./base.yaml\n")
    assert Policy.load(tmp_path / "base.yaml").operational
    with pytest.raises(PolicyError) as caught:
        Policy.load(tmp_path / "policy.yaml")
    place = f"{tmp_path / 'base.yaml'}:2:1: {section!r} only counts in the policy's own file"
    assert place in str(caught.value)


@pytest.mark.parametrize("section", EACH)
def test_the_published_schema_knows_them(section: str) -> None:
    judge = jsonschema_rs.validator_for(schema())
    value = Policy.parse(f"{section}: {EACH[section]}").built.source.document.value
    assert judge.is_valid(value)
    assert isinstance(value, dict)
    wrong: Any = {"nonsense": 1} if section != "gate" else [{"nonsense": 1}]
    assert not judge.is_valid({**value, section: wrong})


def test_explain_prints_them_as_they_are_written_and_names_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "the value")
    path = tmp_path / "policy.yaml"
    sections = "".join(f"{name}: {value}\n" for name, value in EACH.items())
    path.write_text(f"version: 1\n{sections}limits: {{total: 2m}}\n")
    table, whole = explain.table(str(path)), explain.whole(str(path))
    for said in (table, whole):
        assert "${KEY}" in said
        assert "the value" not in said
        assert [name for name in EACH if f"{name}:" not in said] == []
    assert Policy.parse(whole).file == Policy.load(path).file


def test_a_secret_is_in_no_fingerprint_and_read_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = f"serve: {EACH['serve']}"
    first = Policy.parse(text).fingerprint
    with pytest.raises(PolicyError, match="'KEY', which holds the secret, is not set"):
        revealed("${KEY}")
    monkeypatch.setenv("KEY", "the value")
    assert Policy.parse(text).fingerprint == first
    assert revealed("${KEY}") == "the value"
    assert "the value" not in repr(Policy.parse(text).file)


def test_lint_names_the_secrets_that_are_not_there() -> None:
    policy = Policy.parse(f"rules: []\nserve: {EACH['serve']}", name="p.yaml")
    assert list(secrets_of(policy.file.serve)) == [
        (("upstream", "key"), "${KEY}"),
        (("keys", "a"), "${OTHER}"),
    ]
    found = [line for line in warnings(policy.built) if "secret" in line]
    assert found[0].startswith("p.yaml:2:56: warning: 'KEY'")
    assert len(found) == 2
    vault = "vault: {sqlite: v.db, key: ['${A_KEY}', '${OLD_KEY}'], id_key: '${ID_KEY}'}"
    found = warnings(Policy.parse(vault, name="p.yaml").built)
    assert [name for name in ("A_KEY", "OLD_KEY", "ID_KEY") if f"'{name}'" not in str(found)] == []


def test_diff_compares_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("version: 1\ngate: [{use: presidio}]\nretry: {attempts: 2}\n")
    new.write_text("version: 1\ngate: [{use: presidio, overlap: 3}]\nretry: {attempts: 3}\n")
    assert diff.rules(str(old), str(new), as_json=True) == 1
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert [change["what"] for change in changes] == ["gate", "retry"]


def test_rates_and_addresses() -> None:
    assert [rate_of(text) for text in ("10/s", "3/10s", "600/m", "5/h", "7/d")] == [
        (10, 1.0),
        (3, 10.0),
        (600, 60.0),
        (5, 3600.0),
        (7, 86_400.0),
    ]
    assert address_of("[::1]:80") == ("::1", 80)
    assert address_of("localhost:0") == ("localhost", 0)


def test_neither_lint_nor_a_guard_needs_the_secrets_of_serve() -> None:
    assert Guard(Policy.parse(f"serve: {EACH['serve']}")).check("a").text == "a"
