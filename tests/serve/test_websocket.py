"""WebSockets: messages of the application are guarded, and by setting those of the client."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from guardstream import Guard, Policy
from guardstream.serve import GuardMiddleware
from tests.serve.apps import Upstream, guarded
from tests.serve.sockets import Call, app_of, saying
from tests.support.sources import broken_guard, guard
from tests.support.watching import Watching, watched

pytestmark = pytest.mark.anyio


def chunk(text: str) -> str:
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [delta]}, indent=1)


async def test_pieces_of_one_text_are_guarded_together() -> None:
    call = await Call(stays=True).to(guarded(saying("a sec", "ret b sec")))
    assert call.texts == ["a ", "****** b ", "sec"]
    assert call.closed == 1000


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (['"a sec"', '"ret b "'], ['"a "', '"****** b "']),
        (['{"content": "a secret"}'], ['{"content":"a "}', '{"content":"******"}']),
        (['["a secret"]', "[1, 2]"], ['["a ******"]', "[1, 2]"]),
        (["start", '{"content": "a secret"}'], ["start", '{"content":"a ******"}']),
    ],
    ids=["strings", "objects", "lists", "text first"],
)
async def test_json_in_messages_is_guarded_decoded(
    messages: list[str], expected: list[str]
) -> None:
    call = await Call(stays=True).to(guarded(saying(*messages)))
    assert call.texts == expected


async def test_chunks_in_messages_are_guarded_together() -> None:
    call = await Call(stays=True).to(guarded(saying(chunk("a sec"), chunk("ret b "))))
    said = [json.loads(text)["choices"][0]["delta"]["content"] for text in call.texts]
    assert said == ["a ", "****** b "]


async def test_the_policy_is_told_at_the_handshake() -> None:
    call = await Call(stays=True).to(guarded(saying()))
    label = f"test@{guard().policy.fingerprint}".encode()
    assert call.sent[0]["headers"] == [(b"guardstream-policy", label)]


async def test_the_end_mark_ends_a_text() -> None:
    call = await Call(stays=True).to(guarded(saying("a sec", "[DONE]", "ret b", "[DONE]")))
    assert call.texts == ["a ", "sec", "[DONE]", "ret b", "[DONE]"]


async def test_a_text_that_is_blocked_at_its_end_has_no_end_mark() -> None:
    call = await Call(stays=True).to(guarded(saying("fine, forbidden", "[DONE]", closes=False)))
    assert (call.texts, call.closed) == (["fine, "], 1008)


async def test_each_message_can_be_a_text() -> None:
    call = await Call(stays=True).to(
        guarded(saying("sec", "ret", "secret", ""), websocket="message")
    )
    assert call.texts == ["sec", "ret", "******", ""]


async def test_messages_can_be_events_of_a_provider() -> None:
    app = guarded(saying(chunk("a sec"), chunk("ret b ")), websocket="json")
    call = await Call(stays=True).to(app)
    said = [json.loads(text)["choices"][0]["delta"]["content"] for text in call.texts]
    assert said == ["a ", "****** b "]


@pytest.mark.parametrize("mode", ["text", "json", "message"])
async def test_a_block_closes_the_connection_and_the_source(mode: Any) -> None:
    bad = "fine, forbidden!"
    upstream = Upstream([chunk(bad).encode() if mode == "json" else bad.encode()], silent=True)

    async def talk(socket: WebSocket) -> None:
        async for message in upstream.stream():
            await socket.send_text(message.decode())

    call = await Call(stays=True).to(guarded(app_of(talk), websocket=mode))
    assert call.closed == 1008
    assert "fine, " in "".join(call.texts)
    assert "forbidden" not in "".join(call.texts)
    assert upstream.closed.is_set()


async def test_a_code_that_the_server_refuses_becomes_a_private_one() -> None:
    class Strict(Call):
        async def _send(self, message: Message) -> None:
            if message["type"] == "websocket.close" and 1000 < message["code"] < 3000:
                raise Exception("invalid close code")  # as Autobahn does below Daphne
            await super()._send(message)

    upstream = Upstream([b"fine, forbidden!"], silent=True)

    async def talk(socket: WebSocket) -> None:
        async for message in upstream.stream():
            with suppress(Exception):
                await socket.send_text(message.decode())

    call = await Strict(stays=True).to(guarded(app_of(talk)))
    assert (call.texts, call.closed) == (["fine, "], 4008)
    assert upstream.closed.is_set()


async def test_a_stop_closes_the_connection_normally() -> None:
    call = await Call(stays=True).to(guarded(saying("that is enough. ", "unread", closes=False)))
    assert (call.texts, call.closed) == (["that is "], 1000)


@pytest.mark.parametrize("mode", ["text", "message"])
async def test_a_failing_stage_lets_nothing_through(mode: Any) -> None:
    app = GuardMiddleware(saying("raw boom", closes=False), broken_guard(), websocket=mode)
    call = await Call(stays=True).to(app)
    assert (call.texts, call.closed) == ([], 1011)


async def test_a_stage_that_fails_at_the_end_lets_nothing_through() -> None:
    app = GuardMiddleware(saying("fine"), broken_guard(finishes=False))
    assert (await Call(stays=True).to(app)).closed == 1011


async def test_messages_that_are_no_events_of_a_provider_are_refused() -> None:
    call = await Call(stays=True).to(guarded(saying("raw", closes=False), websocket="json"))
    assert (call.texts, call.closed) == ([], 1011)


def sending(*messages: bytes) -> Any:
    async def talk(socket: WebSocket) -> None:
        for message in messages:
            await socket.send_bytes(message)

    return app_of(talk)


@pytest.mark.parametrize("data", [b"\xff", "secret".encode("utf-16"), "secret".encode("utf-16-le")])
async def test_binary_messages_that_are_no_text_are_refused_unless_they_are_to_pass(
    data: bytes,
) -> None:
    assert (await Call(stays=True).to(guarded(sending(data)))).closed == 1003
    call = await Call(stays=True).to(guarded(sending(data), binary="pass"))
    assert call.sent[1:] == [{"type": "websocket.send", "bytes": data}]


async def test_binary_messages_that_are_texts_are_guarded_and_stay_binary() -> None:
    app = GuardMiddleware(sending(b"a blu", b"e bird, blu"), INBOUND)
    call = await Call(stays=True).to(app)
    assert b"".join(m["bytes"] for m in call.sent[1:]) == b"a [a] bird, blu"
    events = [{"serverContent": {"modelTurn": {"parts": [{"text": t}]}}} for t in ("bl", "ue x")]
    source = sending(*(json.dumps(event).encode() for event in events))
    app = GuardMiddleware(source, INBOUND, websocket="json", format="gemini_live")
    call = await Call(stays=True).to(app)
    assert [m["bytes"] for m in call.sent[1:]] == [
        b'{"serverContent":{"modelTurn":{"parts":[{"text":"[a] x"}]}}}'
    ]


async def test_binary_messages_can_all_be_refused() -> None:
    app = guarded(sending(b"text"), binary="refuse")
    assert (await Call(stays=True).to(app)).closed == 1003


async def echo(socket: WebSocket) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is None:
            await socket.send_bytes(message["bytes"])
        else:
            await socket.send_text(f"<{message['text']}>")


INBOUND = Guard(
    Policy.parse(
        "{version: 1, rules: [{id: a, words: [blue]}, {id: b, words: [evil], action: block}]}"
    )
)


async def test_what_clients_send_is_guarded_by_setting() -> None:
    app = guarded(app_of(echo), inbound=INBOUND, websocket="message")
    call = await Call("a blue bird", "fine").to(app)
    assert call.texts == ["<a [a] bird>", "<fine>"]


async def test_a_client_that_is_blocked_is_closed() -> None:
    app = guarded(app_of(echo), inbound=INBOUND, websocket="message")
    call = await Call("fine", "an evil thing", "unread", stays=True).to(app)
    assert (call.texts, call.closed) == (["<fine>"], 1008)


async def test_binary_messages_of_clients_are_refused_unless_they_are_to_pass() -> None:
    app = guarded(app_of(echo), inbound=INBOUND)
    assert (await Call(b"\xff", stays=True).to(app)).closed == 1003
    assert (await Call(b"a blue bird").to(app)).sent[1]["bytes"] == b"a [a] bird"
    assert (await Call(b"an evil thing", stays=True).to(app)).closed == 1008
    passing = guarded(app_of(echo), inbound=INBOUND, binary="pass")
    assert (await Call(b"\xff").to(passing)).sent[1]["bytes"] == b"\xff"


ESCAPED = '{"a": "\\u0062lue", "blue": ["b", 1.50]}'
ESCAPED_EVIL = '[{"a": "ev\\u0069l"}]'


async def test_what_clients_send_as_json_is_guarded_string_by_string() -> None:
    app = guarded(app_of(echo), inbound=INBOUND, websocket="message")
    assert (await Call(ESCAPED).to(app)).texts == ['<{"a":"[a]","[a]":["b",1.5]}>']
    assert (await Call('{"a": 1.50}').to(app)).texts == ['<{"a": 1.50}>']
    for text in (ESCAPED_EVIL, ESCAPED_EVIL + "\x1e"):
        assert (await Call(text, stays=True).to(app)).closed == 1008


@pytest.mark.parametrize(
    "text", [ESCAPED + "\x1e", '{"a": 1, "a": 2}', '{"blue": 1, "[a]": 2}', "[" * 5000 + "]" * 5000]
)
async def test_json_that_readers_differ_in_closes_the_connection(text: str) -> None:
    app = guarded(app_of(echo), inbound=INBOUND, websocket="message")
    assert (await Call(text, stays=True).to(app)).closed in (1008, 1011)


OPEN = '0{"sid":"a","upgrades":[]}'

CARRIED = {
    "Socket.IO": (
        [
            OPEN,
            "40",
            "2",
            "3probe",
            '42["m","s\\u0065cret"]',
            '42/a,7["m",{"b":"a secret"}]',
        ],
        [
            OPEN,
            "40",
            "2",
            "3probe",
            '42["m","******"]',
            '42/a,7["m",{"b":"a ******"}]',
        ],
    ),
    "SignalR": (
        ["{}\x1e", '{"a":["s\\u0065cret"]}\x1e{"b":1}\x1e', '{"a": 1}\x1e'],
        ["{}\x1e", '{"a":["******"]}\x1e', '{"b":1}\x1e', '{"a": 1}\x1e'],
    ),
    "Socket.IO after long polling": (
        ["3probe", "6", '42["m","s\\u0065cret"]'],
        ["3probe", "6", '42["m","******"]'],
    ),
    "events": (
        [
            ": hello\n\n",
            'event: a\ndata: {"a":"s\\u0065cret"}\n\n',
            'data: {"a":1}\n\ndata: [DONE]\n\n',
            'data: {"a":"s\\u0065cret"}',
        ],
        [
            ": hello\n\n",
            'event: a\ndata: {"a":"******"}\n\n',
            'data: {"a":1}\n\n',
            "data: [DONE]\n\n",
            'data: {"a":"******"}',
        ],
    ),
    "a text in events": (
        ["data: a sec\n\n", ": ping\n\n", "data: ret b \n\n"],
        ["data: a \n\n", ": ping\n\n", "data: ****** b \n\n"],
    ),
    "a byte order mark": (['\ufeff{"a":"s\\u0065cret"}'], ['\ufeff{"a":"******"}']),
    "a text among JSON": (['{"a":1}', "a sec"], ['{"a":1}', "a sec"]),
    "text": (["a ", '2["s\\u0065cret"] sec', "ret"], ["a ", '2["s\\u0065cret"] ', "******"]),
}


@pytest.mark.parametrize(("given", "shown"), CARRIED.values(), ids=CARRIED)
async def test_what_packets_and_records_carry_is_guarded(
    given: list[str], shown: list[str]
) -> None:
    async def talk(socket: WebSocket) -> None:
        for text in given:
            await socket.send_text(text)

    call = await Call(stays=True).to(guarded(app_of(talk)))
    assert call.texts == shown


@pytest.mark.parametrize(
    ("attachments", "shown"),
    [
        ([b"a secret", b"a secret."], [b"a ******", b"a ******."]),
        ([b"a sec", b"ret b"], [b"a sec", b"[word]"]),
        ([b"", b'{"a":"s\\u0065cret"}', b"secret"], [b"", b'{"a":"******"}', b"******"]),
    ],
)
async def test_attachments_of_socket_io_stay_one_message_each(
    attachments: list[bytes], shown: list[bytes]
) -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send_text(OPEN)
        for data in attachments:
            await socket.send_text('451-["file",{"_placeholder":true,"num":0}]')
            await socket.send_bytes(data)
        await socket.send_text('42["done"]')

    call = await Call(stays=True).to(guarded(app_of(talk)))
    said = [m.get("text", m.get("bytes")) for m in call.sent[1:] if m["type"] == "websocket.send"]
    assert said[2:-1:2] == shown
    assert said[-1] == '42["done"]'


@pytest.mark.parametrize("on_block", ["finish", "error"])
async def test_an_attachment_of_socket_io_that_blocks_ends_before_the_match(on_block: Any) -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send_text(OPEN)
        await socket.send_bytes(b"fine, forbidden!")

    call = await Call(stays=True).to(guarded(app_of(talk), on_block=on_block))
    assert call.closed == 1008
    assert b"forbidden" not in b"".join(m["bytes"] for m in call.sent if "bytes" in m)


async def test_a_namespace_that_a_rule_changes_closes_the_connection() -> None:
    async def talk(socket: WebSocket) -> None:
        for text in (OPEN, '42/secret,["m"]'):
            await socket.send_text(text)

    call = await Call(stays=True).to(guarded(app_of(talk)))
    assert (call.texts, call.closed) == ([OPEN], 1011)


HIDDEN = '{"a":"ev\\u0069l"}'


@pytest.mark.parametrize(
    "text",
    [
        '42["m","ev\\u0069l"]',
        f"{{}}\x1e{HIDDEN}\x1e",
        f"data: {HIDDEN}\n\n",
        f"SEND\n\n{HIDDEN}\0",
        f")]}}'\n{HIDDEN}",
        f"\ufeff{HIDDEN}",
    ],
)
async def test_what_clients_send_in_packets_and_records_is_judged(text: str) -> None:
    app = guarded(app_of(echo), inbound=INBOUND, websocket="message")
    assert (await Call(text, stays=True).to(app)).closed == 1008


async def test_whole_messages_of_json_are_guarded_string_by_string() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send_text('{"a": "s\\u0065cret"}')
        await socket.send_text('{"a": "forb\\u0069dden"}')

    call = await Call(stays=True).to(guarded(app_of(talk), websocket="message"))
    assert (call.texts, call.closed) == (['{"a":"******"}'], 1008)


async def test_an_inbound_guard_that_fails_closes_the_connection() -> None:
    app = guarded(app_of(echo), inbound=broken_guard())
    assert (await Call("raw boom", stays=True).to(app)).closed == 1011


async def test_an_application_that_listens_is_told_that_its_client_left() -> None:
    told = []

    async def talk(socket: WebSocket) -> None:
        try:
            await socket.receive_text()
        except WebSocketDisconnect as gone:
            told.append(gone.code)
            with pytest.raises(OSError, match="left"):
                await socket._send({"type": "websocket.send", "text": "late"})

    await Call().to(guarded(app_of(talk)))
    assert told == [1001]


async def test_an_application_that_does_not_listen_is_stopped() -> None:
    upstream = Upstream([b"text "], silent=True)
    call = Call(stays=True)

    async def talk(socket: WebSocket) -> None:
        async for message in upstream.stream():
            await socket.send_text(message.decode())
            call.left.set()

    await call.to(guarded(app_of(talk)))
    assert upstream.closed.is_set()


async def test_what_an_application_raises_passes() -> None:
    async def talk(_: WebSocket) -> None:
        raise RuntimeError("own")

    with pytest.raises(RuntimeError, match="own"):
        await Call(stays=True).to(guarded(app_of(talk)))


async def test_a_denial_has_no_body() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "websocket.http.response" not in scope["extensions"]
        await WebSocket(scope, receive, send).close(4000)

    call = await Call(stays=True).to(guarded(app))
    assert call.sent == [{"type": "websocket.close", "code": 4000, "reason": ""}]


async def test_what_is_held_goes_out_when_an_application_returns() -> None:
    call = await Call(stays=True).to(guarded(saying("a sec", "ret b sec", closes=False)))
    assert (call.texts, call.closed) == (["a ", "****** b ", "sec"], None)
    call = await Call(stays=True).to(guarded(saying("fine, forbidden", closes=False)))
    assert (call.texts, call.closed) == (["fine, "], 1008)


async def test_what_is_held_is_dropped_when_an_application_fails() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send_text("a sec")
        raise RuntimeError("own")

    call = Call(stays=True)
    with pytest.raises(RuntimeError, match="own"):
        await call.to(guarded(app_of(talk)))
    assert call.texts == ["a "]


async def test_each_text_has_one_record_at_its_end() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send_text("a sec")
        await socket.receive_text()

    async def quiet(socket: WebSocket) -> None:
        await socket.close()

    found: list[Any] = []
    ends = {
        "stop": saying("a", "[DONE]", "b", "[DONE]"),
        "cancelled": app_of(talk),
        "": app_of(quiet),
    }
    for app in ends.values():
        seen = Watching()
        with suppress(WebSocketDisconnect):
            await Call(stays=app is not ends["cancelled"]).to(GuardMiddleware(app, watched(seen)))
        found.append([record.finish for record in seen.records])
    assert found == [["stop", "stop"], ["cancelled"], []]


async def test_the_reason_of_a_close_is_guarded() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.close(4000, "a secret " + "\u00e9" * 80)

    call = await Call(stays=True).to(guarded(app_of(talk)))
    assert call.sent[-1]["reason"] == "a ****** " + "\u00e9" * 57

    async def fail(socket: WebSocket) -> None:
        await socket.close(4000, "a boom")

    call = await Call(stays=True).to(GuardMiddleware(app_of(fail), broken_guard()))
    assert call.sent[-1] == {"type": "websocket.close", "code": 4000, "reason": ""}


async def test_a_denial_with_a_body_is_refused() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"a secret"})

    call = await Call(stays=True).to(guarded(app))
    assert [message["type"] for message in call.sent] == ["websocket.close"]


@pytest.mark.parametrize("reason", ["a blue bird", "an evil thing"])
async def test_the_reason_that_a_client_leaves_with_is_guarded(reason: str) -> None:
    told = []

    async def talk(socket: WebSocket) -> None:
        told.append(await socket.receive())

    async def leaving(scope: Scope, receive: Receive, send: Send) -> None:
        async def received() -> Message:
            message = await receive()
            left = message["type"] == "websocket.disconnect"
            return {**message, "code": 4001, "reason": reason} if left else message

        await guarded(app_of(talk), inbound=INBOUND)(scope, received, send)

    await Call().to(leaving)
    ((code, said),) = [(each["code"], each["reason"]) for each in told]
    assert code == 4001
    assert "blue" not in said
    assert "evil" not in said


async def test_what_a_client_sends_meanwhile_does_not_wait_for_its_next_message() -> None:
    async def talk(socket: WebSocket) -> None:
        assert await socket.receive_text() == "one"
        for _ in range(20):  # an answer, while the client sends on
            await socket.send_text("blue ")
        assert await socket.receive_text() == "two"
        await socket.send_text("done")

    call = await Call("one", "two", stays=True).to(guarded(app_of(talk)))
    assert call.texts[-1].endswith("done")


async def test_a_client_that_leaves_is_noticed_however_much_of_it_is_unread() -> None:
    upstream = Upstream([], silent=True)
    call = Call(*["tick"] * 100)

    async def talk(socket: WebSocket) -> None:
        for _ in range(50):  # some of it is read, after more than that had come
            await anyio.lowlevel.checkpoint()
            await socket.receive_text()
        async for _ in upstream.stream():
            pass

    await call.to(guarded(app_of(talk)))
    assert upstream.closed.is_set()


async def test_what_a_client_sends_unread_is_bounded() -> None:
    call = Call(*["x" * 100_000] * 100, stays=True)
    read = anyio.Event()

    async def talk(socket: WebSocket) -> None:
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
        assert len(call._ahead) > 90
        for _ in range(100):
            await socket.receive_text()
        read.set()

    await call.to(guarded(app_of(talk)))
    assert read.is_set()


async def test_a_server_that_drops_what_it_sends_does_not_keep_an_application_going() -> None:
    sent = 0

    async def dropping(message: Message) -> None:  # as some do once the client has left
        nonlocal sent
        sent += message["type"] == "websocket.send"

    async def received() -> Message:
        kind = "websocket.disconnect" if sent else "websocket.connect"
        return {"type": kind, "code": 1006}

    async def talk(socket: WebSocket) -> None:
        for _ in range(10_000):
            await socket.send_text("tick ")

    scope: dict[str, Any] = {"type": "websocket", "path": "/", "headers": [], "subprotocols": []}
    with anyio.fail_after(30), suppress(OSError):
        await guarded(app_of(talk))(scope, received, dropping)
    assert sent < 10_000
