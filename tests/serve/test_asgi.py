"""The middleware: what is guarded, what passes, and how a response ends."""

from __future__ import annotations

import gc
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from guardstream import Guard, Policy
from guardstream.errors import GuardstreamError
from guardstream.framing.sse import Decoder, Event
from guardstream.serve import GuardMiddleware, Route
from guardstream.serve.bodies import open_body
from guardstream.serve.replay import MemoryReplay
from guardstream.vault import Vault
from tests.serve.apps import Upstream, app_of, guarded, streaming
from tests.serve.visit import Visit
from tests.support.asgi import cut, fetch, pieces
from tests.support.sources import broken_guard, guard

pytestmark = pytest.mark.anyio

PLAIN, SSE = "text/plain; charset=utf-8", "text/event-stream"


def events(body: bytes) -> list[Event]:
    """The events of a body, which must not end inside one."""
    decoder = Decoder(strict=True)
    items = decoder.feed(body) + decoder.finish()
    assert decoder.dropped == b""
    return [item for item in items if isinstance(item, Event)]


async def test_plain_text_is_guarded_in_every_split() -> None:
    for chunks in pieces("ein secret für dich, 秘".encode()):
        visit = await fetch(guarded(streaming(Upstream(chunks), PLAIN)))
        assert visit.body.decode() == "ein ****** für dich, 秘"
        assert visit.complete


async def test_an_event_stream_is_guarded_in_every_split() -> None:
    for chunks in pieces(b": hi\n\ndata: a sec\n\ndata: ret b\n\n"):
        visit = await fetch(guarded(streaming(Upstream(chunks), SSE)))
        assert "".join(event.data for event in events(visit.body)) == "a ****** b"
        assert visit.body.startswith(b": hi\n")
        assert visit.complete


