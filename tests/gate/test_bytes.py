"""A gate before streams of bytes: frames go out whole, in order, byte for byte where allowed."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from random import Random
from types import ModuleType
from typing import Any

import anyio
import pytest

from guardstream import AdapterError, Guard, Policy, Result
from guardstream.formats import JSONFormat
from guardstream.framing import aws
from guardstream.framing.json import json_bytes
from guardstream.framing.sse import MAX_LINE
from guardstream.gate import Context, Verdict, gate
from guardstream.http import aguard_body
from guardstream.resilience import Retry
from tests.support.chunking import random_split
from tests.support.gated_bytes import POLICY, guarded
from tests.support.sources import Source

pytestmark = pytest.mark.anyio

TEXTS = ["All ", "is fine. ", "Say blue", "bird now. ", "It is b", "ad. ", "Never ", "seen."]


@pytest.fixture(autouse=True)
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A module `gate_checks` whose check blocks what is bad; what it was asked."""
    asked: list[str] = []

    async def check(text: str, _: Context) -> bool:
        asked.append(text)
        return "bad" not in text

    module = ModuleType("gate_checks")
    module.check = check  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gate_checks", module)
    return asked


@pytest.mark.parametrize(
    ("data", "out"),
    [
        (b'[{"a":"k"}]\n[{"b":"ok"}]', b'[{"a":"k"}]\n[{"b":"ok"}]'),
        (b'["bluebird"]\n"x"\n3\n', b'["[w]"]\n"x"\n3\n'),
        (b"1", b"1"),
        (b'["x"]\n["so bad"]\n["y"]\n', b'["x"]\n'),
        (b'42["x"]\x1e42["so bad"]\x1e6', b'42["x"]\x1e'),
        (b"\n " * 2_000 + b'["bluebird"]\n', b"\n " * 2_000 + b'["[w]"]\n'),
    ],
)
async def test_a_gate_judges_lines_of_any_json(data: bytes, out: bytes) -> None:
    for size in (3, len(data)):
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        assert b"".join([each async for each in guarded().wrap(Source(parts))]) == out


async def test_characters_that_agents_cut_are_judged_and_sent_whole(seen: list[str]) -> None:
    def messages(data: bytes) -> bytes:
        parts = [b64encode(data[at : at + 1]).decode() for at in range(len(data))]
        return b"".join(aws.message("chunk", json_bytes({"bytes": each})) for each in parts)

    def said(data: bytes) -> str:
        events = [aws.event(*each[1:]) for each in aws.Messages().feed(data)]
        return b"".join(b64decode(each["chunk"]["bytes"]) for each in events).decode()

    answer = messages("世界 is a bluebird. ".encode())
    out = b"".join([each async for each in guarded().wrap(Source([answer]))])
    assert said(out) == "世界 is a [w]. "
    alone = [each async for each in gate(Source([answer]), lambda *_: _allowed())]
    assert said(b"".join(alone)) == "世界 is a bluebird. "
    blocked = [each async for each in guarded().wrap(Source([messages("世界 is bad. ".encode())]))]
    assert "bad" not in said(b"".join(blocked))
    assert "".join(seen) == "世界 is a [w]. 世界 is bad. "


async def _allowed() -> bool:
    return True


async def test_white_space_before_a_stream_goes_out_at_once() -> None:
    parts = [b"\n", b" ", b"\r\n", b'["x"]\n']
    stream = gate(Source(parts), lambda *_: True)
    assert [chunk async for chunk in stream] == parts


