"""The mistralai package's events, made by its client from what Mistral sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError, extract
from guardstream.providers import detect
from guardstream.providers.mistral.chat import Mistral
from tests.extract.test_extract import collect
from tests.providers.chunks import call, chunk
from tests.providers.laws import (
    GUARD,
    check_masked,
    cuttings,
    events,
    left_raw,
    recorded,
    unchanged,
)
from tests.support.optional import optional

Client = optional("mistralai.client", "Mistral")

RECORDINGS = recorded("vercel*/mistral__*")


def objects(*source: dict[str, Any]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        body = events(*source) + b"data: [DONE]\n\n"
        return httpx.Response(200, content=body, headers={"content-type": "text/event-stream"})

    http = httpx.Client(transport=httpx.MockTransport(handle))
    messages: Any = [{"role": "user", "content": "q"}]
    with Client(api_key="none", client=http).chat.stream(model="m", messages=messages) as stream:
        return list(stream)


def arguments(said: str) -> dict[str, Any]:
    """A delta that goes on with a call, as Mistral sends it."""
    return {"tool_calls": [{"index": 0, "function": {"name": "", "arguments": said}}]}


def thinking(said: str) -> dict[str, Any]:
    return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": said}]}]}


def joined(source: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for each in source:
        for choice in each.data.choices:
            content = choice.delta.content or ""
            parts = [("text", content)] if isinstance(content, str) else map(_part, content)
            calls = choice.delta.tool_calls or ()
            for key, said in [*parts, *(("tool_args", c.function.arguments) for c in calls)]:
                found[key] = found.get(key, "") + said
    return {key: said for key, said in found.items() if said}


def _part(part: Any) -> tuple[str, str]:
    if part.type == "thinking":
        return "thinking", "".join(inner.text for inner in part.thinking)
    return "text", part.text


def test_text_thinking_and_arguments_are_masked_in_any_cut() -> None:
    for pieces in cuttings('{"q": "a secret, no sec"}'):
        source = [chunk(thinking(piece)) for piece in pieces]
        source += [chunk({"content": piece}) for piece in pieces]
        source += [chunk(call(0, "", id="a", name="find"))]
        source += [chunk(arguments(piece)) for piece in pieces] + [chunk(finish="tool_calls")]
        stream = GUARD.wrap_sync(objects(*source))
        out = list(stream)
        masked = '{"q": "a ######, no sec"}'
        assert joined(out) == dict.fromkeys(("thinking", "text", "tool_args"), masked)
        assert not left_raw(out)
        assert stream.finish == "tool_calls"


def test_what_no_rule_touches_passes_as_it_is() -> None:
    source = objects(chunk({"role": "assistant", "content": "a"}), chunk(finish="stop"))
    assert isinstance(detect(source[0]), Mistral)
    assert unchanged(source)
    assert unchanged([{"data": chunk({"content": "a"})}])


def test_a_block_ends_with_a_reason_that_the_package_can_write() -> None:
    source = objects(
        chunk({"content": "so forbidden "}), chunk({"content": "x"}), chunk(finish="stop")
    )
    out = list(GUARD.wrap_sync(source))
    assert joined(out) == {"text": "so "}
    last = json.loads(out[-1].model_dump_json())
    assert last["data"]["choices"][0]["finish_reason"] == "error"


def test_what_is_not_known_is_refused() -> None:
    source = [{"data": chunk({"content": "a", "aside": "words"})}]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=Mistral(unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = objects(chunk(call(0, '{"rows": [1', id="a", name="find")), chunk(arguments(",2]}")))
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    rows = path.read_text(encoding="utf-8").splitlines()
    source = objects(*(json.loads(row) for row in rows if row))
    assert unchanged(source)
    check_masked(source, joined)
