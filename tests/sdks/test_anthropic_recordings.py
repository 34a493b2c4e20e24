"""Recorded Anthropic streams: equal with an empty policy, masked alike in any cutting."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.messages import beta_model, model
from tests.formats.recordings import events, recordings, wire
from tests.formats.served import http_of
from tests.laws.asked import Event, has_word, passes_on_the_wire, passes_unchanged
from tests.support.optional import optional

anthropic = optional("anthropic")
accumulate_event = optional("anthropic.lib.streaming._beta_messages", "accumulate_event")

RECORDINGS = [
    *recordings("anthropic_messages"),
    *recordings("anthropic_sdk_fixtures"),
    *recordings("vercel_ai_chunks_jsonl", "anthropic"),
]

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not RECORDINGS, reason="the corpora do not stand beside the checkout"),
]

FIELDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}

HARMLESS = frozenset(
    {"id", "type", "name", "role", "model", "signature", "data", "encrypted_content", "usage"}
    | {"stop_reason", "tool_use_id", "encrypted_index", "file_id", "container", "caller", "data"}
    | {"context_management", "server_name", "partial_json", "input", "from", "to", "from_"}
    | {"tool_name", "page_age", "media_type", "error_code", "file_type"}
)
"""Ids and marks; JSON, whose keys stay, is compared as a whole instead."""


def texts(stream: list[Event]) -> dict[str, str]:
    """The text of each run of blocks, joined; neighbouring blocks of text are one."""
    found: dict[str, str] = {}
    run, last = 0, ""
    for event in stream:
        if event["type"] == "content_block_start":
            kind = event["content_block"]["type"]
            run += not (kind == last == "text")
            last = kind
            found[f"{run} {kind}"] = found.get(f"{run} {kind}", "") + (
                event["content_block"].get("text") or ""
            )
        elif event["type"] == "content_block_delta":
            name = FIELDS.get(event["delta"]["type"])
            found[f"{run} {last}"] += event["delta"][name] if name else ""
    return found


def recut(stream: list[Event], random: Random) -> list[Event]:
    """Cut each delta in two at a random place."""
    out: list[Event] = []
    for event in stream:
        name = FIELDS.get((event.get("delta") or {}).get("type", ""))
        text = event["delta"][name] if name else ""
        cut = random.randrange(1, len(text)) if len(text) > 1 else 0
        parts = [text[:cut], text[cut:]] if cut else [text]
        out += [{**event, "delta": {**event["delta"], name: p}} if name else event for p in parts]
    return out


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_an_empty_policy_changes_nothing(path: Path) -> None:
    source = events(path)
    passes_unchanged(source)
    passes_unchanged([model(event) for event in source])
    passes_unchanged([beta_model(event) for event in source])
    passes_on_the_wire(wire(path), letters=6000)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_word_is_masked_wherever_the_deltas_are_cut(path: Path) -> None:
    source = events(path)
    joined = texts(source)
    said = " ".join(text for key, text in joined.items() if not key.endswith("use"))
    words = re.findall(r"[^\W\d_]{3,}", said) or re.findall(r"[^\W\d_]{3,}", str(joined))
    named = re.findall(r"'name': '(\w+)'", str(source))  # a tool whose name matches blocks
    words = [word for word in words if word.lower() not in named]
    if not words:
        pytest.skip("no words in this recording")
    word = max(sorted(set(words)), key=words.count)
    guard = Guard(Policy.parse(f"rules: [{{id: word, words: ['{word}'], replacement: '#'}}]"))
    expected = {
        key: guard.check(text, "tool_args" if key.endswith("use") else "text").text
        for key, text in joined.items()
    }
    random = Random(path.stem)
    for cut in (source, recut(source, random), recut(recut(source, random), random)):
        out = list(guard.wrap_sync(cut))
        assert texts(out) == expected
        assert not any(has_word(word, event, but=HARMLESS) for event in out if not _cut_up(event))


def _cut_up(event: Event) -> bool:
    """Tell whether an event has but a part of a text, in which a part of a word may look whole."""
    return event["type"] == "content_block_delta" and event["delta"]["type"] in FIELDS


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_accumulator_takes_what_is_masked_or_blocked(path: Path) -> None:
    source = events(path)
    words = re.findall(r"[^\W\d_]{3,}", " ".join(texts(source).values()))
    if not words or sum(event["type"] == "message_start" for event in source) > 1:
        pytest.skip("no words in this recording, or a second message that the SDK cannot take")
    word = words[len(words) // 2]
    for rule in ("replacement: '#'", "action: block", "action: stop"):
        guard = Guard(Policy.parse(f"rules: [{{id: word, words: ['{word}'], {rule}}}]"))
        stream = guard.wrap_sync([beta_model(event) for event in source])
        message: Any = None
        buffers: dict[int, bytes] = {}
        for event in stream:
            if event.type == "error":
                break
            message = accumulate_event(
                event=event,
                current_snapshot=message,
                json_bufs=buffers,
                request_headers=http_of(anthropic).Headers(),
            )
        answer = "".join(block.text for block in message.content if block.type == "text")
        assert answer == stream.result.text
