"""Whole answers: the same text, findings and finish as their streams, in the API's own shape."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.http.body import guard_body
from tests.providers import messages, responses
from tests.providers.chunks import call, chunk
from tests.providers.promises import EMPTY, GUARD, POLICY, Event, has_word
from tests.support.optional import optional

Message = optional("anthropic.types", "Message")
Completion = optional("openai.types", "Completion")
ChatCompletion = optional("openai.types.chat", "ChatCompletion")
Response = optional("openai.types.responses", "Response")

REFUSING = Guard(Policy.parse("unknown: refuse"))

FORMATS = ["openai_chat", "openai_responses", "anthropic"]

MODELS: dict[str, Any] = {
    "openai_chat": ChatCompletion,
    "openai_completions": Completion,
    "openai_responses": Response,
    "anthropic": Message,
}

JSON = '{"q":"%s"}'


def chat(thinking: str, text: str, arguments: str) -> tuple[list[Event], Event]:
    """The stream of a chat completion, and the completion."""
    source = [chunk({"role": "assistant", "content": ""})]
    source += [chunk({"reasoning": part}) for part in thinking]
    source += [chunk({"content": part}) for part in text]
    message: Event = {"role": "assistant", "content": text, "refusal": None}
    message |= {"reasoning": thinking} if thinking else {}
    if arguments:
        source.append(chunk(call(0, "", id="c", type="function", name="find")))
        source += [chunk(call(0, part)) for part in arguments]
        function = {"name": "find", "arguments": arguments}
        message["tool_calls"] = [{"id": "c", "type": "function", "function": function}]
    finish = "tool_calls" if arguments else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m"}
    return [*source, chunk(finish=finish)], {**body, "choices": [choice], "usage": None}


def response(thinking: str, text: str, arguments: str) -> tuple[list[Event], Event]:
    items = [responses.thinking(*thinking)] if thinking else []
    items += [responses.text(*text)] if text else []
    items += [responses.call("find", *arguments)] if arguments else []
    source = responses.stream(*items)
    return source, source[-1]["response"]


def message(thinking: str, text: str, arguments: str) -> tuple[list[Event], Event]:
    blocks = [messages.thinking(*thinking)] if thinking else []
    blocks += [messages.text(*text)] if text else []
    blocks += [messages.tool("find", *arguments)] if arguments else []
    stop = "tool_use" if arguments else "end_turn"
    content: list[Event] = []
    content += [{"type": "thinking", "thinking": thinking, "signature": "s"}] if thinking else []
    content += [{"type": "text", "text": text}] if text else []
    if arguments:
        value = {"q": arguments.removeprefix('{"q":"').removesuffix('"}')}
        content.append({"type": "tool_use", "id": "toolu_find", "name": "find", "input": value})
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    usage = {"input_tokens": 5, "output_tokens": 9}
    rest = {"content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}
    return messages.message(*blocks, stop=stop), {**body, **rest}


ANSWERS: dict[str, Callable[[str, str, str], tuple[list[Event], Event]]] = {
    "openai_chat": chat,
    "openai_responses": response,
    "anthropic": message,
}


def checked(provider: str, body: Event, guard: Guard = GUARD) -> tuple[Event, Any]:
    """The guarded body, which the SDK's class accepts."""
    before = copy.deepcopy(body)
    guarded, result = guard_body(guard, provider, body)
    assert body == before
    MODELS[provider].model_validate(guarded)
    return guarded, result


@pytest.mark.parametrize("provider", FORMATS)
def test_a_body_that_nothing_changes_is_returned_as_it_is(provider: str) -> None:
    _, body = ANSWERS[provider]("hm", "so it is", JSON % "x")
    guarded, result = checked(provider, body)
    assert guarded is body
    assert guard_body(EMPTY, provider, body)[0] is body
    assert result.finish == "tool_calls"


