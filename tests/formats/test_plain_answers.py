"""Whole answers of the small formats, of interactions, and of models on Bedrock."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.http.transport import SyncGuardTransport
from tests.laws.asked import Event

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


def cohere(text: str) -> Event:
    history = [{"role": "USER", "message": "so?"}, {"role": "CHATBOT", "message": text}]
    told = {"text": text, "generation_id": "g-1", "finish_reason": "COMPLETE"}
    return {**told, "chat_history": history, "meta": {"api_version": {"version": "1"}}}


def llama(text: str) -> Event:
    counts = {"prompt_token_count": 3, "generation_token_count": 2}
    return {"generation": text, "stop_reason": "stop", **counts}


def interaction(text: str) -> Event:
    thought = {"type": "thought", "signature": "c2ln1", "summary": [{"type": "text", "text": "hm"}]}
    step = {"type": "model_output", "content": [{"type": "text", "text": text}]}
    about = {"id": "v1_a", "object": "interaction", "model": "gemini-3", "status": "completed"}
    return {**about, "steps": [thought, step], "usage": {"total_tokens": 3}}


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
