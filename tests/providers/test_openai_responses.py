"""Responses API streams: all text is guarded wherever it is repeated, and ends are well-formed."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import anyio
import pytest

from guardstream import AdapterError, extract
from guardstream.providers import OpenAIResponses, detect
from tests.providers.promises import (
    GUARD,
    guarded_bytes,
    has_word,
    passes_on_the_wire,
    passes_unchanged,
    plain,
)
from tests.providers.responses import (
    SEARCH,
    USAGE,
    call,
    final,
    guarded,
    model,
    said,
    stream,
    text,
    thinking,
    types,
    whole,
)
from tests.providers.served import sse
from tests.support.chunking import one_by_one, random_split

Make = Callable[[dict[str, Any]], Any]

RESULTS = {
    "id": "fs_1",
    "type": "file_search_call",
    "status": "completed",
    "queries": ["where is the secret"],
    "results": [{"file_id": "f", "filename": "a.txt", "score": 0.5, "text": "the secret is here"}],
}


@pytest.fixture(params=[pytest.param(copy.deepcopy, id="dict"), pytest.param(model, id="object")])
def make(request: pytest.FixtureRequest) -> Make:
    """Events as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def test_what_no_rule_touches_passes_as_it_is(make: Make) -> None:
    source = stream(
        thinking("hm", "m"), call("find", '{"q"', ": 1}"), whole(SEARCH), text("a ", "b")
    )
    passes_unchanged([make(event) for event in source])
    passes_on_the_wire(sse(source, named=True))


def test_the_adapter_is_found_by_the_first_event(make: Make) -> None:
    assert isinstance(detect(make(stream(text("a"))[0])), OpenAIResponses)


@pytest.mark.parametrize("cut", ["whole", "letters", "random"])
def test_text_is_masked_wherever_it_stands(make: Make, cut: str) -> None:
    answer, thought = "so the secret, a secret", "think: secret!"
    arguments = '{"q": "a secret", "n": [1, "secret"]}'
    random = Random(7)
    ways: dict[str, Callable[[str], list[str]]] = {
        "whole": lambda value: [value],
        "letters": one_by_one,
        "random": lambda value: random_split(value, random),
    }
    parts = ways[cut]
    source = stream(
        thinking(*parts(thought)), call("find", *parts(arguments)), text(*parts(answer))
    )
    stream_of = GUARD.wrap_sync([make(event) for event in source])
    out = list(stream_of)
    assert said(out) == GUARD.check(answer).text == "so the ******, a ******"
    assert said(out, "response.reasoning_summary_text") == GUARD.check(thought).text
    guarded_arguments = GUARD.check(arguments, "tool_args").text
    assert said(out, "response.function_call_arguments") == guarded_arguments
    assert not any(has_word("secret", event) for event in out)
    assert [finding.channel for finding in stream_of.findings] == [
        "thinking",
        *["tool_args"] * 2,
        *["text"] * 2,
    ]
    items = final(out)["output"]
    assert items[0]["summary"][0]["text"] == GUARD.check(thought).text
    assert items[1]["arguments"] == guarded_arguments
    assert items[2]["content"][0]["text"] == "so the ******, a ******"


def test_the_result_has_calls_usage_and_channels(make: Make) -> None:
    source = stream(thinking("a secret"), call("find", '{"q": "secret"}'), text("so"))
    stream_of = GUARD.wrap_sync([make(event) for event in source])
    list(stream_of)
    result = stream_of.result
    (found,) = result.tool_calls
    assert (found.name, found.id, found.complete) == ("find", "call_fc_1", True)
    assert found.parse() == {"q": "******"}
    assert result.channels == {
        (0, "text"): "so",
        (0, "thinking"): "a ******",
        (0, "tool_args"): '{"q": "******"}',
    }
    assert plain(result.usage)["total_tokens"] == USAGE["total_tokens"]
    assert result.finish == "tool_calls"


