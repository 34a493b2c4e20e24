"""Ollama's responses: lines of JSON, and the package's objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.providers.ollama import Ollama
from tests.extract.test_extract import collect
from tests.providers.laws import (
    GUARD,
    check_masked,
    cuttings,
    in_any_cut,
    left_raw,
    lines,
    recorded,
    unchanged,
)
from tests.support.optional import optional

ollama = optional("ollama")

RECORDINGS = recorded("ollama/*")


def chat(content: str = "", *, done: bool = False, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **fields}
    last = {"done_reason": "stop", "eval_count": 3} if done else {}
    return {"model": "m", "created_at": "t", "message": message, "done": done, **last}


def generated(response: str = "", *, done: bool = False, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "created_at": "t", "response": response, "done": done, **fields}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


def objects(*chunks: dict[str, Any]) -> list[Any]:
    """The responses that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=lines(*chunks))

    client = ollama.Client(transport=httpx.MockTransport(handle))
    if "message" in chunks[0]:
        return list(client.chat(model="m", messages=[], stream=True))
    return list(client.generate(model="m", prompt="q", stream=True))


MAKE = pytest.mark.parametrize(
    "make", [list, lambda chunks: objects(*chunks)], ids=["dict", "object"]
)


def joined(chunks: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for chunk in chunks:
        plain = chunk if isinstance(chunk, dict) else chunk.model_dump()
        message = plain.get("message") or {}
        for name, text in (
            ("content", message.get("content") or plain.get("response")),
            ("thinking", message.get("thinking") or plain.get("thinking")),
        ):
            found[name] = found.get(name, "") + (text or "")
    return found


@MAKE
def test_chat_is_masked_in_any_cut(make: Any) -> None:
    for pieces in cuttings("a secret, and no sec"):
        source = [chat(thinking=piece) for piece in pieces]
        source += [*map(chat, pieces), chat(done=True)]
        stream = GUARD.wrap_sync(make(source))
        out = list(stream)
        assert joined(out) == {
            "content": "a ######, and no sec",
            "thinking": "a ######, and no sec",
        }
        assert not left_raw(out)
        assert out[-1]["done_reason"] == "stop"
        assert stream.result.usage == {"eval_count": 3}


@MAKE
def test_what_is_generated_is_masked_in_any_cut(make: Any) -> None:
    for pieces in cuttings("a secret, and no sec"):
        source = [*map(generated, pieces), generated(done=True, context=[1, 2])]
        out = list(GUARD.wrap_sync(make(source)))
        assert joined(out)["content"] == "a ######, and no sec"
        assert not left_raw(out)
        assert not dict(out[-1]).get("context")


@MAKE
def test_a_context_passes_if_the_text_did(make: Any) -> None:
    source = make([generated("no sec"), generated(done=True, context=[1, 2])])
    out = list(GUARD.wrap_sync(source))
    assert joined(out)["content"] == "no sec"
    assert out[-1] is source[-1]


def test_what_no_rule_touches_passes_as_it_is() -> None:
    for source in (
        [chat("a"), chat(done=True)],
        [generated("a"), generated(done=True, context=[1])],
    ):
        assert unchanged(source)
        assert unchanged(objects(*source))
        assert in_any_cut(lines(*source)) == lines(*source)


@MAKE
def test_tool_calls_are_masked_and_noted(make: Any) -> None:
    source = [
        chat("so "),
        chat(tool_calls=[call("find", q="a secret"), call("count", n=3)]),
        chat(tool_calls=[call("find", rows=["secret"])]),
        chat(done=True),
    ]
    stream = GUARD.wrap_sync(make(source))
    assert not left_raw(list(stream))
    found = [(each.name, each.parse(), each.complete) for each in stream.result.tool_calls]
    assert found == [
        ("find", {"q": "a ######"}, True),
        ("count", {"n": 3}, True),
        ("find", {"rows": ["######"]}, True),
    ]
    assert stream.finish == "tool_calls"


def test_a_blocked_call_is_not_made() -> None:
    source = [chat(tool_calls=[call("count", n=3), call("find", q="forbidden")]), chat(done=True)]
    out = list(GUARD.wrap_sync(source))
    assert not left_raw(out, "find")
    assert left_raw(out, "count")


@MAKE
def test_no_list_of_calls_is_left_when_the_only_call_is_blocked(make: Any) -> None:
    """LiteLLM takes any list, also an empty one, for the finish reason `tool_calls`."""
    calls = {"tool_calls": [call("find", q="forbidden")]}
    [last] = GUARD.wrap_sync(make([chat(**calls), chat(done=True)]))
    said, _ = GUARD.wrap_sync(make([chat("so ", **calls), chat(done=True)]))
    assert last["done_reason"] == "content_filter"
    assert said["message"]["content"] == "so "
    message = said["message"] if isinstance(said, dict) else said.message.model_dump()
    assert message.get("tool_calls") is None


@MAKE
def test_a_block_ends_with_a_last_response(make: Any) -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    for said in (chat, generated):
        stream = guard.wrap_sync(make([said("so "), said("forb"), said("idden"), said(" unread")]))
        out = list(stream)
        assert joined(out)["content"] == "so no"
        assert (out[-1]["done"], out[-1]["done_reason"]) == (True, "content_filter")
        assert stream.finish == "content_filter"


@MAKE
def test_a_stop_ends_with_a_last_response(make: Any) -> None:
    out = list(GUARD.wrap_sync(make([chat("so enough"), chat(" unread", done=True)])))
    assert (out[-1]["done"], out[-1]["done_reason"]) == (True, "stop")
    assert joined(out)["content"] == "so "


def test_log_probabilities_of_changed_text_are_left_out() -> None:
    source = [chat("secret") | {"logprobs": [{"token": "secret", "logprob": -1}]}, chat(" x")]
    assert not left_raw(list(GUARD.wrap_sync(source)))


def test_an_error_is_masked_and_ends_the_stream() -> None:
    stream = GUARD.wrap_sync([chat("so "), {"error": "the secret"}])
    assert not left_raw(list(stream))
    assert stream.finish == "error"


def test_what_is_not_known_is_refused() -> None:
    source = [chat("a", aside="words")]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=Ollama(unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = [chat(tool_calls=[call("find", rows=[1, 2])])]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    data = path.read_bytes()
    source = [json.loads(row) for row in data.splitlines()]
    assert unchanged(source)
    assert unchanged(objects(*source))
    assert in_any_cut(data) == data
    check_masked(source, joined)
    check_masked(objects(*source), joined)
