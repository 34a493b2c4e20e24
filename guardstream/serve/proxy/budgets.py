"""The tokens that a request may use and has used: reserved before it is sent, settled after."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import ceil, isfinite
from typing import Any, NamedTuple

from guardstream.framing.json import json_object
from guardstream.serve.proxy.endpoints import Endpoint
from guardstream.serve.proxy.requests import BATCH, RequestContent
from guardstream.stream.result import Result, tokens_in, tokens_out

BYTES = 3
"""Bytes of UTF-8 per token: English has more, most scripts have fewer."""

FILE = 1_000
"""Tokens for an image, an audio clip or a PDF, whatever its size."""

_BOUNDS: Mapping[str, Sequence[str]] = {
    "openai_chat": ("max_tokens", "max_completion_tokens"),
    "openai_completions": ("max_tokens",),
    "openai_responses": ("max_output_tokens",),
    "anthropic": ("max_tokens",),
    "gemini": ("maxoutputtokens", "max_output_tokens"),
    "ollama": ("num_predict",),
    "cohere": ("max_tokens",),
}
_ANY_BOUND = tuple(dict.fromkeys(chain.from_iterable(_BOUNDS.values())))
"""Where a request limits its answer, by format; another format's limit has no effect."""

_WITHIN = ("generationconfig", "generation_config", "options")
"""The objects with these fields. Names are compared ignoring case, as some upstreams do."""

_TIMES = ("n", "best_of", "candidatecount", "candidate_count")

_ENDLESS = 2**52
"""More than any budget, so that larger numbers in a request make no difference."""

_DATA = frozenset(
    {"data", "bytes", "b64_json", "file_data", "image_url", "url", "images", "input_audio"}
)
"""The fields that may hold a file, in base64 or as an address."""

_BASE64 = re.compile(r"(?:data:[\w.+-]+/[\w.+-]+;base64,)?([\w+/-]+={0,2})", re.ASCII)

_ADDRESS = re.compile(r"(?:https?|gs|s3)://[!-~]{1,2048}")

_FILE = re.compile(
    rb"\x89PNG\r|\xff\xd8\xff|GIF8[79]a|RIFF....(?:WEBP|WAVE)|BM|%PDF-|OggS|fLaC|ID3|\xff[\xe2-\xfb]"
    rb"|....ftyp|\x1aE\xdf\xa3|II\*\0|MM\0\*",
    re.DOTALL,
)
"""How images, audio, video and PDF begin: https://mimesniff.spec.whatwg.org/, RFC 8118."""

_CACHED = ("cache_creation_input_tokens", "cache_read_input_tokens")
"""The tokens that Anthropic does not count as input:
https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching."""

_COUNTED = ("openai_embeddings", "gemini_embeddings", "ollama_embeddings")
"""Requests whose answers report no usage, although a model reads them."""


class Weight(NamedTuple):
    """The cost of a request in tokens: `reserved`, which it may use; an `estimate` of its own text;
    and `batch`, which a file of requests may use when it runs, None for any other request. If it
    `is_background`, it outlives its client. If it `has_no_bound`, what is reserved for its answer
    is the proxy's choice."""

    reserved: int
    estimate: int
    batch: int | None
    is_background: bool
    has_no_bound: bool = False


def weighed(endpoint: Endpoint, content: RequestContent, answer: int) -> Weight:
    """Weigh a request; `answer` are the tokens of an answer without a limit."""
    is_background = bool(content.fields.get("background"))
    most, batch = reserved(endpoint, content, answer), of_batch(content, answer)
    batch = None if batch is None else min(batch, _ENDLESS)
    no_bound = endpoint.asks_model and not _bounds(content.fields, _names(endpoint))
    return Weight(min(most, _ENDLESS), of_input(content), batch, is_background, no_bound)


def _names(endpoint: Endpoint) -> Sequence[str]:
    return _BOUNDS.get(endpoint.format, _ANY_BOUND)


def reserved(endpoint: Endpoint, content: RequestContent, answer: int) -> int:
    """Return the tokens that a request may use; `answer` are those of an answer without a limit."""
    if endpoint.answer == "unknown":  # unknown whether a model is asked
        return _of_request(content.fields, answer, _ANY_BOUND)
    if not endpoint.request:
        return 0
    if endpoint.answer == "model":
        return _of_request(content.fields, answer, _names(endpoint))
    if endpoint.request == "batch":
        return sum(_of_request(body, answer, _BOUNDS["anthropic"]) for body in content.batch)
    if endpoint.answer == "data" and endpoint.request not in _COUNTED:
        return 0
    return of_input(content) + (FILE if endpoint.request == "form" else 0)


