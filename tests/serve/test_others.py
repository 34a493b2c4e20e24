"""Responses that are no known stream: guarded by what they are, passed or refused."""

from __future__ import annotations

import gzip
import io
import json
import logging
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.background import BackgroundTask
from starlette.responses import (
    FileResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.types import Receive, Scope, Send

from guardstream import Guard, GuardstreamError, Policy
from guardstream.serve import GuardMiddleware, Route
from guardstream.stream.observers import StreamRecord, StreamStart
from tests.serve.apps import Upstream, app_of, guarded, streaming
from tests.serve.visit import Visit
from tests.support.asgi import cut, fetch, pieces
from tests.support.sources import broken_guard, guard

pytestmark = pytest.mark.anyio

HTML = "text/html; charset=utf-8"
SSE = "text/event-stream"
OCTETS = "application/octet-stream"
MARK = b"guardstream-policy"


def whole(data: bytes, kind: str | None, status: int = 200, **headers: str) -> Any:
    """An application that answers at once, and says how long that is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return app_of(lambda _: Response(data, status, named, kind))


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "secret " * 1000)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        named = tarfile.TarInfo("a.txt")
        named.size = 6
        archive.addfile(named, io.BytesIO(b"secret"))
    return file.getvalue()


PDF = b"%PDF-1.3\n" + b"1 0 obj << /Type /Catalog >>\n" * 100 + b"stream\n\xff\xfe\0secret"

GUARDED = [
    (b'{"a": "a secret", "b": [1]}', "application/json", b'{"a":"a ******","b":[1]}'),
    (b'{"a": "a se\\u0063ret"}', "application/json", b'{"a":"a ******"}'),
    (b'{"a": "a secret"}', "application/problem+json", b'{"a":"a ******"}'),
    (
        b'{"a": "a secret"}\n{"a": 1}\n',
        "application/x-json",
        b'{"a":"a "}\n{"a":"******"}\n{"a": 1}\n',
    ),
    (b"<p>a secret</p>", HTML, b"<p>a ******</p>"),
    (b"# a secret", "text/markdown", b"# a ******"),
    (b"name,secret\n", "text/csv", b"name,******\n"),
    (b'"name","secret"\n', "text/csv", b'"name","******"\n'),
    (b"<a>secret</a>", "application/xml", b"<a>******</a>"),
    (b"<svg>secret</svg>", "image/svg+xml", b"<svg>******</svg>"),
    (b'"use strict";\nf("secret")', "text/javascript", b'"use strict";\nf("******")'),
    (b".secret {}", "text/css", b".****** {}"),
    (b"a secret", OCTETS, b"a ******"),
    (b'{"a": "se\\u0063ret"}', OCTETS, b'{"a":"******"}'),
    (b"a secret", "application/pdf", b"a ******"),
    (b"a secret", "application/postscript", b"a ******"),
    (b"a secret", "application/x-own", b"a ******"),
    (b"pong secret", "application/json", b"pong ******"),
    (b"a: secret", "application/yaml", b"a: ******"),
    (b"a secret \xfc", "text/html; charset=latin-1", b"a ****** \xfc"),
]


@pytest.mark.parametrize(("data", "kind", "masked"), GUARDED)
async def test_all_that_is_text_is_guarded_in_every_split(
    data: bytes, kind: str, masked: bytes
) -> None:
    at_once = await fetch(guarded(whole(data, kind)))
    assert at_once.body == masked
    assert at_once.headers["content-length"] == str(len(masked))
    for chunks in pieces(data):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert visit.body == masked
        assert visit.complete
        length = {"content-length": str(len(data))}
        visit = await fetch(guarded(streaming(Upstream(chunks), kind, headers=length)))
        assert (visit.body, visit.headers["content-length"]) == (masked, str(len(masked)))


JSON = '{"a": "a se\\u0063ret"}'


@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("label", ["", "; charset=ibm037", "; charset=utf-16", '; charset="cp500"'])
async def test_json_is_in_the_charset_of_its_first_bytes(charset: str, label: str) -> None:
    visit = await fetch(guarded(whole(JSON.encode(charset), f"application/json{label}")))
    assert json.loads(visit.body) == {"a": "a ******"}
    named = visit.headers["content-type"].partition("charset=")[2] or "utf-8"
    assert json.loads(visit.body.decode(named.strip('"')).lstrip("\ufeff")) == {"a": "a ******"}


async def test_a_whole_response_is_what_check_makes_of_it() -> None:
    text = "one secret, two secrets " * 2000
    for kind in ("text/html", "text/css", OCTETS):
        visit = await fetch(guarded(whole(text.encode(), kind)))
        assert visit.body.decode() == guard().check(text).text


@pytest.mark.parametrize("kind", ["application/json", HTML, "text/csv", OCTETS])
async def test_what_nothing_changes_keeps_its_bytes_and_its_headers(kind: str) -> None:
    data = b'{ "a" :  1.50 }' if "json" in kind else b"nothing to see\n"
    app = whole(data, kind, etag='"x"', digest="y", last_modified="z")
    plain, through = await fetch(app), await fetch(guarded(app))
    *kept, mark = through.sent[0]["headers"]
    assert (kept, mark[0]) == (plain.sent[0]["headers"], MARK)
    assert through.body == data


async def test_what_changes_loses_what_its_headers_said_of_it() -> None:
    app = whole(b"<p>secret", HTML, etag='"x"', digest="y", accept_ranges="bytes", x_own="kept")
    headers = (await fetch(guarded(app))).headers
    policy = f"test@{guard().policy.fingerprint}"
    kept = {"content-type": HTML, "x-own": "kept", "content-length": "9"}
    assert headers == {**kept, "guardstream-policy": policy}


async def test_a_page_that_streams_goes_out_as_it_comes() -> None:
    upstream = Upstream([b"<html>", b"<p>open sec"], silent=True)
    visit = Visit()
    async with anyio.create_task_group() as group:
        group.start_soon(visit.to, guarded(streaming(upstream, HTML)))
        with anyio.fail_after(5):
            await visit.until(b"<html><p>open ")
            visit.left.set()
            await upstream.closed.wait()
    assert b"sec" not in visit.body


@pytest.mark.parametrize("kind", [None, OCTETS, HTML])
async def test_events_are_events_whatever_they_call_themselves(kind: str | None) -> None:
    data = b'data: {"a": "se\\u0063ret"}\n\ndata: {"a": " b"}\n\n'
    for chunks in pieces(data):
        app = streaming(Upstream(chunks), kind)
        visit = await fetch(guarded(app, text_types=("text/plain",)))
        assert b"secret" not in visit.body
        assert b"se\\u0063ret" not in visit.body or kind == HTML  # which no browser reads as such


PROSE = b"A note\n\nsays: see\ndata: a secret\n\n"


async def test_text_that_calls_itself_events_is_refused_at_its_end() -> None:
    """BentoML sends every stream of `str` like this: no client of events would see any of it."""
    visit = await fetch(guarded(streaming(Upstream([b"Hello\n\n", b"bye.\n\n"]), SSE)))
    assert b'"code":"guard_error"' in visit.body
    assert b"text_types" in visit.body


@pytest.mark.parametrize("other", ["guard", "refuse", "pass"])
async def test_text_that_calls_itself_events_is_text_where_a_route_says_so(other: Any) -> None:
    for chunks in pieces(PROSE):
        app = guarded(streaming(Upstream(chunks), SSE), text_types=(SSE,), other=other)
        visit = await fetch(app)
        assert visit.body == b"A note\n\nsays: see\ndata: a ******\n\n"
        assert visit.headers["content-type"].startswith(SSE)


@pytest.mark.parametrize("begin", [b"", b": hello\n\n", b"id: 1\n"])
async def test_events_are_events_where_a_route_names_their_type(begin: bytes) -> None:
    for chunks in pieces(begin + b"data: a sec\n\ndata: ret\n\n"):
        visit = await fetch(guarded(streaming(Upstream(chunks), SSE), text_types=(SSE,)))
        assert b"ret" not in visit.body
        assert b"******" in visit.body


FILES = [
    (zipped(), "application/zip"),
    (zipped(), OCTETS),
    (zipped(), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (gzip.compress(b"secret", mtime=0), "application/gzip"),
    (tarred(), "application/x-tar"),
    (tarred(), OCTETS),
    (PDF, "application/pdf"),
    (PDF, OCTETS),
    (b"\0asm\1\0\0\0secret", "application/wasm"),
    (b"\0asm\1\0\0\0secret", OCTETS),
    (b"glTF\2\0\0\0\xffsecret", "model/gltf-binary"),
    (b"MZ\x90\0\3\0\xffsecret", "application/x-msdos-program"),
    (zipped(), "application/vnd.apple.pages"),
]


@pytest.mark.parametrize(("data", "kind"), FILES)
async def test_files_that_are_no_text_pass_with_their_headers(data: bytes, kind: str) -> None:
    app = whole(data, kind, etag='"x"', accept_ranges="bytes")
    plain, through = await fetch(app), await fetch(guarded(app))
    assert (through.sent[0], through.body) == (plain.sent[0], data)
    for chunks in (cut(data, 1), cut(data, 7)):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert (visit.body, visit.complete) == (data, True)
        assert MARK.decode() not in visit.headers


async def test_types_that_pass_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "guardstream.serve")
    app = guarded(whole(zipped(), "application/zip"))
    for _ in range(3):
        await fetch(app)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["responses of the type 'application/zip' pass unread"]


async def test_a_large_download_is_not_kept() -> None:
    chunks = [b"\0\1\2" * 20_000] * 20
    upstream = Upstream(chunks)
    visit = await fetch(guarded(streaming(upstream, OCTETS), max_answer=1000))
    assert visit.bodies == [*chunks, b""]


async def test_a_long_text_streams_whatever_its_length() -> None:
    data = b"a secret row,1\n" * 1000
    headers = {"content-length": str(len(data)), "etag": "x"}
    for kind in ("text/csv", OCTETS):
        for chunks in ([data], cut(data, 700)):
            app = streaming(Upstream(chunks), kind, headers=headers)
            visit = await fetch(guarded(app, max_answer=2000))
            assert visit.body == data.replace(b"secret", b"******")
            assert visit.complete
            assert not {"content-length", "etag"} & visit.headers.keys()


@pytest.mark.parametrize("told", [True, False])
async def test_what_is_too_long_is_refused_with_the_setting(told: bool) -> None:
    data = json.dumps(["secret"] * 1000).encode()
    headers = {"content-length": str(len(data))} if told else None
    for chunks in ([data], cut(data, 50)):
        app = streaming(Upstream(chunks), "application/json", headers=headers)
        visit = await fetch(guarded(app, max_answer=100))
        assert (visit.status, visit.complete) == (502, True)
        for setting in (b"max_answer", b"serve.limits.answer", b"text_types", b"route"):
            assert setting in visit.body


REFUSED = [
    (b"\x81\xa1a\xa6secret", "application/msgpack", b"file_types"),
    (b"caf\xe9 secret", HTML, b"charset"),
    (b"caf\xe9 secret", OCTETS, b"charset"),
    (b"caf\xe9 secret", "application/pdf", b"charset"),
    ("a secret".encode("utf-16"), OCTETS, b"charset"),
    (b'{"a": "secret"} \0\xff', OCTETS, b"cannot be guarded"),
    (b'{"a": "se\\u0063ret",}', "application/json", b"not JSON"),
    (b'{"a": "secret", "a": 1}', "application/json", b"repeats a key"),
    (b'{"a": "forbidden"}', "application/json", b"blocked"),
    (b"<p>forbidden", HTML, b"blocked"),
    (b"--x\r\n\r\nsecret", "multipart/mixed; boundary=x", b"in parts"),
    (b"secret", "image/png, text/html", b"two content types"),
    ('{"a": "é"}'.encode("cp037"), "application/json; charset=cp037", b"neither text in UTF-8"),
]


@pytest.mark.parametrize(("data", "kind", "why"), REFUSED)
async def test_what_cannot_be_guarded_is_refused(data: bytes, kind: str, why: bytes) -> None:
    visit = await fetch(guarded(whole(data, kind)))
    assert (visit.status, visit.complete) == (502, True)
    assert why in visit.body
    assert b"secret" not in visit.body
    assert visit.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("text/plain", "application/json"),
        ("text/event-stream", "text/html"),
        ("application/x-ndjson", "text/event-stream"),
    ],
)
async def test_a_stream_of_two_types_is_refused_too(first: str, second: str) -> None:
    data = b'{"a":"se\\u0063ret"}\n'
    for kinds in ([f"{first}, {second}"], [first, second]):

        async def app(_scope: Any, _receive: Any, send: Any, kinds: list[str] = kinds) -> None:
            headers = [(b"content-type", kind.encode()) for kind in kinds]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": data})

        visit = await fetch(guarded(app))
        assert (visit.status, visit.complete) == (502, True)
        assert b"two content types" in visit.body


async def test_one_type_that_is_named_twice_is_one() -> None:
    app = guarded(streaming(Upstream([b"a secret"]), "text/plain, Text/Plain; charset=utf-8"))
    visit = await fetch(app)
    assert (visit.status, visit.body) == (200, b"a ******")


@pytest.mark.parametrize(
    ("data", "out"),
    [
        (b'{"a":"se\\u0063ret"}{"b":1}', b'{"a":"******"}\n{"b":1}'),
        (b'{"a": 1}\n[\n"se\\u0063ret"\n]\n', b'{"a": 1}\n["******"]\n'),
        (b'data: {"a":"se\\u0063ret"}\n\n', b'data: {"a":"******"}\n\n'),
        (b')]}\'\n{"a": "secret"}', b')]}\'\n{"a": "******"}'),
        (b'{"a": 1} {"b": 2}', b'{"a": 1} {"b": 2}'),
        (b"no JSON", b"no JSON"),
    ],
)
async def test_what_says_that_it_is_json_is_guarded_by_what_it_is(data: bytes, out: bytes) -> None:
    visit = await fetch(guarded(whole(data, "application/json")))
    assert (visit.status, visit.body) == (200, out)


CHARSETS = [
    ("text/plain; charset=iso-8859-1", "看秘密".encode(), "看**".encode()),
    ("text/html; charset=cp037", b"a secret", b"a ******"),
    (
        "text/plain; charset=latin-1",
        "é 秘密 secret ".encode() + b"\xff",
        "é ** ****** ".encode() + b"\xff",
    ),
    ("text/plain; charset=gbk", "看秘密".encode("gbk"), "看**".encode("gbk")),
    (
        "text/plain; charset=utf-16-le",
        "a secret".encode("utf-16-le"),
        "a ******".encode("utf-16-le"),
    ),
    ("text/plain; charset=latin-1", b"caf\xe9 \xe7\xa7", b"caf\xe9 \xe7\xa7"),
]


@pytest.mark.parametrize(("kind", "data", "out"), CHARSETS)
async def test_a_text_in_a_charset_is_guarded_as_utf_8_too(
    kind: str, data: bytes, out: bytes
) -> None:
    words = Guard(Policy.parse('rules: [{id: w, words: [secret, 秘密], replacement: "*"}]'))
    for app in (whole(data, kind), *(streaming(Upstream(parts), kind) for parts in pieces(data))):
        visit = await fetch(GuardMiddleware(app, words))
        assert (visit.status, visit.body, visit.complete) == (200, out, True)


async def test_a_block_in_the_other_reading_ends_the_text() -> None:
    kind = "text/plain; charset=cp037"
    for chunks in pieces(b"so. forbidden!"):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert (visit.body, visit.complete) == (b"so. ", True)
    visit = await fetch(guarded(whole(b"<forbidden", "text/html; charset=cp037")))
    assert visit.status == 502


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "shift_jis"])
async def test_json_may_be_in_another_charset(charset: str) -> None:
    for text in ('{"a":"secret"}', '{"a":"se\\u0063ret"}'):
        data = text.encode(charset)
        app = guarded(whole(data, f"application/json; charset={charset}"))
        visit = await fetch(app)
        assert visit.status == 200
        assert visit.body == '{"a":"******"}'.encode(charset)
    clean = '{"a": "ä"}'.encode("latin-1")
    app = guarded(whole(clean, "application/json; charset=latin-1"))
    assert (await fetch(app)).body == clean


@pytest.mark.parametrize("unit", ["", "items "])
async def test_some_items_of_a_list_are_guarded(unit: str) -> None:
    app = whole(b'["a secret", 2]', "application/json", 206, content_range=f"{unit}0-1/7")
    visit = await fetch(guarded(app))
    assert (visit.status, visit.body) == (206, b'["a ******",2]')
    app = whole(b"a secret", "text/plain", 206, content_range=f"{unit}0-1/7")
    assert (await fetch(guarded(app))).body == b"a ******"


async def test_a_page_in_no_charset_is_cut_off_in_every_split() -> None:
    data = b"<p>a caf\xe9 raw" + b"x" * 100
    for chunks in pieces(data):
        visit = Visit()
        with pytest.raises(Exception, match="UTF-8"):
            await visit.to(guarded(streaming(Upstream(chunks), HTML)))
        assert b"raw" not in visit.body
        assert not visit.complete


async def test_a_block_ends_a_page_that_streams_in_every_split() -> None:
    for chunks in pieces(b"<p>fine, forbidden!</p>"):
        visit = await fetch(guarded(streaming(Upstream(chunks), HTML)))
        assert (visit.body, visit.complete) == (b"<p>fine, ", True)


async def test_a_page_that_a_limit_cuts_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    judge = Guard(Policy.parse("limits: {max_chars: 5}"))
    visit = await fetch(GuardMiddleware(whole(b"<html>more", HTML), judge))
    assert (visit.body, visit.headers["content-length"]) == (b"<html", "5")
    assert "ended a response of the type 'text/html' early" in caplog.text


@pytest.mark.parametrize("kind", ["text/plain", HTML, "application/json", OCTETS])
async def test_audits_are_told_of_each_response(kind: str) -> None:
    told: list[str] = []

    class Counting:
        def opened(self, start: StreamStart) -> None: ...

        def closed(self, record: StreamRecord) -> None:
            told.extend(finding.rule for finding in record.findings)

    judge = Guard(guard().policy, observers=[Counting()])
    visit = await fetch(GuardMiddleware(whole(b'"a secret"', kind), judge))
    assert (visit.body, told) == (b'"a ******"', ["word"])


async def test_a_failing_stage_lets_nothing_out() -> None:
    for kind in (HTML, OCTETS):
        visit = await fetch(GuardMiddleware(whole(b"raw boom", kind), broken_guard()))
        assert (visit.status, visit.complete) == (502, True)
        assert b"raw" not in visit.body


async def test_a_file_type_may_be_named() -> None:
    data = b"\x81\xa1a\xa6secret"
    app = whole(data, "application/msgpack")
    assert (await fetch(guarded(app, file_types=("application/msgpack",)))).body == data


async def test_other_responses_may_pass_or_be_refused() -> None:
    app = whole(b"<p>secret", HTML)
    assert (await fetch(guarded(app, other="pass"))).body == b"<p>secret"
    for refused in (app, whole(b"x", "image/png")):
        assert (await fetch(guarded(refused, other="refuse"))).status == 502
    assert (await fetch(guarded(whole(b"secret", "text/plain"), other="pass"))).body == b"******"
    raw = Route("/raw/{rest:path}", guard(), other="pass")
    middleware = GuardMiddleware(app, guard(), routes=[raw, ("/none", None)])
    assert (await fetch(middleware, path="/raw/x")).body == b"<p>secret"
    assert (await fetch(middleware, path="/none")).body == b"<p>secret"
    assert (await fetch(middleware, path="/")).body == b"<p>******"


@pytest.mark.parametrize("kind", ["image/png", "audio/mpeg", "video/mp4", "font/woff2"])
async def test_a_text_that_is_declared_as_an_image_is_guarded(kind: str) -> None:
    assert (await fetch(guarded(whole(b"a secret", kind)))).body == b"a ******"
    streamed = app_of(lambda _: StreamingResponse(iter([b"a sec", b"ret"]), media_type=kind))
    assert (await fetch(guarded(streamed))).body == b"a ******"
    image = b"\x89PNG\r\n\x1a\n a secret"
    assert (await fetch(guarded(whole(image, kind)))).body == image


async def test_head_has_no_length_that_may_be_wrong() -> None:
    app = guarded(whole(b'"a secret"', "application/json", etag='"x"'))
    head = await fetch(app, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert not {"content-length", "etag"} & head.headers.keys()
    image = await fetch(guarded(whole(b"x", "image/png")), method="HEAD")
    assert image.headers["content-length"] == "1"


async def test_parts_of_texts_are_refused_and_parts_of_files_pass(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped())
    (tmp_path / "a.csv").write_text("a secret here")
    (tmp_path / "a.bin").write_text("a secret here")
    (tmp_path / "a.mp4").write_text("a secret here")
    app = guarded(app_of(lambda request: FileResponse(tmp_path / request.path_params["path"])))
    found = {}
    for name in ("a.zip", "a.csv", "a.bin", "a.mp4"):
        visit = await fetch(app, path=f"/{name}", headers={"range": "bytes=2-"})
        found[name] = visit.status
    assert found == {"a.zip": 206, "a.csv": 502, "a.bin": 502, "a.mp4": 206}
    whole_file = await fetch(app, path="/a.csv")
    assert whole_file.body == b"a ****** here"


async def test_the_application_is_asked_for_what_can_be_read() -> None:
    seen: list[list[str]] = []

    def respond(request: Any) -> Response:
        seen.append(request.headers.getlist("accept-encoding"))
        return JSONResponse({})

    await fetch(guarded(app_of(respond)), headers={"accept-encoding": "gzip, br"})
    assert seen == [["identity"]]


async def test_a_compressed_page_is_read_by_setting() -> None:
    for text in (b"<p>fine", b"<p>a secret"):
        data = gzip.compress(text, mtime=0)
        app = whole(data, HTML, content_encoding="gzip")
        visit = await fetch(guarded(app))
        assert visit.status == 502
        assert b"set decompress" in visit.body
        visit = await fetch(guarded(app, decompress=True))
        if b"secret" in text:
            assert (visit.body, "content-encoding" in visit.headers) == (b"<p>a ******", False)
        else:
            assert (visit.body, visit.headers["content-encoding"]) == (data, "gzip")


async def test_a_redirect_and_an_error_are_guarded_as_others() -> None:
    for status in (302, 404, 500):
        app = whole(b"<a>secret", HTML, status, location="/x")
        visit = await fetch(guarded(app))
        assert (visit.status, visit.body, visit.headers["location"]) == (status, b"<a>******", "/x")


async def test_background_tasks_run_after_every_end() -> None:
    ran: list[bytes] = []

    def answering(data: bytes) -> Any:
        async def background() -> None:
            ran.append(data)

        task = BackgroundTask(background)
        return app_of(lambda _: Response(data, 200, None, "application/json", task))

    for data in (b'{"a": "secret"}', b'{"a": "forbidden"}', b"{"):
        visit = Visit()
        visit.left.set()
        await visit.to(guarded(answering(data)))
        assert visit.complete
    assert len(ran) == 3


async def test_an_application_that_fails_half_way_has_sent_nothing() -> None:
    upstream = Upstream([b'{"a": "sec'], error=RuntimeError("own"))
    visit = Visit()
    with pytest.raises(RuntimeError, match="own"):
        await visit.to(guarded(streaming(upstream, "application/json")))
    assert visit.sent == []


async def test_a_whole_response_that_is_left_unfinished_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}", "more_body": True})

    assert (await fetch(guarded(app))).sent == []
    assert "left its response unfinished" in caplog.text


async def test_an_extension_cannot_bring_a_page_past_the_guard() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.pathsend", "path": "/dev/null"})

    visit = await fetch(guarded(app))
    assert (visit.status, b"pathsend" in visit.body) == (502, True)


async def test_a_text_may_be_cut_within_a_character() -> None:
    data = b"x" * 1444 + "ü a secret".encode()
    for chunks in (cut(data, 1445), cut(data, 1), [data]):
        visit = await fetch(guarded(streaming(Upstream(chunks), OCTETS)))
        assert visit.body == data.replace(b"secret", b"******")


async def test_an_empty_response_keeps_its_headers() -> None:
    for kind in ("application/json", HTML, OCTETS):
        visit = await fetch(guarded(whole(b"", kind, location="/x")))
        assert (visit.status, visit.body, visit.headers["content-length"]) == (200, b"", "0")


def test_the_section_sets_them(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    route = "{other: pass, file_types: [application/msgpack], max_answer: 1KB}"
    path.write_text(f"serve: {{limits: {{answer: 2KB}}, routes: {{/a: {route}, /b: {{}}}}}}")
    middleware = GuardMiddleware(whole(b"", None), Guard.load(path))
    found = [middleware._routes.find({"type": "http", "path": path}) for path in ("/a", "/b", "/c")]
    said = [(each.other, each.file_types, each.max_answer) for each in found if each is not None]
    assert said == [
        ("pass", ("application/msgpack",), 1024),
        ("guard", (), 2048),
        ("guard", (), 2048),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"other": "gard"}, "unknown other 'gard': use 'guard'"),
        ({"file_types": "application/msgpack"}, "'file_types' needs a list"),
        ({"max_answer": 0}, "max_answer= needs a whole number, at least 1, not 0"),
        ({"max_answer": "1MB"}, "max_answer= needs a whole number, not 'str'"),
    ],
)
def test_what_is_no_setting_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        Route("/", guard(), **given)


@pytest.mark.parametrize("kind", ["text/plain", HTML, None])
async def test_events_of_a_provider_are_known_in_any_text(kind: str | None) -> None:
    said = [b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % each for each in TOLD]
    for chunks in pieces(b": hi\n\n" + b"".join(said) + b"data: [DONE]\n\n"):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert b'"a ' in visit.body
        assert b"***" in visit.body
        assert b"ret" not in visit.body
        assert visit.complete


TOLD = (b"a sec", b"ret b")


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=latin-1", None])
async def test_a_text_of_a_known_length_is_guarded_whole(kind: str | None) -> None:
    plain = whole(b"nothing here", kind, etag='"x"')
    visit = await fetch(guarded(plain))
    assert (visit.headers["etag"], visit.headers["content-length"]) == ('"x"', "12")
    for data, made in (
        (b"a secret", b"a ******"),
        (b"fine, forbidden!", b"fine, "),
        (b'{"a": "se\\u0063ret"}', b'{"a":"******"}'),
        (b'["se\\u0063ret"] is a list', None),
        (b'{"a": "forbidden"}', None),
    ):
        length = {"content-length": str(len(data))}
        for chunks in pieces(data):
            visit = await fetch(guarded(streaming(Upstream(chunks), kind, headers=length)))
            assert (visit.status, visit.complete) == (502 if made is None else 200, True)
            assert made is None or (visit.body, visit.headers["content-length"]) == (
                made,
                str(len(made)),
            )
            assert not any(each in visit.body for each in (b"secret", b"u0063"))


async def test_a_redirect_keeps_its_length() -> None:
    app = app_of(lambda _: RedirectResponse("/other"))
    visit = await fetch(guarded(app))
    assert (visit.status, visit.headers["content-length"]) == (307, "0")


async def test_a_large_description_of_an_api_is_guarded() -> None:
    paths = {f"/{n}": {"get": {"summary": "a secret"}} for n in range(1000)}
    visit = await fetch(guarded(whole(json.dumps(paths).encode(), "application/json")))
    assert visit.status == 200
    assert visit.body.count(b"a ******") == 1000


async def test_what_is_a_text_at_first_ends_in_the_same_way_in_every_split() -> None:
    data = b"a secret line\n" * 200 + b"\0\xff raw"
    for chunks in ([data], [data, b""], cut(data, 1000)):
        visit = Visit()
        with pytest.raises(Exception, match="NUL"):
            await visit.to(guarded(streaming(Upstream(chunks), "application/zip")))
        assert not visit.complete
        assert b"secret" not in visit.body
        assert b"raw" not in visit.body
    visit = await fetch(guarded(whole(data, "application/zip")))
    assert visit.body == data


async def test_a_text_names_its_charset_whatever_its_type() -> None:
    data = "é, a secret".encode("utf-16-le")
    kind = "application/x-own; charset=utf-16-le"
    for chunks in pieces(data):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert visit.body.decode("utf-16-le") == "é, a ******"
    kind = "application/x-own; charset=latin-1"
    for chunks in pieces(b'{"a": "se\\u0063ret"}'):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert visit.body == b'{"a":"******"}'
    for named in (OCTETS, "application/zip"):
        kind = f"{named}; charset=utf-16-le"
        for chunks in pieces(b"a secret" + b" more" * 400):
            visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
            assert visit.body.startswith(b"a ****** more")
        text = "\u2c69\u1f00 secret".encode("utf-16-le")
        assert (await fetch(guarded(whole(text, kind)))).status == 502
        assert (await fetch(guarded(whole(zipped(), kind)))).body == zipped()


async def test_a_part_of_a_file_passes_though_it_is_a_text() -> None:
    for kind, status in (("application/pdf", 206), ("application/x-tar", 206), (OCTETS, 502)):
        app = whole(b"a secret", kind, 206, content_range="bytes 0-7/100")
        assert (await fetch(guarded(app))).status == status


@pytest.mark.parametrize("kind", [HTML, OCTETS, "application/json"])
async def test_a_long_blank_body_is_a_text(kind: str) -> None:
    data = b" \n" * 40_000
    for chunks in ([data], cut(data, 30_000)):
        visit = await fetch(guarded(streaming(Upstream(chunks), kind)))
        assert (visit.status, visit.body, visit.complete) == (200, data, True)


@pytest.mark.parametrize("kind", [HTML, OCTETS, "application/x-own"])
@pytest.mark.parametrize("begun", [[], [b"few bytes"], [b" "]])
async def test_a_client_that_leaves_before_a_text_is_told_stops_it(
    kind: str, begun: list[bytes]
) -> None:
    upstream, visit = Upstream(begun, silent=True), Visit()
    async with anyio.create_task_group() as group:
        group.start_soon(visit.to, guarded(streaming(upstream, kind)))
        with anyio.fail_after(5):
            await anyio.wait_all_tasks_blocked()
            visit.left.set()
            await upstream.closed.wait()


def sending(*messages: dict[str, Any]) -> Any:
    """An application that sends these messages, whatever they are."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def begun(kind: str, status: int = 200) -> dict[str, Any]:
    headers = [(b"content-type", kind.encode())]
    return {"type": "http.response.start", "status": status, "headers": headers}


def said(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data}


@pytest.mark.parametrize("kind", [HTML, "application/json", "text/plain"])
async def test_nothing_goes_out_after_the_end(kind: str) -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"x-own", b"secret")]}
    for more in (said(b"a secret"), begun("image/png"), trailers):
        visit = Visit()
        with anyio.fail_after(5), suppress(GuardstreamError):
            await visit.to(guarded(sending(begun(kind), said(b'"x"'), more)))
        assert visit.body == b'"x"'
        assert "secret" not in str(visit.sent)


