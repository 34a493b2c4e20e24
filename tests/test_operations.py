"""A guard does what its policy says about running streams, with nothing more in code."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import ref

import anyio
import anyio.lowlevel
import pytest
from pydantic import BaseModel

from guardstream import BlockedError, Guard, Policy, PolicyError, extract
from guardstream.gate.stream import GatedStream
from guardstream.observability import read_audit
from guardstream.observability.prometheus import shared
from guardstream.resilience import Limiter, LimiterError, Retry, RetryingStream, retrying
from guardstream.stream.asynchronous import GuardedStream
from guardstream.stream.protocol import ChunkStream
from guardstream.vault import Vault
from tests.resilience.providers import BusyError, Provider, broken
from tests.support.chunking import one_by_one
from tests.support.sources import Source
from tests.support.watching import Failing, Watching

pytestmark = pytest.mark.anyio

RULES = "rules: [{id: word, words: [secret], replacement: '*'}]\n"

TEXT = "a secret and vile words"


def guard(sections: str, **options: Any) -> Guard:
    return Guard(
        Policy.parse(RULES + sections, name="p.yaml", allow_code=["judging:check"]), **options
    )


@pytest.fixture(autouse=True)
def judging(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with a check that blocks one word, and never answers about another."""

    async def check(text: str, _: Any) -> bool:
        if "puzzling" in text:
            await anyio.sleep_forever()
        return "vile" not in text

    module = ModuleType("judging")
    module.check = check  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "judging", module)


GATE = "gate: [{use: 'judging:check', id: house, action: block, window: 100}]\n"


# Retry


async def test_a_function_is_called_again_as_the_policy_says() -> None:
    provider = Provider(broken("sec"), broken(), Source(one_by_one(TEXT)))
    stream = guard("retry: {attempts: 3, wait_initial: 1ms, wait_max: 1ms}").wrap(provider)
    assert isinstance(stream, RetryingStream)
    assert await stream.text() == "a ****** and vile words"
    assert provider.opened == 3


async def test_what_the_call_says_takes_the_place_of_the_policy() -> None:
    provider = Provider(broken())
    once = Retry(attempts=1, wait_initial=0.0, wait_max=0.0)
    with pytest.raises(BusyError):
        await guard("retry: {attempts: 3}").wrap(provider, retry=once).text()
    assert provider.opened == 1
    with pytest.raises(BusyError):
        await retrying(guard("retry: {attempts: 3}"), provider, attempts=1).text()
    assert provider.opened == 2


async def test_fallbacks_follow_the_policys_attempts() -> None:
    first, second = Provider(broken()), Provider(Source([TEXT]))
    section = "retry: {attempts: 2, wait_initial: 1ms, wait_max: 1ms}"
    told: list[int] = []
    stream = guard(section).wrap(first, fallbacks=[second], on_retry=lambda _, n: told.append(n))
    assert await stream.text() == "a ****** and vile words"
    assert (first.opened, second.opened, told) == (2, 1, [2, 3])


async def test_a_stream_that_is_open_cannot_be_opened_again() -> None:
    with pytest.raises(PolicyError, match=r"p.yaml:2:1: .*give wrap\(\) the function"):
        guard("retry: {attempts: 2}").wrap(Source(["x"]))
    with pytest.raises(TypeError, match="needs a function that opens the stream"):
        guard("").wrap(Source(["x"]), fallbacks=[Provider(Source(["y"]))])  # type: ignore[call-overload]


async def test_a_function_is_called_once_where_no_policy_says_more() -> None:
    provider = Provider(broken("a "))
    stream = guard("").wrap(provider)
    assert isinstance(stream, GuardedStream)
    assert provider.opened == 0
    with pytest.raises(BusyError):
        await stream.text()
    assert (provider.opened, provider.closed) == (1, [1])

    async def answer() -> AsyncIterator[str]:
        yield TEXT

    assert await guard("").wrap(answer).text() == "a ****** and vile words"
    assert await guard("").wrap(lambda: TEXT).text() == "a ****** and vile words"


