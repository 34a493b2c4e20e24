"""Policies and guards in another process: what is pickled, and what comes out there."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import pytest

from guardstream import BlockedError, Guard, Policy, PolicyError, Result
from guardstream.gate import gate
from guardstream.policy import pickling
from guardstream.vault import Vault, Vaults

FILES = {
    "policy.yaml": """
extends: [base.yaml, guardstream/pii-en]
json: {schema: schema.json}
rules:
  - {id: birds, words: {file: birds.txt}, replacement: '[bird]'}
""",
    "base.yaml": "rules: [{id: oak, words: [oak]}]",
    "birds.txt": "bluebird\n",
    "schema.json": '{"type": "string", "maxLength": 60}',
}
TEXT = '"bluebird oak joe@example.com"'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path / "policy.yaml"


def test_a_guard_needs_no_files_where_it_is_unpickled(policy: Path) -> None:
    guard = Guard.load(policy)
    data, said = pickle.dumps(guard), guard.check(TEXT)
    rmtree(policy.parent)
    pickling.revived.cache_clear()
    copied: Guard = pickle.loads(data)
    assert copied.check(TEXT) == said
    assert said.text == '"[bird] [oak] [email]"'
    assert copied.check(f'"{"x" * 61}"').finish == "content_filter"
    assert copied.policy.fingerprint == guard.policy.fingerprint


def test_another_process_says_the_same(policy: Path) -> None:
    guard = Guard.load(policy, rules_only=True)
    program = (
        "import pickle, sys; guard = pickle.load(sys.stdin.buffer); "
        f"sys.stdout.write(guard.check({TEXT!r}).text)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(guard), capture_output=True, check=True
    )
    assert ran.stdout.decode() == guard.check(TEXT).text


def test_a_copy_is_compiled_once() -> None:
    data = pickle.dumps(Policy.parse(FILES["base.yaml"]))
    assert pickle.loads(data).built is pickle.loads(data).built


def test_a_copy_in_the_same_process_is_the_same_policy() -> None:
    policy = Policy.parse("input: {rules: [{id: a, words: [x]}]}\nrules: []")
    for each in (policy, policy.input):
        assert copy(each) is deepcopy(each) is each


def test_a_copy_has_the_words_and_settings() -> None:
    parsed = Policy.parse(FILES["base.yaml"]).with_words({"oak": ["elm"]})
    copied: Guard = pickle.loads(pickle.dumps(Guard(parsed.with_words({"oak": ["ash"]}))))
    assert copied.check("elm, oak, ash").text == "[oak], [oak], [oak]"


def test_a_copy_of_a_guard_that_follows_files_does_not(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(FILES["base.yaml"])
    guard = Guard.load(path, reload=True)
    path.write_text("rules: [{id: elm, words: [elm]}]")
    copied: Guard = pickle.loads(pickle.dumps(guard))
    path.write_text(FILES["base.yaml"])
    assert copied.check("oak elm").text == "oak [elm]"
    assert guard.check("oak elm").text == "[oak] elm"


def test_code_is_only_what_was_allowed() -> None:
    rule = "rules: [{id: a, pattern: '[0-9]+', validate: 'builtins.bool'}]"
    with pytest.raises(PolicyError):
        Policy.parse(rule)
    parsed = Policy.parse(rule, allow_code=["builtins:bool"])
    given = pickling.pickled(parsed.built)
    assert given.code == {"builtins:bool"}
    with pytest.raises(PolicyError):
        pickling.revived(replace(given, code=frozenset()))


def test_other_packs_are_an_error(policy: Path) -> None:
    given = pickling.pickled(Policy.load(policy).built)
    with pytest.raises(PolicyError, match="install the same version of guardstream"):
        pickling.revived(replace(given, digest="0" * 64))


def test_a_missing_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "rules: [{id: a, words: [x], replacement: {pseudonym: {key_env: THE_KEY}}}]"
    monkeypatch.setenv("THE_KEY", "k" * 16)
    data = pickle.dumps(Policy.parse(text))
    monkeypatch.delenv("THE_KEY")
    with pytest.raises(PolicyError, match="THE_KEY"):
        pickle.loads(data)


def test_what_cannot_be_pickled_says_why() -> None:
    parsed = Policy.parse("input: {rules: [{id: a, words: [x]}]}\nrules: []")
    with pytest.raises(TypeError, match="pickle the policy"):
        pickle.dumps(parsed.input)
    with pytest.raises(TypeError, match="open the vault in the other process"):
        pickle.dumps(Guard(parsed).with_vault(Vault(b"k" * 16)))
    with pytest.raises(TypeError, match="give them to it in the other process"):
        pickle.dumps(Guard(parsed, rules_only=True).with_gates([]))


@pytest.mark.parametrize("taken", [pickle.dumps, copy, deepcopy])
def test_what_belongs_to_one_process_says_so(taken: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="a session cannot be pickled or copied: pickle the guard"):
        taken(Guard(Policy.parse("rules: []")).session())
    with pytest.raises(TypeError, match="Vaults cannot be pickled or copied: share them"):
        taken(Vaults())


@pytest.mark.parametrize(
    "error",
    [
        BlockedError("word"),
        BlockedError("word", "prompt"),
        BlockedError("word", result=Result("so ", (), "content_filter", {(0, "text"): "so "})),
    ],
)
def test_a_block_is_the_same_error_in_another_process(error: BlockedError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert (str(there), there.rule, there.result) == (str(error), "word", error.result)


async def words() -> AsyncIterator[str]:
    yield "a"


def test_a_guarded_stream_cannot_be_pickled_but_its_result_can() -> None:
    guard = Guard(Policy.load("guardstream/pii-en"))
    gated = gate(guard.wrap(words()), lambda *_: True)
    for stream in (guard.wrap_sync(["a"]), guard.wrap(words()), gated):
        for taken in (pickle.dumps, copy, deepcopy):
            with pytest.raises(TypeError, match="pass its `result`, or the guard"):
                taken(stream)
        assert pickle.loads(pickle.dumps(stream.result)) == stream.result