@pytest.mark.parametrize(
    "kind", [HTML, "application/json", "text/plain", "text/event-stream", "image/png"]
)
async def test_a_response_without_its_trailers_is_complete(kind: str) -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"x-own", b"secret")]}
    start = {**begun(kind), "trailers": True}
    visit = await fetch(guarded(sending(start, said(b"1"), trailers)))
    assert (visit.status, visit.complete) == (200, True)
    assert "trailers" not in str(visit.sent)


@pytest.mark.parametrize("status", [204, 304])
async def test_what_has_no_body_gets_none(status: int) -> None:
    visit = await fetch(guarded(sending(begun(HTML, status), said(b"a secret"))))
    assert (visit.status, visit.body, visit.complete) == (status, b"", True)


async def test_nothing_goes_out_before_the_start() -> None:
    early = {**said(b"a secret"), "more_body": True}
    visit = await fetch(guarded(sending(early, begun(HTML), said(b"a secret"))))
    assert visit.body == b"a ******"


async def test_a_response_that_begins_twice_is_guarded() -> None:
    for kinds in ((HTML, HTML), (HTML, "text/plain"), ("application/json", HTML)):
        starts = [begun(kind) for kind in kinds]
        visit = await fetch(guarded(sending(*starts, said(b"a secret"))))
        assert visit.body == b"a ******"