def test_held_text_comes_before_the_end_of_its_part(make: Make) -> None:
    out = guarded(stream(text("a sec", "ond")), make)
    at = types(out).index("output_text.done")
    assert plain(out[at - 1])["delta"] == "second"
    assert plain(out[at])["text"] == "a second"
    out = guarded(stream(text("a sec")), make)
    at = types(out).index("output_text.done")
    assert [plain(event)["delta"] for event in out[at - 2 : at]] == ["a ", "sec"]
    assert out[at] == make(stream(text("a sec"))[5])


def with_late_thinking(*messages: Any) -> list[Any]:
    """A stream in which the end of the thinking comes after that of the first message."""
    events = stream(thinking("hm"), *messages)
    ends = [
        each
        for each in events
        if each.get("output_index") == 0 and str(each["type"]).endswith("done")
    ]
    rest = [each for each in events if each not in ends]
    over = [each["type"].endswith("item.done") and each.get("output_index") == 1 for each in rest]
    at = over.index(True) + 1
    return [*rest[:at], *ends, *rest[at:]]


def test_held_text_comes_before_the_end_of_its_part_though_another_ends_later(make: Make) -> None:
    source = with_late_thinking(text("a sec"))
    out = guarded(source, make)
    at = types(out).index("output_text.done")
    assert [plain(event)["delta"] for event in out[at - 2 : at]] == ["a ", "sec"]
    assert [plain(each) for each in out[at:]] == [
        plain(make(each)) for each in source[-len(out[at:]) :]
    ]


def test_a_word_over_two_messages_is_masked_though_another_item_ends_between(make: Make) -> None:
    out = guarded(with_late_thinking(text("my sec", item="a"), text("ret", item="b")), make)
    assert said(out) == "my sec******"


def test_a_word_is_masked_over_two_messages(make: Make) -> None:
    source = stream(text("my sec", item="a"), text("ret", item="b"), text("!", item="c"))
    out = guarded(source, make)
    assert said(out) == "my ******!"
    assert "".join(item["content"][0]["text"] for item in final(out)["output"]) == "my ******!"
    assert not any(has_word("sec", event) or has_word("ret", event) for event in out)
    assert types(out).count("output_item.done") == 3


def test_another_end_of_a_message_leaves_the_next_one_as_it_is(make: Make) -> None:
    source = stream(text("my sec", item="a"), text("", "ond", item="b"))
    end = next(each for each in source if each["type"].endswith("content_part.done"))
    at = source.index(next(each for each in source if each.get("delta") == "ond"))
    out = guarded([*source[:at], end, *source[at:]], make)
    repeated = [plain(each)["text"] for each in out if types([each]) == ["output_text.done"]]
    assert "".join(repeated) == said(out) == "my second"


def test_text_after_the_end_of_its_part_stays_in_it(make: Make) -> None:
    for item in (text("a sec", item="a"), call("find", "sec")):
        source = stream(item)
        at = next(n for n, each in enumerate(source) if each["type"].endswith("delta"))
        over = next(
            each for each in source if each["type"].endswith(("text.done", "arguments.done"))
        )
        source.insert(at, {**over, "text" if "text" in over else "arguments": ""})
        assert types(guarded(source, make)).count("output_item.done") == 1


def test_held_text_stays_in_its_message_before_one_without_text(make: Make) -> None:
    for after in ((), ("",)):
        source = stream(text("a sec", item="a"), text(*after, item="b"))
        out = guarded(source, make)
        repeated = [plain(each)["text"] for each in out if types([each]) == ["output_text.done"]]
        assert repeated == ["a sec", ""]
        assert [item["content"][0]["text"] for item in final(out)["output"]] == repeated
        at = types(out).index("output_text.done")
        assert said(out[:at]) == said(out) == "a sec"


def test_a_word_is_masked_over_a_message_without_text(make: Make) -> None:
    out = guarded(stream(text("a sec", item="a"), text(item="b"), text("ret", item="c")), make)
    assert said(out) == "a ******"
    assert [item["content"][0]["text"] for item in final(out)["output"]] == ["a ", "", "******"]


