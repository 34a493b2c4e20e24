"""What checking JSON while it arrives costs, beside other ways to do it.

    python -m benchmarks.json_stream

Prints Markdown tables with the median of several runs, in microseconds of processor time for each
chunk, beside a bare asynchronous generator for scale. Rivals that are not installed are left out:
jiter, pydantic-core, langchain-core, partial-json-parser and instructor parse all of the text again
with each chunk, as their users do; ijson is fed piece by piece. So is llguidance, which judges by
the schema, its properties in order, and builds no value: its tokens are bytes here. A cell that
would take too long is extrapolated from its first chunks, as the triangle that it is, and marked
with `~`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.metadata
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from benchmarks.arguments import parser
from benchmarks.printed import headline, table
from guardstream.jsonstream.document import Document
from guardstream.jsonstream.lexer.lexer import Lexer
from guardstream.jsonstream.schema.schema import Schema
from guardstream.stages.json.structure import Settings, Structure

ORDER = {
    "type": "object",
    "required": ["id", "name"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "name": {"type": "string", "maxLength": 100},
        "price": {"type": "number"},
        "ok": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
}
ANSWER = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "answer": {"type": "string"},
        "orders": {"type": "array", "items": {"$ref": "#/$defs/order"}},
    },
    "$defs": {"order": ORDER},
}
SCHEMA = Schema(ANSWER)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
RUNS = 5
BATCH = 50  # chunks between two looks at the clock, which takes longer than some rivals
BUDGET = 1.0  # seconds for one cell; past it the rest is extrapolated


def records(size: int) -> str:
    """A list of small objects, of about `size` characters."""
    orders: list[dict[str, Any]] = []
    length = 0
    while length < size:
        at = len(orders)
        order = {"id": at, "name": f"customer {at} of many", "price": at * 1.25}
        orders.append({**order, "ok": at % 2 == 0, "tags": ["a", "bb"], "note": None})
        length += len(json.dumps(orders[-1])) + 2
    return json.dumps({"orders": orders})


def one_string(size: int) -> str:
    """One long string of prose."""
    return json.dumps({"answer": ("It was a bright cold day in April. " * (size // 35 + 1))[:size]})


Feeder = Callable[[list[str]], float]


def bare_hop(chunks: list[str]) -> float:
    """What an asynchronous generator costs that does nothing, for scale."""

    async def source() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk

    async def run() -> float:
        began = time.process_time()
        async for _ in source():
            pass
        return time.process_time() - began

    return asyncio.run(run())


def lexer_alone(chunks: list[str]) -> float:
    lexer = Lexer()
    return _feed(lexer.feed, chunks)


def with_schema(chunks: list[str]) -> float:
    document = Document(SCHEMA)
    seconds = _feed(document.feed, chunks)
    assert document.done, document.error
    return seconds


def first_document(chunks: list[str]) -> float:
    """The same in a process that has read nothing before."""
    code = (
        "import json, sys, benchmarks.json_stream as b; print(b.with_schema(json.load(sys.stdin)))"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(
        command, input=json.dumps(chunks), text=True, stdout=subprocess.PIPE, check=True
    ).stdout
    return float(out)


def stage(chunks: list[str]) -> float:
    return _feed(Structure(Settings(schema=SCHEMA)).feed, chunks)


def ijson_push(chunks: list[str]) -> float:
    ijson = importlib.import_module("ijson.backends.yajl2_c")
    found = importlib.import_module("ijson").sendable_list()
    push = ijson.basic_parse_coro(found)

    def feed(chunk: str) -> None:
        push.send(chunk.encode())
        del found[:]

    return growing(feed, chunks)


def again(parse: Callable[[str], Any]) -> Feeder:
    """A feeder that parses all of the text with each chunk."""

    def run(chunks: list[str]) -> float:
        text = ""

        def feed(chunk: str) -> None:
            nonlocal text
            text += chunk
            with contextlib.suppress(ValueError):
                parse(text)

        return growing(feed, chunks)

    return run


def growing(feed: Callable[[str], object], chunks: list[str]) -> float:
    """The seconds for all chunks, each slower than the last; negative if they are extrapolated."""
    began = time.process_time()
    for at in range(0, len(chunks), BATCH):
        for chunk in chunks[at : at + BATCH]:
            feed(chunk)
        spent = time.process_time() - began
        if spent > BUDGET and at + BATCH < len(chunks):
            return -spent * (len(chunks) / (at + BATCH)) ** 2
    return spent


def _feed(feed: Callable[[Any], object], chunks: list[Any]) -> float:
    began = time.process_time()
    for chunk in chunks:
        feed(chunk)
    return time.process_time() - began


def rivals() -> dict[str, Feeder]:
    """The rivals that are installed, by name and version."""
    found: dict[str, Feeder] = {}
    attempts: dict[str, tuple[str, Callable[[], Feeder]]] = {
        "ijson": ("yajl2_c, pushed", _ijson),
        "llguidance": ("by the same schema", _llguidance),
        "jiter": ("parses again", _jiter),
        "pydantic-core": ("parses again", _pydantic_core),
        "langchain-core": ("parses again", _langchain),
        "partial-json-parser": ("parses again", _partial_json_parser),
        "instructor": ("Partial, parses again", _instructor),
    }
    for name, (how, attempt) in attempts.items():
        try:
            feeder = attempt()
            found[f"{name} ({importlib.metadata.version(name)}), {how}"] = feeder
        except ImportError as error:
            print(f"{name}: not here ({error})", file=sys.stderr)
    return found


def _ijson() -> Feeder:
    importlib.import_module("ijson.backends.yajl2_c")
    return ijson_push


def _llguidance() -> Feeder:
    """What constrained decoding asks of each token, with one for each byte."""
    llguidance = importlib.import_module("llguidance")
    matcher_of = llguidance.LLMatcher
    tokens, grammar = llguidance.LLTokenizer("byte"), matcher_of.grammar_from_json_schema(ANSWER)

    def run(chunks: list[str]) -> float:
        matcher = matcher_of(tokens, grammar)

        def feed(chunk: str) -> None:
            assert matcher.consume_tokens(list(chunk.encode())), matcher.get_error()

        return growing(feed, chunks)

    return run


def _jiter() -> Feeder:
    from_json = importlib.import_module("jiter").from_json
    return again(lambda text: from_json(text.encode(), partial_mode="trailing-strings"))


def _pydantic_core() -> Feeder:
    from_json = importlib.import_module("pydantic_core").from_json
    return again(lambda text: from_json(text, allow_partial="trailing-strings"))


def _langchain() -> Feeder:
    return again(importlib.import_module("langchain_core.utils.json").parse_partial_json)


def _partial_json_parser() -> Feeder:
    return again(importlib.import_module("partial_json_parser").loads)


def _instructor() -> Feeder:
    """Instructor's partial models: jiter, then the model, with each chunk."""
    partial = importlib.import_module("instructor.dsl.partial").Partial
    pydantic = importlib.import_module("pydantic")
    from_json = importlib.import_module("jiter").from_json
    model = pydantic.create_model("Answer", answer=(str, ""), orders=(list[Any], []))
    growing = partial[model].get_partial_model()
    return again(
        lambda text: growing.model_validate(
            from_json(text.encode(), partial_mode="trailing-strings")
        )
    )