@pytest.mark.parametrize("charset", ["utf\0-8", "idna", "hex", "undefined"])
async def test_a_charset_that_is_none_is_refused(charset: str) -> None:
    visit = await fetch(guarded(sending(begun(f"text/html; charset={charset}"), said(b"a secret"))))
    assert (visit.status, visit.complete) == (502, True)


async def test_a_length_that_is_none_says_nothing() -> None:
    for length in ("9" * 5000, "-1", "1e3", "²"):
        app = streaming(Upstream([b"a secret"]), HTML, headers={"content-length": length})
        assert (await fetch(guarded(app))).body == b"a ******"


@pytest.mark.parametrize("kind", ["text/plain", HTML, "application/x-own"])
async def test_others_have_their_turn_while_a_long_message_is_guarded(kind: str) -> None:
    text, turns = b"one secret, two secrets " * 20_000, 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(take_turns)
        visit = await fetch(guarded(streaming(Upstream([text]), kind)))
        group.cancel_scope.cancel()
    assert visit.body == text.replace(b"secret,", b"******,")
    assert len(visit.bodies) > 10
    assert turns > 10


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "application/x-own"])
async def test_a_byte_order_mark_of_another_charset_is_refused(kind: str) -> None:
    for data in (b'\xef\xbb\xbf{"a": "se\\u0063ret"}', "\ufeff青鸟".encode("utf-16-le")):
        length = {"content-length": str(len(data))}
        for chunks in pieces(data):
            app = streaming(Upstream(chunks), f"{kind}; charset=latin-1")
            visit = Visit()
            with suppress(GuardstreamError):
                await visit.to(guarded(app))
            assert visit.body[:1] in (b"", b"{")
            assert b"ret" not in visit.body
            app = streaming(Upstream(chunks), f"{kind}; charset=latin-1", headers=length)
            assert (await fetch(guarded(app))).status == 502


async def test_a_byte_order_mark_of_the_named_charset_is_read() -> None:
    for charset in ("utf-16", "utf-8-sig"):
        data = "a secret".encode(charset)
        for chunks in pieces(data):
            app = streaming(Upstream(chunks), f"text/html; charset={charset}")
            assert (await fetch(guarded(app))).body.decode(charset) == "a ******"
    for data in (b"\xef a secret", b"\xff", b"\xef\xbb"):
        app = streaming(Upstream(cut(data, 1)), "text/html; charset=latin-1")
        assert (await fetch(guarded(app))).body == data.replace(b"secret", b"******")


async def test_no_byte_order_mark_is_added() -> None:
    for chunks in pieces(b"a secret"):
        visit = await fetch(guarded(streaming(Upstream(chunks), "text/html; charset=utf-8-sig")))
        assert visit.body == b"a ******"
