"""Generated attacks by surface: `python -m tests.attacks.suite` prints a table of what has failed.

Each surface draws cases from a seed; a case that fails is printed with what repeats it. What a case
must hold is one sentence: a word that a rule blocks or masks is read by no client.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import product
from random import Random
from typing import Any

import anyio

from guardstream import Guard, Policy
from guardstream.errors import GuardstreamError
from guardstream.http import WireGuard
from guardstream.http.body import guard_body
from guardstream.http.other_answers import guarded
from guardstream.http.request import RefusedError, checked_request
from guardstream.http.request_fields import NOT_READ
from guardstream.serve import GuardMiddleware
from tests.laws.changes import rule_of
from tests.laws.recordings import Recording, parsed, recordings, texts
from tests.laws.reported import NAMES, changed
from tests.serve.apps import Upstream, streaming
from tests.serve.visit import Visit

WORD = "bluebird"

ROLES = "user, system, developer, assistant, tool"

BLOCKING = Guard(
    Policy.parse(f"input: {{roles: [{ROLES}], rules: [{{id: w, words: [{WORD}], action: block}}]}}")
)
MASKING = Guard(Policy.parse(f"rules: [{{id: w, words: [{WORD}], replacement: '*'}}]"))

Case = tuple[str, Callable[[], str]]
"""What repeats a case, and the attempt: "" or what is wrong."""

MESSAGES = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": [{"type": "text", "text": "hello"}], "name": "ann"},
    {"role": "assistant", "content": "hi", "refusal": "no"},
]
SCHEMA = {
    "type": "object",
    "title": "a title",
    "properties": {"city": {"type": "string", "description": "a town", "enum": ["here"]}},
    "examples": ["there"],
}
TOOLS = [{"type": "function", "function": {"name": "f", "description": "x", "parameters": SCHEMA}}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
PARTS = [{"role": "user", "parts": [{"text": "hello"}]}]

REQUESTS: dict[str, dict[str, Any]] = {
    "openai_chat": {"messages": MESSAGES, "tools": TOOLS, "response_format": FORMAT},
    "openai_completions": {"prompt": ["a", "b"], "suffix": "c", "response_format": FORMAT},
    "openai_responses": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "instructions": "be kind",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
    },
    "openai_embeddings": {"input": ["a", "b"]},
    "openai_images": {"prompt": "a bird"},
    "anthropic": {
        "system": [{"type": "text", "text": "be kind"}],
        "messages": [{"role": "user", "content": "hello"}],
        "tools": [{"name": "f", "description": "x", "input_schema": SCHEMA}],
        "output_format": {"type": "json_schema", "schema": SCHEMA},
        "context_management": {"edits": [{"type": "compact", "instructions": "keep all"}]},
    },
    "gemini": {
        "contents": PARTS,
        "systemInstruction": {"parts": [{"text": "be kind"}]},
        "generationConfig": {"responseSchema": SCHEMA, "responseMimeType": "application/json"},
    },
    "ollama": {"messages": [{"role": "user", "content": "hello"}], "format": SCHEMA},
    "cohere": {"messages": [{"role": "user", "content": "hello"}], "response_format": FORMAT},
    "bedrock": {
        "messages": [{"role": "user", "content": [{"text": "hello"}]}],
        "system": [{"text": "be kind"}],
    },
}
"""A request of each API with what its clients send."""

Steps = tuple[str | int, ...]


def leaves(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The places of the strings in a value."""
    if isinstance(value, str):
        yield steps
    items: Any = enumerate(value) if isinstance(value, list) else ()
    for key, each in value.items() if isinstance(value, dict) else items:
        yield from leaves(each, (*steps, key))


