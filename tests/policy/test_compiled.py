"""The packs of a wheel, parsed and compiled: what they answer, and what is not compiled again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.policy import build, compiled, document, packs
from guardstream.scan.regex import pattern, stored
from guardstream.scan.regex.forms import NATIVE
from guardstream.stages import confirm

PACK = "guardstream/pii-uk"

TEXTS = (
    "My National Insurance number is AB 12 34 56 C, call 020 7946 0958 or +44 7700 900123.",
    "NHS number: 943 476 5919. Postcode SW1A 1AA, sort code 20-00-00, account 55779911. " * 5,
)

OWN = f"""
version: 1
extends: [{PACK}]
rules:
  - {{id: ticket, pattern: 'TICKET-[0-9]{{40,60}}x'}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a wheel with one pack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "names", lambda: ["pii-uk"])
        path = tmp_path_factory.mktemp("wheel") / compiled.FILE
        path.write_bytes(compiled.made())
    return path


@pytest.fixture
def wheel(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package as it is in a wheel with this file."""
    made = compiled.read(file.read_bytes())
    for module in (build, document):
        monkeypatch.setattr(module, "compiled", lambda: made)


def answers(policy: Policy) -> list[Any]:
    """What a policy answers, whole and in pieces."""
    guard, found = Guard(policy), []
    for text in (*TEXTS, f"TICKET-{'1' * 50}x and TICKET-{'1' * 30}x"):
        for size in (1, 7, len(text)):
            stream = guard.wrap_sync(text[at : at + size] for at in range(0, len(text), size))
            found.append((stream.text(), stream.result.findings))
    return found


def asked_of(policy: Policy) -> Iterator[list[pattern.Wanted]]:
    """The patterns of a policy that are searched for together."""
    ruleset = policy.built.rulesets["text"]
    for wanted in ruleset.wanted(ruleset.patterns).values():
        yield [each for _, each in wanted]


@pytest.mark.parametrize("text", [f"version: 1\nextends: [{PACK}]", OWN])
def test_the_answers_are_those_of_a_checkout(text: str, request: pytest.FixtureRequest) -> None:
    expected = answers(Policy.parse(text))
    assert any(findings for _, findings in expected)
    request.getfixturevalue("wheel")
    assert answers(Policy.parse(text)) == expected


@pytest.mark.skipif(not NATIVE, reason="the search in Python reads no rows")
@pytest.mark.usefixtures("wheel")
def test_only_a_users_own_patterns_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    compile_pattern = pattern.compiled

    def noting(wanted: pattern.Wanted) -> Any:
        made.append(wanted.source)
        return compile_pattern(wanted)

    monkeypatch.setattr(pattern, "compiled", noting)
    Policy.parse(OWN)
    assert made == ["TICKET-[0-9]{40,60}x"]


@pytest.mark.usefixtures("wheel")
def test_exceptions_are_compiled_when_a_match_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("compiled at once")

    monkeypatch.setattr(confirm, "Allowed", never)
    monkeypatch.setattr(confirm, "After", never)
    Policy.load(PACK)


@pytest.mark.usefixtures("wheel")
def test_a_pack_that_was_changed_is_read_again() -> None:
    text = packs.pack("pii-uk").read_text(encoding="utf-8")
    value = document.read(f"{text}\nblock_message: mine\n", sound=True).value
    assert isinstance(value, dict)
    assert value["block_message"] == "mine"


def test_the_file_of_another_version_is_left_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "__version__", "0.0.0")
    assert not compiled.read(file.read_bytes()).documents


def test_rows_of_another_order_of_bytes_are_left_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = next(asked_of(Policy.load(PACK)))
    data = file.read_bytes().partition(b"\n")[2]
    assert stored.Stored(data).like(asked)
    monkeypatch.setattr(stored.sys, "byteorder", "big")
    assert stored.Stored(data).like(asked) is None


def test_what_is_read_is_what_was_compiled(file: Path) -> None:
    data = file.read_bytes().partition(b"\n")[2]
    for asked in asked_of(Policy.load(PACK)):
        made = stored.stored_set([pattern.pattern_of(each, 0, True, None) for each in asked])
        known = stored.Stored(data).like(asked)
        assert known
        assert known.facts == made.facts
        assert known.names == made.names
        assert known.rows == made.rows
