"""The laws on every example of `data/examples`, one test for each law and sentence."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from guardstream import Guard, Policy, extract
from tests.laws.examples import FOLDER, Example, comes_of, examples, expected, guard, in_cuts
from tests.laws.objects import decoded, encoded, packages
from tests.support import optional

EMPTY = Guard(Policy.parse("version: 1"))


OLD = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
"""LiteLLM's classes still have what Pydantic will drop, and what it warns of."""


def _read() -> Iterator[Any]:
    """The examples of each sentence, of each file."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        for says, found in groupby(examples(path), lambda each: each["says"]):
            marks = [OLD] * (path.stem == "sdks.litellm")
            yield pytest.param([*found], id=f"{path.stem}: {says}", marks=marks)


ALL = [*_read()]


def with_packages(found: list[Example]) -> list[Example]:
    """The examples, unless a package with their classes is left out."""
    for name in packages(found):
        if name.partition(".")[0] not in ("tests", *sys.stdlib_module_names):
            optional.needs(name)
    return found


def only(kind: str) -> list[Any]:
    """The sentences of which some example has chunks, or a body."""
    return [each for each in ALL if any(kind in example for example in each.values[0])]


@pytest.mark.parametrize("found", ALL)
def test_what_comes_out_is_what_the_example_says(found: list[Example]) -> None:
    for each in with_packages(found):
        assert comes_of(each) == expected(each)


@pytest.mark.parametrize("found", only("body"))
def test_a_body_comes_out_the_same_however_it_is_cut(found: list[Example]) -> None:
    for each in found:
        if "body" in each:
            assert all(made == expected(each) for made in in_cuts(each))


JOINED = {
    "characters may be cut by events",
    "reasoning that its announcement already contains is said once",
    "arguments told as a whole come with the end of their call",
}
"""Where a format says something twice or in halves, even an empty policy has it said once."""


@pytest.mark.parametrize("found", only("chunks"))
def test_an_empty_policy_changes_no_chunk(found: list[Example]) -> None:
    for each in with_packages(found):
        if "chunks" not in each or "raised" in each or "options" in each:
            continue
        chunks = decoded(each["chunks"])
        if any(isinstance(chunk, bytes) for chunk in chunks):  # they are cut anew, by events
            continue
        out = [*EMPTY.wrap_sync(iter(chunks))]
        assert (out == chunks) == (each["says"] not in JOINED)
        if each["says"] not in JOINED and all(type(chunk) is dict for chunk in chunks):
            assert list(map(id, out)) == list(map(id, chunks))


@pytest.mark.parametrize("found", only("chunks"))
def test_the_source_s_own_chunks_are_not_changed(found: list[Example]) -> None:
    for each in with_packages(found):
        if "chunks" in each and "raised" not in each:
            chunks = decoded(each["chunks"])
            for _ in guard(each["policy"]).wrap_sync(iter(chunks), **each.get("options", {})):
                pass
            assert encoded(chunks) == each["chunks"]


NOT_EXTRACTED = {
    "a call does not end a text that is open",
    "a text that ends after a call is not continued by the next",
    "a tools whole input is guarded and in the result",
    "an approval is a call with its arguments",
    "an item has the channels of the responses api",
    "arguments told as a whole come with the end of their call",
    "dicts among them stay dicts",
    "every text is masked in any cut",
    "nothing in a tools input and output is lost",
    "what comes without deltas is masked",
}
"""Where arguments that come whole, without deltas, are in the result and are not extracted yet."""


@pytest.mark.parametrize("found", only("calls"))
def test_a_calls_arguments_are_extracted(found: list[Example]) -> None:
    for each in with_packages(found):
        complete = [call for call in each.get("calls", ()) if call[3]]
        if "chunks" not in each or {"raised", "options"} & each.keys() or len(complete) != 1:
            continue
        stream = EMPTY.wrap_sync(decoded(each["chunks"]))
        out = [*stream]
        calls = stream.result.tool_calls
        if len(calls) != 1 or not calls[0].complete:
            continue
        [call] = calls
        with suppress(ValueError):  # what is no JSON has no values
            value = call.parse()
            if not isinstance(value, dict):
                continue
            with suppress(extract.ExtractError) if each["says"] in NOT_EXTRACTED else nullcontext():
                assert extract.final_sync(out, dict, tool=call.name) == value


def test_the_table_names_tests_that_went_and_examples_that_there_are() -> None:
    """`covered.json` says for each test that went which example says the same."""
    table = json.loads(Path(__file__).with_name("covered.json").read_text(encoding="utf-8"))
    known = {f"examples/{each.id}" for each in ALL}
    root = Path(__file__).parents[2]
    for test, example in table.items():
        name, _, function = test.partition("::")
        path = root / name
        names = {
            getattr(each, "name", "")
            for each in (ast.parse(path.read_text(encoding="utf-8")).body if path.exists() else [])
        }
        assert function not in names, test
        assert example in known or example.startswith(("test_formats: ", "test_examples: ")), (
            example
        )
