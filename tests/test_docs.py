"""What the pages on policies and operations show is true, and nothing is missing in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from guardstream import Guard, Policy, validators
from guardstream.cli.demo import recording
from guardstream.observability import as_dict
from guardstream.observability.prometheus import Prometheus
from guardstream.policy import inline, packs
from guardstream.policy.document import read
from guardstream.policy.model import MODELS, PolicyFile, keys
from guardstream.policy.sections import Model
from guardstream.stream.callbacks import Handlers
from guardstream.stream.result import Result
from tests.support import encodings
from tests.support.watching import Watching

ROOT = Path(__file__).resolve().parent.parent

SHARED = "how-to/subpatterns.md"

PAGE = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("policies.md", "running.md", "own-formats.md", "reference/packs.md", SHARED)
)

BLOCKS = re.findall(r"```(yaml|text|json|python)\n(.*?)```", PAGE, re.DOTALL)

POLICIES = [text for kind, text in BLOCKS if kind == "yaml"]

PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]

SERVING = ("serve.md", "how-to/mcp.md", "how-to/reconnect.md")

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

NAME = re.compile(r"file: ([\w./-]+\.\w+)")


CODE = ["guardstream.policy.validators:aba", "company.tokens:count", "company.stages:Shout"]
"""The code that the examples name."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name."""
    for _, text in BLOCKS:
        named = NAME.search(text.splitlines()[0])
        if named:
            path = tmp_path / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("GUARDSTREAM_KEY", "a key")
    monkeypatch.syspath_prepend(tmp_path)
    encodings.install(monkeypatch, "o200k_base")
    return tmp_path


@pytest.mark.parametrize("text", POLICIES, ids=range(len(POLICIES)))
def test_the_examples_do_what_they_say(text: str, folder: Path) -> None:
    policy = Policy.parse(text, name="docs/policies.md", folder=folder, allow_code=CODE)
    assert [outcome for outcome in inline.run(policy.built) if outcome.problem] == []


def test_the_programs_run() -> None:
    names: dict[str, object] = {"__name__": "docs"}
    for text in PROGRAMS:
        exec(text, names)


def test_the_programs_about_serving_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text("rules: [{id: word, words: [secret]}]")
    monkeypatch.chdir(tmp_path)
    pages = [(ROOT / "docs" / name).read_text("utf-8") for name in SERVING]
    names: dict[str, object] = {"__name__": "docs"}
    for text in re.findall(r"```py(?:thon)?\n(.*?)```", "\n".join(pages), re.DOTALL):
        exec(text, names)


def test_every_key_has_an_example() -> None:
    shown = {key for text in POLICIES for key in stated(read(text).value)}
    models: list[type[Model]] = [PolicyFile, *MODELS.values()]
    known = {key for model in models for key in keys(model)}
    assert known - shown == set()


def stated(value: object) -> Iterator[str]:
    """Every key in a value, at any depth."""
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from stated(item)
    elif isinstance(value, list):
        for item in value:
            yield from stated(item)


def test_every_pack_check_and_normalisation_is_named() -> None:
    assert [name for name in packs.names() if f"`guardstream/{name}`" not in PAGE] == []
    assert [name for name in validators.names() if f"`{name}" not in PAGE] == []


def test_the_moving_picture_shows_what_the_demo_does() -> None:
    picture = (ROOT / "docs" / "pictures" / "demo.svg").read_text(encoding="utf-8")
    came = "".join(delta.text for delta in recording())
    released = Guard.load("guardstream/chat").check(came).text
    for kind, text in (("", came), ("out", released)):
        drawn = "".join(re.findall(rf'<text class="{kind}"[^>]*>([^<]*)</text>', picture))
        assert "".join(unescape(drawn).split()) == "".join(text.split()), "make pictures"
    assert "prefers-reduced-motion" in picture


def test_models_are_documented() -> None:
    assert [m for m in MODELS.values() if not (issubclass(m, BaseModel) and m.__doc__)] == []


def test_the_programs_of_operations_run() -> None:
    names: dict[str, object] = {"__name__": "docs"}
    for text in re.findall(r"```python\n(.*?)```", OPERATIONS, re.DOTALL):
        exec(text, names)


def test_every_field_metric_and_callback_is_named() -> None:
    seen, metrics = Watching(), Prometheus()
    Guard(Policy.parse("version: 1"), observers=[seen, metrics]).wrap_sync(["a"]).text()
    families = {family.name: family.type for family in metrics.registry.collect()}
    named = [name + "_total" * (kind == "counter") for name, kind in families.items()]
    named += [*as_dict(seen.record), *(each.name for each in fields(Result))]
    named += [each.name for each in fields(Handlers) if each.name.startswith("on_")]
    assert [name for name in named if f"`{name}`" not in OPERATIONS] == []


@pytest.mark.parametrize("page", ["proxy", "pseudonyms"])
def test_the_policies_of_other_pages_load(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    for policy in re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if "rules:" in policy or "serve:" in policy or "input:" in policy:  # not a part of one
            Policy.parse(policy)


def test_the_application_of_the_proxys_page_answers_preflight_requests() -> None:
    text = (ROOT / "docs" / "how-to" / "proxy-in-your-server.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "docs"}
    for program in re.findall(r"^```py\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        exec(program, names)
    asked = {"origin": "https://chat.example.com", "access-control-request-method": "POST"}
    response = TestClient(names["app"]).options("/v1/chat/completions", headers=asked)
    assert response.headers["access-control-allow-origin"] == asked["origin"]
