"""The shared JSON corpora, and how texts are cut."""

from __future__ import annotations

import codecs
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

JSON = Path(__file__).resolve().parents[3] / "shared" / "corpora" / "json"

DRAFTS = {
    "draft4": "draft-04",
    "draft6": "draft-06",
    "draft7": "draft-07",
    "draft2019-09": "2019-09",
    "draft2020-12": "2020-12",
}
"""The folders of JSON-Schema-Test-Suite, and what each draft is called here."""

needs_corpus = pytest.mark.skipif(not JSON.is_dir(), reason="the shared corpora are not here")


def parsing_cases() -> list[Path]:
    """The files of JSONTestSuite: `y_` must be taken, `n_` refused, `i_` either."""
    return sorted((JSON / "JSONTestSuite").glob("*.json"))


def schema_suite(draft: str) -> Path | None:
    """The folder of a draft's tests: of the checkout SCHEMA_SUITE names, or of the corpora."""
    for folder in (os.environ.get("SCHEMA_SUITE"), JSON / "JSON-Schema-Test-Suite"):
        for inner in ("tests", "."):
            found = Path(folder or "nowhere") / inner / draft
            if found.is_dir():
                return found
    return None


def schema_groups(
    draft: str = "draft2020-12", part: str = "."
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The groups of JSON-Schema-Test-Suite, each with its file's keyword."""
    folder = schema_suite(draft)
    assert folder
    for path in sorted((folder / part).glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            yield path.stem, group


def schema_remotes() -> dict[str, Any]:
    """The documents that the suite's schemas refer to, by address; empty if they are not there."""
    folder = Path(os.environ.get("SCHEMA_SUITE", "nowhere")) / "remotes"
    return {
        f"http://localhost:1234/{path.relative_to(folder).as_posix()}": json.loads(
            path.read_text(encoding="utf-8")
        )
        for path in folder.rglob("*.json")
    }


def lines(name: str) -> list[dict[str, Any]]:
    """The records of a file of the BFCL set."""
    text = (JSON / "bfcl" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line]


def cuttings(text: str, rng: random.Random) -> Iterator[list[str]]:
    """`text` whole, one character at a time, and cut at random."""
    yield [text]
    yield list(text)
    yield cut(text, rng)


def cut(text: str, rng: random.Random) -> list[str]:
    """`text` cut at random."""
    places = sorted(rng.sample(range(len(text) + 1), min(len(text), rng.randrange(1, 6))))
    ends = [*places, len(text)]
    return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def decoded(data: bytes, size: int) -> tuple[list[str], bool]:
    """The chunks of text that pieces of `size` bytes give, and whether all of it was UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunks = []
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        try:
            chunks.append(decoder.decode(piece, at + size >= len(data)))
        except UnicodeDecodeError as error:
            chunks.append(error.object[: error.start].decode())
            return chunks, False
    return chunks, True
