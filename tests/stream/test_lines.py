"""Server-sent events as `str`, guarded as events or refused; lines of JSON, refused."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random
from typing import Any

import anyio
import pytest

from guardstream import AdapterError, Guard, Policy

GUARD = Guard(
    Policy.parse(
        "rules: [{id: word, words: [secret], replacement: '#'},"
        " {id: bad, words: [forbidden], action: block}]"
    )
)


def chunk(text: str) -> str:
    return "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})


def said(lines: list[str]) -> str:
    found = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return "".join(each["choices"][0]["delta"].get("content") or "" for each in found)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_lines_of_chunks_are_guarded_and_stay_lines(end: str) -> None:
    source = [chunk("a sec"), "", chunk("ret b"), "", "data: [DONE]", ""]
    stream = GUARD.wrap_sync([line + end for line in source], framing="sse")
    out = list(stream)
    assert said(out) == "a ###### b"
    assert [line.endswith(end) for line in out] == [True] * len(out)
    assert out[-2].rstrip() == "data: [DONE]"
    assert stream.result.text == "a ###### b"


def test_what_a_rule_leaves_alone_comes_line_by_line_as_it_was() -> None:
    source = [": hello", "", "event: message", chunk("so"), "", "data: [DONE]", ""]
    empty = Guard(Policy.parse("version: 1"))
    assert list(empty.wrap_sync(source, framing="sse")) == source


def test_a_block_ends_the_lines() -> None:
    stream = GUARD.wrap_sync([chunk("so forbidden "), "", chunk("unread"), ""], framing="sse")
    out = list(stream)
    assert (said(out), stream.blocked_by) == ("so ", "bad")
    assert "data: [DONE]" in out


EVENTS = [
    ": hello\n\n",
    f"event: message\n{chunk('a sec')}\n\n",
    f"{chunk('ret b')}\n\n",
    f"{chunk(' secret')}\n\n",
    "data: [DONE]\n\n",
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whole_events_are_guarded_and_stay_events(end: str) -> None:
    stream = GUARD.wrap_sync([event.replace("\n", end) for event in EVENTS], framing="sse")
    out = list(stream)
    assert stream.text() == "a ###### b ######"
    assert out[:2] == [f": hello{end}", end]
    assert all(event.endswith(2 * end) and event.count(2 * end) == 1 for event in out[2:])
    assert out[-1] == f"data: [DONE]{2 * end}"


def test_events_go_out_alike_however_their_text_is_cut() -> None:
    text = "".join(EVENTS)
    expected = b"".join(GUARD.wrap_sync([text.encode()], framing="sse")).decode()
    for size in (9, 10, 11, 20, 50, len(text)):
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        assert "".join(GUARD.wrap_sync(["", *parts], framing="sse")) == expected
    lines = text.splitlines(keepends=True)
    out = list(GUARD.wrap_sync(lines, framing="sse"))
    assert "".join(out) == expected
    assert all(line.index("\n") == len(line) - 1 for line in out)


@pytest.mark.parametrize("last", ["data: [DONE]", "data: [DONE]\n", chunk("z")])
def test_the_last_event_may_lack_its_end(last: str) -> None:
    stream = GUARD.wrap_sync([*EVENTS[:3], last], framing="sse")
    assert "".join(stream).rstrip("\n").endswith(last.rstrip("\n"))


def test_text_that_is_cut_within_its_first_line_is_refused() -> None:
    text = "".join(EVENTS[1:])
    stream = GUARD.wrap_sync([text[:5], text[5:]], framing="sse")
    with pytest.raises(AdapterError, match=r"encode\(\)"):
        stream.text()
    assert stream.result.text == ""


def line(text: str) -> str:
    return json.dumps({"t": text}) + "\n"


@pytest.mark.parametrize(
    "chunks",
    [
        [line("sec"), line("ret")],
        [line("sec").strip(), "\n", line("ret").strip(), ""],
        [line("sec"), json.dumps({"n": 1, "t": "ret"})],
        [line("a ") + line("sec"), line("ret") + line(" b")],
        ['["say", "sec"]', '["say", "ret"]'],
        ['["say ", "sec"]', '["ret", ""]'],
        ['0:"sec"\n', '0:"ret"\n'],
        ['{\n "t": "sec"\n}', '{\n "t": "ret"\n}'],
        ['{"type": "start"}\n', line("sec"), line("ret")],
        [" " + line("sec"), "\t" + line("ret")],
        ["null\n", line("sec"), "3\n", line("ret")],
        ["{}\n", line("sec"), "that is all\n", line("ret")],
        ['"sec"\n', '"ret"\n'],
        [line("a"), '"sec"', '"ret"'],
        ["ok\n", line("sec") + "null\n", line("ret") + "null\n"],
        [line("a "), line("sec") + "ok\n", "ok\n" + line("ret")],
        ["null\n" + line("sec"), "null\n" + line("ret")],
        ["null\n", line("sec") + "null\n" + line("ret")],
        ['{\n "t": "sec"\n}\nok\n', '{\n "t": "ret"\n}\nok\n'],
    ],
)
def test_lines_of_json_are_refused_where_a_match_spans_two(chunks: list[str]) -> None:
    stream = GUARD.wrap_sync(chunks)
    with pytest.raises(AdapterError, match=r"lines of JSON.*framing='text'"):
        stream.text()
    assert "ret" not in stream.result.text
    assert GUARD.wrap_sync(chunks, framing="text").text() == "".join(chunks)


@pytest.mark.parametrize("text", [r"s\u0065cret", r"a \"s\u0065cret\""])
def test_lines_of_json_are_refused_where_escapes_hide_a_match(text: str) -> None:
    for beside in ("", "null\n"):
        stream = GUARD.wrap_sync(["{}\n", f'{{"t": "{text}"}}\n{beside}', line("more")])
        with pytest.raises(AdapterError, match=r"lines of JSON.*framing='text'"):
            stream.text()
        assert "cret" not in stream.result.text


def test_json_in_the_prose_of_one_chunk_is_text() -> None:
    prose = 'Send this:\n{"t": "\\nsecret"}\nor that:\n{"t": "a secret"}\n'
    assert GUARD.wrap_sync([prose, prose]).text() == GUARD.check(prose + prose).text


@pytest.mark.parametrize("end", ['{"t": "sec', '{"t": "a"}\n{"t": "sec', '0:"sec'])
def test_lines_of_json_that_are_cut_are_refused(end: str) -> None:
    stream = GUARD.wrap_sync([line("a"), line("b"), end, 'ret"}\n'])
    with pytest.raises(AdapterError, match=r"lines of JSON.*framing='text'"):
        stream.text()
    assert "sec" not in stream.result.text


def test_lines_of_json_that_a_model_writes_are_text() -> None:
    chunks = [
        line("a secret"),
        line('so "secret", é\n'),
        "\n",
        line("b"),
        "That is all: secret.\n",
        "{",
    ]
    expected = GUARD.check("".join(chunks))
    stream = GUARD.wrap_sync(chunks)
    assert stream.text() == expected.text
    assert list(stream.findings) == list(expected.findings)


def test_matches_that_are_masked_in_each_line_are_none_of_two() -> None:
    guard = Guard(Policy.parse("rules: [{id: mail, pattern: '[a-z.]+@[a-z.]+'}]"))
    chunks = [line("ann@a.example"), line("bob@b.example"), line("eve@c.example")]
    assert guard.wrap_sync(chunks).text() == guard.check("".join(chunks)).text


def test_text_beside_what_is_masked_may_begin_a_match_of_two_lines() -> None:
    guard = Guard(Policy.parse("rules: [{id: mail, pattern: '[a-z.]+@[a-z.]+'}]"))
    stream = guard.wrap_sync([line("ann@a.example"), line("bob"), line("@c.example")])
    with pytest.raises(AdapterError, match="a match spans several"):
        stream.text()


ADDRESS = r"[\w.+-]+@[\w-]+\.[\w.]+"
"""A pattern without a limit, of which each word may be the beginning."""


def lines_of(kinds: list[str]) -> list[str]:
    rows = [{"role": kind, "text": f"w{at} "} for at, kind in enumerate(kinds)]
    return [json.dumps(row) + "\n" for row in rows]


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize(
    "kinds", [["a"], ["assistant"], ["assistant", ""], ["token", "tool.call"], ["long-id" * 30]]
)
def test_values_that_recur_in_lines_are_no_match_of_several(action: str, kinds: list[str]) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: m, pattern: '{ADDRESS}', action: {action}}}]"))
    chunks = lines_of([kinds[at % len(kinds)] for at in range(200)])
    stream = guard.wrap_sync(chunks)
    assert list(stream) == chunks
    assert not stream.findings


@pytest.mark.parametrize("pieces", [["@exam", "ple.com"], ["ann", "@example.com"]])
def test_a_match_of_two_lines_after_values_that_recur_is_refused(pieces: list[str]) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: m, pattern: '{ADDRESS}'}}]"))
    stream = guard.wrap_sync(lines_of([*["assistant"] * 200, *pieces, "assistant"]))
    with pytest.raises(AdapterError, match="a match spans several"):
        stream.text()
    assert pieces[-1] not in stream.result.text


@pytest.mark.parametrize("action", ["block", "mask"])
def test_a_match_in_a_long_line_after_values_that_recur_is_refused(action: str) -> None:
    rules = f"""
