"""Whole answers of the small formats, of interactions, and of models on Bedrock."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.http.body import guard_body
from guardstream.http.transport import SyncGuardTransport
from tests.providers.changes import leaves, put, said
from tests.providers.promises import EMPTY, Event

GUARD = Guard(
    Policy.parse(
        """
block_message: stopped
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
"""
    )
)
SHORT = Guard(Policy.parse("limits: {max_chars: 4}"))


def completion(text: str) -> Event:
    told = {"completion": text, "stop_reason": "stop_sequence", "stop": "\n\nHuman:"}
    return {"type": "completion", "id": "compl_1", "model": "claude-2.1", "log_id": "1", **told}


def generate(text: str) -> Event:
    tokens = [{"id": 1, "text": text, "logprob": -0.5, "special": False}]
    details = {"finish_reason": "length", "generated_tokens": 2, "seed": None, "tokens": tokens}
    return {"generated_text": text, "details": details}


def llama_cpp(text: str) -> Event:
    probable = [{"id": 5, "token": text, "logprob": -0.5, "top_logprobs": []}]
    told = {"content": text, "tokens": [5], "stop": True, "stop_type": "eos", "stopping_word": ""}
    asked = {"prompt": "<s>so?", "generation_settings": {"seed": 1, "stop": ["###"]}}
    counts = {"index": 0, "id_slot": 0, "tokens_predicted": 1, "timings": {"prompt_n": 1}}
    return {**told, **asked, **counts, "model": "m-1", "completion_probabilities": probable}


def sglang(text: str) -> Event:
    reason = {"type": "stop", "matched": 2}
    about = {"id": "r1", "finish_reason": reason, "prompt_tokens": 3, "completion_tokens": 1}
    tokens = {"output_token_logprobs": [[-0.5, 5, text]], "weight_version": "default"}
    return {"text": text, "output_ids": [5], "meta_info": {**about, **tokens}}


def cohere(text: str) -> Event:
    history = [{"role": "USER", "message": "so?"}, {"role": "CHATBOT", "message": text}]
    told = {"text": text, "generation_id": "g-1", "finish_reason": "COMPLETE"}
    return {**told, "chat_history": history, "meta": {"api_version": {"version": "1"}}}


def llama(text: str) -> Event:
    counts = {"prompt_token_count": 3, "generation_token_count": 2}
    return {"generation": text, "stop_reason": "stop", **counts}


def outputs(text: str) -> Event:
    return {"outputs": [{"text": text, "stop_reason": "stop"}]}


def titan(text: str) -> Event:
    result = {"tokenCount": 2, "outputText": text, "completionReason": "FINISH"}
    return {"inputTextTokenCount": 3, "results": [result]}


def generations(text: str) -> Event:
    told = {"id": "g-2", "text": text, "finish_reason": "COMPLETE"}
    return {"id": "g-1", "prompt": "so?", "generations": [told]}


def interaction(text: str) -> Event:
    thought = {"type": "thought", "signature": "c2ln1", "summary": [{"type": "text", "text": "hm"}]}
    step = {"type": "model_output", "content": [{"type": "text", "text": text}]}
    about = {"id": "v1_a", "object": "interaction", "model": "gemini-3", "status": "completed"}
    return {**about, "steps": [thought, step], "usage": {"total_tokens": 3}}


def converse(text: str) -> Event:
    message = {"role": "assistant", "content": [{"text": text}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": {"inputTokens": 1}}


ANSWERS = {
    "anthropic_completions": completion,
    "tgi": generate,
    "llama_cpp": llama_cpp,
    "sglang": sglang,
    "cohere_v1": cohere,
    "bedrock_llama": llama,
    "bedrock_mistral": outputs,
    "bedrock_titan": titan,
    "interactions": interaction,
}
INVOKED = (completion, llama, outputs, titan, generations, cohere, converse)

EVERY = [*ANSWERS.items(), *(("bedrock_invoke", make) for make in INVOKED)]

TEXTS = ("completion", "content", "generated_text", "text", "generation", "outputText")


def answer(value: Any) -> str:
    """The answer's text, wherever it stands."""
    if isinstance(value, list):
        return "".join(map(answer, value))
    if not isinstance(value, dict):
        return ""
    own = "".join(str(value[name] or "") for name in TEXTS if isinstance(value.get(name), str))
    inner = [value[at] for at in value if at not in ("details", "chat_history", "summary")]
    return own or "".join(map(answer, inner))


