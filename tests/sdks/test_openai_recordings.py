"""Recorded Responses and completion streams: equal with an empty policy, masked in any cutting."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.recordings import events, recordings, wire
from tests.formats.responses import model
from tests.laws.asked import Event, has_word, passes_on_the_wire, passes_unchanged
from tests.support.optional import optional

omit = optional("openai", "omit")
construct_type = optional("openai._models", "construct_type")
ResponseStreamState = optional("openai.lib.streaming.responses", "ResponseStreamState")
Completion = optional("openai.types", "Completion")

RESPONSES = [
    *recordings("openai_responses"),
    *recordings(
        "vercel_ai_chunks_jsonl", "azure", "openai__responses", "open-responses", "xai__responses"
    ),
]
COMPLETIONS = [
    *recordings("openai_completions"),
    *recordings("vercel_ai_chunks_jsonl", "openai__completion"),
]

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not RESPONSES, reason="the corpora do not stand beside the checkout"),
]

HARMLESS = frozenset(
    {"id", "type", "name", "role", "status", "phase", "item_id", "call_id", "namespace", "detail"}
    | {"instructions", "tools", "tool_choice", "metadata", "text_format", "reasoning", "model"}
    | {"encrypted_content", "result", "partial_image_b64", "obfuscation", "server_label", "object"}
    | {"copilot_usage", "moderation", "environment", "execution", "caller", "prompt_cache_key"}
    | {"arguments", "fingerprint", "container_id", "file_id", "outcome", "content_filters"}
    | {"incomplete_details", "service_tier", "truncation", "tool_usage", "text", "finish_reason"}
    - {"text"}
)
"""Ids, marks and the request's own words; JSON, whose keys stay, is compared as a whole instead."""


def number(event: Event) -> Any:
    names = ("content_index", "summary_index", "command_index")
    return next((event[name] for name in names if event.get(name) is not None), 0)


def texts(stream: list[Event]) -> dict[Any, str]:
    """The deltas of each slot, joined; a second response begins anew."""
    found: dict[Any, str] = {}
    turn = 0
    for event in stream:
        turn += event["type"] == "response.created"
        if event["type"].endswith(".delta") and isinstance(event["delta"], str):
            key = (turn, event["type"], event.get("output_index"), number(event))
            found[key] = found.get(key, "") + event["delta"]
    return found


def recut(stream: list[Event], random: Random) -> list[Event]:
    """Cut each delta in two at a random place."""
    out: list[Event] = []
    for event in stream:
        text = event.get("delta")
        if isinstance(text, str) and len(text) > 1:
            cut = random.randrange(1, len(text))
            out += [{**event, "delta": text[:cut]}, {**event, "delta": text[cut:]}]
        else:
            out.append(event)
    return out


@pytest.mark.parametrize("path", RESPONSES, ids=lambda path: path.stem)
def test_an_empty_policy_changes_nothing(path: Path) -> None:
    source = events(path)
    passes_unchanged(source)
    passes_unchanged([model(event) for event in source])
    passes_on_the_wire(wire(path))


@pytest.mark.parametrize("path", RESPONSES, ids=lambda path: path.stem)
def test_a_word_is_masked_wherever_the_deltas_are_cut(path: Path) -> None:
    source = events(path)
    joined = texts(source)
    said = " ".join(text for key, text in joined.items() if "arguments" not in key[1])
    words = re.findall(r"[^\W\d_]{3,}", said) or re.findall(r"[^\W\d_]{3,}", str(joined.values()))
    if not words:
        pytest.skip("no words in this recording")
    word = max(sorted(set(words)), key=words.count)
    guard = Guard(Policy.parse(f"rules: [{{id: word, words: ['{word}'], replacement: '#'}}]"))
    expected = {
        key: guard.check(text, "tool_args" if "_call" in key[1] else "text").text
        for key, text in joined.items()
    }
    random = Random(path.stem)
    for cut in (source, recut(source, random)):
        out = list(guard.wrap_sync(cut))
        found = texts(out)
        assert {key: found.get(key, "") for key in expected} == expected
        for event in out:
            if not event["type"].endswith(".delta"):
                assert not has_word(word, event, but=HARMLESS), event["type"]


@pytest.mark.parametrize("path", RESPONSES, ids=lambda path: path.stem)
def test_the_accumulator_takes_what_is_masked_or_ended(path: Path) -> None:
    source = events(path)
    joined = texts(source)
    words = re.findall(r"[^\W\d_]{3,}", " ".join(joined.values()))
    unguarded = accepted([model(event) for event in source])
    answer = "".join(text for key, text in joined.items() if "output_text" in key[1])
    if not (words and unguarded) or unguarded.response.output_text != answer:
        pytest.skip("no words, or a stream that was shortened or that the SDK does not take")
    word = words[len(words) // 2]
    for rule in ("replacement: '#'", "action: block", "action: stop"):
        guard = Guard(Policy.parse(f"rules: [{{id: word, words: ['{word}'], {rule}}}]"))
        stream = guard.wrap_sync([model(event) for event in source])
        final = accepted(list(stream), strict=True)
        blocked = stream.finish == "content_filter"
        assert final.type == f"response.{'incomplete' if blocked else 'completed'}"
        assert final.response.output_text == stream.result.text


def accepted(stream: list[Any], *, strict: bool = False) -> Any:
    """The last event that the SDK's accumulator makes of a stream; None if it refuses it."""
    state: ResponseStreamState[Any] = ResponseStreamState(text_format=omit, input_tools=omit)
    last: Any = None
    for event in stream:
        try:
            last = (state.handle_event(event) or [last])[-1]
        except (AssertionError, AttributeError, IndexError, RuntimeError):
            if strict:
                raise
            return None
    return last


@pytest.mark.parametrize("path", COMPLETIONS, ids=lambda path: path.stem)
def test_completions_pass_and_are_masked(path: Path) -> None:
    source = events(path)
    passes_unchanged(source)
    passes_unchanged([construct_type(type_=Completion, value=event) for event in source])
    passes_on_the_wire(wire(path), letters=6000)
    text = "".join(choice.get("text", "") for event in source for choice in event["choices"])
    words = re.findall(r"[^\W\d_]{3,}", text)
    word = max(sorted(set(words)), key=words.count)
    guard = Guard(Policy.parse(f"rules: [{{id: word, words: ['{word}'], replacement: '#'}}]"))
    out = list(guard.wrap_sync(source))
    found = "".join(choice.get("text", "") for event in out for choice in event["choices"])
    assert found == guard.check(text).text
