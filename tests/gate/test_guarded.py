"""A policy's gate: monitored by default, in the background, and fail-closed where it blocks."""

from __future__ import annotations

import sys
from asyncio import CancelledError
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, TypeVar

import anyio
import pytest

from guardstream import BlockedError, Guard, Policy, PolicyError
from guardstream.gate import Context, Verdict
from guardstream.gate.judging import Cache
from guardstream.gate.windows import Capped
from guardstream.http import aguard_body, guard_body
from guardstream.http.body import in_thread, judged_body
from guardstream.stages.units import Paragraphs, Sentences, Whole
from guardstream.stream.callbacks import CALLBACKS
from tests.support.chunking import one_by_one, random_split
from tests.support.sources import Source

pytestmark = pytest.mark.anyio

T = TypeVar("T")

CODE = ["company_checks:check", "company_checks:made"]

TEXT = "One is fine. Two is bad! Three is 3.14. Four\nFive? six"


class Asked:
    """What the check of a test was asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.before: list[str] = []

    async def check(self, text: str, context: Context) -> bool | Verdict:
        self.texts.append(text)
        self.before.append(context.before)
        if "fails" in text:
            raise ValueError
        if "cancels" in text:
            raise CancelledError
        if "waits" in text:
            await anyio.sleep_forever()
        return Verdict("block", rule="word") if "bad" in text else True

    def made(self, word: str) -> Any:
        return lambda text, _: word not in text


def said(content: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice]}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A module `company_checks` with a check, and with a function that makes one."""
    asked, module = Asked(), ModuleType("company_checks")
    module.check = asked.check  # type: ignore[attr-defined]
    module.made = asked.made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "company_checks", module)
    return asked


def guarded(entry: str, more: str = "") -> Guard:
    policy = f"{more}\ngate: [{{use: 'company_checks:check', id: mine, {entry}}}]"
    return Guard(Policy.parse(policy, allow_code=CODE))


def shown(findings: Any) -> list[tuple[str, int, int, str, str]]:
    return [(each.rule, each.start, each.end, each.action, each.kind) for each in findings]


@pytest.mark.parametrize("chunks", [[TEXT], one_by_one(TEXT), random_split(TEXT, Random(2))])
async def test_a_gate_monitors_by_default_and_changes_no_chunk(
    asked: Asked, chunks: list[str]
) -> None:
    stream = guarded("window: sentence").wrap(Source(chunks))
    assert "".join([chunk async for chunk in stream]) == TEXT
    assert shown(stream.findings) == [("mine.word", 13, 25, "monitor", "match")]
    assert stream.finish == "stop"
    expected = ["One is fine. ", "Two is bad! ", "Three is 3.14. ", "Four\n", "Five? ", "six"]
    assert sorted(asked.texts) == sorted(expected)


@pytest.mark.parametrize("chunks", [[TEXT], one_by_one(TEXT), random_split(TEXT, Random(3))])
async def test_what_blocks_holds_by_default(chunks: list[str]) -> None:
    stream = guarded("action: block").wrap(Source(chunks))
    assert await stream.text() == "One is fine. "
    assert (stream.finish, stream.blocked_by) == ("content_filter", "mine.word")
    assert shown(stream.findings) == [("mine.word", 13, 25, "block", "match")]


async def test_what_blocks_in_the_background_ends_the_stream_when_it_is_known() -> None:
    source = Source(["One. ", "Two is bad! ", "More", *["x. "] * 50_000])
    stream = guarded("action: block, mode: background").wrap(source)
    text = await stream.text()
    assert text.startswith("One. ")
    assert len(text) < 100_000
    assert (stream.finish, source.closed) == ("content_filter", 1)
    assert shown(stream.findings)[0] == ("mine.word", 5, 17, "block", "match")


async def test_a_check_that_is_left_has_not_failed(asked: Asked) -> None:
    stream = guarded("action: block, mode: background").wrap(
        Source(["It waits. ", *["More. "] * 5_000])
    )
    async for _ in stream:
        if asked.texts:
            break
    await stream.aclose()
    assert (stream.findings, stream.finish) == ((), "cancelled")


async def test_the_end_waits_for_verdicts_in_the_background() -> None:
    stream = guarded("action: block, mode: background, window: complete").wrap(Source(["a bad"]))
    assert await stream.text() == "a bad"
    assert stream.finish == "content_filter"


