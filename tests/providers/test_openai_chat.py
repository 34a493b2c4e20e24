"""Chat-completion chunks: the text is guarded, everything else passes, in order."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy, StageError
from guardstream.providers import OpenAIChat, detect
from guardstream.providers.detection.table import formats_of
from guardstream.stream.result import ToolCall
from tests.providers.chunks import accumulate, call, chunk, model, whole
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, left_raw
from tests.support.sources import Source, broken_guard

POLICY = """
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
  - {id: enough, words: [enough], action: stop}
"""

Make = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=[pytest.param(copy.deepcopy, id="dict"), pytest.param(model, id="object")])
def make(request: pytest.FixtureRequest) -> Make:
    """Chunks as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def guarded(chunks: list[Any], **options: Any) -> list[Any]:
    return list(Guard(Policy.parse(POLICY)).wrap_sync(chunks, **options))


def plain(chunks: list[Any]) -> list[dict[str, Any]]:
    return [
        item if isinstance(item, dict) else item.model_dump(exclude_unset=True) for item in chunks
    ]


def deltas(chunks: list[Any]) -> list[dict[str, Any]]:
    found = [item["choices"][0]["delta"] for item in plain(chunks)]
    return [{name: value for name, value in delta.items() if value} for delta in found]


def finishes(chunks: list[Any]) -> list[tuple[int, str]]:
    choices = [choice for item in plain(chunks) for choice in item["choices"]]
    return [(item["index"], item["finish_reason"]) for item in choices if item["finish_reason"]]


def calling(chunks: list[Any]) -> list[dict[str, Any]]:
    choices = [choice for item in plain(chunks) for choice in item["choices"]]
    return [choice for choice in choices if choice["delta"].get("tool_calls")]


def stream(text: list[str], *, finish: str = "stop") -> list[dict[str, Any]]:
    """A usual answer: role, text, finish reason, usage."""
    return [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        *[chunk({"content": part}) for part in text],
        chunk({}, finish=finish),
        whole([], usage={"total_tokens": 7}),
    ]


def test_what_no_rule_touches_passes_as_it_is(make: Make) -> None:
    source = [make(item) for item in stream(["plain ", "text ", "only "])]
    out = guarded(source)
    assert all(a is b for a, b in zip(out, source, strict=True))


def test_held_text_goes_out_before_the_finish_reason(make: Make) -> None:
    source = [make(item) for item in stream(["a ", "sec", "ond"])]
    out = guarded(source)
    assert deltas(out[:-1]) == [
        {"role": "assistant"},
        {"content": "a "},
        {"content": "second"},
        {},
    ]
    assert finishes(out) == [(0, "stop")]
    assert type(out[2]) is type(source[0])
    assert plain(out)[2]["id"] == "c1"
    assert plain(out)[-1]["usage"] == {"total_tokens": 7}


def test_text_is_masked_across_chunks_and_the_source_is_not_changed(make: Make) -> None:
    source = [make(item) for item in stream(["my sec", "ret", " is"])]
    before = copy.deepcopy(source)
    out = guarded(source)
    assert accumulate(out)[0, "content"] == "my ****** is"
    assert source == before
    assert type(out[1]) is type(source[1])


def test_a_chunk_with_nothing_left_to_say_is_not_sent(make: Make) -> None:
    out = guarded([make(item) for item in stream(["my ", "sec", "ret", " is"])])
    assert [delta.get("content", "") for delta in deltas(out[:-1])] == ["", "my ", "****** is", ""]


def test_a_role_passes_though_its_text_is_held(make: Make) -> None:
    out = guarded(
        [make(chunk({"role": "assistant", "content": "sec"})), make(chunk(finish="stop"))]
    )
    assert deltas(out) == [{"role": "assistant"}, {"content": "sec"}, {}]


def test_text_in_the_chunk_that_finishes_stays_in_it(make: Make) -> None:
    out = guarded(
        [make(chunk({"content": "a sec"})), make(chunk({"content": "ond"}, finish="length"))]
    )
    assert deltas(out) == [{"content": "a "}, {"content": "second"}]
    assert finishes(out) == [(0, "length")]


def test_a_stream_without_a_finish_reason_still_gives_all_text(make: Make) -> None:
    out = guarded([make(chunk({"content": "a sec"}))])
    assert deltas(out) == [{"content": "a "}, {"content": "sec"}]


@pytest.mark.parametrize(
    ("field", "channel"),
    [
        ("content", "text"),
        ("refusal", "refusal"),
        ("reasoning", "thinking"),
        ("reasoning_content", "thinking"),
    ],
)
def test_every_text_field_is_guarded(make: Make, field: str, channel: str) -> None:
    source = [make(chunk({field: part})) for part in ("my s", "ecret", "!")]
    guarded_stream = Guard(Policy.parse(POLICY)).wrap_sync([*source, make(chunk(finish="stop"))])
    assert accumulate(list(guarded_stream))[0, field] == "my ******!"
    assert [item.channel for item in guarded_stream.findings] == [channel]


def test_fields_have_pipelines_of_their_own(make: Make) -> None:
    source = [make(chunk({"reasoning": "sec"})), make(chunk({"content": "ret"}))]
    assert accumulate(guarded(source)) == {(0, "reasoning"): "sec", (0, "content"): "ret"}