# Concurrency


async def test_streams_wait_for_room_by_their_attribute() -> None:
    limited = guard("concurrency: {by: user, per_key: {at_once: 1}, queue: 0}")
    first = limited.wrap(Source(["a", "b"]), attributes={"user": "one"})
    assert await anext(first) == "a"
    with pytest.raises(LimiterError):
        await limited.wrap(Source(["a"]), attributes={"user": "one"}).text()
    assert await limited.wrap(Source(["a"]), attributes={"user": "two"}).text() == "a"
    await first.aclose()
    assert await limited.wrap(Source(["a"]), attributes={"user": "one"}).text() == "a"


@pytest.mark.parametrize("way", ["read", "closed", "failed", "stopped", "blocked"])
async def test_a_place_is_given_back_however_a_stream_ends(way: str) -> None:
    limited = guard("concurrency: {at_once: 1, queue: 0}\n" + GATE)
    for _ in range(3):
        error = BusyError() if way == "failed" else None
        source = Source(["vile" if way == "blocked" else "x"], error=error)
        stream = limited.wrap(source)
        if way == "closed":
            await anext(stream)
            await stream.aclose()
        elif way == "stopped":
            async for _chunk in stream:
                stream.stop()
        elif way == "failed":
            with pytest.raises(BusyError):
                await stream.text()
        else:
            await stream.text()
        assert source.closed == 1


async def test_a_function_is_not_called_before_there_is_room() -> None:
    limited = guard("concurrency: {at_once: 1, queue: 0}\nretry: {attempts: 1}")
    provider = Provider(Source(["a", "b"]))
    async with limited.wrap(provider) as first:
        await anext(first)
        with pytest.raises(LimiterError):
            await limited.wrap(provider).text()
    assert provider.opened == 1


def test_a_guard_is_for_any_number_of_event_loops() -> None:
    limited = guard("concurrency: {at_once: 1, timeout: 5s}")

    async def read() -> str:
        return await limited.wrap(Source([TEXT])).text()

    for backend in ("asyncio", "trio", "asyncio"):
        assert anyio.run(read, backend=backend) == "a ****** and vile words"


async def test_guards_have_limiters_of_their_own() -> None:
    section = "concurrency: {at_once: 1, queue: 0}"
    one, other = guard(section), guard(section)
    async with one.wrap(Source(["a", "b"])) as held:
        await anext(held)
        assert await other.wrap(Source(["a"])).text() == "a"
        with pytest.raises(LimiterError):
            await one.wrap(Source(["a"])).text()


async def test_a_loop_keeps_no_limiter_that_a_reload_has_replaced(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES + "concurrency: {at_once: 1}")
    limited = Guard.load(path, reload=True)
    before = ref(limiter_of(limited))
    assert limiter_of(limited) is before()
    async with limited.wrap(Source(["a", "b"])) as running:
        await anext(running)
        path.write_text(RULES + "concurrency: {at_once: 2}")
        after = ref(limiter_of(limited))
        assert before() is not None  # the stream has its place there
    del running
    del limited
    gc.collect()
    assert (before(), after()) == (None, None)


def limiter_of(limited: Guard) -> Limiter:
    operations = limited._operating(limited.policy)
    assert operations is not None
    assert operations.limiter is not None
    return operations.limiter()


async def test_a_stream_without_the_attribute_is_refused() -> None:
    limited = guard("concurrency: {by: user, per_key: {rate: 1/s}}")
    with pytest.raises(PolicyError, match=r"p.yaml:2:15: a stream needs the attribute 'user'"):
        limited.wrap(Source(["x"]))


# Audit and metrics


def audited(folder: Path, sections: str, **options: Any) -> tuple[Guard, Path]:
    path = folder / "policy.yaml"
    path.write_text(RULES + sections)
    return Guard.load(path, allow_code=["judging:check"], **options), folder / "audit.jsonl"


