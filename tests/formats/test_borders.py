"""A word that the border of two events cuts does not leak, at any border of a recorded stream."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from guardstream import Guard, Part, Policy
from tests.formats.recordings import BROKEN, FOLDER
from tests.laws.asked import EMPTY

FILES = sorted(
    path
    for folder in (FOLDER, FOLDER.parent / "streams_more")
    for path in folder.glob("*/*")
    if path.suffix in (".sse", ".txt", ".ndjson") and path.stem not in BROKEN
)
SAMPLE = FILES[::23]
"""Some of each folder; all of them take a minute."""

STEP = 5
"""How many borders lie between two that are judged in one run, so that their words are apart."""

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FILES, reason="the corpora do not stand beside the checkout"),
]


def said(data: bytes) -> dict[Any, list[str]]:
    """What a stream says: the pieces of each text, as long as no tool parts them."""
    found: dict[Any, list[str]] = defaultdict(list)
    run = 0

    def note(part: Part) -> None:
        nonlocal run
        if part.channel == "tool_args" or not part.slot.is_streamed:
            run += 1
        if part.slot.is_streamed:
            found[part.slot, run if part.slot.is_answer else 0].append(part.text)

    list(EMPTY.wrap_sync([data], on_part=note))
    return found


def words(texts: dict[Any, list[str]]) -> list[str]:
    """What stands around each border, but for arguments' JSON: rules see strings in it, decoded."""
    cut = [
        before[-5:] + after[:5]
        for (slot, _), pieces in texts.items()
        if slot.channel != "tool_args"
        for before, after in pairwise(pieces)
        if re.search(r"\w", before[-5:]) and re.search(r"\w", after[:5])
    ]
    return [word for word in dict.fromkeys(cut) if not re.search("[\ud800-\udfff]", word)]


def guards(found: list[str]) -> Iterator[tuple[list[str], Guard]]:
    for start in range(min(STEP, len(found))):
        some = found[start::STEP]
        rules = [
            {"id": f"w{number}", "pattern": re.escape(word), "replacement": "\N{SNOWMAN}"}
            for number, word in enumerate(some)
        ]
        yield some, Guard(Policy.parse(json.dumps({"rules": rules}, ensure_ascii=False)))


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: path.stem[-50:])
def test_no_word_leaks_over_a_border(path: Path) -> None:
    data = path.read_bytes()
    for some, guard in guards(words(said(data))):
        out = b"".join(guard.wrap_sync([data]))
        texts = {"".join(pieces) for pieces in said(out).values()}
        leaked = [word for word in some if any(word in text for text in texts)]
        assert not leaked