def test_choices_have_pipelines_of_their_own(make: Make) -> None:
    source = [
        make(chunk({"content": "my sec"}, choice=0)),
        make(chunk({"content": "my sec"}, choice=1)),
        make(chunk({"content": "ret "}, choice=1)),
        make(chunk({"content": "ond "}, choice=0)),
        make(chunk(finish="stop", choice=1)),
        make(chunk(finish="length", choice=0)),
    ]
    out = Guard(Policy.parse(POLICY)).wrap_sync(source)
    texts = accumulate(list(out))
    assert texts == {(0, "content"): "my second ", (1, "content"): "my ****** "}
    assert [item.choice for item in out.findings] == [1]
    assert (out.result.text, out.finish) == ("my second ", "length")


def test_choices_in_one_chunk_are_guarded_apart(make: Make) -> None:
    both = whole(
        [
            {"index": 0, "delta": {"content": "sec"}, "finish_reason": None},
            {"index": 1, "delta": {"content": "plain "}, "finish_reason": None},
        ]
    )
    out = guarded([make(both)])
    assert [[choice["index"] for choice in item["choices"]] for item in plain(out)] == [[1], [0]]
    assert accumulate(out) == {(0, "content"): "sec", (1, "content"): "plain "}


def test_tool_calls_are_guarded_each_on_its_own(make: Make) -> None:
    source = [
        make(chunk(call(0, "", id="a", type="function", name="find"))),
        make(chunk(call(0, '{"q": "sec'))),
        make(chunk(call(1, '{"q": "ret"}', id="b", type="function", name="find"))),
        make(chunk(call(0, 'ret"}'))),
        make(chunk(finish="tool_calls")),
    ]
    out = guarded(source)
    texts = accumulate(out)
    assert texts[0, "tool_calls", 0, "function", "arguments"] == '{"q": "******"}'
    assert texts[0, "tool_calls", 1, "function", "arguments"] == '{"q": "ret"}'
    assert texts[0, "tool_calls", 0, "id"] == "a"
    assert texts[0, "tool_calls", 0, "function", "name"] == "find"
    assert finishes(out) == [(0, "tool_calls")]


SCHEMAS = """
rules: [{id: word, words: [secret], replacement: "*"}]
json: {tools: {find: {schema: {required: [q]}}, send: {schema: {required: [to]}}}}
"""


def test_calls_that_take_the_same_index_are_told_apart_by_their_ids(make: Make) -> None:
    first, second, masked = '{"q": "a secret"}', '{"to": "secret"}', '{"to": "******"}'
    for cut in range(1, len(second) + 1):
        called: list[ToolCall] = []
        source = [
            make(chunk(call(0, first[:cut], id="a", type="function", name="find"))),
            make(chunk(call(0, first[cut:]))),
            make(chunk(call(0, second[:cut], id="b", type="function", name="send"))),
            make(chunk(call(0, second[cut:]))),
            make(chunk(call(0, second, id="c", type="function", name="send"))),
            make(chunk(finish="tool_calls")),
        ]
        stream = Guard(Policy.parse(SCHEMAS)).wrap_sync(source, on_tool_call=called.append)
        out = list(stream)
        assert stream.finish == "tool_calls"
        assert [(each.id, each.name, each.arguments) for each in called] == [
            ("a", "find", '{"q": "a ******"}'),
            ("b", "send", masked),
            ("c", "send", masked),
        ]
        assert stream.result.tool_calls == tuple(called)
        assert {each["delta"]["tool_calls"][0]["index"] for each in calling(out)} == {0}


def test_calls_of_one_chunk_that_have_the_same_index_are_told_apart(make: Make) -> None:
    both = [
        *call(0, '"secret"}', id="a", type="function", name="find")["tool_calls"],
        *call(0, '{"to": "sec', id="b", type="function", name="send")["tool_calls"],
    ]
    source = [
        make(chunk(call(0, '{"q": ', id="a", type="function", name="find"))),
        make(chunk({"tool_calls": both})),
        make(chunk(call(0, 'ret"}'))),
        make(chunk(finish="tool_calls")),
    ]
    stream = Guard(Policy.parse(SCHEMAS)).wrap_sync(source)
    list(stream)
    assert [each.arguments for each in stream.result.tool_calls] == [
        '{"q": "******"}',
        '{"to": "******"}',
    ]


@pytest.mark.parametrize("name", ["find", None])
def test_an_id_for_each_piece_of_a_call_does_not_hide_what_the_pieces_say(
    make: Make, name: str | None
) -> None:
    pieces = ['{"q": "a sec', 'ret", ', '"n": 1}']
    source = [
        make(chunk(call(0, piece, id=f"id-{place}", type="function", name=name or named)))
        for place, (piece, named) in enumerate(zip(pieces, ("find", None, None), strict=True))
    ]
    texts = accumulate(guarded([*source, make(chunk(finish="tool_calls"))]))
    assert texts[0, "tool_calls", 0, "function", "arguments"] == '{"q": "a ******", "n": 1}'


def test_held_arguments_go_out_before_the_finish_reason(make: Make) -> None:
    source = [
        make(chunk(call(0, "sec", id="a", type="function", name="f"))),
        make(chunk(finish="tool_calls")),
    ]
    out = guarded(source)
    texts = accumulate(out)
    assert texts[0, "tool_calls", 0, "function", "arguments"] == "sec"
    assert texts[0, "tool_calls", 0, "function", "name"] == "f"
    assert texts[0, "tool_calls", 0, "id"] == "a"
    assert finishes(out) == [(0, "tool_calls")]
    assert len(out) == 3


def test_legacy_function_calls_are_guarded(make: Make) -> None:
    source = [
        make(chunk({"function_call": {"name": "f", "arguments": "sec"}})),
        make(chunk({"function_call": {"arguments": "ret"}})),
        make(chunk(finish="function_call")),
    ]
    out = Guard(Policy.parse(POLICY)).wrap_sync(source)
    texts = accumulate(list(out))
    assert texts == {
        (0, "function_call", "name"): "f",
        (0, "function_call", "arguments"): "******",
    }
    assert out.finish == "tool_calls"


