"""Changes that nobody has seen yet: none ends a stream, and none lets a word through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from tests.providers import messages, responses
from tests.providers import test_acp as acp
from tests.providers import test_agent_sessions as sessions
from tests.providers import test_anthropic_sessions as managed
from tests.providers import test_bedrock_invoke as invoke
from tests.providers import test_chatkit as chatkit
from tests.providers import test_dashscope as dashscope
from tests.providers import test_gemini_live as live
from tests.providers import test_interfaces as interfaces
from tests.providers import test_json_rpc as rpc
from tests.providers import test_langchain_protocol as protocol
from tests.providers import test_langgraph as graph
from tests.providers import test_mirascope as mirascope
from tests.providers import test_mistral_conversations as conversations
from tests.providers import test_mistral_transcription as transcription
from tests.providers import test_openai_live as openai_live
from tests.providers import test_openai_media as media
from tests.providers import test_perplexity as perplexity
from tests.providers import test_realtime as realtime
from tests.providers import test_sglang as sglang
from tests.providers.changes import (
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
from tests.providers.chunks import call, chunk
from tests.providers.test_interactions import COMPLETED, CREATED, delta, start, stop, text
from tests.providers.test_plain_formats import completion, koboldcpp, llama_cpp, token, workers_ai

WORD = "quizzaciously"
HALVES = ("quizza", "ciously")
GUARD = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, replacement: '[#]'}}]"))
HOLDING = Guard(
    Policy.parse(
        f"rules: [{{id: w, pattern: {WORD}}}, {{id: held, pattern: '[a-z {{}}\":]+_[0-9]+!'}}]"
    )
)
BLOCKING = Guard(Policy.parse(f"rules: [{{id: w, pattern: {WORD}, action: block}}]"))

SAMPLES: dict[str, list[Event]] = {
    "openai_chat": [
        chunk({"role": "assistant", "content": "so "}, system_fingerprint="fp", usage=None),
        chunk({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
        chunk({"content": "it "}, x_groq={"id": "x"}, prompt_filter_results=[{"prompt_index": 0}]),
        chunk(call(0, '{"q": ', id="call_1", name="find")),
        chunk(call(0, "1}")),
        chunk(finish="tool_calls", usage={"total_tokens": 3, "prompt_tokens_details": {"n": 1}}),
    ],
    "openai_completions": [
        {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": "so "}]},
        {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": "it"}]},
        {
            "object": "text_completion",
            "choices": [{"index": 0, "text": "", "finish_reason": "stop"}],
            "usage": {"total_tokens": 4},
        },
    ],
    "openai_responses": responses.stream(
        responses.thinking("hm"),
        responses.text("so ", "it is"),
        responses.call("find", '{"q": ', "1}"),
    ),
    "anthropic": messages.message(
        messages.thinking("hm", "so"),
        messages.text("so ", "it"),
        messages.tool("find", '{"q": ', "1}"),
        stop="tool_use",
    ),
    "gemini": [
        {
            "candidates": [
                {
                    "content": {"parts": [{"text": said}], "role": "model"},
                    "index": 0,
                    "safetyRatings": [{"category": "A", "probability": "LOW"}],
                }
            ],
            "usageMetadata": {"totalTokenCount": 3},
            "modelVersion": "m",
        }
        for said in ("so ", "it ", "is")
    ],
    "gemini_live": [
        live.SETUP,
        live.heard("hm"),
        live.spoken("so "),
        live.text("so "),
        live.text("it"),
        *live.OVER,
    ],
    "interactions": [
        CREATED,
        start(0, "thought"),
        delta(0, "thought_summary", content={"type": "text", "text": "hm"}),
        stop(),
        start(1),
        text("so ", 1),
        text("it", 1),
        stop(1),
        COMPLETED,
    ],
    "mistral_conversations": conversations.response(
        conversations.thinking("hm"),
        conversations.said("so "),
        conversations.text("it "),
        conversations.reference("page"),
        conversations.tool("started", 1, arguments="{"),
        conversations.tool("delta", 1, arguments="}"),
        conversations.tool("done", 1, info={"code_output": "1"}),
        conversations.call('{"q": ', 2),
        conversations.call("1}", 2),
    ),
    "koboldcpp": koboldcpp(("so ", "it ", "is")),
    "workers_ai": workers_ai(("so ", "it ", "is")),
    "llama_cpp": [
        {name: each[name] for name in each if name != "completion_probabilities"}
        for each in llama_cpp(("so ", "it ", "is"))
    ],
    "openai_realtime": [
        realtime.SESSION,
        realtime.heard("delta", delta="hm"),
        *realtime.response(realtime.speech(("so ", "it is")), realtime.call(('{"q": ', "1}"))),
    ],
    "openai_live": openai_live.session(
        openai_live.said(["hm"], "input"),
        openai_live.said(["so ", "it is"]),
        openai_live.delegated(['{"q": ', "1}"]),
    ),
    "chatkit": chatkit.message(["so ", "it "], ["is"]),
    "mirascope": [asdict(each) for each in mirascope.answer(['{"q": ', "1}"])],
    "ollama": [
        {"model": "m", "message": {"role": "assistant", "content": "so "}, "done": False},
        {"model": "m", "message": {"content": "it", "thinking": "hm"}, "done": False},
        {"model": "m", "message": {"content": ""}, "done": True, "done_reason": "stop"},
    ],
    "bedrock": [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "so "}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "it"}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 3}, "metrics": {"latencyMs": 3}}},
    ],
    "cohere": [
        {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant"}}},
        {
            "type": "content-start",
            "index": 0,
            "delta": {"message": {"content": {"type": "text", "text": ""}}},
        },
        *(
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": said}}}}
            for said in ("so ", "it")
        ),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {}}}},
    ],
    "watsonx": [
        {"model_id": "m", "results": [{"generated_text": said, "stop_reason": reason}]}
        for said, reason in (("so ", "not_finished"), ("it", "not_finished"), ("", "eos_token"))
    ],
    "assistants": [
        {"id": "r", "object": "thread.run", "status": "queued", "tools": [], "metadata": {}},
        {"id": "m", "object": "thread.message", "status": "in_progress", "content": []},
        *(
            {
                "id": "m",
                "object": "thread.message.delta",
                "delta": {"content": [{"index": 0, "type": "text", "text": {"value": said}}]},
            }
            for said in ("so ", "it")
        ),
        {"id": "r", "object": "thread.run", "status": "completed", "usage": {"total_tokens": 3}},
    ],
    "openai_agent_sessions": sessions.answer(["so ", "it"]),
    "anthropic_sessions": [*managed.answer(["so ", "it"])[:-1], managed.call("a"), managed.idle()],
    "mistral_transcription": transcription.answer(["so ", "it"]),
    "ui_messages": interfaces.ui(['{"q": ', "1}"]),
    "model_parts": interfaces.model(['{"q": ', "1}"]),
    "ag_ui": interfaces.ag_ui(["so ", "it"]),
    "data_stream": interfaces.data(["so ", "it"]),
    "anthropic_completions": [completion("so "), completion("it"), completion("", "stop_sequence")],
    "tgi": [token("so "), token("it", "so it")],
    "a2a": rpc.task(["so ", "it"]),
    "acp": acp.turn(["so ", "it"]),
    "sglang": sglang.so_far(["so ", "it"]),
    "mcp": [rpc.note("progress", progressToken="p", message="so "), rpc.tool("so ", "it")],
    "dashscope": dashscope.told(["so ", "so it"]),
    "openai_media": media.transcript(["so ", "it"]),
    "perplexity": perplexity.told(["so ", "it"]),
    "cohere_v1": invoke.cohere(["so ", "it"]),
    "bedrock_llama": invoke.llama(["so ", "it"]),
    "bedrock_mistral": invoke.mistral(["so ", "it"]),
    "bedrock_titan": invoke.titan(["so ", "it"]),
    "langgraph_events": [
        {"event": "metadata", "data": {"run_id": "r"}},
        *({"event": "messages", "data": [graph.as_json(said), {"n": 1}]} for said in ("so ", "it")),
        {"event": "values", "data": {"messages": [graph.as_json("so it", "ai")]}},
    ],
    "langchain_protocol": [
        each for each in protocol.graph(["so ", "it"]) if each["method"] != "values"
    ],
    "json": [{"some": "so ", "more": [{"deep": "it"}]}, {"some": "it", "more": []}],
}

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
        stream = GUARD.wrap_sync(source, provider=NAMES.get(name, name))
        assert not said(list(stream), (WORD,)), (number, way)
        if stream.finish == "content_filter":  # a name, which nothing can stand for
            assert stream.findings, (number, way)


@pytest.mark.parametrize("name", SAMPLES)
def test_held_text_goes_out_under_no_id_that_a_rule_changes(name: str) -> None:
    for number, way in guarded_leaves(name):
        source = changed(name, number, put(SAMPLES[name][number], way, WORD))
        out: list[Any] = []
        with suppress(AdapterError):
            out.extend(HOLDING.wrap_sync(source, provider=NAMES.get(name, name)))
        assert not said(out, (WORD,)), (number, way)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_word_that_blocks_stands_in_the_events_of_the_end(name: str) -> None:
    for number, way in guarded_leaves(name):
        source = changed(name, number, put(SAMPLES[name][number], way, WORD))
        out: list[Any] = []
        with suppress(AdapterError):  # what is said twice is no longer the same
            out.extend(BLOCKING.wrap_sync(source, provider=NAMES.get(name, name)))
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
        stream = GUARD.wrap_sync(source, provider=name)
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
        stream = GUARD.wrap_sync(source, provider=name)
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
        assert list(guard.wrap_sync(SAMPLES[name], provider=name)) == SAMPLES[name]


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
    stream = GUARD.wrap_sync(source, provider=name)
    out = list(stream)
    before = GUARD.wrap_sync(SAMPLES[sample], provider=name)
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
            stream = GUARD.wrap_sync(changed(name, number, event), provider=provider)
            assert not said(list(stream), (WORD,)), (number, way)