AUDIT = "audit: {path: audit.jsonl}\n"


async def test_records_go_beside_the_policy(tmp_path: Path) -> None:
    logged, log = audited(tmp_path, "audit: {path: audit.jsonl, starts: true, mode: '640'}")
    await logged.wrap(Source([TEXT])).text()
    logged.wrap_sync([TEXT]).text()
    records: list[Any] = list(read_audit(log))
    assert [record.get("begins", False) for record in records] == [True, False] * 2
    assert oct(log.stat().st_mode & 0o777) == "0o640"


class Told:
    """Can be waited for until a stream has its record."""

    def __init__(self) -> None:
        self.closed_one = anyio.Event()

    def opened(self, _: Any) -> None:
        pass

    def closed(self, _: Any) -> None:
        self.closed_one.set()


async def test_attempts_and_gates_are_one_record(tmp_path: Path) -> None:
    sections = AUDIT + GATE + "retry: {attempts: 2, wait_initial: 1ms, wait_max: 1ms}\n"
    logged, log = audited(tmp_path, sections)
    stream = logged.wrap(Provider(broken(), Source([TEXT])))
    assert isinstance(stream, GatedStream)
    assert await stream.text() == ""
    (record,) = read_audit(log)
    assert isinstance(record, dict)
    assert (record["finish"], record["blocked_by"]) == ("content_filter", "house")
    assert (record["attempts"], record["error"]) == (2, None)
    assert [found["rule"] for found in record["findings"]] == ["word", "house"]
    assert [found.rule for found in stream.findings] == ["word", "house"]


@pytest.mark.parametrize(
    "sections", [GATE, "retry: {attempts: 2}\n", GATE + "retry: {attempts: 2}"]
)
async def test_a_stream_that_is_dropped_has_one_record(tmp_path: Path, sections: str) -> None:
    told = Told()
    logged, log = audited(tmp_path, AUDIT + sections, observers=[told])
    stream: Any = logged.wrap(Provider(Source(["One. ", "Two. ", *["More. "] * 100])))
    await anext(stream)
    del stream
    gc.collect()
    await told.closed_one.wait()
    (record,) = read_audit(log)
    assert isinstance(record, dict)
    assert record["finish"] == "cancelled"


async def closing_late() -> None:
    with anyio.CancelScope(shield=True):
        for _ in range(10):
            await anyio.lowlevel.checkpoint()


async def closing_fails() -> None:
    raise RuntimeError


@pytest.mark.parametrize("retry", ["", "retry: {attempts: 2}\n"])
@pytest.mark.parametrize("closing", [closing_late, closing_fails])
async def test_a_stream_that_is_dropped_while_a_check_waits_has_one_record(
    tmp_path: Path, closing: Callable[[], Awaitable[None]], retry: str
) -> None:
    async def answer() -> AsyncIterator[str]:
        try:
            for chunk in ["One. ", "Two is puzzling. ", "Three. "]:
                yield chunk
            await anyio.sleep_forever()
        finally:
            await closing()

    told = Told()
    gate = "gate: [{use: 'judging:check', id: house, action: block}]\n"
    logged, log = audited(tmp_path, AUDIT + gate + retry, observers=[told])
    stream: Any = logged.wrap(answer if retry else answer())
    assert await anext(stream) == "One. "
    del stream
    gc.collect()
    with anyio.fail_after(10):
        await told.closed_one.wait()
    (record,) = read_audit(log)
    assert isinstance(record, dict)
    assert (record["finish"], record["error"]) == ("cancelled", None)