def test_custom_tool_input_is_guarded() -> None:
    item = {"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "t", "input": "sec"}}]}
    rest = {"tool_calls": [{"index": 0, "custom": {"input": "ret"}}]}
    texts = accumulate(guarded([chunk(item), chunk(rest), chunk(finish="tool_calls")]))
    assert texts[0, "tool_calls", 0, "custom", "input"] == "******"


def test_a_block_ends_every_open_choice_and_closes_the_source(make: Make) -> None:
    closed: list[bool] = []

    def source() -> Any:
        try:
            yield make(chunk({"content": "one "}, choice=0))
            yield make(chunk({"content": "two sec"}, choice=1))
            yield make(chunk(choice=2, finish="stop"))
            yield make(chunk({"content": "a forbidden thing"}, choice=0, finish="stop"))
            yield make(chunk({"content": "unread"}, choice=1))
        finally:
            closed.append(True)

    out = Guard(Policy.parse(POLICY)).wrap_sync(source())
    chunks = list(out)
    assert accumulate(chunks) == {(0, "content"): "one a ", (1, "content"): "two "}
    assert finishes(chunks) == [(2, "stop"), (0, "content_filter"), (1, "content_filter")]
    assert (out.finish, out.blocked_by, closed) == ("content_filter", "bad", [True])


def test_a_block_leaves_out_what_follows_in_the_same_chunk(make: Make) -> None:
    both = whole(
        [
            {"index": 0, "delta": {"content": "forbidden "}, "finish_reason": None},
            {"index": 1, "delta": {"content": "plain "}, "finish_reason": "stop"},
        ]
    )
    out = guarded([make(both)])
    assert accumulate(out) == {}
    assert finishes(out) == [(0, "content_filter"), (1, "content_filter")]


def test_a_stop_settles_the_other_choices(make: Make) -> None:
    source = [
        make(chunk({"content": "my sec"}, choice=1)),
        make(chunk({"content": "that is enough "}, choice=0)),
        make(chunk({"content": "unread"}, choice=1)),
    ]
    out = Guard(Policy.parse(POLICY)).wrap_sync(source)
    chunks = list(out)
    assert accumulate(chunks) == {(0, "content"): "that is ", (1, "content"): "my sec"}
    assert finishes(chunks) == [(1, "stop"), (0, "stop")]
    assert (out.finish, out.blocked_by) == ("stop", None)


@pytest.mark.parametrize("text", ["that is enough", "that is enough "])
def test_a_stop_ends_the_other_choices_also_at_the_end_of_its_own(make: Make, text: str) -> None:
    source = [
        make(chunk({"content": "my sec"}, choice=1)),
        make(chunk({"content": text}, choice=0)),
        make(chunk(finish="stop", choice=0)),
        make(chunk({"content": "unread"}, choice=1)),
    ]
    out = Guard(Policy.parse(POLICY)).wrap_sync(source)
    chunks = list(out)
    assert accumulate(chunks) == {(0, "content"): "that is ", (1, "content"): "my sec"}
    assert sorted(finishes(chunks)) == [(0, "stop"), (1, "stop")]
    assert out.finish == "stop"


@pytest.mark.parametrize("reason", ["tool_calls", "length"])
def test_a_stop_at_the_end_of_a_text_is_the_finish_reason(make: Make, reason: str) -> None:
    source = [
        chunk({"content": "that is enough"}),
        chunk(call(0, "{}", id="c", type="function", name="find")),
        chunk(finish=reason),
    ]
    out = Guard(Policy.parse(POLICY)).wrap_sync(map(make, source))
    chunks = list(out)
    assert accumulate(chunks)[0, "content"] == "that is "
    assert finishes(chunks) == [(0, "stop")]
    assert (out.finish, out.result.tool_calls[0].complete) == ("stop", False)


def test_a_stop_at_the_end_of_a_text_does_not_hide_that_the_provider_blocked_it(
    make: Make,
) -> None:
    source = [chunk({"content": "that is enough"}), chunk(finish="content_filter")]
    out = Guard(Policy.parse(POLICY)).wrap_sync(map(make, source))
    chunks = list(out)
    assert accumulate(chunks) == {(0, "content"): "that is "}
    assert finishes(chunks) == [(0, "content_filter")]
    assert (out.finish, out.blocked_by) == ("content_filter", None)


@pytest.mark.parametrize("action", ["block", "stop"])
def test_a_call_that_begins_with_the_end_of_a_text_that_a_rule_ends_is_left_out(
    make: Make, action: str
) -> None:
    policy = f"rules: [{{id: bad, words: [forbidden], action: {action}}}]"
    last = chunk(call(0, "{}", id="c", type="function", name="find"), finish="tool_calls")
    source = [chunk({"content": "so forbidden"}), last]
    out = Guard(Policy.parse(policy)).wrap_sync(map(make, source))
    chunks = list(out)
    assert accumulate(chunks) == {(0, "content"): "so "}
    assert not calling(chunks)
    assert out.result.tool_calls == (ToolCall("find", "", "c"),)


@pytest.mark.parametrize("together", [False, True])
def test_a_limit_drops_what_other_texts_hold_wherever_the_finish_reason_is(
    make: Make, together: bool
) -> None:
    held, cut = chunk({"reasoning": "my sec"}), chunk({"content": "far too long"})
    if together:
        cut["choices"][0]["finish_reason"] = "stop"
    source = [held, cut] if together else [held, cut, chunk(finish="stop")]
    policy = POLICY + "limits: {max_chars: 8}"
    out = Guard(Policy.parse(policy)).wrap_sync(map(make, source))
    chunks = list(out)
    assert accumulate(chunks) == {(0, "reasoning"): "my ", (0, "content"): "far too "}
    assert finishes(chunks) == [(0, "length")]


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls"])
@pytest.mark.parametrize("late", [False, True])
def test_a_choice_that_ends_beside_one_that_is_cut_has_its_finish_reason(
    make: Make, reason: str, late: bool
) -> None:
    cut, more = chunk({"content": "far too long"}), chunk({"content": " and on"})
    beside = more if late else cut
    beside["choices"] += chunk({"content": "ok"}, choice=1, finish=reason)["choices"]
    source = [chunk({"content": ""}, choice=1), cut, more, chunk(finish="stop")]
    stream = Guard(Policy.parse("limits: {max_chars: 4}")).wrap_sync(map(make, source))
    out = list(stream)
    assert accumulate(out) == {(0, "content"): "far ", (1, "content"): "ok"}
    assert sorted(finishes(out)) == [(0, "length"), (1, reason)]
    assert stream.finish == "length"


@pytest.mark.parametrize("arguments", ["", "{}"])
@pytest.mark.parametrize("together", [False, True])
def test_no_call_begins_in_a_choice_that_has_ended_beside_another(
    make: Make, arguments: str, together: bool
) -> None:
    begun, beside = chunk({"content": "ok"}, choice=1), chunk({"content": "so"}, choice=1)
    called = chunk(call(0, arguments, id="c", type="function", name="find things"))
    rest = [beside, chunk(choice=1, finish="stop")]
    if together:
        beside["choices"] += called["choices"]
    else:
        rest.insert(0, called)
    source = [begun, chunk({"content": "far too long"}), *rest]
    policy = "limits: {max_chars: 4}\nrules: [{id: a, pattern: 'fin.{1,9}z'}]"
    stream = Guard(Policy.parse(policy)).wrap_sync(map(make, source))
    out = list(stream)
    assert accumulate(out) == {(0, "content"): "far ", (1, "content"): "okso"}
    assert finishes(out) == [(0, "length"), (1, "stop")]
    assert not calling(out)


def test_a_block_that_settles_at_the_finish_reason(make: Make) -> None:
    source = [make(chunk({"content": "it is forbidden"})), make(chunk(finish="stop"))]
    out = guarded(source)
    assert accumulate(out) == {(0, "content"): "it is "}
    assert finishes(out) == [(0, "content_filter")]


def test_log_probabilities_of_changed_text_do_not_leak(make: Make) -> None:
    def tokens(*texts: str) -> dict[str, Any]:
        items: list[dict[str, Any]] = [
            {"token": text, "logprob": -1.0, "bytes": None, "top_logprobs": []} for text in texts
        ]
        return {"content": items, "refusal": None}

    source = [chunk({"content": part}) for part in ("my ", "sec", "ret ", "is ")]
    for item, part in zip(source, ("my ", "sec", "ret ", "is "), strict=True):
        item["choices"][0]["logprobs"] = tokens(part)
        item["choices"][0]["token_ids"] = [1, 2]
    out = plain(guarded([make(item) for item in source]))
    kept = [item["choices"][0]["logprobs"] for item in out]
    assert kept == [tokens("my "), None, tokens("is ")]
    assert [item["choices"][0]["token_ids"] for item in out] == [[1, 2], None, [1, 2]]


def test_azure_streams_pass_with_their_filter_results(make: Make) -> None:
    first = whole([], prompt_filter_results=[{"prompt_index": 0}])
    first["object"] = ""
    second = chunk({"content": "plain "})
    second["choices"][0]["content_filter_results"] = {"hate": {"severity": "safe"}}
    source = [make(first), make(second)]
    assert guarded(source) == source


def test_typed_content_parts_are_guarded() -> None:
    def thinking(text: str) -> dict[str, Any]:
        part = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
        return chunk({"content": [part]})

    source = [
        thinking("my sec"),
        thinking("ret "),
        chunk({"content": [{"type": "text", "text": "a secret"}]}),
        chunk(finish="stop"),
    ]
    out = guarded(source)
    parts = [part for delta in deltas(out) for part in delta.get("content", [])]
    thoughts = "".join(part["thinking"][0]["text"] for part in parts if "thinking" in part)
    texts = "".join(part["text"] for part in parts if "text" in part)
    assert (thoughts, texts) == ("my ****** ", "a ******")


def test_summaries_of_parts_of_reasoning_are_guarded() -> None:
    def reasoning(text: str) -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": text, "signature": ""}]
        return chunk({"content": [{"type": "reasoning", "summary": summary}]})

    source = [reasoning("my sec"), reasoning("ret "), chunk({"content": "so"}, finish="stop")]
    out = guarded(source)
    parts = [part for delta in deltas(out) for part in delta["content"] if part != "so"]
    texts = [each["text"] for part in parts if isinstance(part, dict) for each in part["summary"]]
    assert "".join(texts) == "my ****** "


def test_held_parts_go_out_before_the_finish_reason() -> None:
    def parts(*parts: dict[str, Any]) -> dict[str, Any]:
        return chunk({"content": list(parts)})

    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "a sec"}]}
    text = {"type": "text", "text": "b sec", "signature": "c2ln"}
    out = guarded([parts(thinking, text, {"type": "text", "text": ""}), chunk(finish="stop")])
    assert deltas(out)[1:] == [
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "sec"}]}]},
        {"content": [{"type": "text", "text": "sec", "signature": None}]},
        {},
    ]