CASES: Sequence[tuple[str, str, str]] = [
    ("a secret", "so the secret, a secret", JSON % "my secret"),
    ("", "a sec", ""),
    ("", "so forbidden, unread", ""),
    ("hm", "so it is", JSON % "forbidden thing"),
    ("so forbidden thing", "unread secret", JSON % "unread"),
    ("", "that is enough, unread", ""),
    ("", "forbidden", ""),
    ("", "enough", ""),
]


@pytest.mark.parametrize("provider", FORMATS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("extra", ["", "block_message: sorry\n", "limits: {max_chars: 7}\n"])
def test_a_body_says_what_its_stream_says(
    provider: str, case: tuple[str, str, str], extra: str
) -> None:
    guard = Guard(Policy.parse(extra + POLICY))
    source, body = ANSWERS[provider](*case)
    guarded, result = checked(provider, body, guard)
    stream = guard.wrap_sync(source)
    list(stream)
    assert result.text == stream.result.text
    assert result.thinking == stream.result.thinking
    assert [(f.rule, f.channel, f.start) for f in result.findings] == [
        (f.rule, f.channel, f.start) for f in stream.findings
    ]
    assert result.finish == stream.finish
    names = [(found.name, found.arguments) for found in result.tool_calls]
    if provider != "anthropic":  # whose arguments are written anew from a value
        assert names == [(found.name, found.arguments) for found in stream.result.tool_calls] or (
            result.finish != "tool_calls"
        )
    for word in ("secret", "forbidden", "enough", "unread"):
        assert not has_word(word, guarded)
    assert text_of(provider, guarded) == result.text


def text_of(provider: str, body: Event) -> str:
    if provider == "openai_chat":
        return str(body["choices"][0]["message"]["content"])
    if provider == "anthropic":
        return "".join(block["text"] for block in body["content"] if block["type"] == "text")
    return Response.model_validate(body).output_text


def test_a_blocked_chat_completion_ends_with_content_filter() -> None:
    _, body = chat("", "so forbidden, unread", JSON % "x")
    guarded, result = checked("openai_chat", body)
    choice = guarded["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] == "so "
    assert choice["message"]["tool_calls"] is None, "a call that was never reached is not made"
    assert result.finish == "content_filter"


def test_a_blocked_response_is_incomplete() -> None:
    _, body = response("hm", "so forbidden", JSON % "x")
    guarded, _ = checked("openai_responses", body)
    assert guarded["status"] == "incomplete"
    assert guarded["incomplete_details"] == {"reason": "content_filter"}
    assert [item["type"] for item in guarded["output"]] == ["reasoning", "message"]


@pytest.mark.parametrize("word", ["forbidden", "enough"])
@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("function_call", {"name": "find", "arguments": "so WORD"}, "incomplete"),
        ("shell_call", {"action": {"commands": ["remove WORD"]}}, "incomplete"),
        (
            "apply_patch_call",
            {"operation": {"type": "create_file", "path": "a", "diff": "+ WORD"}},
            "in_progress",
        ),
    ],
)
def test_a_call_of_a_response_that_is_cut_is_not_completed(
    kind: str, fields: Event, status: str, word: str
) -> None:
    item = {"id": "i", "type": kind, "call_id": "c", "status": "completed"}
    written = json.dumps({**item, **fields})
    made = [json.loads(written.replace("WORD", each)) for each in ("a", word)]
    _, body = response("", "so", "")
    guarded, _ = checked("openai_responses", {**body, "output": made})
    assert [each["status"] for each in guarded["output"]] == ["completed", status]
    said = responses.text(word)[2]
    guarded, _ = checked("openai_responses", {**body, "output": [made[0], said]})
    assert guarded["output"] == made[:1]


def test_a_blocked_message_is_a_refusal() -> None:
    _, body = message("hm", "so forbidden", JSON % "x")
    guarded, _ = checked("anthropic", body)
    assert guarded["stop_reason"] == "refusal"
    assert [block["type"] for block in guarded["content"]] == ["thinking", "text"]


