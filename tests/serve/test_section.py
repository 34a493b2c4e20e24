"""The middleware as the section `serve` of its guard's policy describes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from guardstream import Guard, Policy, PolicyError
from guardstream.observability import read_audit
from guardstream.observability.prometheus import shared
from guardstream.serve import GuardMiddleware, MemoryReplay
from guardstream.serve.from_policy import routes_of
from tests.serve.apps import Upstream, streaming
from tests.serve.visit import Visit
from tests.support.custom_stages import Upper
from tests.support.replays import WORDS, fetch, ids, text

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


async def test_a_route_of_another_policy_has_the_stages_of_the_program(tmp_path: Path) -> None:
    around(tmp_path, "  routes: {/o: other.yaml}\n")
    guard = Guard.load(tmp_path / "policy.yaml", stages=[Upper])
    answer = await fetch(GuardMiddleware(streaming(Upstream(WORDS), SSE), guard), path="/o")
    assert text(answer).split() == ["ONE", "222", "SECRET", "FOUR", "FIVE"]


async def test_a_route_of_another_policy_ends_blocked_answers_as_the_guard_does(
    tmp_path: Path,
) -> None:
    around(tmp_path, "  routes: {/o: bad.yaml}\n")
    (tmp_path / "bad.yaml").write_text("rules: [{id: two, words: [two], action: block}]")
    guard = Guard.load(tmp_path / "policy.yaml").with_on_block("error")
    (route,) = routes_of(guard)
    assert (await route.apinned()).on_block == "error"


async def test_rules_only_is_for_all_routes(tmp_path: Path) -> None:
    around(tmp_path, "  routes: {/o: logged.yaml}\n")
    (tmp_path / "logged.yaml").write_text("rules: []\naudit: {path: logged.jsonl}")
    guard = Guard.load(tmp_path / "policy.yaml", rules_only=True)
    await fetch(GuardMiddleware(streaming(Upstream(WORDS), SSE), guard), path="/o")
    assert not (tmp_path / "logged.jsonl").exists()


async def test_routes_of_other_policies_follow_reloads(tmp_path: Path) -> None:
    section = "  routes: {/o: other.yaml}\n"
    app = around(tmp_path, section, "reload: true\naudit: {path: a.jsonl}")(WORDS)
    await fetch(app, path="/o")
    around(tmp_path, section, "reload: true\naudit: {path: b.jsonl}")
    (tmp_path / "other.yaml").write_text("name: new\nrules: [{id: one, words: [one]}]")
    assert text(await fetch(app, path="/o")).split()[:2] == ["[one]", "two"]
    records = [list[Any](read_audit(tmp_path / name)) for name in ("a.jsonl", "b.jsonl")]
    assert [[record["policy"] for record in log] for log in records] == [["other"], ["new"]]


async def test_routes_of_other_policies_count_a_stream_once(tmp_path: Path) -> None:
    around(tmp_path, "  routes: {/o: counted.yaml}\n", "metrics: {prometheus: true}")
    name = tmp_path.name  # other tests count in the same registry
    (tmp_path / "counted.yaml").write_text(f"name: {name}\nmetrics: {{prometheus: true}}")
    guard = Guard.load(tmp_path / "policy.yaml")
    await fetch(GuardMiddleware(streaming(Upstream(WORDS), SSE), guard), path="/o")
    counted = re.findall(rf'streams_total\{{.*"{name}".*\}} (.*)', shared().render().decode())
    assert counted == ["1.0"]


async def test_a_connection_keeps_the_policy_of_its_inbound_messages(tmp_path: Path) -> None:
    around(tmp_path, "  routes: {/ws: {websocket: text, inbound: other.yaml}}\n", "reload: true")
    (route,) = routes_of(Guard.load(tmp_path / "policy.yaml"))
    kept = (await route.apinned()).inbound
    (tmp_path / "other.yaml").write_text("name: new\nrules: []")
    assert route.inbound is not None
    assert kept is not None
    assert (kept.policy.name, route.inbound.policy.name) == ("other", "new")


@pytest.mark.parametrize("name", ["policy.yaml", "other.yaml"])
async def test_a_reload_that_the_middleware_cannot_apply_changes_nothing(
    tmp_path: Path, name: str
) -> None:
    app = around(tmp_path, "  routes: {/o: other.yaml}\n", "reload: true")(WORDS)
    with (tmp_path / name).open("a") as file:
        file.write("\nretry: {attempts: 2}\n")
    for path, expected in (("/o", "222"), ("/else", "two")):
        assert text(await fetch(app, path=path)).split()[1] == expected


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