def test_a_stage_that_raises_blocks_wherever_it_does(make: Make) -> None:
    boom = make(chunk({"content": "boom"}))
    whole_boom = chunk({"executed_tools": ["boom"]})
    for source in ([boom], [whole_boom]):
        broken = broken_guard().wrap_sync(source)
        with pytest.raises(StageError):
            list(broken)
        assert broken.finish == "error"
    for last in (chunk(finish="stop"), whole([])):
        broken = broken_guard(finishes=False).wrap_sync([make(chunk({"content": "x"})), make(last)])
        assert plain([next(broken)]) == [chunk({"content": "x"})]
        with pytest.raises(StageError):
            list(broken)


def test_a_block_that_settles_at_the_source_s_end(make: Make) -> None:
    source = [make(chunk({"content": "it is forbidden"}))]
    out = guarded(source)
    assert accumulate(out) == {(0, "content"): "it is "}
    assert finishes(out) == [(0, "content_filter")]


@pytest.mark.anyio
async def test_an_asynchronous_stream_is_guarded_alike(make: Make) -> None:
    source = Source([make(item) for item in stream(["my sec", "ret", " sec"])])
    async with Guard(Policy.parse(POLICY)).wrap(source) as out:
        chunks = [item async for item in out]
    assert accumulate(chunks)[0, "content"] == "my ****** sec"
    assert (out.result.text, out.finish, source.closed) == ("my ****** sec", "stop", 1)