def holders(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The places of the objects in a value."""
    if isinstance(value, dict):
        yield steps
    items: Any = enumerate(value) if isinstance(value, list) else ()
    for key, each in value.items() if isinstance(value, dict) else items:
        yield from holders(each, (*steps, key))


def put(value: Any, steps: Steps, new: Any) -> Any:
    made = holder = copy.deepcopy(value)
    if not steps:
        return new
    for step in steps[:-1]:
        holder = holder[step]
    holder[steps[-1]] = new
    return made


SPELLINGS: tuple[Callable[[str], Any], ...] = (
    lambda word: word,
    lambda word: f"I saw a {word} there",
    lambda word: json.dumps({"note": word}),
    lambda word: {"note": [word]},
    lambda word: [word],
)
"""Ways to say a word in a field."""


def refused(provider: str, request: dict[str, Any], escaped: bool) -> str:
    body = json.dumps(request).encode()
    if escaped:
        body = body.replace(WORD.encode(), b"".join(b"\\u%04x" % ord(each) for each in WORD))
    try:
        checked_request(BLOCKING, provider, body)
    except RefusedError:
        return ""
    return "the word goes on to the model"


def requests() -> Iterator[Case]:
    """A word in each string of a request of each API, and in a field that nobody knows."""
    for provider, request in REQUESTS.items():
        assert checked_request(BLOCKING, provider, json.dumps(request).encode())
        unread = NOT_READ.get(provider, frozenset())
        places = [(each, ()) for each in leaves(request)]
        places += [(each, ("x_new",)) for each in holders(request)]
        for (steps, more), (n, say), escaped in product(
            places, enumerate(SPELLINGS), (False, True)
        ):
            path = ".".join(str(step) for step in (*steps, *more) if isinstance(step, str))
            if path in unread or any(path.startswith(f"{each}.") for each in unread):
                continue
            if path.endswith(("content.type", "system.type")) and n == 0:
                continue  # the kind of a part, which APIs know or refuse
            made = put(request, (*steps, *more), say(WORD))
            yield f"{provider} {path} {n} {escaped}", partial(refused, provider, made, escaped)


CHARSETS = ("", "utf-8", "latin-1", "utf-16", "utf-16-le", "utf-32", "ibm037", "cp1252", "utf-7")
TYPES = (
    *("application/json", "text/plain", "text/html", "text/event-stream", "application/x-ndjson"),
    *("application/octet-stream", "", "application/xml", "application/problem+json", "text/csv"),
)
BODIES = (
    '{"a": "the bluebird"}',
    '{"a": "the blue\\u0062ird"}',
    '["bluebird", 1]',
    '{"a": 1}\n{"b": "bluebird"}\n',
    'data: {"a": "bluebird"}\n\n',
    "data: bluebird\n\ndata: [DONE]\n\n",
    "plain bluebird text",
    "<p>bluebird</p>",
    'x{"a": "bluebird"}',
    '\ufeff{"a": "bluebird"}',
)
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": partial(gzip.compress, mtime=0),
    "deflate": zlib.compress,
}


def readable(data: bytes, charset: str, *, parses: bool = True) -> bool:
    """Tell whether a client may read the word: as it is told, or as it guesses."""
    for each in (charset or "utf-8", "utf-8", "latin-1", "utf-16", "utf-32"):
        with suppress(UnicodeError, LookupError):
            text = data.decode(each)
            if WORD in text or (parses and WORD in text.replace("\\u0062", "b")):
                return True
    return False


def inflated(data: bytes, coding: str) -> bytes:
    return zlib.decompress(data, 31 if coding == "gzip" else 15) if coding and data else data


def fetched(kind: str, charset: str, coding: str, chunks: list[bytes]) -> str:
    name = f"{kind}; charset={charset}" if charset and kind else kind or None
    headers = {"content-encoding": coding} if coding else {}
    app = streaming(Upstream(chunks), name, headers=headers)
    visit = Visit()

    async def ask() -> None:
        with suppress(GuardstreamError):
            await visit.to(GuardMiddleware(app, MASKING, decompress=True))

    anyio.run(ask)
    sent = visit.headers.get("content-type", "").partition("charset=")[2]
    data = inflated(visit.body, visit.headers.get("content-encoding", ""))
    parses = kind not in ("", "text/plain")  # there, what is escaped is a text with escapes
    return "the word is shown" if readable(data, sent, parses=parses) else ""


def answers(random: Random) -> Iterator[Case]:
    """Types, codings, charsets and first bytes of an application's answer, cut at random."""
    for kind, charset, coding, body in product(TYPES, CHARSETS, CODINGS, BODIES):
        try:
            plain = body.encode(charset or "utf-8")
        except UnicodeError:
            continue
        data = CODINGS[coding](plain)
        at = random.randrange(len(data) + 1)
        for chunks in ([data], [data[:at], data[at:]]):
            yield (
                f"{kind!r} {charset!r} {coding!r} {body!r} at {at} of {len(chunks)}",
                partial(fetched, kind, charset, coding, chunks),
            )


def whole(kind: str, body: str) -> str:
    try:
        found = guarded(MASKING, kind, body.encode(), {})
    except GuardstreamError:
        return ""
    return "the word is shown" if readable(found.body, "utf-8") else ""


def bodies() -> Iterator[Case]:
    """Whole answers in no known format."""
    for kind, body, (n, say) in product(TYPES, BODIES, enumerate(SPELLINGS)):
        said = say(WORD)
        text = said if isinstance(said, str) else json.dumps(said)
        for made in (body.replace("bluebird", text), text, f"[{text}]", f"{body} {text}"):
            yield f"{kind!r} {body!r} {n} {made!r}", partial(whole, kind, made)


ANSWERS: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi", "reasoning_content": "hm"},
            }
        ],
    },
    "anthropic": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "hi"}, {"type": "thinking", "thinking": "hm"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "gemini": {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "index": 0}],
        "modelVersion": "m",
    },
    "ollama": {"model": "m", "message": {"role": "assistant", "content": "hi"}, "done": True},
}


