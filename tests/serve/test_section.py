"""The middleware as the section `serve` of its guard's policy describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from guardstream import Guard, Policy, PolicyError
from guardstream.observability import read_audit
from guardstream.serve import GuardMiddleware, MemoryReplay
from tests.serve.apps import Upstream, streaming
from tests.serve.test_replay import WORDS, fetch, ids, text
from tests.serve.visit import Visit

pytestmark = pytest.mark.anyio

SSE = "text/event-stream"

RULES = "name: around\nrules: [{id: word, words: [secret], replacement: '*'}]\n"


def around(folder: Path, section: str, more: str = "", **settings: Any) -> Any:
    """Make the middleware of a policy with this section, around an application that streams."""
    path = folder / "policy.yaml"
    path.write_text(f"{RULES}{more}\nserve:\n{section}")
    (folder / "other.yaml").write_text(
        "name: other\nrules: [{id: two, words: [two], replacement: '2'}]"
    )
    return lambda chunks: GuardMiddleware(
        streaming(Upstream(chunks), SSE), Guard.load(path), **settings
    )


async def test_routes_are_guarded_as_they_say(tmp_path: Path) -> None:
    section = "  routes: {/free: {guard: false}, '/o/{id}': other.yaml}\n"
    make = around(tmp_path, section, "audit: {path: a.jsonl}")
    answers = [await fetch(make(WORDS), path=path) for path in ("/free", "/o/1", "/else")]
    assert [text(visit).split() for visit in answers] == [
        ["one", "two", "secret", "four", "five"],
        ["one", "222", "secret", "four", "five"],
        ["one", "two", "******", "four", "five"],
    ]
    records: list[Any] = list(read_audit(tmp_path / "a.jsonl"))
    assert [record["policy"] for record in records] == ["other", "around"]


async def test_events_are_kept_for_clients_that_come_back(tmp_path: Path) -> None:
    app = around(tmp_path, "  replay: {max_events: 3}\n")(WORDS)
    first = await fetch(app)
    found = ids(first)
    assert len(found) == 5
    assert text(await fetch(app, found[2])) == "four five "
    assert (await fetch(app, found[0])).status == 410


async def test_silence_has_heartbeats(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES + "serve: {heartbeats: 2ms}")
    app = GuardMiddleware(streaming(Upstream(WORDS, silent=True), SSE), Guard.load(path))
    visit = Visit(leave_after=9)
    with anyio.fail_after(10):
        await visit.to(app)
    assert b": ping" in visit.body


async def test_what_the_code_says_counts_first(tmp_path: Path) -> None:
    own = MemoryReplay()
    section = "  replay: {max_events: 1}\n  routes: {/free: {guard: false}}\n"
    guard = Guard(Policy.parse(RULES))
    app = around(tmp_path, section, replay=own, routes=[("/free", guard)])(WORDS)
    visit = await fetch(app, path="/free")
    assert text(visit) == "one two ****** four five "
    assert len(own) == 1


async def test_a_websocket_is_guarded_as_its_route_says(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    section = "serve: {routes: {/ws: {websocket: message, inbound: ./in.yaml, binary: pass}}}"
    path.write_text(RULES + section)
    (tmp_path / "in.yaml").write_text("rules: [{id: x, words: [attack]}]")
    app = GuardMiddleware(streaming(Upstream([]), SSE), Guard.load(path))
    route = app._routes.find({"type": "websocket", "path": "/ws"})
    assert route is not None
    assert route.inbound is not None
    assert (route.websocket, route.binary) == ("message", "pass")
    assert route.inbound.check("an attack").text == "an [x]"


@pytest.mark.parametrize("section", ["retry: {attempts: 2}", "concurrency: {at_once: 2}"])
def test_what_a_server_does_not_do_is_refused(section: str) -> None:
    guard = Guard(Policy.parse(RULES + section, name="p.yaml"))
    with pytest.raises(PolicyError, match=r"p.yaml:3:1: .*not applied by the middleware"):
        GuardMiddleware(streaming(Upstream([]), SSE), guard)


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("  replay: {redis: '${NO_SUCH_URL}'}\n", r"5:3: the environment variable 'NO_SUCH_URL'"),
        ("  replay: {redis: '${BAD_URL}'}\n", r"5:3: \$\{BAD_URL\} does not hold a Redis URL"),
        ("  routes: {/x: none.yaml}\n", r"none.yaml:1:1: cannot be read"),
        ("  upstreams: {b: 'http://b'}\n  routes: {/x: {upstream: b}}\n", r"has no upstreams"),
        ("  routes: {/x: {text_types: [text/jsonl]}}\n", r"5:\d+: 'text_types' names 'text/jsonl'"),
    ],
)
def test_what_cannot_be_made_is_told_with_its_place(
    tmp_path: Path, section: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAD_URL", "a-secret://x")
    with pytest.raises(PolicyError, match=why) as caught:
        around(tmp_path, section)(WORDS)
    assert "a-secret" not in str(caught.value)
