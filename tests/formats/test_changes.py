"""Changes that nobody has seen yet: none ends a stream, and none lets a word through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from tests.formats.changes import (
    CHANGES,
    Event,
    Way,
    at,
    invented,
    leaves,
    planted,
    put,
    renamed,
    said,
    ways,
)
from tests.laws.samples import samples

WORD = "quizzaciously"
HALVES = ("quizza", "ciously")
GUARD = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, replacement: '[#]'}}]"))
HOLDING = Guard(
    Policy.parse(
        f"rules: [{{id: w, pattern: {WORD}}}, {{id: held, pattern: '[a-z {{}}\":]+_[0-9]+!'}}]"
    )
)
BLOCKING = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, action: block}}]"))

SAMPLES = samples()

WHOLE = {"tgi": ("generated_text",)}
"""Fields that hold all of a text, which must be what was said: any other is an error."""


def guarded_leaves(sample: str) -> Iterator[tuple[int, Way]]:
    """Each value of a sample that is no object and no list."""
    for number, event in enumerate(SAMPLES[sample]):
        for way in leaves(event):
            if way[-1] not in WHOLE.get(sample, ()):
                yield number, way


@pytest.mark.parametrize("name", SAMPLES)
def test_no_word_in_place_of_any_value_passes(name: str) -> None:
    for number, way in guarded_leaves(name):
        source = changed(name, number, put(SAMPLES[name][number], way, WORD))
        stream = GUARD.wrap_sync(source, format=NAMES.get(name, name))
        assert not said(list(stream), (WORD,)), (number, way)
        if stream.finish == "content_filter":  # a name, which nothing can stand for
            assert stream.findings, (number, way)


@pytest.mark.parametrize("name", SAMPLES)
def test_held_text_goes_out_under_no_id_that_a_rule_changes(name: str) -> None:
    for number, way in guarded_leaves(name):
        source = changed(name, number, put(SAMPLES[name][number], way, WORD))
        out: list[Any] = []
        with suppress(AdapterError):
            out.extend(HOLDING.wrap_sync(source, format=NAMES.get(name, name)))
        assert not said(out, (WORD,)), (number, way)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_word_that_blocks_stands_in_the_events_of_the_end(name: str) -> None:
    for number, way in guarded_leaves(name):
        source = changed(name, number, put(SAMPLES[name][number], way, WORD))
        out: list[Any] = []
        with suppress(AdapterError):  # what is said twice is no longer the same
            out.extend(BLOCKING.wrap_sync(source, format=NAMES.get(name, name)))
        assert not said(out, (WORD,)), (number, way)


MARKS = ("id", "object", "model", "role", "status", "index", "created", "logprobs", "modelVersion")
MARKS += ("category", "probability", "item_id", "sequence_number", "system_fingerprint")


@pytest.mark.parametrize("name", ["openai_chat", "openai_responses", "anthropic", "gemini"])
def test_no_word_passes_in_two_marks_in_a_row(name: str) -> None:
    marks = [(number, way) for number, way in guarded_leaves(name) if way[-1] in MARKS]
    assert marks
    for number, way in marks:
        event = SAMPLES[name][number]
        source = changed(name, number, put(event, way, HALVES[0]))
        source.insert(number + 1, put(event, way, HALVES[1]))
        stream = GUARD.wrap_sync(source, format=name)
        with suppress(AdapterError):  # what is said twice is no longer the same
            assert said(list(stream), HALVES) != list(HALVES), (number, way)


@pytest.mark.parametrize("name", ["openai_chat", "gemini"])
def test_marks_that_could_be_text_pass_unless_a_rule_changes_them(name: str) -> None:
    field = {"openai_chat": "model", "gemini": "modelVersion"}[name]
    for mark, out, found in (
        ("large-model", "large-model", []),
        (f"large-{WORD}", "", [("w", "mask", f"$.{field}")]),  # once, though each chunk has it
        ("m-2", "m-2", []),
    ):
        source = [{**event, field: mark} for event in SAMPLES[name]]
        stream = GUARD.wrap_sync(source, format=name)
        assert [event[field] for event in stream] == [out] * len(source)
        findings = stream.findings
        assert [(each.rule, each.action, each.path) for each in findings] == found


def test_a_match_in_a_mark_that_blocks_ends_the_stream() -> None:
    source = [{**event, "model": f"large-{WORD}"} for event in SAMPLES["openai_chat"]]
    stream = BLOCKING.wrap_sync(source)
    assert not said(list(stream), (WORD, "so "))
    assert stream.finish == "content_filter"
    assert [each.path for each in stream.findings] == ["$.model"]


def test_a_match_over_two_marks_is_found() -> None:
    first, second, *_ = SAMPLES["openai_chat"]
    source = [{**first, "model": HALVES[0]}, {**second, "model": HALVES[1]}]
    stream = GUARD.wrap_sync(source)
    assert [event["model"] for event in stream] == [HALVES[0], ""]
    assert [(each.start, each.end, each.path) for each in stream.findings] == [(0, 13, "$.model")]


def test_what_is_only_watched_in_a_mark_is_found_and_the_mark_passes() -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, action: monitor}}]"))
    source = [{**event, "model": WORD} for event in SAMPLES["openai_chat"]]
    stream = guard.wrap_sync(source)
    assert list(stream) == source
    assert [(each.action, each.path) for each in stream.findings] == [("monitor", "$.model")]


@pytest.mark.parametrize("word", ["assistant", "stop", "message", "text", "function"])
def test_a_rule_for_a_word_of_the_formats_leaves_their_marks_alone(word: str) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: w, words: [{word}]}}]"))
    for name in ("openai_chat", "anthropic", "openai_responses", "ollama", "bedrock"):
        assert list(guard.wrap_sync(SAMPLES[name], format=name)) == SAMPLES[name]


@pytest.mark.parametrize("kind", [["a"], {"a": 1}, 5, None])
def test_any_value_may_be_the_type_of_a_first_event(kind: object) -> None:
    source = [{"type": kind, "text": WORD}]
    assert not said(list(GUARD.wrap_sync(source)), (WORD,))


NAMES = {"perplexity": "openai_chat"}
"""The adapters of samples that have none of their own name."""

KINDS = {
    "openai_responses": "type",
    "anthropic": "type",
    "cohere": "type",
    "mistral_conversations": "type",
    "openai_agent_sessions": "type",
    "anthropic_sessions": "type",
    "openai_realtime": "type",
    "openai_live": "type",
    "mirascope": "type",
    "chatkit": "type",
    "interactions": "event_type",
    "assistants": "object",
    **dict.fromkeys(("ui_messages", "model_parts"), "type"),
    "ag_ui": "type",
}
"""The fields that tell events apart, in formats that have such."""

ALONE = {"key", "list", "json"}
"""Changes that leave something between the halves of a word."""


APART = ("input", "args", "annotations", "logprobs")
"""Lists and objects of texts that are known, each of its own: arguments, citations, tokens."""


def places(name: str) -> Iterator[tuple[int, Way]]:
    """Each object and list in a sample, but for those of known texts."""
    for number, event in enumerate(SAMPLES[name]):
        for way in ways(event):
            if not set(way).intersection(APART):
                yield number, way


def changed(name: str, number: int, event: Event) -> list[Event]:
    source = SAMPLES[name]
    return [*source[:number], event, *source[number + 1 :]]


def guarded(sample: str, source: Sequence[Event]) -> list[Any]:
    """What comes out; nothing has ended it before its source."""
    name = NAMES.get(sample, sample)
    stream = GUARD.wrap_sync(source, format=name)
    out = list(stream)
    before = GUARD.wrap_sync(SAMPLES[sample], format=name)
    list(before)
    # What comes into a list of choices is one that does not end.
    assert stream.finish in (before.finish, "incomplete")
    return out


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_neither_ends_a_stream_nor_leaks(name: str, change: str) -> None:
    for number, way in places(name):
        event = planted(SAMPLES[name][number], way, CHANGES[change], WORD)
        if event is not None:
            assert not said(guarded(name, changed(name, number, event)), (WORD,)), (number, way)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("change", sorted(CHANGES.keys() - ALONE))
def test_no_word_leaks_across_changed_events(name: str, change: str) -> None:
    for number, way in places(name):
        first = planted(SAMPLES[name][number], way, CHANGES[change], HALVES[0])
        for later in range(number + 1, len(SAMPLES[name])):
            if at(SAMPLES[name][later], way) is None or first is None:
                continue
            second = planted(SAMPLES[name][later], way, CHANGES[change], HALVES[1])
            source = changed(name, number, first)
            source[later] = second or source[later]
            assert said(guarded(name, source), HALVES) != list(HALVES), (number, way)
            break


@pytest.mark.parametrize("name", KINDS)
def test_events_of_a_new_kind_are_guarded(name: str) -> None:
    source = SAMPLES[name]
    for number, event in enumerate(source):
        new = invented(event, KINDS[name], WORD)
        out = guarded(name, [*source[: number + 1], new, *source[number + 1 :]])
        assert not said(out, (WORD,)), number
        halves = [invented(event, KINDS[name], half) for half in HALVES]
        out = guarded(name, [*source[: number + 1], *halves, *source[number + 1 :]])
        assert said(out, HALVES) != list(HALVES)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_stands_under_a_new_name_is_guarded(name: str) -> None:
    for number, way in places(name):
        for event in renamed(SAMPLES[name][number], way, "invented", WORD):
            provider = NAMES.get(name, name)
            stream = GUARD.wrap_sync(changed(name, number, event), format=provider)
            assert not said(list(stream), (WORD,)), (number, way)