async def test_a_gate_refuses_too_much_white_space_at_the_same_byte_in_every_cut() -> None:
    async def read(parts: list[bytes], out: bytearray) -> None:
        async for chunk in gate(Source(parts), lambda *_: True):
            out += chunk

    for size in (2 * MAX_LINE, 1_000_000):
        out = bytearray()
        with pytest.raises(AdapterError, match="white space before a stream"):
            await read([b" " * size] * (2 * MAX_LINE // size), out)
        assert out == b" " * MAX_LINE


async def test_white_space_goes_out_before_a_fault() -> None:
    stream = gate(Source([b"\n \0" + b"x" * 16]), lambda *_: True)
    assert await anext(stream) == b"\n "
    with pytest.raises(AdapterError, match="checksum"):
        await anext(stream)


def chat(text: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def gemini(text: str, finish: str | None = None) -> dict[str, Any]:
    said = {"parts": [{"text": text}], "role": "model"}
    return {"candidates": [{"content": said, "finishReason": finish, "index": 0}]}


def ollama(text: str, finish: str | None = None) -> dict[str, Any]:
    said = {"role": "assistant", "content": text}
    return {"model": "m", "message": said, "done": finish is not None, "done_reason": finish}


def events(parts: list[str]) -> bytes:
    chunks = [*map(chat, parts), chat("", "stop")]
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in chunks) + (
        b": bye\n\ndata: [DONE]\n\n"
    )


def lines(parts: list[str]) -> bytes:
    chunks = [*map(ollama, parts), ollama("", "stop")]
    return b"".join(json.dumps(each).encode() + b"\n" for each in chunks)


def array(parts: list[str]) -> bytes:
    chunks = [*map(gemini, parts), gemini("", "STOP")]
    return b"[" + b",\r\n".join(json.dumps(each).encode() for each in chunks) + b"]"


def plain_events(parts: list[str]) -> bytes:
    return b"".join(b"data: %b\n\n" % part.rstrip().encode() for part in parts)


def of_events(data: bytes) -> list[Any]:
    found = [part[6:] for part in data.split(b"\n\n") if part.startswith(b"data: ")]
    return [json.loads(each) for each in found if each != b"[DONE]"]


def said_by_chat(data: bytes) -> str:
    assert data.endswith(b"data: [DONE]\n\n")
    return "".join(each["choices"][0]["delta"].get("content") or "" for each in of_events(data))


def said_by_ollama(data: bytes) -> str:
    return "".join(json.loads(each)["message"]["content"] for each in data.splitlines())


def said_by_gemini(data: bytes) -> str:
    parts = [each["candidates"][0].get("content", {}).get("parts", []) for each in json.loads(data)]
    return "".join(part["text"] for each in parts for part in each)


FORMS: list[tuple[Callable[[list[str]], bytes], Callable[[bytes], str]]] = [
    (events, said_by_chat),
    (lines, said_by_ollama),
    (array, said_by_gemini),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("form", "said"), FORMS)
async def test_a_gate_blocks_a_stream_of_bytes_in_its_own_form(
    form: Any, said: Any, seed: int, seen: list[str]
) -> None:
    source = Source(random_split(form(TEXTS), Random(seed)) if seed else [form(TEXTS)])
    stream = guarded().wrap(source)
    data = b"".join([chunk async for chunk in stream])
    assert said(data) == "All is fine. Say [w] now. "
    assert (stream.finish, stream.blocked_by, source.closed) == ("content_filter", "mine", 1)
    assert sorted({*seen} - {"Never seen."}) == ["All is fine. ", "It is bad. ", "Say [w] now. "]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", [events, lines, array, plain_events])
async def test_what_a_gate_allows_goes_out_byte_for_byte(form: Any, seed: int) -> None:
    whole = form(["All ", "is fine. ", "青い", "鳥。"])
    stream = gate(Source(random_split(whole, Random(seed))), lambda *_: True)
    assert b"".join([chunk async for chunk in stream]) == whole
    assert stream.finish == "stop"


@pytest.mark.parametrize("frame", [b"data: %b\n\n", b"%b\n"])
async def test_a_verdict_changes_bytes(frame: bytes) -> None:
    def check(text: str, _: Context) -> bool | Verdict:
        return Verdict("replace", "Good. ") if "bad" in text else True

    sent = [frame % json.dumps({"token": text}).encode() for text in TEXTS]
    stream = gate(Source(sent), check, format=JSONFormat("mine", text="$.token"))
    data = b"".join([chunk async for chunk in stream])
    found = [json.loads(line.removeprefix(b"data: ")) for line in data.splitlines() if line]
    said = "".join(each["token"] for each in found)
    assert said == "All is fine. Say bluebird now. Good. Never seen."
    assert data.startswith(sent[0])


OWN = Guard(Policy.parse("formats: {mine: {text: $.token, done: $.end}}"))


@pytest.mark.parametrize("provider", [None, "mine"])
@pytest.mark.parametrize(
    "wrap",
    [
        OWN.wrap,
        lambda source: OWN.wrap(lambda: source, retry=Retry()),
        lambda source: gate(OWN.wrap(source), lambda *_: True),
    ],
)
@pytest.mark.parametrize("frame", [None, b"data: %b\n\n", b"%b\n"])
async def test_the_formats_of_the_policy_before_are_known(
    wrap: Any, frame: bytes | None, provider: str | None
) -> None:
    asked: list[str] = []

    def check(text: str, _: Context) -> bool:
        asked.append(text)
        return "bad" not in text

    told = [{"token": text, "id": "so"} for text in ["It is ", "fine. It is b", "ad.", " More."]]
    sent: Any = told if frame is None else [frame % json.dumps(each).encode() for each in told]
    stream = gate(wrap(Source(sent)), check, format=provider)
    out = [chunk async for chunk in stream]
    assert "fine. " in str(out)
    assert "ad." not in str(out)
    assert {"It is fine. ", "It is bad. "} <= set(asked)
    assert stream.finish == "content_filter"


async def test_events_of_text_are_judged_and_ended() -> None:
    stream = guarded().wrap(Source([plain_events(["It is fine.\n", "It is bad.", "Never."])]))
    data = b"".join([chunk async for chunk in stream])
    assert b"bad" not in data
    assert b"Never" not in data
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("ends", ["", "\n"])
async def test_lines_of_events_stay_lines(ends: str) -> None:
    sent = [line + ends for line in events(TEXTS).decode().split("\n")[:-1]]
    stream = guarded().wrap(Source(sent), framing="sse")
    shown = [line async for line in stream]
    assert all(line.removesuffix("\n").find("\n") < 0 for line in shown)
    data = "\n".join(line.removesuffix("\n") for line in shown) + "\n"
    assert said_by_chat(data.encode()) == "All is fine. Say [w] now. "


async def test_whole_events_as_str_stay_events() -> None:
    sent = [f"{event}\n\n" for event in events(TEXTS).decode().split("\n\n")[:-1]]
    shown = [event async for event in guarded().wrap(Source(sent), framing="sse")]
    assert all(event.endswith("\n\n") and event.count("\n\n") == 1 for event in shown)
    assert said_by_chat("".join(shown).encode()) == "All is fine. Say [w] now. "


@pytest.mark.parametrize("provider", ["mine", None])
async def test_a_format_of_the_policy_is_read_by_the_gate_too(
    provider: str | None, seen: list[str]
) -> None:
    own = POLICY + "formats: {mine: {text: $.token, done: $.end}}\n"
    chunks = [*({"token": text} for text in TEXTS), {"end": True}]
    stream = guarded(own).wrap(Source(chunks), format=provider)
    text = "".join([chunk.get("token", "") async for chunk in stream])
    assert text == "All is fine. Say [w] now. "
    assert "token" not in seen


async def test_bytes_and_other_chunks_do_not_mix() -> None:
    stream = gate(Source([b"data: {}\n\n", "text"]), lambda *_: True)
    with pytest.raises(AdapterError, match="'str' in a stream of bytes"):
        [chunk async for chunk in stream]


# Whole answers


def completion(*contents: str) -> dict[str, Any]:
    choices = [
        {
            "index": at,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        for at, text in enumerate(contents)
    ]
    return {"id": "c", "object": "chat.completion", "model": "m", "choices": choices}


class Seen:
    """An observer."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def opened(self, start: Any) -> None:
        pass

    def closed(self, record: Any) -> None:
        self.records.append(record)


async def body_of(*contents: str) -> tuple[dict[str, Any], Result, Seen]:
    observer = Seen()
    policy = Policy.parse(POLICY, allow_code=["gate_checks:check"])
    guard = Guard(policy, observers=[observer])
    return *(await aguard_body(guard, "openai_chat", completion(*contents))), observer


async def test_a_whole_answer_is_judged_as_its_stream() -> None:
    body, result, observer = await body_of("".join(TEXTS))
    choice = body["choices"][0]
    assert choice["message"]["content"] == "All is fine. Say [w] now. "
    assert choice["finish_reason"] == result.finish == "content_filter"
    assert [each.rule for each in result.findings] == ["w", "mine"]
    (record,) = observer.records
    assert (record.finish, record.blocked_by) == ("content_filter", "mine")
    assert [each.rule for each in record.findings] == ["w", "mine"]


async def test_a_whole_answer_that_is_allowed_stays_the_same_object() -> None:
    given = completion("All is fine.")
    body, result = await aguard_body(guarded(), "openai_chat", given)
    assert body is given
    assert (result.finish, result.findings) == ("stop", ())


async def test_an_answer_that_is_bad_from_the_start_says_nothing() -> None:
    body, _, _ = await body_of("bad. Never.")
    assert body["choices"][0]["message"]["content"] in ("", None)
    assert body["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize("verdict", [False, Verdict("mask")])
@pytest.mark.parametrize("cut", [3, 8, 100])
async def test_texts_so_far_end_before_what_a_check_blocks(
    cut: int, verdict: bool | Verdict
) -> None:
    """Such formats cannot say a part of a chunk after later ones were read."""
    text = "All is fine. It is bad. Never seen."
    parts = [text[:end] for end in range(cut, len(text) + cut, cut)]
    outputs = [{"text": part, "finish_reason": "null"} for part in parts]
    outputs.append({"text": text, "finish_reason": "stop"})
    chunks = [{"output": output, "usage": {}, "request_id": "r1"} for output in outputs]

    async def check(said: str, _: Context) -> bool | Verdict:
        await anyio.sleep(0.001)
        return verdict if "bad" in said else True

    for source in (chunks, [b"data: %b\n\n" % json.dumps(each).encode() for each in chunks]):
        stream = gate(Source(source), check)
        out = [each async for each in stream]
        out = of_events(b"".join(out)) if out and isinstance(out[0], bytes) else out
        texts = [each["output"]["text"] for each in out]
        assert texts == sorted(texts, key=len)
        assert all("All is fine. ".startswith(said) for said in texts)
        assert out[-1]["output"]["finish_reason"] == "content_filter"
        assert stream.finish == "content_filter"


@pytest.mark.parametrize("data", [b"so blue bluebird. fine", b"data: bluebird\n\n: fine\n\n{}"])
async def test_the_framing_of_plain_text_is_the_gates_too(data: bytes, seen: list[str]) -> None:
    chunks = [data[at : at + 3] for at in range(0, len(data), 3)]
    stream = guarded().wrap(Source(chunks), framing="text")
    assert b"".join([each async for each in stream]) == data.replace(b"bluebird", b"[w]")
    assert "".join(seen).replace("\n", "").endswith(data.decode().replace("\n", "")[-6:])


async def test_text_that_is_not_to_be_kept_is_not_kept_by_a_gate() -> None:
    stream = guarded().wrap(Source(["All is fine. "]), keep_text=False)
    with pytest.raises(RuntimeError, match="keep_text=True"):
        await stream.text()
    assert [each async for each in stream] == ["All is fine. "]
    assert stream.result.text == ""
    assert stream.finish == "stop"
