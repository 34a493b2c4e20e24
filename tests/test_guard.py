"""A guard masks, blocks and stops streams as it does whole texts."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from guardstream import (
    AdapterError,
    BlockedError,
    Finding,
    Finish,
    Guard,
    Policy,
    PolicyError,
    Result,
    StageError,
    Text,
)
from guardstream.events import Event
from guardstream.gate import gate
from guardstream.http import GuardTransport, WireGuard, guard_body
from guardstream.resilience import retrying
from guardstream.stream.protocol import StreamOutcome
from guardstream.stream.state import StreamState
from tests.formats.chunks import chunk
from tests.support.chunking import every_split, joined, one_by_one, random_split
from tests.support.sources import Source, agen, broken_guard, guard

pytestmark = pytest.mark.anyio

TEXTS = {
    "a secret here": ("a ****** here", "stop"),
    "se secret": ("se ******", "stop"),
    "secretly": ("secretly", "stop"),
    "a forbidden word": ("a ", "content_filter"),
    "that is enough for now": ("that is ", "stop"),
    "": ("", "stop"),
}


@pytest.mark.parametrize("text", TEXTS)
async def test_a_stream_gives_what_check_gives_in_any_chunking(text: str) -> None:
    expected = guard().check(text)
    assert (expected.text, expected.finish) == TEXTS[text]
    random = Random(7)
    for chunks in (list(text), [text], *(random_split(text, random) for _ in range(20))):
        stream = guard().wrap(agen(chunks))
        assert "".join([chunk async for chunk in stream]) == expected.text
        assert stream.result == expected


async def test_every_cut_of_a_short_text_gives_one_result() -> None:
    text = "xsecret!secret"
    expected = guard().check(text)
    for chunks in every_split(text[-9:]):
        stream = guard().wrap(agen([text[:-9], *chunks]))
        await stream.text()
        assert stream.result == expected


async def test_text_is_the_whole_text_even_after_some_of_it_was_read() -> None:
    stream = guard().wrap(agen(["one ", "two ", "three"]))
    assert await anext(stream) == "one "
    assert await stream.text() == "one two three"
    assert await stream.text() == "one two three"


async def test_result_is_what_was_delivered_so_far() -> None:
    stream = guard().wrap(agen(["a secret b", " and a forbidden one"]))
    assert stream.result == Result("", (), None)
    await anext(stream)
    finding = Finding("word", 2, 8, "mask")
    assert stream.result == Result("a ****** b", (finding,), None, {(0, "text"): "a ****** b"})
    await stream.text()
    assert stream.result.finish == "content_filter"
    assert stream.blocked_by == "bad"


async def test_without_keep_text_no_text_is_kept() -> None:
    stream = guard().wrap(agen(["a secret b"]), keep_text=False)
    assert [chunk async for chunk in stream] == ["a ****** b"]
    assert stream.result.text == ""
    with pytest.raises(RuntimeError, match="keep_text=True"):
        await stream.text()


async def test_a_block_raises_only_if_asked_to_and_once() -> None:
    stream = guard().wrap(agen(["ok, forbidden, no"]), raise_on_block=True)
    assert await anext(stream) == "ok, "
    with pytest.raises(BlockedError, match="'bad'") as caught:
        await anext(stream)
    assert caught.value.rule == "bad"
    assert [chunk async for chunk in stream] == []


INNER = Guard(Policy.parse("rules: [{id: vile, words: [vile], action: block}]"))


def said(texts: list[str]) -> list[Any]:
    return [*(chunk({"content": text}) for text in texts), chunk({}, finish="stop")]


def outcome(stream: StreamOutcome) -> tuple[str | None, str | None]:
    return stream.finish, stream.blocked_by


@pytest.mark.parametrize("cut", [lambda text: [text], list], ids=["whole", "characters"])
@pytest.mark.parametrize("make", [list, said], ids=["text", "chunks"])
async def test_a_block_of_the_guarded_stream_inside_is_one_of_the_stream_around_it(
    make: Callable[[list[str]], list[Any]], cut: Callable[[str], list[str]]
) -> None:
    chunks = make(cut("ok, vile, no"))
    for source in (INNER.wrap(agen(chunks)), lambda: INNER.wrap(agen(chunks))):
        stream = guard().wrap(source, raise_on_block=True)
        with pytest.raises(BlockedError, match="'vile'"):
            async for _ in stream:
                pass
        assert outcome(stream) == ("content_filter", "vile")
        assert [each async for each in stream] == []
    plain = guard().wrap_sync(INNER.wrap_sync(chunks), raise_on_block=True)
    with pytest.raises(BlockedError, match="'vile'"):
        plain.text()
    assert outcome(plain) == ("content_filter", "vile")
    quiet = guard().wrap_sync(INNER.wrap_sync(chunks))
    assert quiet.text() == "ok, "
    assert outcome(quiet) == ("content_filter", "vile")


@pytest.mark.parametrize("text", ["ok, vile, no", "vile"])
async def test_a_block_that_the_stream_inside_raises_is_a_block_around_it(text: str) -> None:
    inner = INNER.wrap(agen([text]), raise_on_block=True)
    stream = guard().wrap(inner, raise_on_block=True)
    with pytest.raises(BlockedError, match="'vile'"):
        await stream.text()
    assert outcome(stream) == ("content_filter", "vile")
    assert [each async for each in stream] == []
    plain = guard().wrap_sync(INNER.wrap_sync([text], raise_on_block=True))
    with pytest.raises(BlockedError, match="'vile'"):
        plain.text()
    assert outcome(plain) == ("content_filter", "vile")


async def test_the_error_of_a_block_has_what_was_delivered_before() -> None:
    stream = guard().wrap(agen(said(["ok, ", "forbidden, no"])), raise_on_block=True)
    with pytest.raises(BlockedError) as caught:
        await stream.text()
    assert caught.value.result == stream.result
    assert (stream.result.text, stream.result.blocked_by) == ("ok, ", "bad")
    plain = guard().wrap_sync(["ok, ", "forbidden"], raise_on_block=True, keep_text=False)
    with pytest.raises(BlockedError) as caught:
        list(plain)
    assert caught.value.result is not None
    assert (caught.value.result.text, caught.value.result.findings) == ("", plain.findings)


async def test_the_error_of_a_block_never_has_text_that_a_stream_around_it_masked() -> None:
    masking = Guard(Policy.parse("rules: [{id: name, words: [bluebird]}]"))
    chunks = one_by_one("a bluebird, vile")
    stream = masking.wrap(INNER.wrap(agen(chunks), raise_on_block=True))
    with pytest.raises(BlockedError) as caught:
        await stream.text()
    assert caught.value.result == stream.result
    plain = masking.wrap_sync(INNER.wrap_sync(chunks, raise_on_block=True))
    with pytest.raises(BlockedError) as caught:
        plain.text()
    assert caught.value.result == plain.result
    assert plain.result.text == "a [name], "
    assert "bird" not in f"{caught.value!r} {caught.value}"


async def test_a_guard_around_the_text_of_a_guarded_stream_ends_as_that_stream() -> None:
    stream = guard().wrap(INNER.wrap(agen(said(["ok, vile"]))).text_stream, raise_on_block=True)
    with pytest.raises(BlockedError, match="'vile'"):
        await stream.text()
    assert (outcome(stream), stream.result.text) == (("content_filter", "vile"), "ok, ")


async def test_a_guard_around_the_text_of_a_guarded_stream_closes_that_stream() -> None:
    source = Source(said(["ok", "and so on"]))
    inner = INNER.wrap(source)
    async with guard().wrap(inner.text_stream) as stream:
        await anext(stream)
    assert (source.closed, inner.finish) == (1, "cancelled")


def test_the_text_of_a_guarded_stream_without_an_event_loop_ends_and_closes_alike() -> None:
    stream = guard().wrap_sync(INNER.wrap_sync(said(["ok, vile"])).text_stream)
    assert stream.text() == "ok, "
    assert outcome(stream) == ("content_filter", "vile")
    inner = INNER.wrap_sync(said(["ok", "and so on"]))
    with guard().wrap_sync(inner.text_stream) as stream:
        next(stream)
    assert inner.finish == "cancelled"


class TimedOut:
    """A stream that a rule has blocked, but that its reader did not wait for."""

    finish, blocked_by = "timeout", "vile"

    def __iter__(self) -> Iterator[str]:
        yield "ok"


def test_a_stream_inside_that_ended_otherwise_has_blocked_nothing() -> None:
    stream = guard().wrap_sync(TimedOut(), raise_on_block=True)
    assert stream.text() == "ok"
    assert outcome(stream) == ("timeout", None)


async def test_a_stop_rule_is_no_block() -> None:
    stream = guard().wrap(agen(["that is enough"]), raise_on_block=True)
    assert await stream.text() == "that is "
    assert (stream.finish, stream.blocked_by) == ("stop", None)


async def test_words_of_one_stream_do_not_reach_another() -> None:
    shared = guard()
    first = shared.wrap(agen(["tell canary-1 and canary-2"]), words={"word": ["canary-1"]})
    second = shared.wrap(agen(["tell canary-1 and canary-2"]), words={"word": ["canary-2"]})
    assert await first.text() == "tell ******** and canary-2"
    assert await second.text() == "tell canary-1 and ********"
    assert shared.check("canary-1").text == "canary-1"


async def test_words_of_a_stream_come_on_top_of_those_of_its_policy() -> None:
    rules = "rules: [{id: a, words: [one]}, {id: b, words: [two]}]"
    wide = Guard(Policy.parse(rules).with_words({"a": ["three"]}).with_words({"a": ["four"]}))
    text = "one two three four five six"
    assert wide.check(text).text == "[a] [b] [a] [a] five six"
    for words, shown in (
        ({"b": ["five"]}, "[a] [b] [a] [a] [b] six"),
        ({"a": ["five"], "b": ["six"]}, "[a] [b] [a] [a] [a] [b]"),
    ):
        assert await wide.wrap(agen(one_by_one(text)), words=words).text() == shown


async def test_words_that_cannot_be_searched_are_refused() -> None:
    with pytest.raises(PolicyError, match="words for 'word': "):
        guard().wrap(agen([]), words={"word": [""]})


async def test_words_that_are_no_mapping_are_refused_even_if_there_are_none() -> None:
    nothing: Any = []
    with pytest.raises(TypeError, match="words are lists by rule"):
        guard().wrap(agen([]), words=nothing)
    assert await guard().wrap(agen(["a"]), words={}).text() == "a"


async def test_words_reach_every_channel_of_their_rule() -> None:
    policy = "rules: [{id: a, words: [x1]}, {id: b, words: [y1], channels: [thinking]}]"
    wide = Policy.parse(policy).with_words({"a": ["x2"], "b": ["y2"]})
    assert Guard(wide).check("x1 x2 y1 y2").text == "[a] [a] y1 y2"
    assert Guard(wide).check("x1 x2 y1 y2", "thinking").text == "[a] [a] [b] [b]"


async def test_words_for_an_unknown_rule_are_refused() -> None:
    with pytest.raises(PolicyError, match="'nope', which is not a rule"):
        guard().wrap(agen([]), words={"nope": ["x"]})


async def test_stats_count_characters_chunks_and_what_is_held() -> None:
    stream = guard().wrap(agen(["ab", " sec", "ret", " z"]))
    async for _ in stream:
        pass
    stats = stream.stats
    assert (stats.chunks_in, stats.characters_in) == (4, 11)
    assert stats.characters_out == len("ab ****** z")
    assert stats.held_max == 6
    assert 0 < stats.held_mean < 6
    assert stats.first_received is not None
    assert stats.first_released is not None
    assert 0 <= stats.first_received <= stats.first_released <= stats.seconds
    assert stream.stats.seconds == stats.seconds


async def test_held_is_what_waits_and_nothing_after_the_end() -> None:
    stream = guard().wrap(agen(["ab sec", "ond"]))
    assert stream.held == 0
    await anext(stream)
    assert stream.held == 3
    await stream.text()
    assert stream.held == 0


async def test_a_session_is_fed_by_hand() -> None:
    session = guard().session()
    events = [*session.feed("a sec"), *session.feed("ret b"), *session.finish()]
    assert Finding("word", 2, 8, "mask") in events
    assert "".join(event.text for event in events if isinstance(event, Text)) == "a ****** b"
    assert events[-1] == Finish("stop")


async def test_a_session_says_that_a_text_after_its_end_would_be_lost() -> None:
    session = guard().session()
    session.finish()
    assert session.finish() == []
    with pytest.raises(RuntimeError, match=r"feed\(\) after finish\(\): make a session"):
        session.feed("more")


async def test_a_session_has_nothing_to_say_after_a_block() -> None:
    session = Guard(Policy.parse("rules: [{id: bad, words: [bad], action: block}]")).session()
    assert session.feed("bad ")[-1] == Finish("content_filter")
    assert (session.feed("more"), session.finish()) == ([], [])


class Failing:
    """A stage that fails at one text."""

    def feed(self, text: str) -> list[Event]:
        if text == "bad":
            raise ValueError
        return [Text(text)]

    def finish(self) -> list[Event]:
        return []


async def test_a_session_has_nothing_to_say_after_a_stage_has_raised() -> None:
    session = guard().with_stages([Failing]).session()
    assert joined(session.feed("good")) == "good"
    with pytest.raises(ValueError):  # noqa: PT011
        session.feed("bad")
    assert (session.feed("more"), session.held, session.finish()) == ([], 0, [])


async def test_a_stream_that_fails_to_end_releases_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    for keep in (True, False):
        made = guard().with_stages([Failing])
        stream = made.wrap(agen(["good", "bad", "more"]), keep_text=keep)
        other = made.wrap_sync(["good", "bad", "more"], keep_text=keep)
        assert (await anext(stream), next(other)) == ("good", "good")
        with monkeypatch.context() as patched:
            patched.setattr(StreamState, "note_error", fail)
            with pytest.raises(MemoryError):
                await anext(stream)
            with pytest.raises(MemoryError):
                next(other)
        with pytest.raises(StageError):
            await anext(stream)
        with pytest.raises(StageError):
            next(other)
        assert (stream.finish, other.finish) == ("error", "error")


async def test_rules_apply_to_their_channels_only() -> None:
    policy = """
    rules:
      - {id: a, words: [alpha], channels: [text]}
      - {id: b, words: [beta], channels: [tool_args, thinking]}
    """
    checked = Guard(Policy.parse(policy))
    assert checked.check("alpha beta").text == "[a] beta"
    assert checked.check("alpha beta", "thinking").text == "alpha [b]"
    assert checked.check("alpha beta", "refusal").text == "alpha beta"
    assert checked.check("beta", "tool_args").findings[0].channel == "tool_args"
    with pytest.raises(ValueError, match="unknown channel 'txt', did you mean 'text'"):
        checked.check("x", "txt")


async def test_a_stage_that_raises_in_check_is_a_stage_error() -> None:
    with pytest.raises(StageError, match="ZeroDivisionError") as caught:
        broken_guard().check("boom")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_a_chunk_of_another_type_ends_the_stream() -> None:
    source = Source(["text", 5, "more"])
    stream = guard().wrap(source)
    assert await anext(stream) == "text"
    with pytest.raises(AdapterError, match="'int' in a stream of text"):
        await anext(stream)
    assert (stream.finish, source.closed) == ("error", 1)


async def test_an_unknown_first_chunk_names_its_type_and_what_to_do() -> None:
    source = Source([5])
    with pytest.raises(AdapterError, match="type 'int': wrap an iterator of their text alone"):
        await anext(guard().wrap(source))
    assert source.closed == 1


async def test_an_unknown_provider_is_refused_at_once() -> None:
    with pytest.raises(AdapterError, match="no adapter 'nope', known: text, openai_chat"):
        guard().wrap(agen([]), format="nope")


async def test_an_empty_stream_ends_well() -> None:
    stream = guard().wrap(agen([]))
    assert await stream.text() == ""
    assert stream.finish == "stop"


async def coroutine() -> AsyncIterator[str]:
    return agen([])


@contextlib.asynccontextmanager
async def manager() -> AsyncIterator[str]:
    yield ""


class Publisher:
    def subscribe(self, _function: Any) -> None: ...


class Awaitable:
    def __await__(self) -> Any:
        yield


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (coroutine, "await it first"),
        (Awaitable, "await it first"),
        (manager, "'async with ... as stream'"),
        (lambda: contextlib.closing(SimpleNamespace()), "'with ... as stream'"),
        (Publisher, r"ag2\.events\(run\)"),
        (lambda: SimpleNamespace(stream=Publisher()), r"ag2\.events\(run\)"),
        (lambda: agen, "call it first"),
        (lambda: SimpleNamespace(stream_events=agen), r"wrap what its stream_events\(\) returns"),
        (lambda: SimpleNamespace(parse=agen), r"wrap what its parse\(\) returns"),
        (lambda: "text", r"use check\(\)"),
        (lambda: ["text"], r"use wrap_sync\(\)"),
        (io.StringIO, r"use wrap_sync\(\)"),  # which is a context manager, too
        (lambda: 5, "needs an async iterator, not 'int'"),
    ],
)
async def test_what_is_no_stream_is_refused_with_advice(make: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        guard().wrap(make())


@pytest.mark.parametrize(
    ("returned", "hint"),
    [
        (lambda: None, "needs an async iterator, not 'NoneType'"),
        (lambda: iter(["text"]), r"returned a plain iterator: use wrap_sync\(\)"),
        (manager, "returned a context manager, not a stream: enter it first"),
        (lambda: agen, "needs an async iterator, not 'function'"),
    ],
)
@pytest.mark.parametrize("more", ["", "\nretry: {attempts: 3}"], ids=["once", "retried"])
async def test_a_function_that_returns_no_stream_is_told_apart(
    returned: Any, hint: str, more: str
) -> None:
    calls = []

    async def open_stream() -> Any:
        calls.append(1)
        return returned()

    stream: Any = Guard(Policy.parse(f"rules: []{more}")).wrap(open_stream)
    with pytest.raises(TypeError, match=f"^the function that wrap.*{hint}"):
        await stream.text()
    assert (len(calls), stream.finish) == (1, "error")


# Arguments


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guard().wrap(agen([]), on_txt=print), r"Guard\.wrap\(\).*'on_txt'.*'on_text'"),
        (lambda: guard().wrap_sync([], fromat="text"), r"Guard\.wrap_sync\(\).*'format'"),
        (lambda: guard().wrap_sync([], raise_on_blocks=True), "did you mean 'raise_on_block'"),
        (lambda: Guard.load("x", reloads=True), r"Guard\.load\(\).*'reload'"),
        (lambda: Guard(guard().policy, observer=[]), r"Guard\(\).*'observers'"),
        (lambda: guard().flow(medium="sse"), "did you mean 'media'"),
        (lambda: gate(agen([]), print, units="sentence"), r"gate\(\).*'unit'"),
        (lambda: retrying(guard(), agen, attempt=2), r"retrying\(\).*'attempts'"),
        (lambda: WireGuard(guard(), fromat="text"), r"WireGuard\(\).*'format'"),
        (lambda: GuardTransport(guard(), others="pass"), r"GuardTransport\(\).*'other'"),
        (lambda: guard_body(guard(), "openai_chat", {}, keeptext=False), "'keep_text'"),
        (lambda: guard().wrap_sync([], zzz=1), r"no argument 'zzz', known: attributes, "),
    ],
)
def test_an_unknown_argument_is_refused_with_the_nearest(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("policy", ["policy.yaml", Path("policy.yaml"), {"rules": []}, None])
def test_a_guard_of_a_path_says_what_reads_one(policy: Any) -> None:
    with pytest.raises(TypeError, match=r"Guard\.load\(path\) reads a policy file"):
        Guard(policy)


def test_a_guard_says_which_policy_it_applies_and_shows_no_word_of_it(tmp_path: Path) -> None:
    policy = Policy.parse("name: support\nrules: [{id: bird, words: [bluebird]}]")
    said = f"<Policy 'support', rules: 1, fingerprint {policy.fingerprint}>"
    assert (repr(policy), repr(Guard(policy))) == (said, f"<Guard of {said}>")

    (tmp_path / "p.yaml").write_text("reload: true\nrules: [{id: bird, words: [bluebird]}]")
    followed = Guard.load(tmp_path / "p.yaml")
    (tmp_path / "p.yaml").unlink()
    assert "p.yaml', rules: 1, fingerprint " in repr(followed)


def test_a_stream_says_whether_it_is_open() -> None:
    stream = Guard(Policy.parse("rules: []")).wrap_sync(["a"])
    assert repr(stream) == "<SyncGuardedStream, open>"
    stream.text()
    assert repr(stream) == "<SyncGuardedStream, finish 'stop'>"


class LazyAnswer:
    """A stream that reads itself to its end once it is asked for what it does not have."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = iter(texts)

    def __iter__(self) -> Iterator[str]:
        return self.texts

    def __getattr__(self, name: str) -> Any:
        return getattr(list(self.texts), name)


def test_a_stream_is_not_asked_for_what_its_class_does_not_define() -> None:
    assert guard().wrap_sync(LazyAnswer(["a", "b"])).text() == "ab"
    with pytest.raises(TypeError, match="given a plain iterator: use wrap_sync"):
        guard().wrap(answer := LazyAnswer(["a", "b"]))  # type: ignore[arg-type]
    assert list(answer) == ["a", "b"]