def test_a_limit_says_so() -> None:
    guard = Guard(Policy.parse("limits: {max_chars: 5}"))
    reasons = {
        provider: checked(provider, ANSWERS[provider]("", "one two three", "")[1], guard)[0]
        for provider in FORMATS
    }
    assert reasons["openai_chat"]["choices"][0]["finish_reason"] == "length"
    assert reasons["anthropic"]["stop_reason"] == "max_tokens"
    assert reasons["openai_responses"]["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("provider", FORMATS)
@pytest.mark.parametrize("text", ["so forbidden", "so forbidden, unread", "so enough"])
def test_a_call_after_a_text_that_a_rule_ends_is_left_out(provider: str, text: str) -> None:
    _, body = ANSWERS[provider]("", text, JSON % "x")
    guarded, result = checked(provider, body)
    assert result.text == "so "
    assert "find" not in str(guarded)


@pytest.mark.parametrize("text", ["so forbidden", "so forbidden, unread", "so enough, unread"])
def test_a_function_and_speech_after_the_end_of_a_choice_are_left_out(text: str) -> None:
    _, body = chat("", text, "")
    body["choices"][0]["message"] |= {
        "function_call": {"name": "find", "arguments": "{}"},
        "audio": {"id": "a", "data": "AAAA", "expires_at": 1, "transcript": text},
    }
    guarded, _ = checked("openai_chat", body)
    said = guarded["choices"][0]["message"]
    assert (said["content"], said["function_call"], said["audio"]) == ("so ", None, None)


@pytest.mark.parametrize("action", ["block", "stop"])
def test_a_call_before_the_one_that_a_rule_ends_stays(action: str) -> None:
    _, body = chat("", "so it is", JSON % "x")
    calls = body["choices"][0]["message"]["tool_calls"]
    function = {"name": "find", "arguments": JSON % "that thing, unread"}
    calls.append({"id": "d", "type": "function", "function": function})
    policy = f"rules: [{{id: w, words: [thing], action: {action}}}]"
    guarded, _ = checked("openai_chat", body, Guard(Policy.parse(policy)))
    assert guarded["choices"][0]["message"]["tool_calls"][0] == calls[0]


def test_choices_end_for_themselves() -> None:
    _, body = chat("", "that is enough", "")
    other = copy.deepcopy(body["choices"][0])
    other |= {"index": 1, "finish_reason": "length"}
    other["message"]["content"] = "a secret"
    body["choices"].append(other)
    guarded, _ = checked("openai_chat", body)
    first, second = guarded["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == ("that is ", "stop")
    assert (second["message"]["content"], second["finish_reason"]) == ("a ******", "length")


def test_completions_are_guarded() -> None:
    body = {"id": "c", "object": "text_completion", "created": 1, "model": "m", "usage": None}
    choice = {"index": 0, "text": "a secret", "logprobs": None, "finish_reason": "stop"}
    guarded, result = checked("openai_completions", {**body, "choices": [choice]})
    assert guarded["choices"][0]["text"] == result.text == "a ******"
    choice = {**choice, "text": "so forbidden"}
    guarded, _ = checked("openai_completions", {**body, "choices": [choice]})
    assert guarded["choices"][0] == {**choice, "text": "so ", "finish_reason": "content_filter"}


def test_what_tools_gave_is_guarded_and_found_once() -> None:
    found = {"type": "web_search_result", "title": "the secret", "url": "u", "page_age": None}
    found |= {"encrypted_content": "x"}
    _, body = message("", "so", "")
    block = {"type": "web_search_tool_result", "tool_use_id": "t", "content": [found]}
    body["content"].insert(0, block)
    guarded, result = checked("anthropic", body)
    assert guarded["content"][0]["content"][0]["title"] == "the ******"
    assert len(result.findings) == 1


def test_log_probabilities_go_where_anything_changed() -> None:
    _, body = chat("", "a secret", "")
    token = {"token": "secret", "logprob": -0.1, "bytes": None, "top_logprobs": []}
    body["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    guarded, _ = checked("openai_chat", body)
    assert guarded["choices"][0]["logprobs"] is None


@pytest.mark.parametrize("provider", FORMATS)
def test_unknown_text_is_refused(provider: str) -> None:
    _, body = ANSWERS[provider]("", "so", "")
    with pytest.raises(AdapterError, match="is not known"):
        guard_body(REFUSING, provider, {**body, "dream": "secret"})
    guarded, result = guard_body(GUARD, provider, {**body, "dream": "secret"})
    assert guarded["dream"] == "******"
    assert [found.path for found in result.findings] == ["$.dream"]
    with pytest.raises(AdapterError, match="no whole answers of 'x'"):
        guard_body(GUARD, "x", body)


def test_what_spells_out_an_answer_once_more_is_left_out_of_it() -> None:
    body = chat("", "a secret", "")[1]
    choice = body["choices"][0]
    choice["message"]["tokens"] = choice["token_ids"] = [77]
    spelled = {"token": "secret", "logprob": -0.1, "bytes": [77], "top_logprobs": []}
    choice["reasoning_logprobs"] = {"content": [spelled]}
    body["__verbose"] = {"content": "a secret", "tokens": [77]}
    body["x_groq"] = {"id": "req_1", "debug": {"output_tokens": ["secret"]}}
    guarded, _ = guard_body(GUARD, "openai_chat", body)
    assert not has_word("secret", guarded)
    assert "77" not in str(guarded)


@pytest.mark.parametrize("action", ["block", "stop"])
@pytest.mark.parametrize("provider", ["openai_chat", "cohere"])
def test_a_call_of_an_answer_that_is_cut_is_not_made(provider: str, action: str) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: w, words: [forbidden], action: {action}}}]"))
    given = ('{"q": 1}', '{"q": "so forbidden"}', '{"q": 2}')
    calls = [
        {"id": f"c{nr}", "type": "function", "function": {"name": "find", "arguments": each}}
        for nr, each in enumerate(given)
    ]
    message = {"role": "assistant", "tool_calls": calls}
    body: Event = {"id": "c", "finish_reason": "TOOL_CALL", "message": message}
    if provider == "openai_chat":
        _, body = chat("", "", "{}")
        body["choices"][0]["message"]["tool_calls"] = calls
    guarded, _ = guard_body(guard, provider, body)
    left = guarded if provider == "cohere" else guarded["choices"][0]
    assert left["message"]["tool_calls"] == calls[:1]


