"""How many tokens a request may use, and has used: reserved before it is sent, settled after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from guardstream.framing.json import json_object
from guardstream.serve.proxy.endpoints import Endpoint
from guardstream.serve.proxy.requests import BATCH, Read
from guardstream.stream.result import Result
from guardstream.stream.usage import tokens_in, tokens_out

BYTES = 3
"""Bytes of UTF-8 for a token: more than English has, fewer than most scripts need."""

FILE = 1_000
"""Tokens for an image, a sound or a file, whatever its size."""

_BOUNDS = ("max_completion_tokens", "max_output_tokens", "max_tokens", "maxOutputTokens",
           "num_predict")  # fmt: skip
_WITHIN = ("generationConfig", "generation_config", "options")
"""Where a request bounds its answer."""

_TIMES = ("n", "best_of", "candidateCount")

_DATA = frozenset({"data", "bytes", "b64_json", "file_data", "image_url", "url", "input_audio"})
_CACHED = ("cache_creation_input_tokens", "cache_read_input_tokens")
"""What Anthropic does not count as input: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching."""

_COUNTED = ("openai_embeddings", "gemini_embeddings", "ollama_embeddings")
"""Of what answers say nothing, what a model reads all the same."""


class Weight(NamedTuple):
    """What a request costs: the tokens that it may use, about those that it says, and of a file of
    requests those that it may use once it is run. One that `goes_on` does so without its client.
    """

    reserved: int
    said: int
    batch: int | None
    goes_on: bool


def weighed(endpoint: Endpoint, read: Read, answer: int) -> Weight:
    """Weigh a request; `answer` are the tokens of an answer that has no bound."""
    goes_on = bool(read.fields.get("background"))
    return Weight(reserved(endpoint, read, answer), of_input(read), of_batch(read, answer), goes_on)


def reserved(endpoint: Endpoint, read: Read, answer: int) -> int:
    """Return the tokens that a request may use; `answer` are those of one that says no bound."""
    if not endpoint.sends:
        return 0
    if endpoint.answer == "said":
        return _of_request(read.fields, answer)
    if endpoint.sends == "batch":
        return sum(_of_request(body, answer) for body in read.batch)
    if endpoint.answer == "plain" and endpoint.sends not in _COUNTED:
        return 0
    return of_input(read) + (FILE if endpoint.sends == "form" else 0)


def of_batch(read: Read, answer: int) -> int | None:
    """Return the tokens that a file of requests may use once it is run; None for other files."""
    if read.fields.get("purpose") != BATCH:
        return None
    return sum(_of_request(body, answer) for body in read.batch)


def of_input(read: Read) -> int:
    """Return about how many tokens a request says."""
    return _estimated(read.fields)


def of_text(characters: int) -> int:
    """Return about how many tokens a text of so many characters is."""
    return -(-characters // BYTES)


def used(usage: Any) -> int | None:
    """Return the tokens that a provider's usage counts; None if it does not count them all."""
    given, made = tokens_in(usage), tokens_out(usage)
    fields = usage if isinstance(usage, Mapping) else {}
    cached = sum(_number(fields.get(name)) for name in _CACHED)
    named = (fields.get("total_tokens"), fields.get("totalTokenCount"), fields.get("totalTokens"))
    total = max(map(_number, named))
    if given is None or made is None:
        return total or None
    return max(total, max(given, 0) + max(made, 0) + cached)


def of_stream(weight: Weight, usage: Any, characters: int) -> int | None:
    """Return the tokens of a stream that said so many characters; None as of an answer."""
    counted = used(usage)
    if counted is not None or weight.goes_on:
        return counted
    return weight.said + of_text(characters)


def of_answer(endpoint: Endpoint, weight: Weight, body: bytes, result: Result | None) -> int | None:
    """Return the tokens of a whole answer: what its usage says, else about what was said.

    None if that is not known, so that what was reserved counts.
    """
    if result is not None:
        return of_stream(weight, result.usage, len(body))
    if endpoint.sends == "batch" or endpoint.answer in ("file", "results", "speech"):
        return None
    return used((json_object(body) or {}).get("usage")) if body[:1] == b"{" else None


def _of_request(body: Mapping[str, Any], answer: int) -> int:
    places = [body, *(body[name] for name in _WITHIN if isinstance(body.get(name), dict))]
    bounds = [_number(place.get(name)) for place in places for name in _BOUNDS]
    times = max(1, *(_number(place.get(name)) for place in places for name in _TIMES))
    return _estimated(body) + times * (max(bounds) or answer)


def _estimated(value: Any) -> int:
    return sum(_texts(value))


def _texts(value: Any, name: str = "") -> Iterator[int]:
    """Yield about how many tokens each string and number is."""
    if isinstance(value, str):
        size = len(value.encode("utf-8", "replace"))
        is_data = name in _DATA or value.startswith("data:")
        yield min(FILE, size) if is_data else -(-size // BYTES)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield -(-len(key) // BYTES)
            yield from _texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, name)
    elif value is not None:
        yield 1


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