async def test_how_a_choice_ends_waits_for_verdicts_in_the_background() -> None:
    stream = guarded("action: block, mode: background").wrap(
        Source([said("a bad"), said("", "stop")])
    )
    chunks = [each async for each in stream]
    assert [each["choices"][0]["finish_reason"] for each in chunks] == [None, "content_filter"]
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("mode", ["hold", "background"])
async def test_a_whole_answer_is_not_shown_before_its_verdicts(mode: str) -> None:
    body = {"choices": [{"index": 0, "message": {"content": "a bad"}, "finish_reason": "stop"}]}
    guard = guarded(f"action: block, mode: {mode}")
    shown, result = await aguard_body(guard, "openai_chat", body)
    (choice,) = shown["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "content_filter")
    assert result.finish == "content_filter"


RULES = "rules: [{id: w, words: [secret]}, {id: b, words: [worst], action: block}]"


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize(
    ("message", "finish", "rule"),
    [
        ({"content": "a worst"}, "stop", "b"),
        ({"content": "a secret"}, "content_filter", None),  # the provider's own filter
        ({"content": "a"}, "content_filter", None),
        ({"tool_calls": [{"id": "c", "function": {"name": "secret"}}]}, "tool_calls", "w"),
    ],
)
async def test_a_whole_answer_raises_what_a_rule_has_blocked(
    gated: bool, message: Any, finish: str, rule: str | None
) -> None:
    guard = guarded("action: block", RULES) if gated else Guard(Policy.parse(RULES))
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    _, result = await aguard_body(guard, "openai_chat", body)
    assert (result.finish, result.blocked_by) == ("content_filter", rule)
    if rule is None:
        await aguard_body(guard, "openai_chat", body, raise_on_block=True)
        return
    with pytest.raises(BlockedError) as caught:
        await aguard_body(guard, "openai_chat", body, raise_on_block=True)
    assert caught.value.rule == rule


async def test_a_whole_answer_is_judged_by_one_policy_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("rules: [{id: word, words: [bad], action: block}]")
    guard = Guard.load(path, reload=True, allow_code=CODE)

    async def beside(work: Callable[[], T]) -> T:
        path.write_text("gate: [{use: 'company_checks:check', id: mine, action: block}]")
        return await in_thread(work)

    body = {"choices": [{"index": 0, "message": {"content": "a bad"}, "finish_reason": "stop"}]}
    _, result = await judged_body(guard, "openai_chat", body, beside, {})
    assert result.blocked_by == "word"


async def test_a_whole_answer_raises_what_a_gate_has_blocked() -> None:
    body = {"choices": [{"index": 0, "message": {"content": "bad"}, "finish_reason": "stop"}]}
    with pytest.raises(BlockedError) as caught:
        await aguard_body(guarded("action: block"), "openai_chat", body, raise_on_block=True)
    assert caught.value.rule == "mine.word"


@pytest.mark.parametrize("mode", ["hold", "background"])
async def test_a_check_that_is_cancelled_from_inside_has_failed(mode: str) -> None:
    stream = guarded(f"action: block, mode: {mode}").wrap(Source(["Good. ", "It cancels. "]))
    await stream.text()
    assert stream.finish == "content_filter"
    assert shown(stream.findings)[-1] == ("mine", 6, 18, "block", "rule_error")


@pytest.mark.parametrize("text", ["It fails. ", "It waits. "])
async def test_what_fails_is_reported_by_a_monitor_and_blocks_otherwise(text: str) -> None:
    chunks = ["Good. ", text, "More."]
    stream = guarded("timeout: 50ms").wrap(Source(chunks))
    assert await stream.text() == "".join(chunks)
    assert shown(stream.findings) == [("mine", 6, 16, "monitor", "rule_error")]
    stream = guarded("timeout: 50ms, action: block").wrap(Source(chunks))
    assert await stream.text() == "Good. "
    assert shown(stream.findings) == [("mine", 6, 16, "block", "rule_error")]
    assert stream.finish == "content_filter"


async def test_calls_are_counted_by_stream(asked: Asked) -> None:
    chunks = ["A. ", "B. ", "C. ", "D."]
    guard = guarded("max_calls: 2, action: block")
    for _ in range(2):
        asked.texts.clear()
        stream = guard.wrap(Source(chunks))
        await stream.text()
        assert len(asked.texts) == 2
        assert stream.finish == "content_filter"
    stream = guarded("max_calls: 2").wrap(Source(chunks))
    assert await stream.text() == "A. B. C. D."
    assert [each.kind for each in stream.findings] == ["rule_error"] * 2


async def test_verdicts_are_kept_over_streams_and_errors_are_not(asked: Asked) -> None:
    guard = guarded("cache: {size: 10}")
    for _ in range(3):
        stream = guard.wrap(Source(["A. ", "Is bad. ", "Fails: fails. "]))
        await stream.text()
        assert {each.kind for each in stream.findings} == {"match", "rule_error"}
    failing = ["Fails: fails. "] * 3
    assert sorted(asked.texts) == ["A. ", *failing, "Is bad. "]


def test_a_cache_keeps_hashes_alone_and_forgets_the_oldest() -> None:
    cache, other = Cache(2), Cache(2)
    context = Context(0, "text", 0, 0)
    keys = [cache.key(text, context) for text in ("secret a", "secret b", "secret c")]
    assert len(set(keys)) == 3
    assert cache.key("b", Context(0, "text", 0, 0, "a")) != cache.key("ab", context)
    assert keys[0] != other.key("secret a", context)
    cache.put(keys[0], Verdict("allow"))
    cache.put(keys[1], Verdict("allow"))
    assert cache.get(keys[0]) is not None
    cache.put(keys[2], Verdict("allow"))
    assert [cache.get(name) is not None for name in keys] == [True, False, True]
    assert b"secret" not in b"".join(keys)
    assert len(cache) == 2


@pytest.mark.parametrize("action", ["monitor", "block"])
async def test_a_window_sees_what_is_before_it(asked: Asked, action: str) -> None:
    for chunks in (["abcdefghij"], list("abcdefghij")):
        asked.texts.clear()
        asked.before.clear()
        stream = guarded(f"window: 4, overlap: 2, action: {action}").wrap(Source(chunks))
        assert await stream.text() == "abcdefghij"
        told = sorted(zip(asked.texts, asked.before, strict=True))
        assert told == [("abcd", ""), ("efgh", "cd"), ("ij", "gh")]


async def test_a_window_without_an_end_is_cut_if_nothing_waits_and_blocks_if_it_does(
    asked: Asked,
) -> None:
    stream = guarded("ahead: 10").wrap(Source(["x" * 25]))
    assert await stream.text() == "x" * 25
    assert sorted(map(len, asked.texts)) == [5, 10, 10]
    stream = guarded("ahead: 10, action: block").wrap(Source(["x" * 25]))
    assert await stream.text() == ""
    assert shown(stream.findings)[0][0::4] == ("mine", "overflow")


async def test_a_gate_sees_guarded_text(asked: Asked) -> None:
    rules = "rules: [{id: name, words: [bad], replacement: '*'}]"
    stream = guarded("action: block", rules).wrap(Source([TEXT]))
    assert await stream.text() == TEXT.replace("bad", "***")
    assert not any("bad" in text for text in asked.texts)


async def test_several_checks_are_asked_one_after_the_other() -> None:
    policy = """
gate:
  - {use: "company_checks:check"}
  - {use: company_checks.made, options: {word: Four}, id: second, action: block}
"""
    stream = Guard(Policy.parse(policy, allow_code=CODE)).wrap(Source([TEXT]))
    assert await stream.text() == TEXT[: TEXT.index("Four")]
    assert [each.rule for each in stream.findings] == ["company_checks.check.word", "second"]
    assert stream.blocked_by == "second"


async def test_in_shadow_mode_nothing_blocks() -> None:
    stream = guarded("action: block", "mode: shadow").wrap(Source([TEXT]))
    assert await stream.text() == TEXT
    assert [each.action for each in stream.findings] == ["monitor"]


@pytest.mark.parametrize("action", ["monitor", "block"])
def test_what_cannot_wait_for_a_gate_refuses_it(tmp_path: Path, action: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"version: 1\ngate:\n  - {{use: company_checks.check, action: {action}}}\n")
    guard = Guard.load(path, allow_code=CODE)
    for use in (
        lambda: guard.wrap_sync(["x"]),
        lambda: guard.check("x"),
        lambda: guard.session(),
        lambda: guard.flow(),
        lambda: guard_body(guard, "openai_chat", {"choices": []}),
    ):
        with pytest.raises(PolicyError, match=r"policy.yaml:2:1: .*rules_only=True"):
            use()
    rules = Guard.load(path, rules_only=True)
    assert rules.wrap_sync(["x"]).text() == rules.check("x").text == "x"


@pytest.mark.parametrize("name", CALLBACKS)
async def test_no_callback_sees_what_a_gate_has_not_judged(name: str) -> None:
    called: list[Any] = []
    callback: Any = {name: called.append}
    blocks = guarded("action: block")
    with pytest.raises(PolicyError, match=rf"^<policy>:2:1: {name}= would see .* around the gated"):
        blocks.wrap(Source([TEXT]), **callback)
    with pytest.raises(PolicyError, match=f"{name}= would see"):
        await aguard_body(blocks, "openai_chat", {"choices": []}, **callback)
    around = Guard(Policy.parse("rules: []"))
    assert await around.wrap(blocks.wrap(Source([TEXT])), **callback).text() == "One is fine. "
    assert "bad" not in repr(called)
    monitors = guarded("action: monitor").wrap(Source([TEXT]), **callback)
    assert await monitors.text() == TEXT


async def test_a_check_of_an_installed_package_is_an_entry_point_and_need_not_be_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "company_checks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: company-checks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[guardstream.checks]\nhouse = company_checks:check\n")
    monkeypatch.syspath_prepend(tmp_path)
    guard = Guard(Policy.parse("gate: [{use: house, action: block}]"))
    stream = guard.wrap(Source(["Fine. Quite bad."]))
    assert await stream.text() == "Fine. "
    assert stream.blocked_by == "house.word"


