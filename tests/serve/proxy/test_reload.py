"""A proxy's policy that is reloaded: rules hold for the next request, and nothing is left out."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardstream import Guard
from guardstream.serve import GuardMiddleware
from guardstream.serve.proxy import ServeOptions, section_options
from tests.serve.apps import Upstream, streaming
from tests.support.proxy.section import options

RULES = "reload: true\nrules: [{id: word, words: [WORD]}]\n"
SERVE = "serve: {upstream: 'https://a.example'}\n"

GATE = (
    "gate: [{use: judge, options: {format: llama_guard, model: m, url: 'http://127.0.0.1:9/'}}]\n"
)


def policy(path: Path, word: str, rest: str = SERVE) -> Path:
    path.write_text(RULES.replace("WORD", word) + rest)
    return path


def loaded(path: Path) -> Guard:
    return options(path).settings().guards["default"]


def masked(guard: Guard, text: str = "one two") -> str:
    return guard.check(text).text


def test_changed_rules_hold_for_the_next_request(tmp_path: Path) -> None:
    guard = loaded(policy(tmp_path / "p.yaml", "one"))
    policy(tmp_path / "p.yaml", "two, more")
    assert masked(guard) == "one [word]"


@pytest.mark.parametrize("asked", [None, False, True])
def test_a_policy_without_a_section_serve_is_reloaded_as_it_says(
    tmp_path: Path, asked: bool | None
) -> None:
    path = policy(tmp_path / "p.yaml", "one", "")
    section = section_options(str(path)) if asked is None else {"reload": asked}
    settings = ServeOptions("https://a.example", {"default": str(path)}, **section).settings()
    policy(path, "two", "")
    assert masked(settings.guards["default"]) == ("[word] two" if asked is False else "one [word]")


def test_each_policy_is_reloaded_as_it_says(tmp_path: Path) -> None:
    still = tmp_path / "still.yaml"
    still.write_text("rules: [{id: word, words: [one]}]\n")
    policies = {"default": str(still), "other": str(policy(tmp_path / "p.yaml", "one", ""))}
    guards = ServeOptions("https://a.example", policies).settings().guards
    still.write_text("rules: [{id: word, words: [two]}]\n")
    policy(tmp_path / "p.yaml", "two", "")
    assert masked(guards["default"]) == "[word] two"
    assert masked(guards["other"]) == "one [word]"


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (GATE, "gate"),
        ("vault: {}\n", "vault"),
        ("concurrency: {at_once: 1}\n", "concurrency"),
        ("audit: {path: a.jsonl}\n", "audit"),
    ],
)
def test_a_section_that_the_proxy_would_not_carry_out_keeps_the_policy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, section: str, name: str
) -> None:
    path = policy(tmp_path / "p.yaml", "one")
    guard = loaded(path)
    for rest in (section + SERVE, SERVE + section):
        policy(path, "two", rest)
        with caplog.at_level(logging.ERROR):
            assert masked(guard) == "[word] two"
        assert f"restart the proxy to apply a change of '{name}'" in caplog.text
    policy(path, "two, more")
    assert masked(guard) == "one [word]"  # as soon as the file says what is done


def test_a_section_that_is_gone_keeps_the_policy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = policy(tmp_path / "p.yaml", "one", GATE + SERVE)
    guard = loaded(path)
    policy(path, "two")
    assert masked(guard) == "[word] two"
    assert f"{path}:1:1: restart the proxy to apply a change of 'gate'" in caplog.text


def test_a_changed_section_serve_keeps_the_policy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = policy(tmp_path / "p.yaml", "one")
    guard = loaded(path)
    policy(path, "two", "serve: {upstream: 'https://b.example'}\n")
    assert masked(guard) == "[word] two"
    assert "to apply a change of 'serve'" in caplog.text


def test_a_changed_section_serve_keeps_the_policy_of_the_middleware(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = policy(tmp_path / "p.yaml", "one", "")
    guard = Guard.load(path)
    GuardMiddleware(streaming(Upstream([]), "text/event-stream"), guard)
    policy(path, "two", "serve: {routes: {/free: {guard: false}}}\n")
    assert masked(guard) == "[word] two"
    assert "restart the application to apply a change of 'serve'" in caplog.text


def test_a_worker_says_in_one_line_that_its_settings_have_become_invalid(tmp_path: Path) -> None:
    by = "concurrency: {by: user, per_key: {at_once: 1}}\n"
    path = policy(tmp_path / "p.yaml", "one", by + SERVE)
    given = {"upstream": "https://a.example", "policies": {"default": str(path)}}
    ended = subprocess.run(
        [sys.executable, "-c", "from guardstream.serve.proxy import run; run.from_environment()"],
        env={**os.environ, "GUARDSTREAM_SERVE": json.dumps(given)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "a worker could not start, which is tried again" in ended.stderr
    assert "Traceback" not in ended.stderr