def reasons(value: Any) -> list[Any]:
    """Why an answer ended."""
    if isinstance(value, list):
        return [reason for each in value for reason in reasons(each)]
    if not isinstance(value, dict):
        return []
    names = (
        "stop_reason",
        "finish_reason",
        "completionReason",
        "stopReason",
        "status",
        "stop_type",
    )
    names += ("type",) if value.keys() <= {"type", "matched"} else ()
    own = [value[name] for name in names if isinstance(value.get(name), str)]
    return own + [reason for inner in value.values() for reason in reasons(inner)]


@pytest.mark.parametrize(("provider", "make"), EVERY)
def test_an_answer_is_guarded_as_its_stream_is(provider: str, make: Any) -> None:
    body = make("a secret, no sec")
    assert guard_body(EMPTY, provider, body)[0] is body
    guarded, result = guard_body(GUARD, provider, body)
    assert answer(guarded) == result.text == "a ******, no sec"
    assert not said(guarded, ("secret",))
    assert reasons(guarded) == reasons(body)
    assert result.finish == ("length" if provider == "tgi" else "stop")
    fine = make("fine")
    assert guard_body(GUARD, provider, fine)[0] is fine


@pytest.mark.parametrize(("provider", "make"), EVERY)
def test_a_block_and_a_limit_say_so_in_the_formats_words(provider: str, make: Any) -> None:
    guarded, result = guard_body(GUARD, provider, make("so forbidden fruit"))
    assert answer(guarded) == "so stopped"
    assert result.finish == "content_filter"
    assert not said(guarded, ("forbidden", "fruit"))
    words = {
        *("content_filter", "refusal", "ERROR_TOXIC", "CONTENT_FILTERED", "content_filtered"),
        "incomplete",
    }
    assert words.intersection(reasons(guarded))
    cut, result = guard_body(SHORT, provider, make("so long"))
    assert answer(cut) == "so l"
    assert result.finish == "length"
    assert {"length", "limit", "max_tokens", "MAX_TOKENS", "LENGTH", "incomplete"} & {*reasons(cut)}


@pytest.mark.parametrize(("provider", "make"), EVERY)
def test_no_word_in_place_of_any_value_of_an_answer_passes(provider: str, make: Any) -> None:
    guard = Guard(Policy.parse("rules: [{id: w, pattern: quizzaciously, replacement: '#'}]"))
    body = make("fine")
    for way in leaves(body):
        guarded, _ = guard_body(guard, provider, put(body, way, "quizzaciously"))
        assert not said(guarded, ("quizzaciously",)), way


def test_calls_of_an_older_chat_are_guarded() -> None:
    call = {"name": "find", "parameters": {"q": "a secret"}}
    guarded, result = guard_body(GUARD, "cohere_v1", {**cohere(""), "tool_calls": [call]})
    assert guarded["tool_calls"] == [{"name": "find", "parameters": {"q": "a ******"}}]
    assert result.tool_calls[0].parse() == {"q": "a ******"}


def test_steps_of_text_in_a_row_are_one_text() -> None:
    body = interaction("a sec")
    body["steps"].append({"type": "model_output", "content": [{"type": "text", "text": "ret"}]})
    call = {"type": "function_call", "id": "c1", "name": "find", "arguments": {"q": "secret"}}
    body["steps"].append(call)
    guarded, result = guard_body(GUARD, "interactions", body)
    assert result.text == "a ******"
    assert guarded["steps"][-1]["arguments"] == {"q": "******"}
    assert result.tool_calls[0].name == "find"


@pytest.mark.parametrize(
    ("path", "make"),
    [
        ("/model/meta.llama3/invoke", llama),
        ("/v1beta/interactions", interaction),
        ("/v1/complete", completion),
        ("/v1/chat", cohere),
        ("/generate", generate),
        ("/completion", llama_cpp),
    ],
)
def test_a_transport_guards_such_answers(path: str, make: Any) -> None:
    def answering(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=make("a secret"))

    transport = SyncGuardTransport(GUARD, httpx.MockTransport(answering))
    with httpx.Client(transport=transport, base_url="https://api.example") as client:
        assert answer(client.post(path, json={"prompt": "so?"}).json()) == "a ******"