def test_a_function_must_be_allowed() -> None:
    with pytest.raises(PolicyError, match="company_checks:check"):
        Guard(Policy.parse("gate: [{use: 'company_checks:check'}]"))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{use: 'no_such_module:check'}", "cannot import"),
        ("{use: presidioo}", "did you mean 'presidio'"),
        ("{use: company_checks.made, options: {wrod: x}}", "cannot be created"),
        ("{use: judge, options: {format: other, model: m}}", "use 'llama_guard'"),
        ("{use: judge, options: {modle: m}}", "has no option 'modle', did you mean 'model'"),
        ("{use: judge, options: {model: m}}", "needs in 'options': 'format'"),
        ("{use: judge}", "needs in 'options': 'format', 'model'"),
        ("{use: openai_moderation, options: {key_env: NO_KEY_HERE}}", "'NO_KEY_HERE'"),
        (
            "{use: openai_moderation, options: {key_env: null, url: 'ftp://x'}}",
            "is not an http or https URL",
        ),
        ("{use: openai_moderation, options: {key_env: null, threshold: 2}}", "from 0 to 1"),
    ],
)
def test_a_check_that_cannot_be_made_is_told_with_its_place(entry: str, problem: str) -> None:
    code = [*CODE, "no_such_module:check"]
    text = f"version: 1\ngate:\n  - {entry}"
    policy = Policy.parse(text, name="policy.yaml", allow_code=code)
    with pytest.raises(PolicyError) as caught:
        Guard(policy)
    assert str(caught.value).startswith("policy.yaml:3:")
    assert problem in str(caught.value)


@pytest.mark.parametrize("units", [Sentences, Paragraphs, Whole])
@pytest.mark.parametrize("most", [1, 3, 7])
def test_windows_end_at_the_same_places_in_any_chunking(units: Any, most: int) -> None:
    random, text = Random(4), "Aa bb. Cc\n\nDddddddd eee! F. G"

    def ends(chunks: list[str]) -> set[int]:
        capped, start, found = Capped(units(), most), 0, set()
        for chunk in chunks:
            found |= {start + end for _, end in capped.read(chunk)}
            start += len(chunk)
        return found - {0, len(text)}

    whole = sorted(ends([text]))
    pairs = zip([0, *whole], [*whole, len(text)], strict=True)
    assert max(end - start for start, end in pairs) <= most
    for chunks in (list(text), random_split(text, random), random_split(text, random)):
        assert sorted(ends(chunks)) == whole