def test_the_end_of_a_part_waits_though_another_part_ends_with_its_item(make: Make) -> None:
    source = stream(text("a ", item="a"))
    first, second = copy.deepcopy(source[3:5]), copy.deepcopy(source[3:7])
    second[1]["delta"] = second[2]["text"] = second[3]["part"]["text"] = "sec"
    for event in second:
        event["content_index"] = 1
    parts = source[7]["item"]["content"]
    source[7]["item"]["content"] = [*parts, {**parts[0], "text": "sec"}]
    out = guarded([*source[:3], *first, *second, source[7], response_of(source)], make)
    at = types(out).index("output_text.done")
    assert (plain(out[at - 1])["delta"], plain(out[at])["text"]) == ("sec", "sec")


def response_of(source: list[dict[str, Any]]) -> dict[str, Any]:
    """The last event of a stream of one message, with its item as it is now."""
    last = copy.deepcopy(source[-1])
    last["response"]["output"] = [source[-2]["item"]]
    return last


def test_text_after_the_end_of_its_message_stays_in_it(make: Make) -> None:
    source = stream(text("a ", item="a"))
    late = next(each for each in source if types([each]) == ["output_text.delta"])
    at = types(source).index("output_item.done") + 1
    out = guarded([*source[:at], {**late, "delta": "sec"}, *source[at:]], make)
    assert types(out) == types([*source[:at], late, *source[at:]])
    assert said(out) == "a sec"


def test_held_text_of_a_part_that_nothing_announced_stays_in_it(make: Make) -> None:
    source = [each for each in stream(text("sec")) if types([each]) != ["content_part.added"]]
    assert types(guarded(source, make)) == types(source)


def test_messages_that_alternate_keep_their_texts(make: Make) -> None:
    source = stream(text("x ", item="a"), text("y sec", item="b"))
    late, end = {**source[4], "delta": "ond"}, {**source[5], "text": "x ond"}
    out = guarded([*source[:5], *source[8:11], late, end, *source[11:]], make)
    repeated = [plain(each)["text"] for each in out if types([each]) == ["output_text.done"]]
    assert repeated == ["x second", "y "]


def test_a_tool_between_two_messages_parts_them(make: Make) -> None:
    source = stream(text("my sec", item="a"), whole(SEARCH), text("ret", item="b"))
    out = guarded(source, make)
    assert said(out) == "my secret"
    assert types(out).index("output_item.done") < types(out).index("output_item.added", 5)


def test_what_tools_say_is_guarded_once_and_everywhere(make: Make) -> None:
    stream_of = GUARD.wrap_sync([make(event) for event in stream(whole(SEARCH), whole(RESULTS))])
    out = list(stream_of)
    assert not any(has_word("secret", event) for event in out)
    assert len(stream_of.findings) == 3
    assert final(out)["output"][1]["results"][0]["text"] == "the ****** is here"
    assert final(out)["output"][1]["results"][0]["file_id"] == "f"


def test_annotations_hold_nothing_raw_and_are_found_once(make: Make) -> None:
    source = stream(text("so it is"))
    cited: dict[str, Any] = {"type": "url_citation", "title": "a secret", "url": "u"}
    cited |= {"start_index": 0, "end_index": 1}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "annotation_index": 0}
    source.insert(5, {"type": "response.output_text.annotation.added", **at, "annotation": cited})
    source[-1]["response"]["output"][0]["content"][0]["annotations"] = [cited]
    stream_of = GUARD.wrap_sync([make(event) for event in source])
    out = [plain(event) for event in stream_of]
    assert not any(has_word("secret", event) for event in out)
    assert len(stream_of.findings) == 1
    assert out[-1]["response"]["output"][0]["content"][0]["annotations"][0]["title"] == "a ******"


