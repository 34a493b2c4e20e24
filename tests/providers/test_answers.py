"""Whole answers of other APIs than OpenAI's and Anthropic's, and requests to them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.http.body import guard_body
from guardstream.http.request import RefusedError, checked_request
from guardstream.providers.answers.whole import BODIES
from tests.providers.laws import EMPTY, GUARD, left_raw
from tests.support.optional import optional

V2ChatResponse = optional("cohere.v2.types", "V2ChatResponse")
GenerateContentResponse = optional("google.genai.types", "GenerateContentResponse")
ChatResponse, GenerateResponse = optional("ollama", "ChatResponse", "GenerateResponse")

Body = dict[str, Any]


def gemini(text: str, args: str = "so") -> Body:
    call = {"functionCall": {"name": "find", "args": {"q": args}}}
    parts = [{"text": "hm", "thought": True}, {"text": text[:4]}, {"text": text[4:]}, call]
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": {"totalTokenCount": 3}, "modelVersion": "m"}


def ollama(text: str, args: str = "so") -> Body:
    call = {"function": {"name": "find", "arguments": {"q": args}}}
    message = {"role": "assistant", "content": text, "thinking": "hm", "tool_calls": [call]}
    about = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": True}
    return {**about, "message": message, "done_reason": "stop", "eval_count": 3}


def generated(text: str, args: str = "") -> Body:  # noqa: ARG001
    about = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": True}
    return {**about, "response": text, "done_reason": "stop", "context": [1, 2]}


def cohere(text: str, args: str = "so") -> Body:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": args}}
    content = [{"type": "text", "text": text}]
    message = {"role": "assistant", "content": content, "tool_plan": "hm", "tool_calls": [call]}
    return {"id": "r", "finish_reason": "COMPLETE", "message": message}


def bedrock(text: str, args: str = "so") -> Body:
    use = {"toolUse": {"toolUseId": "t", "name": "find", "input": {"q": args}}}
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
    message = {"role": "assistant", "content": [thought, {"text": text}, use]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": {"totalTokens": 3}}


def dashscope(text: str, args: str = "so") -> Body:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": args}}
    message = {"role": "assistant", "content": text, "tool_calls": [call]}
    choice = {"message": message, "finish_reason": "stop"}
    return {"output": {"choices": [choice]}, "request_id": "r", "usage": {"total_tokens": 3}}


def watsonx(text: str, args: str = "") -> Body:  # noqa: ARG001
    result = {"generated_text": text, "stop_reason": "eos_token", "generated_token_count": 3}
    return {"model_id": "m", "results": [result]}


MAKERS = {
    "gemini": gemini,
    "ollama": ollama,
    "generate": generated,
    "cohere": cohere,
    "bedrock": bedrock,
    "dashscope": dashscope,
    "watsonx": watsonx,
}
MODELS: dict[str, Any] = {
    "gemini": GenerateContentResponse,
    "ollama": ChatResponse,
    "generate": GenerateResponse,
    "cohere": V2ChatResponse,
}
CALLING = ("gemini", "ollama", "cohere", "bedrock", "dashscope")
MARKS = {
    "gemini": "SAFETY",
    "ollama": "content_filter",
    "generate": "content_filter",
    "cohere": "ERROR_TOXIC",
    "bedrock": "content_filtered",
    "dashscope": "content_filter",
    "watsonx": "content_filter",
}


def guarded(name: str, body: Body, guard: Guard = GUARD) -> tuple[Body, Any]:
    before = copy.deepcopy(body)
    made, result = guard_body(guard, "ollama" if name == "generate" else name, body)
    assert body == before
    if name in MODELS:
        MODELS[name].model_validate(made)
    return made, result


@pytest.mark.parametrize("name", MAKERS)
def test_an_answer_that_nothing_changes_is_the_same(name: str) -> None:
    body = MAKERS[name]("so it is")
    assert guarded(name, body, EMPTY)[0] is body
    assert guarded(name, body)[0] is body


@pytest.mark.parametrize("name", MAKERS)
def test_what_an_answer_says_is_masked(name: str) -> None:
    made, result = guarded(name, MAKERS[name]("the secret, no sec", '{"q": "a secret"}'))
    assert not left_raw(made)
    assert result.text == "the ######, no sec"
    assert "the ######, no sec" in json.dumps(made) or name == "gemini"
    assert "context" not in made
    assert len(result.findings) == 1 + (name in CALLING)


@pytest.mark.parametrize("name", MAKERS)
def test_a_blocked_answer_says_why(name: str) -> None:
    guard = Guard(
        Policy.parse("block_message: sorry\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    made, result = guarded(name, MAKERS[name]("so, forbidden thing", "unread"), guard)
    assert result.finish == "content_filter"
    assert f'"{MARKS[name]}"' in json.dumps(made)
    assert "sorry" in json.dumps(made)
    assert not left_raw(made, "forbidden")
    assert not left_raw(made, "unread")


@pytest.mark.parametrize("name", CALLING)
def test_a_call_with_blocked_arguments_is_not_made(name: str) -> None:
    made, result = guarded(name, MAKERS[name]("so it is", "forbidden"))
    assert result.finish == "content_filter"
    assert not left_raw(made, "forbidden")


GIVEN: list[Body] = [{"n": 1}, {}, {"n": 1, "q": "so forbidden"}, {}, {"q": "unread"}]


def _functions() -> list[Body]:
    return [
        {"id": "c", "type": "function", "function": {"name": "find", "arguments": json.dumps(each)}}
        for each in GIVEN
    ]


CALLS: dict[str, Body] = {
    "anthropic": {
        "content": [{"type": "tool_use", "id": "c", "name": "find", "input": g} for g in GIVEN],
        "stop_reason": "tool_use",
    },
    "bedrock": {
        "output": {
            "message": {
                "content": [
                    {"toolUse": {"toolUseId": "c", "name": "find", "input": each}} for each in GIVEN
                ]
            }
        },
        "stopReason": "tool_use",
    },
    "cohere": {
        "id": "r",
        "message": {"tool_calls": _functions()},
        "finish_reason": "TOOL_CALL",
    },
    "cohere_v1": {
        "text": "",
        "tool_calls": [{"name": "find", "parameters": each} for each in GIVEN],
        "finish_reason": "COMPLETE",
    },
    "dashscope": {
        "output": {
            "choices": [{"message": {"tool_calls": _functions()}, "finish_reason": "tool_calls"}]
        }
    },
    "gemini": {
        "candidates": [
            {
                "content": {
                    "parts": [{"functionCall": {"name": "find", "args": each}} for each in GIVEN]
                },
                "finishReason": "STOP",
            }
        ]
    },
    "interactions": {
        "status": "requires_action",
        "steps": [
            {"type": "function_call", "id": "c", "name": "find", "arguments": each}
            for each in GIVEN
        ],
    },
    "ollama": {
        "message": {
            "role": "assistant",
            "tool_calls": [{"function": {"name": "find", "arguments": each}} for each in GIVEN],
        },
        "done": True,
    },
}


@pytest.mark.parametrize("action", ["block", "stop"])
@pytest.mark.parametrize("name", CALLS)
def test_only_calls_before_the_one_that_is_cut_are_made(name: str, action: str) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: b, words: [forbidden], action: {action}}}]"))
    made, _ = guarded(name, CALLS[name], guard)
    shown = json.dumps(made)
    assert shown.count("find") == 2
    assert not any(word in shown for word in ("so ", "unread", '"name": ""'))


SEVERAL: dict[str, tuple[str, Callable[[str, str], Body], Callable[[Any], Body]]] = {
    "gemini": (
        "OTHER",
        lambda text, reason: {"content": {"parts": [{"text": text}]}, "finishReason": reason},
        lambda choices: {
            "candidates": [{"index": nr, **each} for nr, each in enumerate(choices)],
        },
    ),
    "dashscope": (
        "tool_calls",
        lambda text, reason: {"message": {"content": text}, "finish_reason": reason},
        lambda choices: {"output": {"choices": choices}},
    ),
    "watsonx": (
        "eos_token",
        lambda text, reason: {"generated_text": text, "stop_reason": reason},
        lambda choices: {"results": choices},
    ),
    "bedrock_titan": (
        "STOP_CRITERIA_MET",
        lambda text, reason: {"outputText": text, "completionReason": reason},
        lambda choices: {"results": choices},
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_a_choice_beside_one_that_a_limit_cuts_keeps_its_reason(name: str) -> None:
    reason, choice, body = SEVERAL[name]
    guard = Guard(Policy.parse("limits: {max_chars: 6}"))
    made, result = guarded(name, body([choice("a long text", ""), choice("b", reason)]), guard)
    assert "long text" not in json.dumps(made)
    assert f'"{reason}"' in json.dumps(made)
    assert result.text == "a long"


def test_answers_of_json_rpc_are_guarded() -> None:
    content = [{"type": "text", "text": "a secret"}]
    told = {"jsonrpc": "2.0", "id": 1, "result": {"content": content, "isError": False}}
    made, _ = guard_body(GUARD, "mcp", told)
    assert made["result"]["content"][0]["text"] == "a ######"
    blocked = {**told, "result": {"content": [{"type": "text", "text": "forbidden"}]}}
    assert guard_body(GUARD, "mcp", blocked)[0]["error"]["code"] == -32000
    part = {"kind": "text", "text": "a secret"}
    message = {"kind": "message", "messageId": "m", "role": "agent", "parts": [part]}
    made, result = guard_body(GUARD, "a2a", {"jsonrpc": "2.0", "id": 1, "result": message})
    assert made["result"]["parts"][0]["text"] == result.text == "a ######"


def _of_cohere(*blocks: tuple[str, str]) -> Body:
    content = [{"type": kind, kind: text} for kind, text in blocks]
    return {"id": "c", "finish_reason": "COMPLETE", "message": {"content": content}}


def _of_bedrock(*blocks: tuple[str, str]) -> Body:
    def block(kind: str, text: str) -> Body:
        thought = {"reasoningText": {"text": text}}
        return {"text": text} if kind == "text" else {"reasoningContent": thought}

    message = {"role": "assistant", "content": [block(*each) for each in blocks]}
    return {"output": {"message": message}, "stopReason": "end_turn"}


BLOCKS = [("cohere", _of_cohere), ("bedrock", _of_bedrock)]


@pytest.mark.parametrize(("provider", "answer"), BLOCKS)
@pytest.mark.parametrize("kinds", [("thinking", "thinking"), ("text", "thinking", "text")])
def test_blocks_that_are_texts_of_their_own_are_guarded_alone(
    provider: str, answer: Callable[..., Body], kinds: Sequence[str]
) -> None:
    texts = ["so", "hm", "secret"][-len(kinds) :]
    body = answer(*zip(kinds, texts, strict=True))
    masked = answer(*zip(kinds, [*texts[:-1], "######"], strict=True))
    assert guard_body(GUARD, provider, body)[0] == masked
    split = answer(*zip(kinds, ["a sec", "hm", "ret"][-len(kinds) :], strict=True))
    assert guard_body(GUARD, provider, split)[0] is split


@pytest.mark.parametrize(("provider", "answer"), BLOCKS)
def test_consecutive_blocks_of_text_are_one_text(
    provider: str, answer: Callable[..., Body]
) -> None:
    made, _ = guard_body(GUARD, provider, answer(("text", "a sec"), ("text", "ret is")))
    assert made == answer(("text", "a "), ("text", "###### is"))


def test_a_body_is_guarded_in_the_order_of_its_blocks() -> None:
    body = _of_cohere(("text", "so it is"), ("thinking", "forbidden"), ("text", "unread"))
    made, result = guard_body(GUARD, "cohere", body)
    assert [block.get("text") for block in made["message"]["content"]] == ["so it is", None, ""]
    assert result.text == "so it is"


@pytest.mark.parametrize("said", [("content", "thinking"), ("thinking", "content")])
def test_thinking_comes_before_the_answer_wherever_a_body_has_it(said: Sequence[str]) -> None:
    texts = {"content": "unread", "thinking": "so forbidden"}
    message = {"role": "assistant", **{name: texts[name] for name in said}}
    made, _ = guard_body(GUARD, "ollama", {"model": "m", "message": message, "done": True})
    assert (made["message"]["thinking"], made["message"]["content"]) == ("so ", "")
    message = {name.replace("thinking", "reasoning_content"): texts[name] for name in said}
    choice = {"finish_reason": "stop", "message": {"role": "assistant", **message}}
    made, _ = guard_body(GUARD, "dashscope", {"output": {"choices": [choice]}})
    told = made["output"]["choices"][0]["message"]
    assert (told["reasoning_content"], told["content"]) == ("so ", "")


def _task(state: str, *texts: str) -> Body:
    parts = [{"text": text} for text in texts]
    artifact = {"artifactId": "a", "parts": parts}
    return {"id": "t", "contextId": "c", "status": {"state": state}, "artifacts": [artifact]}


TASK = "TASK_STATE_%s"


@pytest.mark.parametrize(
    "held",
    [
        lambda task: {"jsonrpc": "2.0", "id": 1, "result": {"task": task}},
        lambda task: {"jsonrpc": "2.0", "id": 1, "result": task},
        lambda task: {"task": task},
        lambda task: task,
    ],
    ids=["sent", "got", "sent over HTTP", "got over HTTP"],
)
def test_the_parts_of_an_artifact_are_one_text(held: Callable[[Body], Body]) -> None:
    def task(state: str, *texts: str) -> Body:
        return held(_task(TASK % state, *texts))

    made, result = guard_body(GUARD, "a2a", task("COMPLETED", "my sec", "ret is"))
    assert made == task("COMPLETED", "my ", "###### is")
    assert result.text == "my ###### is"
    assert [found.path for found in result.findings] == [""]
    stops = Guard(Policy.parse("rules: [{id: s, words: [secret], action: stop}]"))
    made, result = guard_body(stops, "a2a", task("COMPLETED", "my sec", "ret is"))
    assert (made, result.finish) == (task("COMPLETED", "my ", ""), "stop")


def test_an_answer_of_a2a_without_json_rpc_is_rejected() -> None:
    blocks = "rules: [{id: s, words: [secret], action: block}]"
    guard, saying = Guard(Policy.parse(blocks)), Guard(Policy.parse(f"block_message: no\n{blocks}"))
    task, ended = _task(TASK % "COMPLETED", "my secret"), _task(TASK % "REJECTED", "my ")
    assert guard_body(guard, "a2a", task)[0] == ended
    assert guard_body(guard, "a2a", {"task": task})[0] == {"task": ended}
    made, _ = guard_body(saying, "a2a", task)
    assert made["status"]["message"]["parts"] == [{"text": "no"}]
    message = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "my secret"}]}
    made, _ = guard_body(saying, "a2a", {"message": message})
    assert made == {"message": {**message, "parts": [{"text": "my "}, {"text": "no"}]}}
    old = {**_task("completed", "my secret"), "kind": "task"}
    told = guard_body(saying, "a2a", old)[0]["status"]
    assert (told["state"], told["message"]["role"]) == ("rejected", "agent")
    assert told["message"]["parts"] == [{"kind": "text", "text": "no"}]


def test_a_stop_leaves_out_what_follows_in_an_answer() -> None:
    stops = Guard(Policy.parse("rules: [{id: s, words: [secret], action: stop}]"))
    content = [{"type": "text", "text": text} for text in ("my secret", "unread")]
    told = {"jsonrpc": "2.0", "id": 1, "result": {"content": content}}
    made, result = guard_body(stops, "mcp", told)
    assert [part["text"] for part in made["result"]["content"]] == ["my ", ""]
    assert result.finish == "stop"


INPUT = Guard(
    Policy.parse(
        "input: {rules: [{id: word, words: [secret], replacement: '#'}, "
        "{id: bad, words: [forbidden], action: block}]}"
    )
)

REQUESTS: list[tuple[str, Body]] = [
    ("gemini", {"contents": [{"role": "user", "parts": [{"text": "a secret"}]}]}),
    ("gemini", {"contents": {"parts": [{"text": "a secret"}]}}),
    ("ollama", {"messages": [{"role": "user", "content": "a secret", "images": ["c2VjcmV0"]}]}),
    ("ollama", {"prompt": "a secret"}),
    ("cohere", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a secret"}]}]}),
    ("cohere", {"messages": [], "documents": [{"data": {"text": "a secret"}}]}),
    ("bedrock", {"messages": [{"role": "user", "content": [{"text": "a secret"}]}]}),
    ("dashscope", {"input": {"messages": [{"role": "user", "content": "a secret"}]}}),
    ("dashscope", {"input": {"prompt": "a secret"}}),
    ("watsonx", {"input": "a secret"}),
    (
        "a2a",
        {"params": {"message": {"role": "user", "parts": [{"kind": "text", "text": "a secret"}]}}},
    ),
    ("mcp", {"params": {"name": "find", "arguments": {"q": "a secret"}}}),
]


@pytest.mark.parametrize(("provider", "request_"), REQUESTS)
def test_prompts_are_judged(provider: str, request_: Body) -> None:
    body = json.dumps(request_).encode()
    sent = checked_request(INPUT, provider, body)
    assert not left_raw(json.loads(sent), "a secret")
    assert "a #" in sent.decode()
    harmless = body.replace(b"a secret", b"a word")
    assert checked_request(INPUT, provider, harmless) == harmless
    with pytest.raises(RefusedError, match="bad"):
        checked_request(INPUT, provider, body.replace(b"a secret", b"forbidden"))


def test_every_format_with_bodies_has_prompts() -> None:
    for provider in BODIES:
        assert checked_request(INPUT, provider, b'{"so": 5}') == b'{"so": 5}'


def test_what_a_model_said_is_judged_as_its_own() -> None:
    turn = {"role": "model", "parts": [{"text": "a secret"}, {"inlineData": {"data": "c2VjcmV0"}}]}
    guard = Guard(
        Policy.parse(
            "input: {roles: [user], rules: [{id: word, words: [secret], replacement: '#'}]}"
        )
    )
    body = json.dumps({"contents": [turn]}).encode()
    assert checked_request(guard, "gemini", body) == body


ODD: list[tuple[str, Body]] = [
    ("openai_chat", {"choices": [], "citations": ["a secret", "b", "c"]}),
    (
        "openai_chat",
        {"choices": [{"message": {"content": [{"type": "text", "text": "a secret"}]}}]},
    ),
    ("anthropic", {"type": "message", "content": "a secret"}),
    ("cohere", {"message": "a secret"}),
    ("bedrock", {"message": "a secret"}),
    ("dashscope", {"code": "X", "message": "a secret", "request_id": "r"}),
    ("dashscope", {"output": {"choices": [{"message": {"content": [{"text": "a secret"}]}}]}}),
    ("watsonx", {"errors": [{"message": "a secret"}]}),
    ("gemini", {"error": {"code": 400, "message": "a secret"}}),
    ("ollama", {"error": "a secret"}),
]


@pytest.mark.parametrize(("provider", "body"), ODD)
def test_bodies_of_another_shape_are_guarded(provider: str, body: Body) -> None:
    assert guard_body(EMPTY, provider, body)[0] is body
    assert not left_raw(guard_body(GUARD, provider, body)[0])
    guard = Guard(
        Policy.parse("block_message: sorry\nrules: [{id: b, words: [secret], action: block}]")
    )
    assert not left_raw(guard_body(guard, provider, body)[0])
