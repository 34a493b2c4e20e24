"""DashScope's own stream: all of a text so far, or what is new in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.formats.dashscope import DashScope
from tests.laws.asked import GUARD, unchanged
from tests.support.samples.dashscope import said, told

MASKED = "a ######, no sec"


def as_text(texts: Sequence[str]) -> list[dict[str, Any]]:
    made = [
        {"output": {"text": text, "finish_reason": "null"}, "request_id": "r"} for text in texts
    ]
    return [*made[:-1], {"output": {"text": texts[-1], "finish_reason": "stop"}, "request_id": "r"}]


CARD = Guard(Policy.parse("rules: [{id: card, pattern: ['11234', '2112'], replacement: '#'}]"))
FOUND = re.compile("11234|2112")


def test_nothing_leaks_while_nobody_knows_which_it_is() -> None:
    chance = Random(5)
    blocking = Guard(Policy.parse("rules: [{id: card, pattern: ['11234', '2112'], action: block}]"))
    for _ in range(300):
        values = ["".join(chance.choices("12", k=chance.randrange(1, 4))) for _ in range(5)]
        values[1] = values[0] + chance.choice(("", "1", "2"))
        values[2] = values[1] + chance.choice(("", "1", "2")) if chance.random() < 0.5 else "34"
        stream = CARD.wrap_sync(told([*values, ""]))
        out = "".join(map(said, stream))
        assert out == stream.result.text == CARD.check("".join(values)).text
        blocked = blocking.wrap_sync(as_text([*values, ""]))
        assert not FOUND.search("".join(map(said, blocked)))
        assert (blocked.result.finish == "content_filter") == bool(FOUND.search("".join(values)))


def test_a_caller_may_say_which_it_is() -> None:
    out = CARD.wrap_sync(told(["1", "1", "2"]), format=DashScope(incremental=True))
    assert "".join(map(said, out)) == "112"
    out = CARD.wrap_sync(told(["1", "1", "12"]), format=DashScope(incremental=False))
    assert [said(chunk) for chunk in out][-1] == "12"


def test_thinking_and_answer_are_told_apart_either_way() -> None:
    chance = Random(9)
    for _ in range(200):
        texts = [["".join(chance.choices("12", k=2)) for _ in range(3)] for _ in range(2)]
        empty = [""] * 3
        said_first = [*zip(texts[0], empty, strict=True), *zip(empty, texts[1], strict=True)]
        new = [both(*each) for each in said_first] + [both("", "", last=True)]
        out = list(CARD.wrap_sync(new))
        for field, pieces in zip(("reasoning_content", "content"), texts, strict=True):
            assert "".join(said(each, field) for each in out) == CARD.check("".join(pieces)).text
        thought, answer = ("".join(each) for each in texts)
        so_far = [both(each, "") for each in accumulate(texts[0])]
        kept = thought if chance.random() < 0.5 else ""
        so_far += [both(kept, each) for each in accumulate(texts[1])]
        for each in CARD.wrap_sync([*so_far, both(kept, answer, last=True)]):
            assert not FOUND.search(said(each) + "|" + said(each, "reasoning_content"))


def both(thinking: str, content: str, *, last: bool = False) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "reasoning_content": thinking}
    choice = {"message": message, "finish_reason": "stop" if last else "null"}
    return {"output": {"choices": [choice]}, "usage": {}, "request_id": "r"}


class Response(dict[str, Any]):
    """A dict whose keys are attributes, and which cannot be made without arguments."""

    def __init__(self, code: int, /, **fields: Any) -> None:
        super().__init__(fields)
        self.__dict__["code"] = code

    def __getattr__(self, name: str) -> Any:
        return self[name]


def test_responses_of_the_package_keep_their_class() -> None:
    source = [
        Response(200, output=Response(0, **chunk["output"]), request_id="r1")
        for chunk in told(["a sec", "a secret", "a secret, no sec"])
    ]
    assert unchanged(source)
    out = list(GUARD.wrap_sync(source))
    assert out[-1].output.choices[0]["message"]["content"] == MASKED
    for each in out:
        assert (type(each), each.code, type(each.output)) == (Response, 200, Response)


def of_app(text: str, reason: str = "null") -> dict[str, Any]:
    """A chunk of an application's, which tells what its model thinks in two places."""
    thoughts = [
        {"thought": text, "response": text, "action_type": "reasoning"},
        {"thought": "so", "action_type": "api", "action_input_stream": text},
    ]
    output = {"text": "", "thoughts": thoughts, "session_id": "s1", "finish_reason": reason}
    return {"output": output, "request_id": "r"}


def of_node(text: str, reason: str = "null", node: str = "n1") -> dict[str, Any]:
    """A chunk of a workflow's: what one of its nodes says."""
    told = {"node_id": node, "node_is_completed": False, "message": {"content": text}}
    output = {"workflow_message": told, "finish_reason": reason}
    return {"output": output, "request_id": "r"}


def thoughts(chunk: dict[str, Any]) -> list[str]:
    first, second = chunk["output"]["thoughts"]
    return [first["thought"], first["response"], second["action_input_stream"]]


@pytest.mark.parametrize(
    "made", [of_app, of_node, lambda text: told([text], "reasoning_content")[0]]
)
@pytest.mark.parametrize("incremental", [None, True, False])
def test_a_block_shows_nothing_of_a_chunk_without_a_text_of_its_own(
    made: Callable[[str], Any], incremental: bool | None
) -> None:
    source = [made("so forbidden thing"), made("so forbidden thing it")]
    stream = GUARD.wrap_sync(source, format=DashScope(incremental=incremental))
    out = list(stream)
    assert stream.finish == "content_filter"
    assert "forbidden" not in str(out)
    output = out[-1]["output"]
    ended = output["choices"][0] if "choices" in output else output
    assert ended["finish_reason"] == "content_filter"
