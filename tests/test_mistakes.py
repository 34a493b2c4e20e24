"""Common mistakes are refused at once, with what is wrong and what to do instead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from guardstream import Guard, GuardstreamError, Policy

GUARD: Any = Guard(Policy.parse("rules: [{id: bird, words: [bluebird]}]"))
PARSE: Any = Policy.parse
LOAD: Any = Guard.load


async def asynchronous() -> AsyncIterator[str]:
    yield "a"


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "a chunk for a stream": (
        lambda: GUARD.wrap_sync({"choices": []}),
        "given a mapping, not a stream: give it an iterator of chunks, or a list with this one",
    ),
    "a text for a stream": (
        lambda: GUARD.wrap_sync("a"),
        "a whole text, not a stream: use check()",
    ),
    "an asynchronous stream": (
        lambda: GUARD.wrap_sync(asynchronous()),
        "given an async stream: use wrap()",
    ),
    "a plain iterator": (lambda: GUARD.wrap(["a"]), "given a plain iterator: use wrap_sync()"),
    "bytes to check": (lambda: GUARD.check(b"a"), "needs a whole text, a str, not 'bytes'"),
    "nothing to check": (lambda: GUARD.check(None), "needs a whole text, a str, not 'NoneType'"),
    "seconds for deadlines": (
        lambda: GUARD.wrap_sync(["a"], deadlines=5),
        "deadlines= needs Deadlines(first_token=15, idle=30), not 'int'",
    ),
    "no function for a callback": (
        lambda: GUARD.wrap_sync(["a"], on_text="print"),
        "a callback must be a function, not 'str'",
    ),
    "one text for words": (
        lambda: GUARD.wrap_sync(["a"], words={"bird": "robin"}),
        "words for 'bird' must be a list of words, not one text",
    ),
    "a provider that is misspelt": (
        lambda: GUARD.wrap_sync(["a"], provider="opanai_chat"),
        "no adapter 'opanai_chat', did you mean 'openai_chat'?",
    ),
    "an argument that is misspelt": (
        lambda: GUARD.wrap_sync(["a"], raise_on_blocked=True),
        "has no argument 'raise_on_blocked': did you mean 'raise_on_block'?",
    ),
    "a path for a policy": (
        lambda: Guard("policy.yaml"),  # type: ignore[arg-type]
        "Guard.load(path) reads a policy file",
    ),
    "a path for a policy's text": (
        lambda: PARSE("policy.yaml"),
        "to read a file, use Policy.load()",
    ),
    "bytes for a policy's text": (lambda: PARSE(b"rules: []"), "a str, not 'bytes'"),
    "a policy's text for a path": (
        lambda: LOAD("version: 1\nrules: []"),
        "a path was expected, not a policy's text",
    ),
    "one word for a list": (
        lambda: PARSE("rules: [{id: a, words: secret}]"),
        "expected a list: write it in brackets, as in [one, two]",
    ),
    "prompts without rules for them": (
        lambda: GUARD.check_messages([{"role": "user", "content": "a"}]),
        "the policy has no section 'input'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_remedy(name: str) -> None:
    make, said = MISTAKES[name]
    with pytest.raises((TypeError, GuardstreamError)) as raised:
        make()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