def test_reasoning_details_are_guarded_and_signatures_pass() -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0, **fields}]})

    source = [
        detail(text="my sec"),
        detail(text="ret"),
        detail(signature="c2ln"),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "ZGF0YQ=="}]}),
        chunk(finish="stop"),
    ]
    out = guarded(source)
    parts = [part for delta in deltas(out) for part in delta.get("reasoning_details", [])]
    assert "".join(part.get("text") or "" for part in parts) == "my ******"
    assert [part["signature"] for part in parts if part.get("signature")] == ["c2ln"]
    assert [part["data"] for part in parts if part.get("data")] == ["ZGF0YQ=="]


def test_a_provider_s_own_filter_is_no_block_of_ours(make: Make) -> None:
    source = [make(chunk({"content": "a secret "})), make(chunk(finish="content_filter"))]
    out = Guard(Policy.parse(POLICY)).wrap_sync(source, raise_on_block=True)
    assert finishes(list(out)) == [(0, "content_filter")]
    assert (out.finish, out.blocked_by) == ("content_filter", None)


def test_an_adapter_that_fails_at_the_end_blocks() -> None:
    class Broken(OpenAIChat):
        def extra(self, chunk: Any, slot: Any, text: str, released: Any) -> Any:  # noqa: ARG002
            raise LookupError

    out = Guard(Policy.parse(POLICY)).wrap_sync([chunk({"content": "sec"})], provider=Broken())
    with pytest.raises(AdapterError, match="LookupError"):
        list(out)
    assert out.finish == "error"


def test_an_error_event_fails_the_stream_and_drops_held_text() -> None:
    error = {"error": {"message": "overloaded"}}
    out = Guard(Policy.parse(POLICY)).wrap_sync([chunk({"content": "a sec"}), error, chunk({})])
    assert list(out) == [chunk({"content": "a "}), error, chunk({})]
    assert (out.finish, out.result.text) == ("error", "a ")


def test_what_follows_an_error_goes_on_guarded() -> None:
    body = events(chunk({"content": "a sec"}), {"error": {"message": "overloaded"}})
    body += events(chunk({"content": "a secret"}, finish="stop")) + b"data: [DONE]\n\n"
    assert in_any_cut(body) == body
    sent = in_any_cut(body, GUARD)
    assert not left_raw(sent.decode())
    assert sent.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("mark", [b"data: [DONE]\n\n", b""], ids=["marked", "bare"])
def test_an_end_that_the_provider_filters_is_marked_once(mark: bytes) -> None:
    body = events(chunk({"content": "so"}, finish="content_filter")) + mark
    assert in_any_cut(body) == body


def test_a_block_at_the_end_of_the_source_is_marked_once() -> None:
    guard = Guard(Policy.parse("rules: [{id: b, pattern: 'secret$', action: block}]"))
    sent = in_any_cut(events(chunk({"content": "a secret"})) + b"data: [DONE]\n\n", guard)
    assert sent.count(b"[DONE]") == 1
    assert sent.endswith(b"data: [DONE]\n\n")
    assert b"content_filter" in sent


def test_tool_results_and_errors_are_guarded_whole() -> None:
    tool = {"index": 0, "type": "search", "output": "a secret", "score": 0.5}
    source = [
        chunk({"executed_tools": [tool]}),
        {"error": {"message": "failed", "failed_generation": "my secret"}},
    ]
    out = guarded(source)
    assert out[0]["choices"][0]["delta"]["executed_tools"][0] == {**tool, "output": "a ******"}
    assert out[1] == {"error": {"message": "failed", "failed_generation": "my ******"}}
    assert guarded([chunk({"executed_tools": [{"output": "so forbidden"}]})])[-1] == chunk(
        finish="content_filter"
    )


def test_a_message_that_repeats_the_delta_is_guarded_with_it() -> None:
    source = [chunk({"content": part}) for part in ("my sec", "ret ", "is ")]
    for item in source:
        item["choices"][0]["message"] = dict(item["choices"][0]["delta"])
    out = guarded(source)
    for item in out:
        choice = item["choices"][0]
        assert choice["message"] == choice["delta"]
    assert accumulate(out)[0, "content"] == "my ****** is "