max_holdback: 64
rules:
  - {{id: long, pattern: 'x[a-z ]+y', action: {action}}}
  - {{id: bird, words: [bluebird]}}
"""
    stream = Guard(Policy.parse(rules)).wrap_sync(
        lines_of([*["x ok "] * 40, "see blue", "bird" + " zz" * 60])
    )
    with pytest.raises(AdapterError, match="a match spans several"):
        stream.text()


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_candidate_that_grows_over_lines_of_other_text_is_refused(size: int) -> None:
    guard = Guard(Policy.parse("rules: [{id: key, pattern: '[a-z0-9]{9,} END'}]"))
    letters = "".join(f"{at * at * 7919 % 46656:04x}" for at in range(200))
    stream = guard.wrap_sync(lines_of([letters[at : at + size] for at in range(0, 600, size)]))
    with pytest.raises(AdapterError, match="a match spans several"):
        stream.text()


def test_a_policy_in_shadow_refuses_no_lines_of_json() -> None:
    guard = Guard(Policy.parse("mode: shadow\nrules: [{id: w, words: [secret]}]"))
    chunks = [line("sec"), line("ret")]
    assert guard.wrap_sync(chunks).text() == "".join(chunks)


DOCUMENTS = line("a secret") + line("and more")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 17, 30, len(DOCUMENTS)])
def test_json_that_a_model_writes_is_text(size: int) -> None:
    expected = GUARD.check(DOCUMENTS).text
    parts = [DOCUMENTS[at : at + size] for at in range(0, len(DOCUMENTS), size)]
    assert GUARD.wrap_sync(parts).text() == expected


@pytest.mark.parametrize(
    "chunks",
    [
        [line("a secret")],
        ["[1]", "[2]", " a secret"],
        ["{}", " a secret"],
        ["[" * 9999],
        ['"sec"', '"ret"', " or ", '"sec"', "\n"],
        ["3", " secret", "\n", "4\n"],
        ["- 3", "nor", "false\n"],
    ],
)
def test_text_that_is_little_json_passes(chunks: list[str]) -> None:
    assert GUARD.wrap_sync(chunks).text() == GUARD.check("".join(chunks)).text


def test_lines_are_text_where_the_policy_expects_json() -> None:
    own = Guard(Policy.parse("rules: [{id: word, words: [secret]}]\njson: {documents: many}"))
    assert own.wrap_sync([line("a"), line("a secret")]).text() == line("a") + line("a [word]")


LINES = [
    [chunk("a")],
    ['data: {"x": 1}'],
    ["data:{}"],
    ["data: [DONE]"],
    ['data: [{"x": 1}]'],
    ["event: x", chunk("a")],
    [": PROCESSING", "", ": PROCESSING", "", chunk("a")],
    ["id: 1", "event: x", "retry: 9", chunk("a")],
    ["data: sec", "", "data: ret", ""],
    ["data: sec", "data: ret", ""],
    ["event: x", "data: sec", ""],
    ["data: sec", "id: 7", ""],
]
"""Lines of server-sent events, each without its end."""


@pytest.mark.parametrize("lines", LINES)
def test_lines_that_are_not_declared_are_refused(lines: list[str]) -> None:
    with pytest.raises(AdapterError, match=r"framing='sse'.*framing='text'"):
        list(GUARD.wrap_sync([*lines, "rest"]))
    whole = [f"{line}\n" for line in lines]
    assert "".join(GUARD.wrap_sync(whole, framing="text")) == "".join(whole)


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_such_lines_are_refused_in_every_cut(lines: list[str], end: str) -> None:
    text = "".join(f"{line}{end}" for line in lines)
    chance = Random(text)
    cuts = [[], list(range(1, len(text))), *(chance.sample(range(len(text)), 3) for _ in range(20))]
    for each in cuts:
        parts = [text[at:to] for at, to in pairwise([0, *sorted(each), len(text)])]
        stream = GUARD.wrap_sync(parts)
        with pytest.raises(AdapterError, match="server-sent"):
            stream.text()
        assert "data: ret" not in stream.result.text


@pytest.mark.parametrize(
    "text",
    [
        "id: 3",
        "id: 3\nname: a secret",
        "data: the secret results",
        "data: the results\n\nThey are a secret.",
        "data: {x | x is a secret}",
        "data: [1, 2] and a secret",
        "event: birthday\nplace: a secret",
        "event: birthday\ndata: a secret\nplace: here\n\nmore",
        "retry: later, it is a secret",
        "retry\ndata: a secret",
        ": a secret\n\n: and more",
        ":) a secret",
        "eve\ndata: a secret\n\ndata: b",
        "",
    ],
)
def test_text_that_begins_like_an_event_is_guarded_in_every_cut(text: str) -> None:
    expected = GUARD.check(text).text
    assert "secret" not in expected
    for size in (1, 2, 3, 5, 8, 13, len(text) or 1):
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        assert GUARD.wrap_sync(parts).text() == expected


def test_another_framing_is_an_error() -> None:
    framing: Any = "sseee"
    with pytest.raises(ValueError, match="unknown framing 'sseee'"):
        GUARD.wrap_sync([], framing=framing)


def test_lines_come_asynchronously_too() -> None:
    async def lines() -> Any:
        for line in (chunk("a sec"), "", chunk("ret b"), ""):
            yield line

    async def main() -> list[str]:
        return [line async for line in GUARD.wrap(lines(), framing="sse")]

    assert said(anyio.run(main)) == "a ###### b"


@pytest.mark.parametrize("after", ["[link](http://x)\n", "[1, 2]\n", "[]", "[ ] milk\n", "{x}\n"])
def test_text_after_lines_of_json_is_no_line_that_is_cut(after: str) -> None:
    lines = ['{"a": "x"}\n', '{"a": "y"}\n', after]
    assert "".join(GUARD.wrap_sync(lines)) == "".join(lines)


@pytest.mark.parametrize(
    "cut",
    [
        '{"a": "y',
        '{"a": tr',
        '{"a',
        "[1, 2",
        "[",
        '{"a": "\\u00',
        '{"a": 1}\n"y',
        '{"a": 1}\n{',
        "0:[1",
    ],
)
def test_a_line_that_may_be_cut_anywhere_is_refused(cut: str) -> None:
    with pytest.raises(AdapterError, match="some are cut"):
        list(GUARD.wrap_sync(['{"a": "x"}\n', '{"a": "y"}\n', cut]))
