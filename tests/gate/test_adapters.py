"""Checks that ask others: servers on this machine that speak the APIs, and an analyzer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.gate import Context, GateError
from guardstream.gate.judge import Judge
from guardstream.gate.moderation import OpenAIModeration
from guardstream.gate.presidio import Presidio
from tests.support.sources import Source

pytestmark = pytest.mark.anyio

HERE = Context(0, "text", 0, 0)


class Server:
    """A server that keeps what it was asked, and answers by what `answer` says of it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.answer: Any = lambda _: {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                outer.asked.append(json.loads(self.rfile.read(length)))
                outer.keys.append(self.headers["authorization"])
                said = outer.answer(outer.asked[-1])
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(outer.status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def moderated(body: dict[str, Any]) -> Any:
    """An answer of the moderation endpoint: what says `vile` is flagged."""
    vile = "vile" in body["input"]
    scores = {"hate": 0.1, "harassment": 0.9 if vile else 0.3, "violence": 0.2}
    flags = {"hate": False, "harassment": vile, "violence": False}
    result = {"flagged": vile, "categories": flags, "category_scores": scores}
    return {"id": "modr-1", "model": body["model"], "results": [result]}


async def test_moderation_is_switched_on_by_a_few_lines(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-1")
    server.answer = moderated
    policy = f"""
gate:
  - use: openai_moderation
    action: block
    overlap: 20
    options: {{url: "{server.url}/moderations"}}
"""
    stream = Guard(Policy.parse(policy)).wrap(Source(["Fine. How vi", "le. More."]))
    assert await stream.text() == "Fine. "
    assert stream.blocked_by == "openai_moderation.harassment"
    assert {"model": "omni-moderation-latest", "input": "Fine. How vile. "} in server.asked
    assert set(server.keys) == {"Bearer key-1"}


@pytest.mark.parametrize(
    ("options", "text", "rule"),
    [
        ({}, "vile", "harassment"),
        ({}, "fine", None),
        ({"categories": ["hate"]}, "vile", None),
        ({"threshold": 0.25}, "fine", "harassment"),
        ({"threshold": 0.25, "categories": ["violence"]}, "vile", None),
    ],
)
async def test_categories_and_thresholds_decide(
    server: Server, options: dict[str, Any], text: str, rule: str | None
) -> None:
    server.answer = moderated
    check = OpenAIModeration(f"{server.url}/moderations", key_env=None, **options)
    verdict = await check(text, HERE)
    assert (verdict.action, verdict.rule) == (("block", rule) if rule else ("allow", "gate"))
    assert server.keys == [None]


NAN = {"flagged": False, "categories": {"a": False}, "category_scores": {"a": float("nan")}}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {}),
        (302, {}),
        (200, b"no json"),
        (200, b"[" * 100_000),
        (200, {}),
        (200, []),
        (200, None),
        (200, {"results": []}),
        (200, {"results": [{"flagged": False}]}),
        (200, {"results": [NAN]}),
        (200, {"choices": [{"message": {"content": None}}]}),
        (200, {"choices": [{"message": {"content": "I cannot say."}}]}),
    ],
)
async def test_an_answer_that_is_none_is_an_error(server: Server, status: int, answer: Any) -> None:
    server.status, server.answer = status, lambda _: answer
    checks = [
        OpenAIModeration(server.url, key_env=None, threshold=0.5),
        Judge("llama_guard", "m", server.url),
        Judge("qwen3guard", "m", server.url),
        Judge("shieldgemma", "m", server.url),
    ]
    for check in checks:
        with pytest.raises(GateError) as caught:
            await check("a secret text", HERE)
        assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_an_error(server: Server) -> None:
    server.close()
    with pytest.raises(GateError, match=r"the request to .* failed"):
        await OpenAIModeration(server.url, key_env=None)("x", HERE)