def test_log_probabilities_are_left_out_where_they_say_more(make: Make) -> None:
    def spelled(token: str, other: str = "x") -> dict[str, Any]:
        likely = [{"token": other, "logprob": -2.0, "bytes": []}]
        return {"token": token, "logprob": -0.1, "bytes": [], "top_logprobs": likely}

    source = stream(text("so ", "the secret", " is", " it"))
    tokens = [spelled("so "), spelled("the secret"), spelled(" is", "secret"), spelled(" it")]
    for event, token in zip(source[4:8], tokens, strict=True):
        event["logprobs"] = [token]
    source[8]["logprobs"] = tokens
    source[-1]["response"]["output"][0]["content"][0]["logprobs"] = tokens
    out = [plain(event) for event in GUARD.wrap_sync([make(event) for event in source])]
    assert not any(has_word("secret", event) for event in out)
    deltas = [event for event in out if event["type"] == "response.output_text.delta"]
    assert [len(event["logprobs"]) for event in deltas] == [1, 0, 0, 1]
    assert "".join(event["delta"] for event in deltas) == "so the ****** is it"


def test_what_the_request_said_neither_leaks_nor_ends_the_stream(make: Make) -> None:
    source = stream(text("so"))
    tool = {"type": "function", "name": "find", "parameters": {"secret": {"type": "string"}}}
    source[0]["response"] |= {"instructions": "never say secret", "user": "me", "tools": [tool]}
    source[1]["response"] |= {"instructions": "a forbidden word", "metadata": {"forbidden": "x"}}
    out = guarded(source, make)
    first, second = (plain(event)["response"] for event in out[:2])
    assert (first["instructions"], first["user"]) == ("", "me")
    assert [(each["name"], each["parameters"]) for each in first["tools"]] == [("find", {})]
    assert (second["instructions"], second["metadata"]) == ("", {})
    assert plain(out[-1])["type"] == "response.completed"


def test_what_the_request_said_does_not_leak_when_it_is_said_again(make: Make) -> None:
    source = stream(text("so"))
    for event, part in zip((source[0], source[1], source[-1]), ("sec", "ret", "ret"), strict=True):
        event["response"]["instructions"] = part
    out = [plain(event) for event in guarded(source, make)]
    shown = [each["response"]["instructions"] for each in out if "response" in each]
    assert "".join(shown) == "sec"


def test_an_unknown_event_is_refused_and_passed_if_asked() -> None:
    source = stream(text("so"))
    source.insert(2, {"type": "response.dream.delta", "delta": "secret", "sequence_number": 2})
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync([dict(event) for event in source], unknown="refuse"))
    out = list(GUARD.wrap_sync([dict(event) for event in source], unknown="pass"))
    assert out == source


def test_an_unknown_field_with_text_is_refused(make: Make) -> None:
    source = stream(text("so"))
    source[4] |= {"dream": "secret"}
    with pytest.raises(AdapterError, match="is not known"):
        guarded(source, make, unknown="refuse")
    source = stream(whole({**SEARCH, "answer": "secret"}))
    with pytest.raises(AdapterError, match="is not known"):
        guarded(source, make, unknown="refuse")


def test_a_snapshot_of_text_that_was_not_streamed_is_guarded_alone(make: Make) -> None:
    source = stream(text("a secret"))
    del source[4]  # the delta
    out = guarded(source, make)
    assert not any(has_word("secret", event) for event in out)
    assert final(out)["output"][0]["content"][0]["text"] == "a ******"


every_tool = pytest.mark.parametrize(
    ("item", "name", "field"),
    [
        ("mcp_call", "mcp_call_arguments", "arguments"),
        ("custom_tool_call", "custom_tool_call_input", "input"),
        ("code_interpreter_call", "code_interpreter_call_code", "code"),
    ],
)