@pytest.mark.parametrize("sections", ["", GATE, "retry: {attempts: 2}\n"])
async def test_no_record_no_answer(
    tmp_path: Path, sections: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged, _ = audited(tmp_path, "audit: {path: audit.jsonl, errors: raise}\n" + sections)
    monkeypatch.setattr("guardstream.observability.audit.os.write", lambda *_: 0)
    stream = logged.wrap(Provider(Source(["x"])))
    with pytest.raises(Exception, match="'AuditLog' failed"):
        await anext(stream)


async def test_errors_of_other_observers_are_still_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    section = "audit: {path: audit.jsonl, errors: raise}"
    logged, log = audited(tmp_path, section, observers=[Failing(), Watching()])
    assert await logged.wrap(Source(["x"])).text() == "x"
    assert "'Failing' failed" in caplog.text
    assert len(list(read_audit(log))) == 2  # its beginning, and its end


def test_a_log_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(PolicyError, match=r"policy.yaml:2:9: .*cannot be written"):
        audited(tmp_path, AUDIT)


async def test_records_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="shop.streams")
    await guard("audit: {log: {logger: shop.streams}}").wrap(Source([TEXT])).text()
    assert [record.name for record in caplog.records] == ["shop.streams"]


async def test_prometheus_counts_in_the_packages_own_registry() -> None:
    counted = guard("name: counted-here\nmetrics: {prometheus: true, opentelemetry: true}")
    await counted.wrap(Source([TEXT])).text()
    guard("metrics: {prometheus: true}")  # names are unique there, and yet a second guard is fine
    assert b'policy="counted-here"' in shared().render()


# All of it, none of it, and later


ALL = (
    AUDIT + GATE + "retry: {attempts: 2, wait_initial: 1ms, wait_max: 1ms}\n"
    "concurrency: {at_once: 2, rate: 1000/s}\nmetrics: {prometheus: true}\n"
)


@pytest.mark.parametrize("chunks", [["all secret here"], one_by_one("all secret here")])
async def test_all_of_it_together_is_a_stream_as_any_other(
    tmp_path: Path, chunks: list[str]
) -> None:
    stream = audited(tmp_path, ALL)[0].wrap(Provider(broken("sec"), Source(chunks)))
    assert isinstance(stream, ChunkStream)
    async with stream:
        assert "".join([text async for text in stream.text_stream]) == "all ****** here"
    assert (stream.finish, stream.blocked_by, stream.result.text) == (
        "stop",
        None,
        "all ****** here",
    )


async def test_rules_only_leaves_it_out(tmp_path: Path) -> None:
    rules, log = audited(tmp_path, ALL, rules_only=True)
    assert await rules.wrap(Source([TEXT])).text() == "a ****** and vile words"
    assert rules.check(TEXT).text == rules.wrap_sync([TEXT]).text() == "a ****** and vile words"
    assert not log.exists()


def test_rules_only_leaves_out_the_log_of_the_guard_around_it(tmp_path: Path) -> None:
    around, log = audited(tmp_path, AUDIT)
    route = around.for_policy(Policy.parse(RULES))
    assert route.with_rules_only().wrap_sync([TEXT]).text() == "a ****** and vile words"
    assert not list(read_audit(log))
    route.wrap_sync([TEXT]).text()
    assert len(list(read_audit(log))) == 1


@pytest.mark.parametrize("section", ["retry: {attempts: 2}", "concurrency: {at_once: 1}"])
def test_what_has_no_event_loop_refuses_what_needs_one(section: str) -> None:
    with pytest.raises(PolicyError, match=r"p.yaml:2:1: .*not applied by wrap_sync\(\)"):
        guard(section).wrap_sync(["x"])
    assert guard(section).check(TEXT).text == "a ****** and vile words"


async def test_a_reload_brings_new_sections_and_keeps_those_that_stay(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES + "concurrency: {at_once: 1, queue: 0}")
    followed = Guard.load(path, reload=True, allow_code=["judging:check"])
    held = followed.wrap(Source(["a", "b"]))
    await anext(held)
    path.write_text(RULES + "concurrency: {at_once: 1, queue: 0}\n" + GATE)
    judged = followed.wrap(Source(["vile"]))
    assert isinstance(judged, GatedStream)
    with pytest.raises(LimiterError):  # the limiter is the one that `held` has its place of
        await judged.text()
    await held.aclose()
    path.write_text(RULES)
    assert await followed.wrap(Source([TEXT])).text() == "a ****** and vile words"