def line(text: str) -> bytes:
    """A line of JSON as servers of chat completions send them."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice]}).encode() + b"\n"


def said(body: bytes) -> str:
    """The text in the lines of a body."""
    deltas = [json.loads(line)["choices"][0]["delta"] for line in body.splitlines()]
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl; charset=utf-8"])
async def test_lines_of_json_are_guarded_in_every_split(kind: str) -> None:
    for chunks in pieces(line("a sec") + line("ret b ")):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert said(visit.body) == "a ****** b "
        assert visit.complete


async def test_a_sequence_of_json_texts_is_guarded_in_every_split() -> None:
    for chunks in pieces(b"\x1e" + line("a sec") + b"\x1e" + line("ret b ")):
        visit = await fetch(guarded(streaming(Upstream(chunks), "application/json-seq")))
        assert said(visit.body.replace(b"\x1e", b"")) == "a ****** b "
        assert visit.body.startswith(b"\x1e{")
        assert visit.complete


async def test_a_block_of_lines_ends_behind_a_line() -> None:
    upstream = Upstream([line("fine, forbidden!"), line("unread")], silent=True)
    visit = await fetch(guarded(streaming(upstream, "application/x-ndjson")))
    assert said(visit.body) == "fine, "
    assert visit.complete
    assert upstream.closed.is_set()


async def test_a_fault_in_lines_is_a_line_of_its_own() -> None:
    upstream = Upstream([line("fine, "), b"raw\n"], silent=True)
    visit = await fetch(guarded(streaming(upstream, "application/x-ndjson")))
    *before, last = visit.body.splitlines()
    assert said(b"\n".join(before)) == "fine, "
    assert json.loads(last)["code"] == "guard_error"
    assert b"raw" not in visit.body
    assert visit.complete


async def test_what_is_not_held_goes_out_at_once() -> None:
    upstream = Upstream([b"data: open s\n\n"], silent=True)
    visit = Visit()
    async with anyio.create_task_group() as group:
        group.start_soon(visit.to, guarded(streaming(upstream, SSE)))
        with anyio.fail_after(5):
            await visit.until(b"open ")
            visit.left.set()
            await upstream.closed.wait()


async def test_a_response_without_a_media_type_is_text() -> None:
    visit = await fetch(guarded(streaming(Upstream([b"a sec", b"ret"]), None)))
    assert visit.body == b"a ******"


@pytest.mark.parametrize(
    "response",
    [
        lambda: Response(b"\xff\x00secret", media_type="image/png"),
        lambda: Response(status_code=204),
        lambda: Response(status_code=304, headers={"etag": "x"}),
    ],
)
async def test_other_responses_pass_message_by_message(response: Any) -> None:
    app = app_of(lambda _: response())
    plain, through = await fetch(app), await fetch(guarded(app))
    assert through.sent == plain.sent


async def test_chunks_of_other_responses_stay_chunks() -> None:
    chunks = [b"\x00\x01", b"", b"\x02", b"secret"]
    app = streaming(Upstream(chunks), "image/png")
    assert (await fetch(guarded(app))).bodies == [*chunks, b""]


async def test_other_text_types_by_setting() -> None:
    app = streaming(Upstream([b"<p>sec", b"ret"]), "text/html; charset=utf-8")
    assert (await fetch(guarded(app, text_types=("text/html",)))).body == b"<p>******"
    assert (await fetch(guarded(app, text_types=("text/*",)))).body == b"<p>******"


async def test_headers_of_a_body_that_may_change_are_left_out() -> None:
    headers = {"etag": "x", "digest": "y", "accept-ranges": "bytes", "x-own": "kept"}
    app = app_of(lambda _: PlainTextResponse("a secret", headers=headers))
    visit = await fetch(guarded(app))
    assert visit.body == b"a ******"
    own = {"content-type": PLAIN, "x-own": "kept", "content-length": "8"}
    policy = f"test@{guard().policy.fingerprint}"
    assert visit.headers == {**own, "guardstream-policy": policy}


async def test_the_policy_header_is_ascii_and_cannot_be_forged() -> None:
    app = app_of(lambda _: PlainTextResponse("", headers={"guardstream-policy": "mine"}))
    policy = Policy.parse("{version: 1, name: 青 x}")
    visit = await fetch(GuardMiddleware(app, Guard(policy)))
    assert visit.headers["guardstream-policy"] == f"%E9%9D%92%20x@{policy.fingerprint}"


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    app = guarded(app_of(lambda _: PlainTextResponse("a secret", headers={"etag": "x"})))
    got = await fetch(app)
    head = await fetch(app, method="HEAD")
    assert ({**head.headers, "content-length": "8"}, head.body) == (got.headers, b"")


async def test_the_first_route_that_matches_is_taken() -> None:
    app = app_of(lambda _: PlainTextResponse("secret forbidden"))
    words = Guard(Policy.parse("{version: 1, rules: [{id: a, words: [forbidden]}]}"))
    middleware = GuardMiddleware(
        app,
        guard(),
        routes=[Route("/open/{rest:path}", None), ("/words/{number:int}", words)],
    )
    assert (await fetch(middleware, path="/open/x/y")).body == b"secret forbidden"
    assert (await fetch(middleware, path="/words/7")).body == b"secret [a]"
    assert (await fetch(middleware, path="/words/x")).body == b"****** "


async def test_a_guard_for_all_paths_leaves_none_out() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a secret"})

    for path in ("", "/", "//", "/a\nb", "/a\n", "*", "/\u2028"):
        assert (await fetch(guarded(app), path=path)).body == b"a ******"


async def test_a_route_is_relative_to_where_the_application_is_mounted() -> None:
    visit = Visit("/v1/chat")
    visit.scope["root_path"] = "/v1"
    app = app_of(lambda _: PlainTextResponse("secret"))
    await visit.to(GuardMiddleware(app, routes=[("/chat", guard())]))
    assert visit.body == b"******"


@pytest.mark.parametrize("root_path", ["/ch", "/chat/", "/else"])
async def test_a_path_that_only_begins_like_the_mount_is_whole(root_path: str) -> None:
    visit = Visit("/chat")
    visit.scope["root_path"] = root_path
    app = app_of(lambda _: PlainTextResponse("secret"))
    await visit.to(GuardMiddleware(app, routes=[("/chat", guard())]))
    assert visit.body == b"******"


async def test_paths_without_a_route_pass_if_no_guard_is_given() -> None:
    app = app_of(lambda _: PlainTextResponse("secret"))
    middleware = GuardMiddleware(app, routes=[("/chat", guard())])
    assert (await fetch(middleware, path="/chat")).body == b"******"
    assert (await fetch(middleware, path="/else")).body == b"secret"


def test_a_middleware_that_would_guard_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing would be guarded"):
        GuardMiddleware(app_of(lambda _: Response()))


async def test_other_scopes_reach_the_application() -> None:
    seen = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    visit = Visit()
    visit.scope["type"] = "lifespan"
    await visit.to(guarded(app))
    assert seen == ["lifespan"]


async def test_a_text_in_a_charset_is_blocked_and_cut_off_as_others_are() -> None:
    kind = "text/plain; charset=latin-1"
    visit = await fetch(guarded(streaming(Upstream([b"f\xfcnf, forbidden!"], silent=True), kind)))
    assert (visit.body, visit.complete) == (b"f\xfcnf, ", True)
    kind = "text/plain; charset=shift_jis"
    for data in (b"ok \xff raw", b"ok \x83"):
        visit = Visit()
        with pytest.raises(GuardstreamError, match="not in its charset 'shift_jis'"):
            await visit.to(guarded(streaming(Upstream([data]), kind)))
        assert b"raw" not in visit.body


async def test_a_replacement_that_a_charset_does_not_have_is_a_question_mark() -> None:
    policy = Policy.parse("{version: 1, rules: [{id: a, words: [secret], replacement: ＊}]}")
    app = streaming(Upstream([b"a secret!"]), "text/plain; charset=latin-1")
    assert (await fetch(GuardMiddleware(app, Guard(policy)))).body == b"a ??????!"


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "shift_jis", "gb18030"])
async def test_a_charset_is_respected_in_every_split(charset: str) -> None:
    text = "a secret! " + ("ü" if charset == "latin-1" else "日本")
    for chunks in pieces(text.encode(charset)):
        visit = await fetch(guarded(streaming(Upstream(chunks), f"text/plain; charset={charset}")))
        assert visit.body.decode(charset) == text.replace("secret", "******")


@pytest.mark.parametrize("charset", ["hex", "no-such-charset"])
async def test_an_unknown_charset_is_refused(charset: str) -> None:
    visit = await fetch(guarded(streaming(Upstream([b"61"]), f"text/plain; charset={charset}")))
    assert (visit.status, visit.complete) == (502, True)
    assert charset.encode() in visit.body


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, br"])
async def test_a_compressed_body_is_refused(encoding: str) -> None:
    upstream = Upstream([b"x"], silent=True)
    app = streaming(upstream, PLAIN, headers={"content-encoding": encoding})
    visit = await fetch(guarded(app))
    assert (visit.status, visit.complete) == (502, True)
    assert visit.headers["content-type"] == "application/json"
    assert b"content-encoding" in visit.body
    assert upstream.given == 0


@pytest.mark.parametrize(("encoding", "window"), [("gzip", 31), ("deflate", 15)])
async def test_a_compressed_body_is_decompressed_by_setting(encoding: str, window: int) -> None:
    packer = zlib.compressobj(wbits=window)
    data = packer.compress(b"a secret " * 5_000) + packer.flush()
    for chunks in pieces(data)[::2]:
        app = streaming(Upstream(chunks), PLAIN, headers={"content-encoding": encoding})
        visit = await fetch(guarded(app, decompress=True))
        assert visit.body == b"a ****** " * 5_000
        assert "content-encoding" not in visit.headers


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"a secret")[:-4],
        gzip.compress(b"a secret") + b"more",
        b"\x1f\x8bnothing of the kind",
        gzip.compress(b"a" * 10_000_000, 9),
    ],
    ids=["cut", "more", "damaged", "bomb"],
)
async def test_a_damaged_compressed_body_is_cut_off(data: bytes) -> None:
    app = streaming(Upstream([data]), PLAIN, headers={"content-encoding": "gzip"})
    visit = Visit()
    with pytest.raises(Exception, match="compress"):
        await visit.to(guarded(app, decompress=True))
    assert not visit.complete


BIG = b"".join(b"a %d secret\n" % number for number in range(2_000))
BOMB = gzip.compress(BIG, mtime=0) + gzip.compress(b"a" * 20_000_000, mtime=0)


async def test_a_bomb_ends_at_the_same_byte_in_every_split() -> None:
    judge, found = Guard(Policy.parse("version: 1")), set()
    for size in (1, 700, len(BOMB)):
        app = streaming(Upstream(cut(BOMB, size)), PLAIN, headers={"content-encoding": "gzip"})
        visit = Visit()
        with pytest.raises(GuardstreamError, match="inflates to more than 4194304 bytes, and 500"):
            await visit.to(GuardMiddleware(app, judge, decompress=True))
        assert not visit.complete
        assert max(map(len, visit.bodies)) <= 32 * 1024
        found.add(visit.body)
    (body,) = found
    assert body.startswith(BIG)
    assert len(body) < 4 * 1024 * 1024 + 500 * len(BOMB)


async def test_a_long_compressed_message_is_read_in_pieces() -> None:
    text = b"".join(b"a %d secret\n" % number for number in range(700_000))
    app = streaming(Upstream([gzip.compress(text)]), PLAIN, headers={"content-encoding": "gzip"})
    bare = Guard(Policy.parse("version: 1"))
    visit = await fetch(GuardMiddleware(app, bare, decompress=True))
    assert len(text) > 9_000_000
    assert (visit.body == text, visit.complete) == (True, True)
    assert max(map(len, visit.bodies)) <= 32 * 1024


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_gzip_of_several_members_is_one_body(size: int) -> None:
    data = gzip.compress(b"a sec") + gzip.compress(b"") + gzip.compress(b"ret!")
    app = streaming(Upstream(cut(data, size)), PLAIN, headers={"content-encoding": "gzip"})
    visit = await fetch(guarded(app, decompress=True))
    assert (visit.body, visit.complete) == (b"a ******!", True)


async def test_what_has_gone_out_is_not_kept() -> None:
    body = open_body(Route("/", Guard(Policy.parse("version: 1"))), "text", [])
    tracemalloc.start()
    try:
        for _ in range(500):
            for _ in body.feed(b"a line of text\n" * 1000):
                pass
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


async def test_a_body_that_is_compressed_twice_is_refused() -> None:
    twice = gzip.compress(gzip.compress(b"a secret"))
    app = streaming(Upstream([twice]), PLAIN, headers={"content-encoding": "gzip, gzip"})
    visit = await fetch(guarded(app, decompress=True))
    assert (visit.status, visit.complete) == (502, True)


def at_once(data: bytes, kind: str, headers: Mapping[str, str]) -> Response:
    """A response in one message, that does not say how long it is."""
    response = Response(data, 200, headers, kind)
    del response.headers["content-length"]
    return response


async def ways(data: bytes, kind: str, encoding: str = "", policy: str = "") -> list[bytes]:
    """What goes out of a body that comes in all its splits, also with the end in the last piece."""
    headers = {"content-encoding": encoding} if encoding else None
    judge = Guard(Policy.parse(policy)) if policy else guard()
    apps = [streaming(Upstream(chunks), kind, headers=headers) for chunks in pieces(data)]
    apps += [app_of(lambda _: at_once(data, kind, headers or {}))]
    found = set()
    for app in apps:
        visit = Visit()
        with suppress(GuardstreamError):
            await visit.to(GuardMiddleware(app, judge, decompress=True))
        found.add(visit.body)
    return list(found)


LINES = line("a sec") + line("ret ")
EVENTS = b"data: a sec\n\ndata: ret b\n\n"


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (EVENTS + b"data: \xff\n\n", SSE, b"b\n\nevent: error\n"),
        (LINES + b"{x}\n", "application/x-ndjson", b' "code": "guard_error"}'),
        (b"a secret caf\xc3", PLAIN, b"a ****** caf"),
        (b"a secret \x83a\xff raw", "text/plain; charset=shift_jis", b"a ****** \x83a"),
        ("a secret!".encode("utf-16-le") + b"!", "text/plain; charset=utf-16-le", b"!\0"),
    ],
    ids=["no event", "no line", "cut text", "charset", "cut charset"],
)
async def test_what_stands_before_a_fault_goes_out_in_every_split(
    data: bytes, kind: str, said: bytes
) -> None:
    (body,) = await ways(data, kind)
    assert said in body
    assert b"raw" not in body


@pytest.mark.parametrize(("data", "kind"), [(EVENTS, SSE), (LINES, "application/x-ndjson")])
async def test_half_of_one_more_is_left_out_in_every_split(data: bytes, kind: str) -> None:
    assert await ways(data + data[:8], kind) == await ways(data, kind)


PACKED = gzip.compress(EVENTS * 50, mtime=0)


@pytest.mark.parametrize(
    "data",
    [
        PACKED[:-9],
        PACKED[:-4] + b"none",
        PACKED + b"more",
        PACKED[:40] + b"\xff" * 8 + PACKED[48:],
        zlib.compress(EVENTS)[:-1] + b"?",
    ],
    ids=["cut", "sum", "more", "damaged", "zlib"],
)
async def test_what_stands_before_damage_goes_out_in_every_split(data: bytes) -> None:
    (body,) = await ways(data, SSE, "gzip" if data.startswith(b"\x1f") else "deflate")
    assert body.startswith(b"data: a ")
    assert events(body)[-1].event == "error"


async def test_a_block_by_an_events_name_ends_the_same_in_every_split() -> None:
    said = "rules: [{id: word, words: [you], action: block}]"
    for first in (b"", b'data: {"a": "hello"}\n\n', b"data: hello\n\n", EVENTS):
        (body,) = await ways(first + b"event: you\ndata: there\n\n", SSE, policy=said)
        assert body.startswith(first)
        assert body.endswith(b'{"finish":"content_filter"}\n\n')


async def test_a_block_says_so_in_events_of_json_that_no_format_knows() -> None:
    end = b'event: complete\ndata: {"finish":"content_filter"}\n\n'
    unknown = b'data: {"a": "fine"}\n\ndata: {"a": "so forbidden"}\n\ndata: [DONE]\n\n'
    (body,) = await ways(unknown, SSE)
    assert body == b'data: {"a": "fine"}\n\ndata: {"a":"so "}\n\n' + end
    known = b"data: " + line("so forbidden") + b"\ndata: [DONE]\n\n"
    (body,) = await ways(known, SSE)
    assert b'"finish_reason":"content_filter"' in body
    assert end not in body


async def test_a_part_of_a_body_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a secret here")
    app = guarded(app_of(lambda _: FileResponse(path)))
    visit = await fetch(app, extensions={"http.response.pathsend": {}})
    assert visit.body == b"a ****** here"
    assert (await fetch(app, headers={"range": "bytes=4-"})).status == 502


async def test_a_block_closes_the_source_and_ends_the_body() -> None:
    for media, bad in [(PLAIN, b"fine, forbidden!"), (SSE, b"data: fine, forbidden!\n\n")]:
        upstream = Upstream([bad, b" unread"], silent=True)
        visit = await fetch(guarded(streaming(upstream, media)))
        assert visit.complete
        assert upstream.closed.is_set()
        assert upstream.given == 1
        assert b"fine, " in visit.body
        assert b"forbidden" not in visit.body


async def test_a_block_of_an_event_stream_ends_between_events() -> None:
    upstream = Upstream([b"data: fine \n\ndata: forbid\n\n", b"data: den!\n\ndata: more\n\n"])
    visit = await fetch(guarded(streaming(upstream, SSE)))
    assert "more" not in "".join(event.data for event in events(visit.body))


async def test_the_last_frames_wait_for_the_source_to_close() -> None:
    upstream = Upstream([b"fine, forbidden!"], silent=True)
    closed_at_the_end = []

    async def send(message: Any) -> None:
        if not message.get("more_body", True):
            closed_at_the_end.append(upstream.closed.is_set())

    visit = Visit()
    await guarded(streaming(upstream, PLAIN))(visit.scope, visit._receive, send)
    assert closed_at_the_end == [True]


async def talk_on(send: Send) -> None:
    while True:
        await send({"type": "http.response.body", "body": b"on", "more_body": True})


async def test_an_application_that_does_not_leave_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("guardstream.serve.exchange.STOP_SECONDS", 0.01)
    released = anyio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with anyio.CancelScope(shield=True):
            await send({"type": "http.response.body", "body": b"forbidden!", "more_body": True})
            with pytest.raises(OSError, match="has ended"):
                await talk_on(send)
            await released.wait()

    visit = Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(visit.to, guarded(app))
            while not visit.complete:
                await visit.news.wait()
            released.set()
    assert visit.body == b""


FAULTS = [
    (b"raw boom", lambda app: GuardMiddleware(app, broken_guard())),
    (b"ok \xff raw", guarded),
]


@pytest.mark.parametrize(("data", "behind"), FAULTS, ids=["stage", "utf-8"])
async def test_a_fault_cuts_plain_text_off(data: bytes, behind: Any) -> None:
    upstream = Upstream([data], silent=True)
    visit = Visit()
    with anyio.fail_after(5), pytest.raises(GuardstreamError, match=r"failed|UTF-8") as caught:
        await visit.to(behind(streaming(upstream, PLAIN)))
    assert "raw" not in str(caught.value)
    assert b"raw" not in visit.body
    assert not visit.complete
    assert upstream.closed.is_set()


@pytest.mark.parametrize(("data", "behind"), FAULTS, ids=["stage", "utf-8"])
async def test_a_fault_is_an_event_of_its_own(data: bytes, behind: Any) -> None:
    upstream = Upstream([b"data: " + data + b"\n\n"], silent=True)
    visit = await fetch(behind(streaming(upstream, SSE)))
    assert b"raw" not in visit.body
    assert [event.event for event in events(visit.body)] == ["error"]
    assert visit.complete
    assert upstream.closed.is_set()


async def test_a_line_that_is_too_long_is_an_error_event() -> None:
    upstream = Upstream([b"data: ok\n\n", *[b"data: " + b"x" * 1_000_000] * 10], silent=True)
    visit = await fetch(guarded(streaming(upstream, SSE)))
    assert events(visit.body)[0] == Event("ok")
    assert events(visit.body)[-1].event == "error"
    assert visit.complete
    assert upstream.closed.is_set()


async def test_an_application_that_fails_is_an_error_event_and_still_raises() -> None:
    upstream = Upstream([b"data: ok\n\n", b"data: held sec\n\n"], error=RuntimeError("own"))
    visit = Visit()
    with pytest.raises(RuntimeError, match="own"):
        await visit.to(guarded(streaming(upstream, SSE)))
    assert [event.event for event in events(visit.body)][-1] == "error"
    assert b"sec" not in visit.body
    assert visit.complete


@pytest.mark.parametrize(
    ("begun", "told"),
    [
        (
            {"type": "start", "messageId": "m"},
            {"type": "error", "errorText": "the answer broke off"},
        ),
        (
            {"type": "stream-start", "warnings": []},
            {"type": "error", "error": "the answer broke off"},
        ),
        (
            {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
            {"type": "RUN_ERROR", "message": "the answer broke off", "code": "upstream_error"},
        ),
    ],
)
async def test_an_application_that_fails_is_an_error_that_a_strict_client_knows(
    begun: dict[str, str], told: dict[str, str]
) -> None:
    first = f"data: {json.dumps(begun)}\n\n".encode()
    visit = Visit()
    with pytest.raises(RuntimeError, match="own"):
        await visit.to(guarded(streaming(Upstream([first], error=RuntimeError("own")), SSE)))
    assert [json.loads(each.data) for each in events(visit.body)] == [begun, told]


async def test_plain_text_of_an_application_that_fails_is_cut_off() -> None:
    upstream = Upstream([b"ok, sec"], error=RuntimeError("own"))
    visit = Visit()
    with pytest.raises(RuntimeError, match="own"):
        await visit.to(guarded(streaming(upstream, PLAIN)))
    assert (visit.body, visit.complete) == (b"ok, ", False)


async def test_an_application_that_fails_before_it_answers_raises() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("own")

    visit = Visit()
    with pytest.raises(RuntimeError, match="own"):
        await visit.to(guarded(app))
    assert visit.sent == []


async def test_an_application_that_answers_by_half_ends_as_an_error() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: ok\n\n", "more_body": True})

    visit = await fetch(guarded(app))
    assert [event.event for event in events(visit.body)] == ["message", "error"]
    assert visit.complete


async def test_a_response_needs_no_headers() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": memoryview(b"a secret")})

    assert (await fetch(guarded(app))).body == b"a ******"


async def test_messages_that_cannot_be_guarded_end_the_response() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.pathsend", "path": "/dev/null"})

    visit = await fetch(guarded(app))
    assert "pathsend" in events(visit.body)[-1].data


async def test_a_client_that_leaves_closes_the_source_at_every_message() -> None:
    for media in (PLAIN, SSE):
        for number in range(1, 8):
            upstream = Upstream([b"data: some text\n\n"] * 10, silent=True)
            visit = await fetch(guarded(streaming(upstream, media)), leave_after=number)
            assert upstream.closed.is_set()
            assert not visit.complete
            assert len(visit.sent) <= number + 1


@pytest.mark.parametrize("spec", ["2.0", "2.3", "2.4"])
async def test_a_client_that_leaves_a_silent_source_closes_it(spec: str) -> None:
    upstream = Upstream([b"data: a\n\n"], silent=True)
    visit = Visit(leave_after=2)
    visit.scope["asgi"] = {"version": "3.0", "spec_version": spec}
    with anyio.fail_after(5):
        await visit.to(guarded(streaming(upstream, SSE)))
    assert upstream.closed.is_set()


async def test_a_server_that_raises_when_the_client_has_left_closes_the_source() -> None:
    upstream = Upstream([b"some text "] * 10)
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 3:
            raise OSError("gone")

    visit = Visit()
    with anyio.fail_after(5):
        await guarded(streaming(upstream, PLAIN))(visit.scope, visit._receive, send)
    assert upstream.closed.is_set()
    assert upstream.given == 2


async def test_an_application_that_fails_when_stopped_is_logged_by_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            await send({"type": "http.response.body", "body": b"forbidden!", "more_body": True})
            await anyio.sleep_forever()
        finally:
            raise RuntimeError("raw")

    visit = await fetch(guarded(app))
    assert visit.complete
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["an application failed when stopped (RuntimeError)"]


async def test_hundreds_of_streams_leave_nothing_behind() -> None:
    random = Random(1)
    for number in range(500):
        kinds = [b"data: some text \n\n", b"data: forbidden! \n\n"]
        chunks = random.choices(kinds, weights=[8, number % 2], k=5)
        error = RuntimeError("own") if number % 3 == 0 else None
        upstream = Upstream(chunks, silent=error is None, error=error)
        visit = Visit(leave_after=random.randrange(1, 6) if error is None else None)
        with anyio.move_on_after(5) as limit, suppress(RuntimeError):
            await visit.to(guarded(streaming(upstream, SSE), heartbeat=60 if number % 2 else None))
        assert not limit.cancelled_caught
        assert upstream.given == 0 or upstream.closed.is_set()
        assert b"forbidden" not in visit.body
    gc.collect()


async def test_background_tasks_run_after_the_client_has_left() -> None:
    ran: list[bool] = []

    async def background() -> None:
        await anyio.lowlevel.checkpoint()
        visit.left.set()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        ran.append(True)

    visit = Visit()
    upstream = Upstream([b"text"])
    await visit.to(guarded(streaming(upstream, PLAIN, background=BackgroundTask(background))))
    assert (ran, visit.body, visit.complete) == ([True], b"text", True)


async def test_a_slow_client_holds_the_application_up() -> None:
    upstream = Upstream([b"data: text\n\n"] * 1000)
    visit = Visit()
    visit.stalled = anyio.Event()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(visit.to, guarded(streaming(upstream, SSE)))
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            assert upstream.given <= 1
            visit.stalled.set()
    assert len(events(visit.body)) == 1000


async def test_a_request_body_is_read_whole_while_the_answer_streams() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            body = {"type": "http.response.body", "body": message["body"], "more_body": True}
            await send(body)
        await send({"type": "http.response.body"})

    parts = [str(number).encode() for number in range(40)]
    visit = await fetch(guarded(app), method="POST", body=parts)
    assert visit.body == b"".join(parts)


async def test_heartbeats_fill_silence_between_events() -> None:
    upstream = Upstream([b"data: a\n\n"], silent=True)
    visit = Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(visit.to, guarded(streaming(upstream, SSE), heartbeat=0.01))
            await visit.until(b"data: a\n\n: ping\n\n: ping\n\n")
            visit.left.set()
    assert upstream.closed.is_set()


DATA_STREAM = ['0:"a sec"\n', '0:"ret"\n', 'd:{"finishReason":"stop"}\n']


@pytest.mark.parametrize("cut", [False, True])
async def test_lines_of_a_data_stream_are_guarded_as_one(cut: bool) -> None:
    lines = "".join(DATA_STREAM).encode()
    chunks = [bytes([byte]) for byte in lines] if cut else [lines]
    visit = await fetch(guarded(streaming(Upstream(chunks), PLAIN)))
    said = [json.loads(line[2:]) for line in visit.body.splitlines() if line[:2] == b"0:"]
    assert "secret" not in "".join(said)
    assert visit.body.endswith(b'd:{"finishReason":"stop"}\n')


async def test_text_that_begins_like_a_data_stream_stays_text() -> None:
    for text in (b"0", b"0:", b"f:{", b'0: "x"', b"f: x"):
        visit = await fetch(guarded(streaming(Upstream([text[:1], text[1:]]), PLAIN)))
        assert visit.body == text


async def test_an_application_leaves_the_vault_of_its_messages() -> None:
    guard = Guard(
        Policy.parse(
            "rules: [{id: word, words: [secret], replacement: '*'}]\n"
            "input: {rules: [{id: name, words: [Ann Lee], reversible: true}]}"
        )
    )
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        vault = Vault()
        sent = guard.check_messages([{"role": "user", "content": "Ann Lee"}], vault=vault)
        seen.append(sent.messages[0]["content"])
        scope["state"]["guardstream_vault"] = vault
        text = f"a secret of {seen[-1]}"
        parts = [text[at : at + 4].encode() for at in range(0, len(text), 4)]
        await streaming(Upstream(parts), PLAIN)(scope, receive, send)

    visit = await fetch(GuardMiddleware(app, guard))
    assert visit.body.decode() == "a ****** of Ann Lee"
    assert "Ann" not in seen[0]
    kept = await fetch(GuardMiddleware(app, guard, replay=MemoryReplay()))
    assert kept.body == visit.body  # of text nothing is kept


GUARD = guard()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"guard": "policy.yaml"}, "needs a Guard, such as Guard.load(path), not 'str'"),
        ({"guard": GUARD.policy}, "not 'Policy'"),
        ({"guard": GUARD, "inbound": "policy.yaml"}, "not 'str'"),
        ({"gaurd": GUARD}, "gaurd"),
        ({"routes": {"/chat": GUARD}}, "Route or (path, guard), in order, not a mapping"),
        ({"routes": [("/chat",)]}, "Route or (path, guard), in order, not ('/chat',)"),
        ({"routes": ["/chat"]}, "Route or (path, guard), in order, not '/chat'"),
        ({"routes": [GUARD]}, "Route or (path, guard), in order, not <Guard"),
        ({"routes": [("chat", GUARD)]}, "begins with '/', such as '/chat', not 'chat'"),
        ({"guard": GUARD, "heartbeat": "15s"}, "heartbeat= needs a number of seconds, not 'str'"),
        ({"guard": GUARD, "heartbeat": 0}, "above 0, not 0"),
        ({"guard": GUARD, "heartbeat": float("nan")}, "above 0, not nan"),
        ({"guard": GUARD, "heartbeat": True}, "not 'bool'"),
        ({"routes": [Route("/chat", GUARD)], "heartbeat": 5}, "'heartbeat' is for 'guard'"),
        (
            {"guard": GUARD, "websocket": "jason"},
            "unknown websocket 'jason': use 'text' or 'json' or 'message'",
        ),
        (
            {"guard": GUARD, "binary": True},
            "unknown binary True: use 'guard' or 'refuse' or 'pass'",
        ),
    ],
)
def test_what_is_no_setting_is_said_at_once(given: dict[str, Any], said: str) -> None:
    async def app(*_: object) -> None: ...

    with pytest.raises((TypeError, ValueError)) as raised:
        GuardMiddleware(app, **given)
    assert said in str(raised.value)


@pytest.mark.parametrize("setting", [{"inbound": GUARD}, {"heartbeat": 5}, {"other": "refuse"}])
def test_a_route_without_a_guard_has_no_settings(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a path that is not guarded has no"):
        Route("/open", None, **setting)


async def test_a_line_of_json_in_a_text_is_text_in_every_split() -> None:
    data = b'a log:\n{"a": "se\\u0063ret"} a secret\n'
    for chunks in pieces(data):
        visit = await fetch(guarded(streaming(Upstream(chunks), PLAIN)))
        assert visit.body == data.replace(b"secret", b"******")
        assert visit.complete