@every_tool
def test_the_input_of_every_tool_is_guarded(make: Make, item: str, name: str, field: str) -> None:
    ids = {"id": "x", "type": item, "call_id": "c", "name": "n", "status": "in_progress"}
    kind = f"response.{name}"
    at = {"item_id": "x"}
    between = [
        {"type": f"{kind}.delta", **at, "delta": "my sec"},
        {"type": f"{kind}.delta", **at, "delta": "ret forbid"},
        {"type": f"{kind}.done", **at, field: "my secret forbid"},
    ]
    done = {**ids, field: "my secret forbid"}
    out = guarded(stream(({**ids, field: ""}, between, done)), make)
    assert said(out, kind) == "my ****** forbid"
    assert final(out)["output"][0][field] == "my ****** forbid"
    between[1]["delta"] = "ret forbidden"
    out = guarded(stream(({**ids, field: ""}, between, done)), make)
    assert types(out)[-3:] == [f"{name}.done", "output_item.done", "incomplete"]
    assert final(out)["output"][0][field] == "my ****** "


@every_tool
@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("pieces", [["sec"], ["s", "ec"]])
def test_an_input_that_is_held_to_its_end_goes_out_before_it(
    make: Make, pieces: list[str], announced: bool, item: str, name: str, field: str
) -> None:
    ids = {"id": "x", "type": item, "call_id": "c", "name": "n", "status": "in_progress"}
    kind = f"response.{name}"
    between: list[Any] = [
        {"type": f"{kind}.delta", "item_id": "x", "delta": piece} for piece in pieces
    ]
    between.append({"type": f"{kind}.done", "item_id": "x", field: "sec"})
    source = stream(({**ids, field: ""}, between, {**ids, field: "sec"}))
    source = [e for e in source if announced or e["type"] != "response.output_item.added"]
    out = guarded(source, make)
    assert said(out, kind) == "sec"
    assert types(out)[-4:] == [f"{name}.delta", f"{name}.done", "output_item.done", "completed"]
    assert final(out)["output"][0][field] == "sec"


@pytest.mark.parametrize("left_out", ["part.added", "text.done"])
def test_reasoning_without_some_of_its_events_is_guarded(make: Make, left_out: str) -> None:
    begun, between, done = thinking("sec", "ret")
    between = [event for event in between if not event["type"].endswith(left_out)]
    out = guarded(stream((begun, between, done)), make)
    assert said(out, "response.reasoning_summary_text") == "******"
    assert final(out)["output"][0]["summary"][0]["text"] == "******"