async def test_a_reload_that_cannot_be_carried_out_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"reload: true\n{RULES}{GATE}")
    followed = Guard.load(path, allow_code=["judging:check"])
    path.write_text(f"reload: true\ngate: [{{use: 'judging:nothing'}}]\n{RULES}")
    stream = followed.wrap(Source([TEXT]))
    await stream.text()
    assert (stream.finish, stream.blocked_by) == ("content_filter", "house")
    assert "policy.yaml:2:14: 'judging.nothing' is code" in caplog.text
    path.write_text(f"reload: true\n{RULES}")
    assert await followed.wrap(Source([TEXT])).text() == "a ****** and vile words"


@pytest.mark.parametrize("modes", [("shadow", "enforce"), ("enforce", "shadow")])
async def test_gates_have_the_mode_of_the_policy_as_it_is_now(
    modes: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"mode: {modes[0]}\n{RULES}{GATE}")
    followed = Guard.load(path, reload=True, allow_code=["judging:check"])
    served = Guard.load(path, reload=True, allow_code=["judging:check"], rules_only=True)
    gates = followed.gates
    for mode in modes:
        path.write_text(f"mode: {mode}\n{RULES}{GATE}")
        for guarded in (followed, served.pinned().with_gates(gates)):
            stream = guarded.wrap(Source(["all vile"]))
            blocks = mode == "enforce"
            assert (await stream.text(), stream.finish) == (
                ("", "content_filter") if blocks else ("all vile", "stop")
            )
            assert [found.action for found in stream.findings] == ["block" if blocks else "monitor"]


async def test_a_reload_that_a_server_refuses_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, log = tmp_path / "policy.yaml", tmp_path / "audit.jsonl"
    path.write_text(RULES + "concurrency: {at_once: 1, queue: 0}")
    followed = Guard.load(path, reload=True)
    followed.keep_sections(["serve"], "restart the application")
    async with followed.wrap(Source(["a", "b"])) as held:
        await anext(held)
        sections = f"concurrency: {{at_once: 9}}\naudit: {{path: {log}}}\nserve: {{grace: 3s}}\n"
        path.write_text(RULES + sections)
        with pytest.raises(LimiterError):  # the limiter is the one that `held` has its place of
            await followed.wrap(Source(["a"])).text()
    assert "policy.yaml:4:1: restart the application to apply a change of 'serve'" in caplog.text
    assert not log.exists()


def test_nothing_looks_at_what_a_vault_restores() -> None:
    async def go_on(_: str) -> Any: ...

    with pytest.raises(PolicyError, match=r"p.yaml:2:1: a gate would see the values"):
        guard(GATE).wrap(Source(["x"]), vault=Vault())
    with pytest.raises(TypeError, match="resume= would judge values"):
        guard("").wrap(Provider(Source(["x"])), vault=Vault(), resume=go_on)


# Extract


class Order(BaseModel):
    id: int


async def test_extract_reads_as_the_policy_says() -> None:
    section = "extract: {fences: strip, on_invalid: skip, documents: many}\n"
    chunks = ['Here: {"id": 1} and {"id": "no"} and ', '{"id": 3}']
    for more in ("", GATE, "retry: {attempts: 1}\n"):
        stream = guard(section + more).wrap(Provider(Source(chunks)))
        found = [order.id async for order in extract.items(stream, "$", Order)]
        assert found == [1, 3]
    plain = guard(section).wrap_sync(chunks)
    assert [order.id for order in extract.items_sync(plain, "$", Order)] == [1, 3]
    plain = guard(section).wrap_sync(chunks)
    with pytest.raises(extract.ExtractError):
        list(extract.items_sync(plain, "$", Order, on_invalid="raise"))


