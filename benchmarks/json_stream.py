"""What checking JSON while it arrives costs, beside other ways to do it.

    python -m benchmarks.json_stream

Prints the median of several runs, in microseconds of processor time for each chunk, beside a bare
asynchronous generator for scale. Rivals that are not installed are left out: jiter, pydantic-core,
langchain-core, partial-json-parser and instructor parse all of the text again with each chunk, as
their users do; ijson is fed piece by piece. A cell that would take too long is extrapolated from
fewer chunks at that size, and marked with `~`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from guardstream.jsonstream.document import Document
from guardstream.jsonstream.lexer import Lexer
from guardstream.jsonstream.schema import Schema
from guardstream.stages.structure import Settings, Structure

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
SCHEMA = Schema(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "answer": {"type": "string"},
            "orders": {"type": "array", "items": {"$ref": "#/$defs/order"}},
        },
        "$defs": {"order": ORDER},
    }
)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
RUNS = 5
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


def stage(chunks: list[str]) -> float:
    return _feed(Structure(Settings(schema=SCHEMA)).feed, chunks)


def ijson_push(chunks: list[str]) -> float:
    ijson = importlib.import_module("ijson.backends.yajl2_c")
    found = importlib.import_module("ijson").sendable_list()
    push = ijson.basic_parse_coro(found)
    encoded = [chunk.encode() for chunk in chunks]

    def feed(chunk: bytes) -> None:
        push.send(chunk)
        del found[:]

    return _feed(feed, encoded)


def again(parse: Callable[[str], Any]) -> Feeder:
    """A feeder that parses all of the text with each chunk."""

    def run(chunks: list[str]) -> float:
        text = ""
        began = time.process_time()
        for at, chunk in enumerate(chunks):
            text += chunk
            try:
                parse(text)
            except ValueError:
                continue
            finally:
                spent = time.process_time() - began
            if spent > BUDGET:
                # The cost grows with the text: what was done is at + 1 of a triangle.
                return -spent * (len(chunks) / (at + 1)) ** 2
        return spent

    return run


def _feed(feed: Callable[[Any], object], chunks: list[Any]) -> float:
    began = time.process_time()
    for chunk in chunks:
        feed(chunk)
    return time.process_time() - began


def rivals() -> dict[str, Feeder]:
    """The rivals that are installed."""
    found: dict[str, Feeder] = {}
    attempts: dict[str, Callable[[], Feeder]] = {
        "ijson yajl2_c, push": _ijson,
        "jiter again": _jiter,
        "pydantic-core again": _pydantic_core,
        "langchain-core again": _langchain,
        "partial-json-parser again": _partial_json_parser,
        "instructor again": _instructor,
    }
    for name, attempt in attempts.items():
        try:
            found[name] = attempt()
        except ImportError as error:
            print(f"{name}: not here ({error})", file=sys.stderr)
    return found


def _ijson() -> Feeder:
    importlib.import_module("ijson.backends.yajl2_c")
    return ijson_push


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
    """The median of several runs, in microseconds for each chunk."""
    first = feeder(chunks)
    if first < 0 or first > BUDGET:
        return f"{'~' if first < 0 else ''}{abs(first) / len(chunks) * 1e6:,.2f}"
    runs = [first, *(feeder(chunks) for _ in range(RUNS - 1))]
    return f"{statistics.median(runs) / len(chunks) * 1e6:,.2f}"


def main() -> None:
    """Print one table for each kind of text and size of chunk."""
    ours = {
        "a bare async hop": bare_hop,
        "lexer alone": lexer_alone,
        "with schema": with_schema,
        "the stage": stage,
    }
    others = rivals()
    for name, make in (("records", records), ("one string", one_string)):
        texts = [make(size) for size in SIZES]
        for size in (4, 1):
            print(f"\n{name}, {size}-character chunks, us a chunk at", *map("{:,}".format, SIZES))
            feeders = ours | (others if size == 4 else {})
            for label, feeder in feeders.items():
                cells = []
                for text in texts:
                    chunks = [text[at : at + size] for at in range(0, len(text), size)]
                    cells.append(cell(feeder, chunks))
                print(f"  {label:28}", *(f"{each:>12}" for each in cells))


if __name__ == "__main__":
    main()
