"""`str` lines of server-sent events: guarded as events, line by line; or refused."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize(
    "first", [chunk("a"), "data: text", "event: x\n", "event: x\ndata: a\n\n", ": PROCESSING"]
)
def test_lines_that_are_not_declared_are_refused(first: str) -> None:
    with pytest.raises(AdapterError, match=r"framing='sse'.*framing='text'"):
        list(GUARD.wrap_sync([first, "rest"]))
    assert list(GUARD.wrap_sync([first], framing="text")) == [first]


def test_text_is_taken_for_no_event() -> None:
    for parts in (["data", ": secret"], ["data: a\nmore"], ["note: a secret"], [""]):
        assert "secret" not in GUARD.wrap_sync(parts).text()


def test_another_framing_is_an_error() -> None:
    framing: Any = "sseee"
    with pytest.raises(ValueError, match="'sseee' is not known"):
        GUARD.wrap_sync([], framing=framing)


def test_lines_come_asynchronously_too() -> None:
    async def lines() -> Any:
        for line in (chunk("a sec"), "", chunk("ret b"), ""):
            yield line

    async def main() -> list[str]:
        return [line async for line in GUARD.wrap(lines(), framing="sse")]

    assert said(anyio.run(main)) == "a ###### b"
