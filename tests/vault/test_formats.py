"""Every format: the model sees a stand-in, the user what would have come without masking."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import accumulate
from typing import Any

import anyio
import pytest

from guardstream import Guard
from guardstream.formats import ADAPTERS
from guardstream.http.body import guard_body
from guardstream.policy import Policy
from guardstream.vault import Vault
from tests.laws.asked import EMPTY
from tests.support.samples import answers as answers_samples
from tests.support.samples import bodies as bodies_samples
from tests.support.samples.formats import FORMATS, Make, told

GUARD = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
VALUE = "mia.wolf@example.org"


STAYS = {"json"}
"""Where nobody knows what is said to the user and what a tool is given, stand-ins stay."""


def test_there_is_a_stream_of_every_format() -> None:
    assert FORMATS.keys() == ADAPTERS.keys()


def vault() -> tuple[Vault, str]:
    """A vault that gives `find` its `q`, and a stand-in of it."""
    here = Vault(b"k" * 16, "formats", tools={"find": ["q"]})
    [message] = GUARD.check_messages([{"role": "user", "content": VALUE}], vault=here).messages
    return here, message["content"]


def cuts(text: str) -> Iterator[list[str]]:
    """Whole, character by character, in fours, and in two in several places."""
    yield [text]
    yield list(text)
    yield [text[at : at + 4] for at in range(0, len(text), 4)]
    yield from ([text[:at], text[at:]] for at in range(2, len(text), 5))


def beside(out: Sequence[Any]) -> str:
    """What a server of MCP gives, which is no model's answer."""
    return str(out[0]["result"]["content"][0]["text"])


@pytest.mark.parametrize(("name", "make"), FORMATS.items(), ids=FORMATS)
def test_a_value_comes_back_in_every_format(name: str, make: Make) -> None:
    here, mark = vault()
    for pieces in cuts(f"to {mark}, it"):
        meant = [f"to {VALUE}, it"]
        with EMPTY.wrap_sync(make(meant), format=_named(name)) as plain:
            list(plain)
        with GUARD.wrap_sync(make(pieces), vault=here, format=_named(name)) as stream:
            out = list(stream)
        if name in STAYS:
            assert "".join(each["some"] for each in out) == "".join(pieces)
            continue
        assert stream.result.text == plain.result.text
        assert meant[0] in (stream.result.text or beside(out))
        assert mark not in told(out)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("name", "make"), [each for each in FORMATS.items() if each[0] not in STAYS]
)
def test_a_value_comes_back_on_every_event_loop(name: str, make: Make, backend: str) -> None:
    here, mark = vault()
    text = f"to {mark}, it"
    source = make([text[at : at + 3] for at in range(0, len(text), 3)])

    async def chunks_() -> AsyncIterator[Any]:
        for each in source:
            yield each

    async def read() -> Any:
        async with GUARD.wrap(chunks_(), vault=here, format=_named(name)) as stream:
            out = [each async for each in stream]
        return stream.result.text or beside(out), told(out)

    said, shown = anyio.run(read, backend=backend)
    assert f"to {VALUE}, it" in said
    assert mark not in shown


WHOLE = {**bodies_samples.ANSWERS, **answers_samples.MAKERS}
OBJECTS = ("gemini", "ollama", "bedrock")
"""Whose makers are given the argument `q`; the others take JSON."""


@pytest.mark.parametrize("name", WHOLE)
def test_a_value_comes_back_in_a_whole_answer(name: str) -> None:
    here, mark = vault()

    def made(value: str) -> dict[str, Any]:
        arguments = value if name in OBJECTS else json.dumps({"q": value}, separators=(",", ":"))
        if name in bodies_samples.ANSWERS:
            return bodies_samples.ANSWERS[name]("", f"so: {value}, it", arguments)[1]
        answer = answers_samples.MAKERS[name](f"so: {value}, it", arguments)
        answer.pop("context", None)  # the numbers of the text's tokens
        return answer

    provider = "ollama" if name == "generate" else name
    body, result = guard_body(GUARD.with_vault(here), provider, made(mark))
    assert body == made(VALUE)
    assert result.text == f"so: {VALUE}, it"


def _named(name: str) -> str | None:
    return None if name in ("langgraph_events",) else name


@pytest.mark.parametrize("so_far", [True, False])
def test_tools_of_dashscope_are_known(so_far: bool) -> None:
    here, mark = vault()
    text = json.dumps({"q": mark})
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]

    def told(arguments: str, name: str, end: str = "null") -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        call = {"index": 1, "id": "c" if name else "", "type": "function", "function": function}
        choice = {"message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": end}
        return {"output": {"choices": [choice]}, "request_id": "r"}

    said = list(accumulate(pieces)) if so_far else pieces
    names = ["find"] * len(said) if so_far else ["find", *[""] * (len(said) - 1)]
    ends = [*["null"] * (len(said) - 1), "tool_calls"]
    with GUARD.wrap_sync(map(told, said, names, ends), vault=here) as stream:
        list(stream)
    [call] = stream.result.tool_calls
    assert (call.name, call.id, json.loads(call.arguments)) == ("find", "c", {"q": VALUE})
