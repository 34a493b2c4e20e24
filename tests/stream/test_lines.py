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


def line(text: str) -> str:
    return json.dumps({"t": text}) + "\n"


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