def of_batch(content: RequestContent, answer: int) -> int | None:
    """Return the tokens that a file of requests may use when it runs; None for other files."""
    if content.fields.get("purpose") != BATCH:
        return None
    return sum(_of_request(body, answer, _ANY_BOUND) for body in content.batch)


def of_input(content: RequestContent) -> int:
    """Estimate the tokens of a request's own text."""
    return _estimated(content.fields)


def of_text(characters: int) -> int:
    """Estimate the tokens of a text of this many characters."""
    return -(-characters // BYTES)


def used(usage: Any) -> int | None:
    """Return the tokens in a provider's usage; None if it does not count them all."""
    given, made = tokens_in(usage), tokens_out(usage)
    fields = usage if isinstance(usage, Mapping) else {}
    cached = sum(_number(fields.get(name)) for name in _CACHED)
    named = (fields.get("total_tokens"), fields.get("totalTokenCount"), fields.get("totalTokens"))
    total = max(map(_number, named))
    if given is None or made is None:
        return total or None
    return max(total, max(given, 0) + max(made, 0) + cached)


def of_stream(weight: Weight, usage: Any, characters: int) -> int | None:
    """Return the tokens of a stream with this many characters; None as in `of_answer`."""
    counted = used(usage)
    if counted is not None or weight.is_background:
        return counted
    return weight.estimate + of_text(characters)


def of_answer(endpoint: Endpoint, weight: Weight, body: bytes, result: Result | None) -> int | None:
    """Return the tokens of a whole answer: from its usage, or else estimated from its text.

    None if they are unknown, so that what was reserved counts.
    """
    if endpoint.answer == "unknown":
        usage = (json_object(body) or {}).get("usage") if body[:1] == b"{" else None
        return of_stream(weight, usage, len(body))
    if result is not None:
        return of_stream(weight, result.usage, len(body))
    if endpoint.request == "batch" or endpoint.answer in ("file", "results", "speech"):
        return None
    return used((json_object(body) or {}).get("usage")) if body[:1] == b"{" else None


def _of_request(body: Mapping[str, Any], answer: int, names: Sequence[str]) -> int:
    times = [_bound(each) for place in _places(body) for each in _named(place, _TIMES)]
    return _estimated(body) + max([1, *times]) * (_bounds(body, names) or answer)


def _bounds(body: Mapping[str, Any], names: Sequence[str]) -> int:
    """Return the largest limit that a request sets for its answer, 0 if it sets none."""
    found = (_bound(each) for place in _places(body) for each in _named(place, names))
    return max(found, default=0)


def _places(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [body, *(inner for inner in _named(body, _WITHIN) if isinstance(inner, dict))]


def _named(fields: Mapping[str, Any], names: Sequence[str]) -> Iterator[Any]:
    """Yield the fields with these names, ignoring case."""
    return (inner for name, inner in fields.items() if name.casefold() in names)


def _estimated(value: Any) -> int:
    return sum(_texts(value))


def _texts(value: Any, name: str = "") -> Iterator[int]:
    """Yield an estimate of the tokens of each string and number."""
    if isinstance(value, str):
        is_file = name in _DATA and _is_file(value)
        yield FILE if is_file else -(-len(value.encode("utf-8", "replace")) // BYTES)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield -(-len(key) // BYTES)
            yield from _texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, name)
    elif value is not None:
        yield 1


def _is_file(value: str) -> bool:
    """Return whether a string is the address of a file, or a file in base64 by its first bytes."""
    if _ADDRESS.fullmatch(value):
        return True
    found = _BASE64.fullmatch(value)
    if found is None or len(found[1]) < 16:
        return False
    return _FILE.match(urlsafe_b64decode(found[1][:16].translate(_URL_SAFE))) is not None


_URL_SAFE = str.maketrans("+/", "-_")


def _bound(value: Any) -> int:
    """Return a positive limit in a request, even in a form that only some upstreams accept."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    if isinstance(value, float) and value > 0:
        return ceil(value) if isfinite(value) else _ENDLESS
    return _number(value)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