@pytest.mark.parametrize(
    ("format_", "said", "rule"),
    [
        ("llama_guard", "safe", None),
        ("llama_guard", "\n\nsafe", None),
        ("llama_guard", "unsafe\nS9", "S9"),
        ("llama_guard", "\n\nunsafe\nS10,S1", "S10"),
        ("llama_guard", "unsafe\nhunter2", "gate"),
        ("qwen3guard", "Safety: Safe\nCategories: None\nRefusal: No", None),
        ("qwen3guard", "Safety: Unsafe\nCategories: Violent, PII\nRefusal: No", "Violent"),
        ("qwen3guard", "Safety: Unsafe\nCategories: Suicide & Self-Harm", "Suicide-Self-Harm"),
        ("qwen3guard", "Safety: Controversial\nCategories: hunter2", "gate"),
        ("shieldgemma", "No", None),
        ("shieldgemma", "Yes, the response", "gate"),
    ],
)
async def test_judges_answer_as_their_model_cards_say(
    server: Server, format_: str, said: str, rule: str | None
) -> None:
    server.answer = lambda _: {"choices": [{"message": {"role": "assistant", "content": said}}]}
    check = Judge(format_, "guard-8b", f"{server.url}/chat/completions", guideline="no spite")
    verdict = await check("is here.", Context(0, "text", 1, 4, "What "))
    assert (verdict.action, verdict.rule) == (("block", rule) if rule else ("allow", "gate"))
    asked = server.asked[0]
    assert asked["messages"] == [
        {"role": "user", "content": "Please answer."},
        {"role": "assistant", "content": "What is here."},
    ]
    assert (asked["model"], asked["temperature"]) == ("guard-8b", 0)
    assert asked["chat_template_kwargs"] == {"guideline": "no spite"}


async def test_what_is_controversial_may_pass(server: Server) -> None:
    said = "Safety: Controversial\nCategories: PII"
    server.answer = lambda _: {"choices": [{"message": {"content": said}}]}
    assert (await Judge("qwen3guard", "m", server.url)("x", HERE)).rule == "PII"
    lenient = Judge("qwen3guard", "m", server.url, controversial=False)
    assert (await lenient("x", HERE)).action == "allow"


class Analyzer:
    """Finds a name and a place, with the interface of Presidio's AnalyzerEngine."""

    def analyze(
        self, *, text: str, entities: list[str], language: str, score_threshold: float
    ) -> list[Any]:
        assert language == "en"
        known = [("PERSON", "Ann Lee", 0.85), ("LOCATION", "Paris", 0.6)]
        return [
            SimpleNamespace(
                entity_type=entity,
                start=text.index(name),
                end=text.index(name) + len(name),
                score=score,
            )
            for entity, name, score in known
            if name in text and entity in entities and score >= score_threshold
        ]


@pytest.mark.parametrize(
    ("text", "before", "options", "rule"),
    [
        ("Ann Lee in Paris", "", {}, "PERSON"),
        ("to Paris", "", {}, "LOCATION"),
        ("to Paris", "", {"threshold": 0.7}, None),
        ("to Paris", "", {"entities": ["PERSON"]}, None),
        ("Lee", "Ann ", {}, "PERSON"),
        (" is here", "Ann Lee", {}, None),
    ],
)
async def test_an_analyzer_names_what_is_new(
    text: str, before: str, options: dict[str, Any], rule: str | None
) -> None:
    verdict = await Presidio(analyzer=Analyzer(), **options)(text, Context(0, "text", 0, 0, before))
    assert (verdict.action, verdict.rule) == (("block", rule) if rule else ("allow", "gate"))


async def test_presidio_without_its_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def exits() -> Any:  # as spaCy's download does where there is no network
        raise SystemExit(1)

    module = SimpleNamespace(AnalyzerEngine=exits)
    monkeypatch.setitem(sys.modules, "presidio_analyzer", module)
    with pytest.raises(GateError, match="no model"):
        Presidio()
