"""Bytes that are passed on say no more than what was judged, and faults do not depend on cuts."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.formats.openai.chat import OpenAIChat
from guardstream.framing.frames.frame import Media
from guardstream.framing.sse import MAX_EVENT, MAX_LINE
from guardstream.http.body import guard_body
from guardstream.http.stream import WireGuard

GUARD = Guard(Policy.parse("rules: [{id: word, words: [secret, 秘密], replacement: '#'}]"))


def through(parts: list[bytes], media: Media | None, provider: str | None) -> tuple[bytes, str]:
    """What comes out of a body, and the fault that ended it."""
    wire = WireGuard(GUARD, media=media, format=provider)
    out = b""
    try:
        for part in parts:
            out += b"".join(wire.feed(part))
        out += b"".join(wire.finish())
    except AdapterError as error:
        return out, str(error)
    return out, str(wire.error or "")


def guarded(data: bytes, media: Media | None = "sse", provider: str | None = None) -> Any:
    """The same for a body whole, in bytes and cut at random."""
    chance = Random(data)
    places = sorted(chance.randrange(len(data) + 1) for _ in range(5))
    cuts = [[0, len(data)], range(len(data) + 1), [0, *places, len(data)]]
    found = {through([data[a:b] for a, b in pairwise(cut)], media, provider) for cut in cuts}
    assert len(found) == 1
    return found.pop()


def said(text: str, choice: int = 0) -> bytes:
    choices = [{"index": choice, "delta": {"content": text}, "finish_reason": None}]
    return f"data: {json.dumps({'choices': choices})}".encode()


TWICE = (
    '{"choices": [{"index": 0, "delta": {"content": "secret", "content": "x"}}]}',
    '{"choices": [{"index": 0, "delta": {"content": "secret"}, "delta": {"content": "x"}}]}',
    r'{"choices": [{"index": 0, "delta": {"content": "s\u0065cret", "c\u006fntent": "x"}}]}',
)


@pytest.mark.parametrize("chunk", TWICE)
@pytest.mark.parametrize("provider", ["openai_chat", None])
@pytest.mark.parametrize("media", ["sse", "ndjson", "json_array"])
def test_a_key_that_is_named_twice_is_refused(
    chunk: str, provider: str | None, media: Media
) -> None:
    frames = {"sse": f"data: {chunk}\n\n", "ndjson": f"{chunk}\n", "json_array": f"[{chunk}]"}
    out, fault = guarded(frames[media].encode(), media, provider)
    assert b"x" not in out
    assert "repeats a key" in fault


@pytest.mark.parametrize(
    "tail", [b"note: secret\ndata: [DONE]", b'data: {"choices": []}\n: secret\n', b"id: 1\rid: 2"]
)
def test_a_last_event_that_is_cut_off_says_nothing_that_was_not_judged(tail: bytes) -> None:
    out, _ = guarded(said("hello ") + b"\n\n" + tail)
    assert b"secret" not in out


def test_invalid_utf8_in_half_an_event_goes_with_it() -> None:
    out, fault = guarded(said("hello ") + b"\n\ndata: {\xff")
    assert (out, fault) == (said("hello ") + b"\n\n", "")


def test_a_text_with_a_nul_is_cut_off_there_as_it_may_be_read_in_utf16() -> None:
    assert guarded("é secret".encode("utf-16-le"), "text") == (
        b"",
        "invalid UTF-8 in a stream of text",
    )
    out, fault = guarded("a secret".encode("utf-16-le"), "text")
    assert out == b"a"
    assert "NUL" in fault


def test_what_follows_a_last_event_that_is_cut_off_is_an_event_of_its_own() -> None:
    out, _ = guarded(said("a sec", 1) + b"\n\n" + said("b "))
    texts = [
        json.loads(event.removeprefix(b"data: "))["choices"][0]["delta"]["content"]
        for event in out.split(b"\n\n")[:-1]
    ]
    assert texts == ["a ", "b ", "sec"]


def test_what_follows_a_last_line_that_is_cut_off_is_a_line_of_its_own() -> None:
    lines = said("a sec", 1)[6:] + b"\n" + said("b ")[6:]
    out, _ = guarded(lines, "ndjson")
    assert [json.loads(line)["choices"][0]["delta"]["content"] for line in out.splitlines()] == [
        *("a ", "b ", "sec")
    ]


def test_chunks_after_events_of_text_are_guarded_by_their_format() -> None:
    data = b'data: hello \n\ndata: {"text": "a sec"}\n\ndata: {"text": "ret b"}\n\ndata: sec\n\n'
    out, fault = guarded(data)
    assert (fault, b"ret" in out) == ("", False)
    assert out.startswith(b"data: hello \n\n")
    escaped = rb'data: hello \n\ndata: {"text": "\u0073ecret"}\n\n'.replace(rb"\n", b"\n")
    assert b"######" in guarded(escaped)[0]


def test_json_of_no_format_among_text_is_guarded_in_both_readings() -> None:
    out, fault = guarded(b'data: it is \n\ndata: {"a secret": 1}\n\n')
    assert (out, fault) == (b'data: it is \n\ndata: {"a ######":1}\n\n', "")
    data = rb'data: it is \n\ndata: {"a \u0073ecret": 1}\n\n'.replace(rb"\n", b"\n")
    assert b"######" in guarded(data)[0]
    plain = b'data: it is \n\ndata: {"a": 1}\n\ndata: ["b", 2]\n\ndata: "c"\n\ndata: 5\n\n'
    assert guarded(plain) == (plain, "")


def test_json_strings_are_one_text() -> None:
    data = b'data: "the sec"\n\ndata: "ret\\n is"\n\ndata: [DONE]\n\n'
    out, _ = guarded(data)
    assert out == b'data: "the "\n\ndata: "######\\n is"\n\ndata: [DONE]\n\n'
    escaped = rb'data: "\u0073\u0065cret "\n\n'.replace(rb"\n", b"\n")
    assert guarded(escaped)[0] == b'data: "###### "\n\n'
    raw = rb'data: "caf\u00e9 "'
    assert guarded(raw + b"\n\n") == (raw + b"\n\n", "")


@pytest.mark.parametrize(
    "data",
    [b'{"n": ' + b"1" * 4301 + b', "t": "\\u0073ecret"}', b'{"t": ' + b"[" * 100_000],
    ids=["digits", "depth"],
)
def test_json_that_cannot_be_read_is_refused(data: bytes) -> None:
    for media in ("sse", "messages"):
        wire = WireGuard(GUARD, media=media)  # type: ignore[arg-type]
        with pytest.raises(AdapterError, match="nested too deeply, or has too long a number"):
            wire.feed(data if media == "messages" else b"data: " + data + b"\n\n")


def test_lists_are_guarded_by_path_and_as_they_stand() -> None:
    data = b'data: [{"content": "a secret"}]\n\ndata: [{"content": " sec"}]\n\n'
    data += b'data: [{"content": "ret"}]\n\n'
    out, _ = guarded(data)
    assert out == (
        b'data: [{"content":"a ######"}]\n\ndata: [{"content": " sec"}]\n\n'
        b'data: [{"content":"[word]"}]\n\n'
    )
    plain = b'data: [1, "two"]\n\ndata: []\n\n'
    assert guarded(plain) == (plain, "")


def test_text_among_chunks_is_guarded() -> None:
    chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "so "}}]}\n\n'
    out, fault = guarded(chunk + b"data: a secret\n\n" + b'data: "the secret"\n\n' + chunk)
    assert fault == ""
    assert out == chunk + b"data: a ######\n\n" + b'data: "the ######"\n\n' + chunk


def test_a_block_beside_the_chunks_ends_them() -> None:
    chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "so "}}]}\n\n'
    guard = Guard(Policy.parse("rules: [{id: bad, words: [forbidden], action: block}]"))
    for beside in (
        b"data: forbidden\n\n",
        b'data: ["forbidden"]\n\n',
        b"event: forbidden\ndata: 1\n\n",
    ):
        wire = WireGuard(guard)
        out = b"".join([*wire.feed(chunk + beside + b"\n\n" + chunk), *wire.finish()])
        assert b"forbidden" not in out
        assert (wire.ended, wire.blocked_by) == ("content_filter", "bad")
        assert b'"finish_reason":"content_filter"' in out
        assert out.endswith(b"data: [DONE]\n\n")


def test_names_of_events_of_a_format_pass() -> None:
    data = b'event: secret.delta\ndata: {"type": "secret.delta", "n": 1}\n\n'
    assert guarded(b"event: message.secret\ndata: so\n\n")[0] == (
        b"event: message.secret\ndata: so\n\n"
    )
    assert b"######.delta" in guarded(data)[0]


@pytest.mark.parametrize(("media", "head"), [("ndjson", b""), ("json_array", b"[")])
def test_what_is_too_long_is_refused_in_every_cut(media: Media, head: bytes) -> None:
    data = head + b'{"choices": [], "p": "' + b"x" * MAX_EVENT + b'"}\n'
    whole, half = [data], [data[: len(data) // 2], data[len(data) // 2 :]]
    found = [through(parts, media, "openai_chat") for parts in (whole, half)]
    assert found[0] == found[1]
    assert f"more than {MAX_EVENT} bytes" in found[0][1]


def test_half_a_surrogate_pair_beside_masked_text_stays_escaped() -> None:
    out, _ = guarded(rb'data: {"choices": [{"index": 0, "delta": {"content": "secret\ud83d "}}]}')
    assert rb"######\ud83d " in out
    body = {"choices": [{"index": 0, "message": {"content": "secret\ud83d"}}]}
    changed, _ = guard_body(GUARD, "openai_chat", body)
    assert changed["choices"][0]["message"]["content"] == "######\ud83d"


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("openai_chat", {"choices": [{"message": {"content": "a", "tool_calls": [5]}}]}),
        ("openai_chat", {"choices": [{"message": 5.0}, {"message": {"content": "a secret b"}}]}),
        ("anthropic", {"content": [5, {"type": "text", "text": "a secret b"}]}),
    ],
)
def test_a_whole_answer_that_cannot_be_cut_is_the_adapters_error(
    provider: str, body: dict[str, Any]
) -> None:
    stopping = Guard(Policy.parse("rules: [{id: word, words: [a], action: block}]"))
    with pytest.raises(AdapterError, match="malformed chunk"):
        guard_body(stopping, provider, body)


def test_text_that_is_held_to_the_end_keeps_its_events_name() -> None:
    policy = "formats: {own: {text: $.content}}\nrules: [{id: a, pattern: 'begin[a-z]{0,9}'}]"
    source = [b"event: start\ndata: beg\n\n", b'event: content\ndata: {"content": "x"}\n\n']
    out = b"".join(Guard(Policy.parse(policy)).wrap_sync(source))
    assert sorted(out.split(b"\n\n")) == sorted(b"".join(source).split(b"\n\n"))


class Endless(OpenAIChat):
    """An adapter that cannot end a stream."""

    def end(self, *_: Any) -> list[Any]:
        raise LookupError


def test_an_adapter_that_fails_to_end_a_blocked_stream_does_so_in_every_cut() -> None:
    guard = Guard(Policy.parse("rules: [{id: bad, words: [forbidden], action: block}]"))
    choice = {"index": 0, "delta": {"content": "so "}, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}
    good = f"data: {json.dumps(chunk)}\n\n".encode()
    data = good + b"event: forbidden\ndata: {}\n\n"
    for size in (1, len(good), len(data)):
        wire, out = WireGuard(guard, media="sse", format=Endless()), b""
        with suppress(AdapterError):
            for at in range(0, len(data), size):
                out += b"".join(wire.feed(data[at : at + size]))
        assert (out, wire.ended) == (good, "error")


@pytest.mark.parametrize(
    "space", [b"\n", b"\n   \n\n   " * 300, b"\xef\xbb\xbf \r\n", b" \t" * 2_000]
)
@pytest.mark.parametrize(
    ("body", "out"),
    [
        (b'{"log": "a secret."}\n', b'{"log":"a ######."}\n'),
        (b'[{"log": "a secret"}]', b'[{"log":"a ######"}]'),
        (b'data: {"log": "a secret."}\n\n', b'data: {"log":"a ######."}\n\n'),
        (b"", b""),
    ],
)
def test_white_space_that_keeps_a_connection_alive_goes_out_at_once(
    space: bytes, body: bytes, out: bytes
) -> None:
    assert guarded(space + body, None) == (space + out, "")
    wire = WireGuard(GUARD)
    pieces = [space[at : at + 3] for at in range(0, len(space), 3)]
    assert b"".join(b"".join(wire.feed(piece)) for piece in pieces) == space


def test_one_digit_is_a_line_of_json_too() -> None:
    for body in (b"1", b"\n7", b"3\n"):
        assert through([body], None, None) == (body, "")


def test_a_line_of_json_that_changes_keeps_its_end() -> None:
    body = b'"so"\r\n["a secret"]\r\n{"x": "a secret."}\n'
    out = b'"so"\r\n["a ######"]\r\n{"x":"a ######."}\n'
    assert through([body], "ndjson", None) == (out, "")


def test_text_is_guarded_as_text_whatever_chunks_would_be_read_by() -> None:
    parts = [b"a sec", b"ret", b" so"]
    assert through(parts, "text", "gemini") == through(parts, "text", None) == (b"a ###### so", "")


def test_white_space_goes_out_before_a_fault_in_every_cut() -> None:
    body = b"\n \0" + b"x" * 16
    for size in (len(body), 2, 1):
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        out, why = through(parts, None, None)
        assert (out, "checksum" in why) == (b"\n ", True)


def test_too_much_white_space_ends_a_stream_at_the_same_byte_in_every_cut() -> None:
    body = b"\xef\xbb\xbf" + b"\n " * (MAX_LINE // 2) + b'{"log": "a secret"}\n'
    found = set()
    for size in (len(body), 1_000_000, 65_537):
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        found.add(through(parts, None, None))
    why = f"more than {MAX_LINE} bytes of white space before a stream"
    assert found == {(body[:MAX_LINE], why)}


def test_an_answer_in_another_format_than_its_endpoint_names_is_no_matter_of_arguments() -> None:
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}}]}
    _, fault = through([b"data: %b\n\n" % json.dumps(chunk).encode()], "sse", "anthropic")
    assert fault == (
        "the first chunk is in the format 'openai_chat', not 'anthropic': the answer is in another "
        "format than its path or route names"
    )
