"""DashScope's own stream: all of a text so far, or what is new in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from guardstream.providers.dashscope import DashScope
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Make = Callable[[Sequence[str]], list[dict[str, Any]]]


def told(texts: Sequence[str], field: str = "content") -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    for text in texts:
        choice = {"message": {"role": "assistant", field: text}, "finish_reason": "null"}
        chunks.append({"output": {"choices": [choice]}, "usage": {}, "request_id": "r"})
    chunks[-1]["output"]["choices"][0]["finish_reason"] = "stop"
    return chunks


def as_text(texts: Sequence[str]) -> list[dict[str, Any]]:
    made = [
        {"output": {"text": text, "finish_reason": "null"}, "request_id": "r"} for text in texts
    ]
    return [*made[:-1], {"output": {"text": texts[-1], "finish_reason": "stop"}, "request_id": "r"}]


def said(chunk: dict[str, Any], field: str = "content") -> str:
    output = chunk["output"]
    return str(output["choices"][0]["message"][field] if "choices" in output else output["text"])


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_all_so_far_becomes_what_was_released_so_far(field: str) -> None:
    for pieces in cuttings(TEXT):
        source = told(list(accumulate(pieces)), field)
        assert type(detect(source[0])).name == "dashscope"
        assert unchanged(source)
        out = [said(chunk, field) for chunk in GUARD.wrap_sync(source)]
        assert out[-1] == MASKED
        assert all(MASKED.startswith(text) for text in out)


def test_what_is_new_is_joined() -> None:
    for pieces in cuttings(TEXT):
        stream = GUARD.wrap_sync(told(pieces))
        assert "".join(map(said, stream)) == MASKED
        assert stream.result.text == MASKED
        assert stream.result.finish == "stop"


def test_texts_without_choices_are_guarded_alike() -> None:
    for pieces in cuttings(TEXT):
        out = [said(chunk) for chunk in GUARD.wrap_sync(as_text(list(accumulate(pieces))))]
        assert out[-1] == MASKED


def test_a_block_ends_with_a_reason_and_what_was_said() -> None:
    for make in (told, as_text):
        out = list(GUARD.wrap_sync(make(["all ", "all for", "all forbidden fruit"])))
        assert said(out[-1]) == "all "
        assert "content_filter" in str(out[-1])


def test_events_on_the_wire_are_guarded() -> None:
    sent = in_any_cut(events(*told(list(accumulate(TEXT)))), GUARD)
    assert not left_raw(sent.decode())


@pytest.mark.parametrize("grows", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_several_choices_are_told_apart_and_end_apart(grows: bool, together: bool) -> None:
    random = Random(3)
    texts = ["a secret, no sec", "secret and secret"]
    for _ in range(20):
        values = []
        for text in texts:
            edges = sorted({0, len(text), *(random.randrange(1, len(text)) for _ in range(5))})
            pieces = [text[start:end] for start, end in pairwise(edges)]
            values.append(list(accumulate(pieces)) if grows else pieces)
        rows = [[choice(at, said, over) for at, said, over in row] for row in _rows(values, random)]
        parts = rows if together else [[each] for row in rows for each in row]
        source = [{"output": {"choices": each}, "request_id": "r1"} for each in parts]
        out: dict[int, str] = {0: "", 1: ""}
        for chunk in GUARD.wrap_sync(source):
            for each in chunk["output"]["choices"]:
                text = each["message"]["content"]
                out[each["index"]] = text if grows else out[each["index"]] + text
        assert out == {0: MASKED, 1: "###### and ######"}


def choice(index: int, text: str, over: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"index": index, "message": message, "finish_reason": "stop" if over else "null"}


def _rows(values: list[list[str]], random: Random) -> list[list[tuple[int, str, bool]]]:
    """The next values of both texts, side by side; the longer one goes on alone."""
    rows = []
    for at in range(max(map(len, values))):
        row = [
            (number, told[at], at == len(told) - 1)
            for number, told in enumerate(values)
            if at < len(told)
        ]
        random.shuffle(row)
        rows.append(row)
    return rows


CARD = Guard(Policy.parse("rules: [{id: card, pattern: ['11234', '2112'], replacement: '#'}]"))
FOUND = re.compile("11234|2112")


@pytest.mark.parametrize("make", [told, as_text])
@pytest.mark.parametrize(
    ("values", "masked"),
    [
        (["1", "1", "2", "34", ""], "#####"),
        (["1", "1", "2", "3", "5", ""], "11235"),
        (["the 1", "the 1", "1234", ""], "the 1the #####"),
        (["1", "12", "11", "2", ""], "11####"),
        (["1", "1", ""], "11"),
        (["ha", "ha", "ha", "!", ""], "hahaha!"),
    ],
)
def test_what_could_be_all_so_far_is_guarded_as_what_is_new_once_it_shows(
    make: Make, values: list[str], masked: str
) -> None:
    stream = CARD.wrap_sync(make(values))
    assert "".join(map(said, stream)) == masked
    assert stream.result.text == masked


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


def test_a_text_that_ends_in_doubt_is_judged_either_way() -> None:
    guard = Guard(Policy.parse("rules: [{id: twice, words: ['bb', bluebird], action: block}]"))
    stream = guard.wrap_sync(told(["b", "b"]))
    assert not any(map(said, stream))
    assert stream.blocked_by == "twice"
    stream = guard.wrap_sync(told(["blu", "blue"]))
    assert [said(chunk) for chunk in stream] == ["blue"]


def test_a_caller_may_say_which_it_is() -> None:
    out = CARD.wrap_sync(told(["1", "1", "2"]), provider=DashScope(incremental=True))
    assert "".join(map(said, out)) == "112"
    out = CARD.wrap_sync(told(["1", "1", "12"]), provider=DashScope(incremental=False))
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


@pytest.mark.parametrize("pieces", list(cuttings(TEXT)))
def test_what_an_application_thinks_is_guarded(pieces: list[str]) -> None:
    new = [*map(of_app, pieces[:-1]), of_app(pieces[-1], "stop")]
    assert unchanged(new)
    out = list(GUARD.wrap_sync(new))
    assert ["".join(each) for each in zip(*map(thoughts, out), strict=True)] == [MASKED] * 3
    grown = [of_app(text) for text in accumulate(pieces)] + [of_app(TEXT, "stop")]
    assert unchanged(grown)
    told = list(map(thoughts, GUARD.wrap_sync(grown)))
    assert told[-1] == [MASKED] * 3
    assert all(MASKED.startswith(text) for each in told for text in each)


@pytest.mark.parametrize("pieces", list(cuttings(TEXT)))
def test_what_a_node_of_a_workflow_says_is_the_answer(pieces: list[str]) -> None:
    new = [of_node(piece) for piece in pieces] + [of_node("", "stop")]
    assert type(detect(new[0])).name == "dashscope"
    assert unchanged(new)
    stream = GUARD.wrap_sync(new)
    out = [chunk["output"]["workflow_message"]["message"]["content"] for chunk in stream]
    assert "".join(out) == stream.result.text == MASKED
    grown = [of_node(text, node=node) for node in ("n1", "n2") for text in accumulate(pieces)]
    out = list(GUARD.wrap_sync([*grown, of_node(TEXT, "stop", "n2")]))
    last = {each["node_id"]: each for each in (c["output"]["workflow_message"] for c in out)}
    assert [each["message"]["content"] for each in last.values()] == [MASKED] * 2


@pytest.mark.parametrize(
    "made", [of_app, of_node, lambda text: told([text], "reasoning_content")[0]]
)
@pytest.mark.parametrize("incremental", [None, True, False])
def test_a_block_shows_nothing_of_a_chunk_without_a_text_of_its_own(
    made: Callable[[str], Any], incremental: bool | None
) -> None:
    source = [made("so forbidden thing"), made("so forbidden thing it")]
    stream = GUARD.wrap_sync(source, provider=DashScope(incremental=incremental))
    out = list(stream)
    assert stream.finish == "content_filter"
    assert "forbidden" not in str(out)
    output = out[-1]["output"]
    ended = output["choices"][0] if "choices" in output else output
    assert ended["finish_reason"] == "content_filter"