def test_a_message_that_differs_from_the_delta_is_guarded_alone() -> None:
    items = [chunk({"content": part}) for part in ("a se", "cret ", "ab ")]
    for item, message in zip(items, ("a se", "a secret ", "a secret ab "), strict=True):
        item["choices"][0]["message"] = {"content": message}
    out = plain(guarded(items))
    said = [item["choices"][0]["message"]["content"] for item in out]
    assert said == ["a ", "a ****** ", "a ****** ab "]


def test_metadata_passes(make: Make) -> None:
    item = chunk({"role": "assistant", "channel": "analysis"}, system_fingerprint="fp")
    item["choices"][0]["native_finish_reason"] = "done"
    source = [make({**item, "obfuscation": "x1", "provider": "p", "x_groq": {"id": "r"}})]
    assert guarded(source) == source


UNKNOWN = {
    "delta": chunk({"musings": "text"}),
    "nested delta": chunk({"audio": {"id": "", "lyrics": "text"}}),
    "choice": whole([{"index": 0, "delta": {}, "said": "text"}]),
    "chunk": {**chunk({"content": "x"}), "footnotes": ["text"]},
    "tool call": chunk({"tool_calls": [{"index": 0, "note": "text"}]}),
    "function": chunk({"tool_calls": [{"index": 0, "function": {"notes": {"q": "text"}}}]}),
    "part": chunk({"content": [{"type": "image", "caption": "text"}]}),
    "inner part": chunk({"content": [{"type": "thinking", "thinking": [{"note": "text"}]}]}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_fields_with_text_are_refused_unless_let_through(make: Make, name: str) -> None:
    source = [make(UNKNOWN[name])]
    with pytest.raises(AdapterError, match="is not known"):
        guarded(source, provider="openai_chat", unknown="refuse")
    assert guarded(source, provider=OpenAIChat(unknown="pass")) == source


def test_unknown_fields_without_text_pass(make: Make) -> None:
    source = [make(chunk({"graph": {"sources": None, "scores": [1.5, True]}, "musings": ""}))]
    assert guarded(source) == source


@pytest.mark.parametrize(
    "item",
    [
        chunk({"content": "x"}),
        model(chunk({"content": "x"})),
        SimpleNamespace(choices=[SimpleNamespace(index=0, delta=SimpleNamespace(content="x"))]),
        {"choices": [], "object": ""},
    ],
)
def test_chunks_are_detected(item: Any) -> None:
    assert isinstance(detect(item), OpenAIChat)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message_start"},
        {"choices": [{"index": 0, "text": "legacy"}], "object": "text_completion"},
        {"choices": [], "object": "text_completion"},
        {"choices": None},
        b"data: {}",
        5,
    ],
)
def test_other_chunks_are_not_taken_for_chat(item: Any) -> None:
    assert "openai_chat" not in formats_of(item)


def test_an_event_without_choices_in_a_stream_is_guarded() -> None:
    ping = {"type": "ping", "note": "a secret"}
    assert guarded([chunk({"content": "x "}), ping])[1] == {**ping, "note": "a ******"}
    with pytest.raises(AdapterError, match=r"\$\.note, \$\.type is not known"):
        guarded([chunk({"content": "x "}), ping], unknown="refuse")