def cell(feeder: Feeder, chunks: list[str]) -> str:
    """The median of several runs behind a first one, in microseconds for each chunk."""
    first = feeder(chunks)
    if first < 0 or first > BUDGET:
        return f"{'~' if first < 0 else ''}{abs(first) / len(chunks) * 1e6:,.2f}"
    runs = [feeder(chunks) for _ in range(RUNS)]
    return f"{statistics.median(runs) / len(chunks) * 1e6:,.2f}"


def main() -> None:
    """Print one table for each kind of text and size of chunk."""
    parser(__doc__).parse_args()
    ours = {
        "a bare asynchronous hop": bare_hop,
        "**lexer alone**": lexer_alone,
        "**with schema**": with_schema,
        "**with schema**, a process's first document": first_document,
        "**the stage**, with schema": stage,
    }
    others = rivals()
    gc.freeze()  # what the rivals have loaded is not ours to look through
    headline()
    for name, make in (("records", records), ("one string", one_string)):
        texts = [make(size) for size in SIZES]
        for size in (4, 1):
            feeders = ours | (others if size == 4 else {})
            title = f"JSON: {name}, {size}-character chunks, µs a chunk"
            head = " | ".join(["", *(f"{each:,} characters" for each in SIZES)])
            table(title, head, ([label, *cells(f, texts, size)] for label, f in feeders.items()))


def cells(feeder: Feeder, texts: list[str], size: int) -> Iterator[str]:
    """The cost for each text, in chunks of so many characters."""
    for text in texts:
        yield cell(feeder, [text[at : at + size] for at in range(0, len(text), size)])


if __name__ == "__main__":
    main()
