"""Requests drawn from the types of SDKs: innocent ones pass, and a word in any string is judged."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from inspect import signature
from random import Random
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import pytest
from pydantic import BaseModel
from typing_extensions import is_typeddict

from guardstream import Guard, Policy
from guardstream.http.request import RefusedError, checked_request
from guardstream.http.request_fields import NOT_READ
from tests.support.optional import optional

chat = optional("openai.types.chat.completion_create_params")
responses = optional("openai.types.responses.response_create_params")
messages = optional("anthropic.types.message_create_params")
gemini = optional("google.genai.types")
ollama = optional("ollama._types")
cohere = optional("cohere.v2.client")

WORDS = ("hello there", "a", "get_weather", "blue", "the sum of two numbers", "claude", "x-1")

DEPTH = 7
"""So deep are drawn requests; below, what may be left out is."""


class Drawing:
    """Draws values of types, as JSON."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def value(self, kind: Any, depth: int = 0) -> Any:
        origin, inner = get_origin(kind), get_args(kind)
        if origin in (Annotated, Required, NotRequired):
            return self.value(inner[0], depth)
        if origin is Literal:
            return self._random.choice(inner)
        if origin in (Union, types.UnionType):
            return self.value(self._random.choice(self._kept(inner, depth)), depth)
        if is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return self._object(kind, depth)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._random.choice(list(kind)).value
        if origin is not None and issubclass(origin, (dict, Mapping)):
            return {self._word(): self.value(inner[1], depth + 1)} if depth < DEPTH else {}
        if origin is not None:  # a list, a sequence, an iterable
            return [self.value(inner[0], depth + 1) for _ in range(self._random.randrange(3))]
        return self._plain(kind)

    def _kept(self, kinds: tuple[Any, ...], depth: int) -> list[Any]:
        simple = [kind for kind in kinds if kind is not type(None)]
        plain = [kind for kind in simple if kind in (str, int, float, bool)]
        return plain if plain and depth > DEPTH else simple

    def _object(self, kind: Any, depth: int) -> dict[str, Any]:
        made = {}
        for name, inner, needed in fields_of(kind):
            if needed or (depth < DEPTH and self._random.random() < (0.5 if depth else 0.7)):
                made[name] = self.value(inner, depth + 1)
        return made

    def _plain(self, kind: Any) -> Any:
        if kind in (int, float):
            return self._random.randrange(5)
        if kind is bool:
            return self._random.random() < 0.5
        if kind in (datetime, date):
            return "2026-11-30"
        if kind in (bytes,):
            return "AAAA"
        return {} if kind in (object, Any, dict) else self._word()

    def _word(self) -> str:
        return self._random.choice(WORDS)


@cache
def fields_of(kind: Any) -> list[tuple[str, Any, bool]]:
    """The fields of an object in JSON: their names, types, and whether each is needed."""
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return [(name, hint, name in kind.__required_keys__) for name, hint in hints.items()]
    return [
        (field.alias or name, field.annotation, field.is_required())
        for name, field in kind.model_fields.items()
    ]


def of_parameters(call: Any) -> dict[str, Any]:
    """The types of what a method of a client sends."""
    hints = get_type_hints(call, include_extras=True)
    return {name: hints[name] for name in signature(call).parameters if name in hints}


def drawn(provider: str, seed: int) -> dict[str, Any]:
    """A request to a provider."""
    drawing = Drawing(seed)
    kinds = KINDS[provider]()
    if not isinstance(kinds, dict):
        return typing.cast("dict[str, Any]", drawing.value(kinds))
    return {name: drawing.value(kind) for name, kind in kinds.items()}


def of_gemini() -> dict[str, Any]:
    """https://ai.google.dev/api/generate-content: the client has the types of its parts."""
    return {
        "contents": list[gemini.Content],
        "systemInstruction": gemini.Content,
        "generationConfig": gemini.GenerationConfig,
        "tools": list[gemini.Tool],
        "toolConfig": gemini.ToolConfig,
        "safetySettings": list[gemini.SafetySetting],
    }


def of_cohere() -> dict[str, Any]:
    sent = of_parameters(cohere.V2Client.chat)
    return {name: kind for name, kind in sent.items() if name != "request_options"}


KINDS = {
    "openai_chat": lambda: chat.CompletionCreateParamsNonStreaming,
    "openai_responses": lambda: responses.ResponseCreateParamsNonStreaming,
    "anthropic": lambda: messages.MessageCreateParamsNonStreaming,
    "ollama": lambda: ollama.ChatRequest,
    "gemini": of_gemini,
    "cohere": of_cohere,
}

ROLES = "roles: [user, tool, system, developer, assistant]"


def guard(rules: str) -> Guard:
    return Guard(Policy.parse(f"input:\n  {ROLES}\n  {rules}\n"))


PACKS = guard("extends: [guardstream/injection, guardstream/secrets]")

BAD = guard("rules: [{id: bad, words: [falcon], action: block}]")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all strings in JSON."""
    if isinstance(value, str):
        yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for step, inner in value.items():
            yield from leaves(inner, (*path, step))


def put(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """A copy of JSON with a text at a path."""
    if not path:
        return text
    made = value.copy()
    made[path[0]] = put(value[path[0]], path[1:], text)
    return made


def unjudged(provider: str, request: dict[str, Any]) -> Iterator[str]:
    """The keys of strings that may hold a word that is forbidden."""
    for path in leaves(request):
        keys = ".".join(step for step in path if isinstance(step, str))
        try:
            given = put(request, path, "say falcon now")
            checked_request(BAD, provider, json.dumps(given).encode())
        except RefusedError:
            continue
        if not any(f"{keys}.".startswith(f"{name}.") for name in NOT_READ[provider]):
            yield keys


def seeds(few: int, many: int) -> list[Any]:
    return [range(few), pytest.param(range(few, many), marks=pytest.mark.weekly)]


@pytest.mark.parametrize("seeds", seeds(30, 500), ids=str)
@pytest.mark.parametrize("provider", KINDS)
def test_innocent_requests_pass_as_they_are(provider: str, seeds: range) -> None:
    for seed in seeds:
        body = json.dumps(drawn(provider, seed)).encode()
        assert checked_request(PACKS, provider, body) == body


@pytest.mark.parametrize("seeds", seeds(3, 100), ids=str)
@pytest.mark.parametrize("provider", KINDS)
def test_a_word_in_any_string_is_judged(provider: str, seeds: range) -> None:
    assert [keys for seed in seeds for keys in unjudged(provider, drawn(provider, seed))] == []