@pytest.mark.parametrize(
    "broken",
    [
        {"choices": [5]},
        {"choices": [{"index": "0", "delta": {"content": 5}, "finish_reason": {}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": ["x"]}}]},
        {"choices": [{"index": {"a": 1}, "delta": {"content": "text"}}]},
    ],
)
def test_malformed_chunks_are_adapter_errors_or_pass_without_text(broken: dict[str, Any]) -> None:
    try:
        out = guarded([chunk({"content": "x "}), broken])
    except AdapterError:
        return
    assert out[1:] == [broken]


def test_attribute_objects_are_copied_not_changed() -> None:
    def make(text: str) -> Any:
        delta = SimpleNamespace(content=text, role=None)
        choice = SimpleNamespace(index=0, delta=delta, finish_reason=None)
        return SimpleNamespace(choices=[choice], model="m")

    source = [make("my sec"), make("ret ")]
    out = guarded(source)
    assert [item.choices[0].delta.content for item in out] == ["my ", "****** "]
    assert [item.choices[0].delta.content for item in source] == ["my sec", "ret "]


def test_what_is_spoken_is_guarded(make: Make) -> None:
    parts = [{"id": "a", "transcript": "my sec"}, {"transcript": "ret"}, {"data": "UklGRg=="}]
    out = guarded([*[make(chunk({"audio": part})) for part in parts], make(chunk(finish="stop"))])
    said = [(delta.get("audio") or {}) for delta in deltas(out)]
    assert "".join(part.get("transcript") or "" for part in said) == "my ******"
    assert [part["data"] for part in said if part.get("data")] == ["UklGRg=="]
    out = guarded([make(chunk({"audio": {"transcript": "a sec"}})), make(chunk(finish="stop"))])
    assert [delta.get("audio") for delta in deltas(out)] == [
        {"transcript": "a "},
        {"transcript": "sec"},
        None,
    ]


def test_citations_are_guarded_each_time_and_found_once(make: Make) -> None:
    cited: dict[str, Any] = {
        "citations": ["https://a", "a secret"],
        "search_results": [{"title": "the secret"}],
    }
    source = [make(chunk({"content": "a"}, **cited)), make(chunk({}, finish="stop", **cited))]
    stream_of = Guard(Policy.parse(POLICY)).wrap_sync(source)
    out = plain(list(stream_of))
    assert [item["citations"] for item in out] == [["https://a", "a ******"]] * 2
    assert [item["search_results"] for item in out] == [[{"title": "the ******"}]] * 2
    assert len(stream_of.findings) == 2
    out = plain(guarded([make(chunk({"content": "a sec"}, **cited)), make(chunk(finish="stop"))]))
    assert "secret" not in str(out)


def test_annotations_are_guarded(make: Make) -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "u", "title": "a secret"}}
    out = plain(guarded([make(chunk({"annotations": [cited]})), make(chunk(finish="stop"))]))
    found = out[0]["choices"][0]["delta"]["annotations"][0]["url_citation"]
    assert found == {"url": "u", "title": "a ******"}


def test_an_error_beside_the_choices_is_guarded(make: Make) -> None:
    error = {"code": 502, "message": "a secret failed"}
    source = [make(chunk({"content": "so"})), make(chunk({}, finish="error", error=error))]
    stream_of = Guard(Policy.parse(POLICY)).wrap_sync(source)
    assert plain(list(stream_of))[-1]["error"]["message"] == "a ****** failed"
    assert stream_of.finish == "error"


def test_azure_sends_no_choices_first_and_offsets_later(make: Make) -> None:
    filtered = {"hate": {"filtered": False, "severity": "safe"}}
    offsets = {"check_offset": 1, "start_offset": 1, "end_offset": 9}
    first = whole(
        [], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": filtered}]
    )
    first["object"] = ""
    later = {"index": 0, "content_filter_offsets": offsets, "content_filter_results": filtered}
    source = [
        make({**first, "model": ""}),
        make(chunk({"role": "assistant", "content": "a sec"})),
        make(whole([{**later, "finish_reason": None}])),
        make(chunk({"content": "ond"}, finish="stop")),
    ]
    out = plain(guarded(source))
    assert out[0] == plain(source)[0]
    choices = [choice for item in out[1:] for choice in item["choices"]]
    assert [(choice.get("delta") or {}).get("content") for choice in choices] == [
        "a ",
        None,
        "second",
    ]
    assert choices[1]["content_filter_offsets"] == offsets


def test_the_block_message_comes_behind_thinking_parts(make: Make) -> None:
    guard = Guard(Policy.parse(f"block_message: sorry\n{POLICY}"))
    part = {"type": "thinking", "thinking": [{"type": "text", "text": "forbidden x"}]}
    out = list(guard.wrap_sync([make(chunk({"content": [part]}))]))
    assert deltas(out)[-2:] == [{"content": "sorry"}, {}]
    assert finishes(out) == [(0, "content_filter")]


def test_log_probabilities_of_what_was_not_said_are_guarded(make: Make) -> None:
    def spelled(text: str, other: str) -> dict[str, Any]:
        item = chunk({"content": text})
        token = {"token": text, "logprob": -0.1, "bytes": None}
        tokens = [{**token, "top_logprobs": [{**token, "token": each}]} for each in (text, other)]
        item["choices"][0]["logprobs"] = {"content": tokens, "refusal": None}
        return item

    source = [make(spelled("a ", "the ")), make(spelled("word ", "secret")), make(chunk())]
    source.append(make(chunk(finish="stop")))
    stream_of = Guard(Policy.parse(POLICY)).wrap_sync(source)
    out = list(stream_of)
    assert out[0] is source[0]
    assert plain(out)[1]["choices"][0]["logprobs"] is None
    assert accumulate(out)[0, "content"] == "a word "
    assert (stream_of.findings, stream_of.finish) == ((), "stop")


def beside(text: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """A chunk whose choice says a text beside its delta."""
    choice = {"index": 0, "text": text, "delta": delta, "finish_reason": finish}
    return whole([choice])


@pytest.mark.parametrize("pieces", [("a sec", "ret is"), tuple("a secret is")])
@pytest.mark.parametrize("twice", [(True, True), (False, False), (True, False), (False, True)])
def test_a_text_beside_the_delta_is_the_delta_where_that_is_empty(
    pieces: Sequence[str], twice: tuple[bool, bool]
) -> None:
    source = [
        beside(piece, {"content": piece} if twice[at % 2] else {"content": None})
        for at, piece in enumerate(pieces)
    ]
    for end in (beside("", {}, "stop"), beside("", {"content": ""}, "stop")):
        stream = GUARD.wrap_sync([*source, end])
        choices = [event["choices"][0] for event in stream]
        assert "".join(choice["text"] for choice in choices) == "a ###### is"
        assert stream.result.text == "a ###### is"
        for choice in choices:
            assert (choice["delta"] or {}).get("content") in (None, "", choice["text"])


def test_what_is_held_of_a_text_beside_the_delta_comes_at_the_end() -> None:
    for delta in ({}, {"content": "a sec"}):
        stream = GUARD.wrap_sync([beside("a sec", delta), beside("", {}, "stop")])
        said = [event["choices"][0]["text"] for event in stream]
        assert said == ["a ", "sec", ""]


def test_a_text_that_differs_from_the_delta_is_not_known() -> None:
    source = [beside("a sec", {"content": "a "}), beside("ret", {"content": "b"})]
    stream = GUARD.wrap_sync(source)
    assert [event["choices"][0]["text"] for event in stream] == ["a sec", "[word]"]
    assert stream.findings[0].path == "$.choices[*].text"
    with pytest.raises(AdapterError, match="choices"):
        list(GUARD.wrap_sync(source, unknown="refuse"))


BLOCKING = Guard(
    Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
)


def _spelled(*tokens: str) -> dict[str, Any]:
    each = [{"token": token, "logprob": -0.5, "bytes": [*token.encode()]} for token in tokens]
    return {"content": each, "refusal": None}


def _spelled_out(source: list[dict[str, Any]]) -> str:
    """What comes out of a guard that masks `secret`."""
    return json.dumps(list(GUARD.wrap_sync(source)))


def test_tokens_of_a_text_that_came_before_are_judged_together() -> None:
    late = chunk({"content": ""})
    late["choices"][0]["logprobs"] = _spelled("a ", "sec", "ret", " so")
    out = _spelled_out([chunk({"content": "a secret so"}), late, chunk(finish="stop")])
    assert "sec" not in out
    assert "[115, 101, 99]" not in out
    late["choices"][0]["logprobs"] = _spelled("so ", "it ", "is")
    source = [chunk({"content": "so it is"}), late, chunk(finish="stop")]
    assert list(GUARD.wrap_sync(source)) == source


def _cerebras(piece: str) -> dict[str, Any]:
    made = chunk({"reasoning": piece, "tokens": [7 if piece in ("sec", "ret") else 5]})
    made["choices"][0]["reasoning_logprobs"] = _spelled(piece)
    return made


def _llama_cpp(piece: str) -> dict[str, Any]:
    again = {"content": piece, "tokens": [7 if piece in ("sec", "ret") else 5], "stop": False}
    return chunk({"content": piece}, __verbose=again)


@pytest.mark.parametrize("make", [_cerebras, _llama_cpp])
def test_token_ids_and_what_else_spells_out_the_text_go_where_it_changes(make: Any) -> None:
    source = [*map(make, ("a ", "sec", "ret", " so")), chunk(finish="stop")]
    out = _spelled_out(source)
    assert "sec" not in out
    assert "[7]" not in out
    assert "[5]" in out
    source = [*map(make, ("a ", "for", "bidden ")), chunk(finish="stop")]
    out = json.dumps(list(BLOCKING.wrap_sync(source)))
    assert "bidden" not in out
    assert "no" in out


def test_the_id_and_the_alternatives_of_a_token_go_where_the_text_changes() -> None:
    def said(piece: str, token: int) -> dict[str, Any]:
        made = chunk({"content": piece, "token_id": token})
        made["choices"][0]["top_logprobs"] = {piece: -0.1, "other": -2.0}
        return made

    source = [said("a ", 5), said("sec", 6), said("ret is", 7), said(" so", 8)]
    out = list(GUARD.wrap_sync(source))
    assert [item["choices"][0]["delta"]["token_id"] for item in out] == [5, None, 8]
    tops = [item["choices"][0]["top_logprobs"] for item in out]
    assert tops == [{"a ": -0.1, "other": -2.0}, None, {" so": -0.1, "other": -2.0}]


def test_a_raw_output_goes_where_it_has_what_a_rule_finds() -> None:
    def said(*tokens: str) -> list[dict[str, Any]]:
        last = chunk(finish="stop")
        raw = {"completion": "".join(tokens), "completion_token_ids": [7], "prompt_fragments": []}
        last["choices"][0]["raw_output"] = raw
        return [*(chunk({"content": token}) for token in tokens), last]

    assert list(GUARD.wrap_sync(said("so ", "it"))) == said("so ", "it")
    out = _spelled_out(said("a ", "sec", "ret", " so"))
    assert "sec" not in out
    assert "[7]" not in out


def test_groqs_debugging_tokens_go_where_they_spell_out_what_a_rule_finds() -> None:
    def said(*tokens: str) -> list[dict[str, Any]]:
        debug = {"output_tokens": list(tokens), "output_token_ids": [7]}
        last = chunk(finish="stop", x_groq={"id": "req_1", "debug": debug})
        return [*(chunk({"content": token}) for token in tokens), last]

    assert list(GUARD.wrap_sync(said("so ", "it"))) == said("so ", "it")
    for tokens in (("a ", "sec", "ret", " so"), ("a ", "sec", "ret")):
        out = _spelled_out(said(*tokens))
        assert "sec" not in out
        assert "[7]" not in out
    for guard in (GUARD, BLOCKING):
        out = json.dumps(list(guard.wrap_sync(said("a ", "for", "bidden"))))
        assert "bidden" not in out
        assert "[7]" not in out


def test_chunks_of_the_guards_own_have_no_usage_and_no_citations() -> None:
    """Mistral's clients refuse a field without its value."""
    last = chunk({"content": "so forbidden"}, finish="stop")
    source = [chunk({"content": "a "}), {**last, "usage": {"total_tokens": 7}, "citations": ["a"]}]
    out = guarded(source)
    assert finishes(out) == [(0, "content_filter")]
    assert out[-1].keys() == source[0].keys()


def test_reasoning_may_be_an_object() -> None:
    """As in the chunks of any-llm."""
    for pieces in cuttings("so a secret."):
        chunks = [chunk({"reasoning": {"content": piece}}) for piece in pieces]
        sent = guarded(chunks)
        said = [each["choices"][0]["delta"]["reasoning"]["content"] for each in plain(sent)]
        assert "".join(said) == "so a ******."
        assert not left_raw(sent)


def test_a_token_beside_the_choices_repeats_the_text() -> None:
    """As in completions of Together, whose choices have a delta, too."""
    for pieces in cuttings("so a secret."):
        sent = guarded(
            [
                {**chunk({"content": piece}), "token": {"id": 7, "text": piece, "logprob": -0.5}}
                for piece in pieces
            ]
        )
        assert "".join(each.get("content", "") for each in deltas(sent)) == "so a ******."
        assert not left_raw(sent)
        kept = [each["token"]["text"] for each in plain(sent) if each["token"]]
        assert all(piece in "so a ******." for piece in kept)