async def test_extract_judges_by_the_policys_schema() -> None:
    section = "extract: {schema: {type: object, required: [id], properties: {id: {maximum: 5}}}}\n"
    with pytest.raises(extract.ExtractError):
        await extract.final(guard(section).wrap(Source(['{"id": 7}'])), dict)
    assert await extract.final(guard(section).wrap(Source(['{"id": 4}'])), dict) == {"id": 4}


async def test_extract_knows_the_policys_own_format() -> None:
    section = "formats: {mine: {text: $.token}}\nextract: {format: mine}\n"
    chunks = [{"token": '{"id"'}, {"token": ": 5}"}]
    stream = guard(section).wrap(Source(chunks), format="mine")
    assert (await extract.final(stream, Order)).id == 5


def test_guards_made_of_one_share_what_stands_around_it(tmp_path: Path) -> None:
    section = f"audit: {{path: {tmp_path / 'audit.jsonl'}}}\nconcurrency: {{at_once: 1}}\n"
    one = guard(section + "reload: true\n")
    for other in (one.pinned(), one.with_stages([]), one.with_tools({}), one.with_vault(None)):
        assert other._operating(one.policy) is one._operating(one.policy)


@pytest.mark.parametrize(
    "changed",
    [lambda one: one.with_stages([]), lambda one: one.with_on_block("error"), deepcopy],
    ids=["stages", "on_block", "deepcopy"],
)
async def test_guards_made_of_one_share_what_a_reload_brings(
    tmp_path: Path, changed: Callable[[Guard], Guard]
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES + "concurrency: {at_once: 2, queue: 0}")
    one = Guard.load(path, reload=True)
    other = changed(one)
    path.write_text(RULES + "concurrency: {at_once: 1, queue: 0}")
    async with one.wrap(Source(["a", "b"])) as held:
        await anext(held)
        with pytest.raises(LimiterError):
            await other.wrap(Source(["a"])).text()
    assert await other.wrap(Source(["a"])).text() == "a"


async def test_a_guard_that_keeps_its_policy_keeps_what_stands_around_it(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES + "concurrency: {at_once: 1, queue: 0}")
    followed = Guard.load(path, reload=True)
    kept = followed.pinned()
    async with kept.wrap(Source(["a", "b"])) as held:
        await anext(held)
        path.write_text(RULES + "concurrency: {at_once: 2, queue: 0}")
        assert await followed.wrap(Source(["a"])).text() == "a"
        with pytest.raises(LimiterError):
            await kept.wrap(Source(["a"])).text()


@pytest.mark.parametrize("sections", ["", "retry: {attempts: 2}\n"], ids=["once", "retried"])
@pytest.mark.parametrize("text", ["so vile. And on", "so forbidden. And on"])
async def test_what_a_policy_blocks_raises_if_asked_to_whether_rule_or_gate(
    sections: str, text: str
) -> None:
    gate = "gate: [{use: 'judging:check', action: block}, {use: 'judging:check', id: second}]\n"
    blocks = "  - {id: bad, words: [forbidden], action: block}\n"
    rules = f"rules:\n{blocks}"
    policy = Policy.parse(rules + gate + sections, allow_code=["judging:check"])
    stream = Guard(policy).wrap(lambda: Source(one_by_one(text)), raise_on_block=True)
    with pytest.raises(BlockedError) as caught:
        async for _ in stream:
            pass
    assert (stream.finish, stream.blocked_by) == ("content_filter", caught.value.rule)
    assert caught.value.rule == ("bad" if "forbidden" in text else "judging.check")
    assert caught.value.result == stream.result
    assert [chunk async for chunk in stream] == []


async def test_a_retried_stream_that_is_blocked_ends_so() -> None:
    policy = Policy.parse("rules: [{id: bad, words: [forbidden], action: block}]")
    source = Provider(Source(["forbidden"]))
    stream = retrying(Guard(policy), source, raise_on_block=True)
    with pytest.raises(BlockedError):
        await stream.text()
    assert (source.opened, stream.finish) == (1, "content_filter")
