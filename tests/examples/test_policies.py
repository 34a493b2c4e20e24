"""The policies in examples/policies: sound, listed, and doing what they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import anyio
import jsonschema_rs
import pytest
from starlette.responses import PlainTextResponse

from guardstream import Guard, Policy, extract
from guardstream.cli import explain
from guardstream.observability import read_audit
from guardstream.policy import build, inline, lint
from guardstream.policy.document import read
from guardstream.policy.key_file import hashed
from guardstream.policy.model import OPERATIONAL
from guardstream.policy.sources import Loader
from guardstream.serve import GuardMiddleware
from guardstream.serve.proxy import ServeOptions, section_options
from guardstream.serve.proxy.upstreams import Target
from tests.resilience.providers import Provider, broken
from tests.support.sources import Source

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "policies"

FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The examples where logs may be written, and the secrets that they name."""
    for name in ("OPENAI_API_KEY", "WEB_KEY", "BATCH_KEY", "VAULT_ID_KEY"):
        monkeypatch.setenv(name, f"the {name}")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
    return Path(shutil.copytree(FOLDER, tmp_path / "policies"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_sound(path: Path, folder: Path) -> None:
    built = build.load(folder / path.name, Loader(purpose="lint"))
    assert lint.warnings(built) == []
    assert [outcome for outcome in inline.run(built) if outcome.problem] == []
    judge = jsonschema_rs.validator_for(
        json.loads((FOLDER.parents[1] / "policies" / "policy.schema.json").read_text())
    )
    assert judge.is_valid(read(path.read_text()).value)
    stated = [name for name in OPERATIONAL if name in built.file.model_fields_set]
    assert [name for name in stated if f"  {name}:" not in explain.table(str(path))] == []


def test_each_is_listed() -> None:
    page = (FOLDER.parent / "README.md").read_text()
    assert [path.name for path in FILES if f"(policies/{path.name})" not in page] == []


@pytest.mark.asyncio
async def test_chat(folder: Path) -> None:
    guard = Guard.load(folder / "chat.yaml")
    provider = Provider(broken("blue"), Source(["project blue", "bird is CU-12345678"]))
    stream = guard.wrap(provider, attributes={"user": "u1"})
    assert await stream.text() == "project ******** is CU-******78"
    records: list[Any] = list(read_audit(folder / "chat-audit.jsonl"))
    assert [record.get("attempts") for record in records] == [None, 2]


@pytest.mark.asyncio
async def test_structured(folder: Path) -> None:
    guard = Guard.load(folder / "structured.yaml")
    orders = '[{"id": "a", "amount": 2,}, {"id": "bluebird", "amount": 3}]'
    answer = f'Sure:\n```json\n{{"orders": {orders}}}\n```'
    stream = guard.wrap(Source(list(answer)))
    found = [order async for order in extract.items(stream, "$.orders[*]")]
    assert found == [{"id": "a", "amount": 2}, {"id": "********", "amount": 3}]


@pytest.mark.asyncio
async def test_moderated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(_: Any, body: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        unsafe = "vile" in body["messages"][-1]["content"]
        return {"choices": [{"message": {"content": "unsafe\nS1" if unsafe else "safe"}}]}

    monkeypatch.setattr("guardstream.gate.endpoint.Endpoint.ask", ask)
    guard = Guard.load(folder / "moderated.yaml")
    stream = guard.wrap(Source(["Fine.\n\n", "How vile.\n\n", "More."]))
    assert await stream.text() == "Fine.\n\n"
    *_, record = read_audit(folder / "moderated-audit.jsonl")
    assert isinstance(record, dict)
    assert record["finish"] == "content_filter"
    assert record["blocked_by"] == stream.blocked_by


def test_proxy(folder: Path) -> None:
    path = str(folder / "proxy.yaml")
    said = section_options(path)
    assert (said.pop("listen"), said.pop("workers")) == ("127.0.0.1:8080", 2)
    said["policies"]["default"] = path
    settings = ServeOptions(**said).settings()
    keys = {"web": hashed("the WEB_KEY"), "batch": hashed("the BATCH_KEY")}
    assert {name: key.sha256 for name, key in settings.keys.items()} == keys
    assert isinstance(settings.upstream, Target)
    assert settings.upstream.key == "the OPENAI_API_KEY"
    assert settings.metrics is not None
    assert settings.guards["default"].policy.input is not None


def test_middleware(folder: Path) -> None:
    guard = Guard.load(folder / "middleware.yaml")
    app = GuardMiddleware(PlainTextResponse("x"), guard)
    assert app._routes.find({"type": "http", "path": "/status/ok"}) is None
    found = app._routes.find({"type": "http", "path": "/internal/ask"})
    assert found is not None
    assert (found.format, found.heartbeat) == ("openai_chat", 15.0)


def test_house_rules() -> None:
    assert Policy.load(FOLDER / "house-rules.yaml").operational is False
