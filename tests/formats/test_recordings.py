"""Recorded chat-completion streams: equal with an empty policy, masked alike in any cutting."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.chunks import accumulate, model
from tests.formats.recordings import events, recordings, wire
from tests.laws.asked import passes_on_the_wire

COMPATIBLE = (
    *("alibaba", "deepseek__chat", "groq", "mistral", "moonshotai", "openai-compatible"),
    *("openai__chat", "perplexity"),
)

RECORDINGS = [
    *recordings("openai_chat"),
    *recordings("openai_python_snapshots"),
    *recordings("vercel_ai_chunks_jsonl", *COMPATIBLE),
]

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not RECORDINGS, reason="the corpora do not stand beside the checkout"),
]

EMPTY = Guard(Policy.parse("version: 1"))


def is_chunk(event: dict[str, Any]) -> bool:
    return "choices" in event


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_an_empty_policy_changes_nothing(path: Path) -> None:
    source = events(path)
    assert list(EMPTY.wrap_sync(source, format="openai_chat")) == source
    objects = [model(event) for event in source if is_chunk(event)]
    assert list(EMPTY.wrap_sync(objects)) == objects
    passes_on_the_wire(wire(path), letters=2000)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_word_is_masked_wherever_the_deltas_are_cut(path: Path) -> None:
    source = events(path)
    texts = accumulate([event for event in source if is_chunk(event)])
    guarded_texts = {
        key: text
        for key, text in texts.items()
        if {"content", "refusal", "reasoning", "arguments"} & set(key)
    }
    words = re.findall(r"[^\W\d_]{3,}", " ".join(guarded_texts.values()))
    if not words:
        pytest.skip("no words in this recording")
    word = max(sorted(set(words)), key=words.count)
    guard = Guard(Policy.parse(f"rules: [{{id: word, words: ['{word}'], replacement: '#'}}]"))
    expected = {
        key: guard.check(text, "tool_args" if "arguments" in key else "text").text
        for key, text in guarded_texts.items()
    }
    random = Random(path.stem)
    for cut in (source, list(recut(source, random)), list(recut(source, random))):
        found = accumulate([item for item in guard.wrap_sync(cut) if is_chunk(item)])
        assert {key: text for key, text in found.items() if key in expected} == expected


def recut(source: list[dict[str, Any]], random: Random) -> Iterator[dict[str, Any]]:
    """Cut plain content and argument deltas in two at random places."""
    for event in source:
        where = text_at(event)
        if where is None or len(where[0][where[1]]) < 2:
            yield event
            continue
        text = where[0][where[1]]
        cut = random.randrange(1, len(text))
        for part in (text[:cut], text[cut:]):
            piece = copy.deepcopy(event)
            holder, name = text_at(event, piece)  # type: ignore[misc]
            holder[name] = part
            yield piece


def text_at(
    event: dict[str, Any], other: dict[str, Any] | None = None
) -> tuple[dict[str, Any], str] | None:
    """Where the only text of an event stands, in it or in a copy of it."""
    choices = (other or event).get("choices") or []
    if len(choices) != 1 or choices[0].get("finish_reason") or choices[0].get("message"):
        return None
    delta = choices[0]["delta"]
    if delta.get("role") or delta.get("reasoning_details"):
        return None
    if isinstance(delta.get("content"), str):
        return delta, "content"
    calls = delta.get("tool_calls") or []
    if len(calls) == 1 and not calls[0].get("id") and calls[0]["function"].get("arguments"):
        return calls[0]["function"], "arguments"
    return None