def answered(provider: str, answer: dict[str, Any]) -> str:
    try:
        made, _ = guard_body(MASKING, provider, answer)
    except GuardstreamError:
        return ""
    return "the word is shown" if readable(json.dumps(made).encode(), "utf-8") else ""


def models() -> Iterator[Case]:
    """A word in each string of a model's answer, and in a field that nobody knows."""
    for provider, answer in ANSWERS.items():
        places = [*leaves(answer), *((*each, "x_new") for each in holders(answer))]
        for steps, (n, say) in product(places, enumerate(SPELLINGS)):
            made = put(answer, steps, say(WORD))
            yield f"{provider} {steps} {n}", partial(answered, provider, made)


def streamed(recording: Recording, data: bytes, expected: dict[Any, str], seed: int) -> str:
    random, body = Random(seed), WireGuard(MASKING)
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((1, 2, 9))))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    out = b"".join([frame for each in pieces for frame in body.feed(each)] + body.finish())
    shown = texts(parsed(out), recording.shape)
    # A message that begins anew is a text of its own, so that more may be masked.
    same = shown.keys() == expected.keys() and all(
        len(text) == len(shown[key])
        and all(b in (a, "*") for a, b in zip(text, shown[key], strict=False))
        for key, text in expected.items()
    )
    return "" if same else "the answer is another"


def planted(recording: Recording) -> Recording:
    """A recording whose text has the word over and over, a letter or more in each event."""
    letters = iter(f"{WORD} and " * 10_000)
    events = []
    for each in recording.events:
        data = copy.deepcopy(each.data)
        with suppress(KeyError, IndexError, TypeError):
            for key, text in _texts(data, recording):
                data = put(data, key, "".join(next(letters) for _ in text))
        events.append(type(each)(data, each.name))
    return Recording(recording.name, recording.format, tuple(events), own=True)


def _texts(data: Any, recording: Recording) -> list[tuple[Any, str]]:
    from tests.laws.shapes import said

    return said(data, recording.shape)


def streams(count: int, seed: int) -> Iterator[Case]:
    """Recorded streams with the word in them, after each reported change, cut at random."""
    own = [planted(each) for each in recordings() if each.own and not each.shape.end_repeats]
    found = [(each, name, changed(each, name)) for each in own for name in NAMES]
    runs = [(each, name, data) for each, name, data in found if data is not None]
    for recording, name, data in runs:
        if rule_of(name).finish == "error":
            continue  # what is held then is dropped
        said = texts(parsed(data), recording.shape)
        expected = {key: MASKING.check(text).text for key, text in said.items()}
        for at in range(seed, seed + max(1, count // len(runs))):
            yield f"{recording.name} {name} {at}", partial(streamed, recording, data, expected, at)


def surfaces(count: int, seed: int) -> dict[str, Iterator[Case]]:
    """The cases of each surface; `count` of cut streams."""
    return {
        "fields of requests": requests(),
        "fields of models' answers": models(),
        "whole answers in no known format": bodies(),
        "types, charsets and codings": answers(Random(seed)),
        "streams, changed and cut": streams(count, 1_000_000 * seed),
    }


def main() -> int:
    """Print the table; the exit status tells whether a case has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=90_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total = failed = 0
    for name, cases in surfaces(options.streams, options.seed).items():
        tried = wrong = 0
        for case, attempt in cases:
            tried += 1
            if problem := attempt():
                wrong += 1
                if wrong <= 10:
                    print(f"  {problem}: {case}")
        print(f"{name}: {tried} cases, {wrong} failed", flush=True)
        total, failed = total + tried, failed + wrong
    print(f"{total} cases, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