@pytest.mark.parametrize(("choice", "reason"), [(0, "tool_calls"), (1, "function_call")])
def test_a_masked_call_stays_beside_a_choice_that_a_limit_cuts(choice: int, reason: str) -> None:
    guard = Guard(Policy.parse("limits: {max_chars: 20}\nrules: [{id: w, words: [forbidden]}]"))
    _, body = chat("", "", "{}")
    called = {"id": "c", "type": "custom", "custom": {"name": "run", "input": "remove forbidden"}}
    calling: Event = {"content": None, "tool_calls": [called]}
    said: Event = {"content": "so long that a limit cuts it"}
    bare = [(calling, reason), (said, "stop")]
    body["choices"] = [
        {"index": nr, "message": {"role": "assistant", **message}, "finish_reason": end}
        for nr, (message, end) in enumerate(bare if choice == 0 else reversed(bare))
    ]
    guarded, _ = guard_body(guard, "openai_chat", body)
    assert guarded["choices"][1 - choice]["finish_reason"] == "length"
    left = guarded["choices"][choice]
    assert left["finish_reason"] == reason
    assert left["message"]["tool_calls"][0]["custom"]["input"] == "remove [w]"


def test_free_text_of_a_call_of_an_answer_that_is_cut_is_not_given_to_a_tool() -> None:
    guard = Guard(Policy.parse("rules: [{id: w, words: [forbidden], action: block}]"))
    _, body = chat("", "", "{}")
    calls = [
        {"id": f"c{nr}", "type": "custom", "custom": {"name": "run", "input": each}}
        for nr, each in enumerate(("remove a", "remove b/forbidden"))
    ]
    body["choices"][0]["message"]["tool_calls"] = calls
    guarded, _ = guard_body(guard, "openai_chat", body)
    assert guarded["choices"][0]["message"]["tool_calls"] == calls[:1]