def test_commands_and_what_they_print_are_guarded(make: Make) -> None:
    at = {"command_index": 0}
    ids = {"id": "sh", "type": "shell_call", "call_id": "c", "status": "in_progress"}
    kind = "response.shell_call_command"
    between = [
        {"type": f"{kind}.added", **at, "command": ""},
        {"type": f"{kind}.delta", **at, "delta": "cat sec"},
        {"type": f"{kind}.delta", **at, "delta": "ret"},
        {"type": f"{kind}.done", **at, "command": "cat secret"},
    ]
    shell = (
        {**ids, "action": {"commands": []}},
        between,
        {**ids, "action": {"commands": ["cat secret"]}},
    )
    printed = {"stdout": "a secret", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
    ids = {"id": "so", "type": "shell_call_output", "call_id": "c", "status": "in_progress"}
    name = "response.shell_call_output_content"
    output = (
        {**ids, "output": []},
        [
            {"type": f"{name}.delta", "item_id": "so", **at, "delta": {"stdout": "a sec"}},
            {"type": f"{name}.delta", "item_id": "so", **at, "delta": {"stdout": "ret"}},
            {"type": f"{name}.done", "item_id": "so", **at, "output": [printed]},
        ],
        {**ids, "output": [printed]},
    )
    stream_of = GUARD.wrap_sync([make(event) for event in stream(shell, output)])
    out = list(stream_of)
    assert not any(has_word("secret", event) for event in out)
    assert final(out)["output"][0]["action"]["commands"] == ["cat ******"]
    assert final(out)["output"][1]["output"][0]["stdout"] == "a ******"
    assert [(c.name, c.id, c.arguments) for c in stream_of.result.tool_calls] == [
        ("shell", "c", "cat ******")
    ]


def test_it_is_extracted_from() -> None:
    source = stream(call("other", "[0]", item="a"), call("find", '[1, "sec', 'ret"]', item="b"))

    async def play() -> AsyncIterator[Any]:
        for event in source:
            yield event

    async def values() -> list[Any]:
        items: AsyncIterator[Any] = extract.items(GUARD.wrap(play()), "item", tool="find")
        return [item async for item in items]

    assert anyio.run(values) == [1, "******"]


def test_a_body_is_masked_alike_in_any_cut() -> None:
    source = stream(
        thinking("a sec", "ret"), call("find", '{"q": "sec', 'ret"}'), text("my secret")
    )
    out = guarded_bytes(sse(source, named=True))
    assert not has_word("secret", out)
    assert '"text":"my ******"' in out


def test_a_refusal_is_guarded_in_its_own_channel(make: Make) -> None:
    at = {"item_id": "m", "content_index": 0}
    part = {"type": "refusal", "refusal": "no secret"}
    between = [
        {"type": "response.content_part.added", **at, "part": {**part, "refusal": ""}},
        {"type": "response.refusal.delta", **at, "delta": "no sec"},
        {"type": "response.refusal.delta", **at, "delta": "ret"},
        {"type": "response.refusal.done", **at, "refusal": "no secret"},
        {"type": "response.content_part.done", **at, "part": part},
    ]
    begun = {"id": "m", "type": "message", "role": "assistant", "status": "in_progress"}
    item = ({**begun, "content": []}, between, {**begun, "content": [part]})
    stream_of = GUARD.wrap_sync([make(event) for event in stream(item)])
    out = list(stream_of)
    assert stream_of.result.refusal == "no ******"
    assert not any(has_word("secret", event) for event in out)
    between[2]["delta"] = "ret forbidden "
    out = guarded(stream(item), make)
    assert final(out)["output"][0]["content"] == [{**part, "refusal": "no ****** "}]


def test_what_is_spoken_is_guarded(make: Make) -> None:
    kind = "response.audio.transcript"
    source = stream(text("so"))
    source[2:2] = [
        {"type": f"{kind}.delta", "delta": "my sec", "sequence_number": 2},
        {"type": f"{kind}.delta", "delta": "ond sec", "sequence_number": 2},
        {"type": f"{kind}.done", "sequence_number": 2},
    ]
    out = guarded(source, make)
    assert said(out, kind) == "my second sec"
    assert types(out).index("audio.transcript.done") == 5


def test_an_approval_is_a_call_with_its_arguments(make: Make) -> None:
    asked = {"id": "mcpr", "type": "mcp_approval_request", "name": "send", "server_label": "s"}
    stream_of = GUARD.wrap_sync(
        [make(event) for event in stream(whole({**asked, "arguments": '{"q":"secret"}'}))]
    )
    out = list(stream_of)
    (found,) = stream_of.result.tool_calls
    assert (found.name, found.id, found.complete) == ("send", "mcpr", True)
    assert found.parse() == {"q": "******"}
    assert not any(has_word("secret", event) for event in out)
    assert len(stream_of.findings) == 1


def test_items_that_have_the_same_id_are_told_apart_by_their_places(make: Make) -> None:
    """As frameworks say it that make these events of a model which has no such ids."""
    source = stream(
        text("a sec", "ret", item="same"),
        call("find", '{"q": "a ', 'secret"}', item="same"),
        call("look", '{"q": "no"}', item="same"),
    )
    stopped = GUARD.wrap_sync([make(event) for event in source])
    out = list(stopped)
    assert not any(has_word("secret", event) for event in out)
    assert stopped.result.text == said(out)
    assert len(stopped.findings) == 2
    assert [item["type"] for item in final(out)["output"]] == ["message", *["function_call"] * 2]
