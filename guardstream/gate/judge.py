"""A check that asks a judge model behind an OpenAI-compatible API, as vLLM and Ollama have it.

The text goes as the assistant's turn after a question; the server's chat template, which comes
with the model, makes the prompt that it was trained with. What differs is the answer, as the model
cards say: Llama Guard's `safe`, or `unsafe` and a line of categories; Qwen3Guard's `Safety:` line
and `Categories:`; ShieldGemma's Yes or No to one guideline, which its template takes. A category
is named in findings only if it is one of the model's: a model may repeat the text.
https://huggingface.co/meta-llama/Llama-Guard-3-8B, https://huggingface.co/Qwen/Qwen3Guard-Gen-8B,
https://huggingface.co/google/shieldgemma-2b
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from guardstream.gate.endpoint import Endpoint
from guardstream.gate.judging import GateError
from guardstream.gate.verdict import ALLOW, Context, Verdict

_LLAMA = re.compile(r"\s*(safe|unsafe)[^\S\n]*(?:\n|\Z)", re.IGNORECASE)
_HAZARD = re.compile(r"\bS\d{1,2}\b")
_SAFETY = re.compile(r"^\s*Safety:\s*(Safe|Unsafe|Controversial)\s*$", re.MULTILINE)
_CATEGORIES = re.compile(
    r"^\s*Categories:.*?(Violent|Non-violent Illegal Acts|Sexual Content or Sexual Acts|PII"
    r"|Suicide & Self-Harm|Unethical Acts|Politically Sensitive Topics|Copyright Violation"
    r"|Jailbreak)",
    re.MULTILINE,
)
_YES_NO = re.compile(r"\s*(Yes|No)\b", re.IGNORECASE)


class Judge:
    """Blocks a text that the judge calls unsafe; the finding names its first category."""

    def __init__(
        self,
        format: str,
        model: str,
        url: str = "http://127.0.0.1:8000/v1/chat/completions",
        key_env: str | None = None,
        question: str = "Please answer.",
        guideline: str | None = None,
        controversial: bool = True,
    ) -> None:
        """`format` is `llama_guard`, `qwen3guard` or `shieldgemma`.

        `question` is sent as the user's turn, `guideline` is what ShieldGemma is asked about, and
        `controversial` says whether Qwen3Guard's "Controversial" counts as unsafe.
        """
        if format not in _READERS:
            raise GateError(f"unknown format {format!r}: use {' or '.join(map(repr, _READERS))}")
        self._read = _READERS[format]
        self._endpoint = Endpoint(url, key_env)
        self._model = model
        self._question = question
        self._guideline = guideline
        self._controversial = controversial

    async def __call__(self, text: str, context: Context) -> Verdict:
        """Judge a text and the text before it; GateError for an answer that is not a verdict."""
        answer = await self._endpoint.ask(self._body(context.before + text))
        try:
            content = answer["choices"][0]["message"]["content"]
            read = self._read(content)
        except (KeyError, IndexError, TypeError):
            raise GateError("the answer is not a chat completion") from None
        if read is None:
            raise GateError("the judge gave no verdict")
        safety, category = read
        if safety == "safe" or (safety == "controversial" and not self._controversial):
            return ALLOW
        return Verdict("block", rule=category or "gate")

    def _body(self, text: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "user", "content": self._question},
                {"role": "assistant", "content": text},
            ],
            "temperature": 0,
            "max_tokens": 64,
        }
        if self._guideline is not None:
            body["chat_template_kwargs"] = {"guideline": self._guideline}
        return body


def _llama_guard(reply: str) -> tuple[str, str] | None:
    found = _LLAMA.match(reply)
    if found is None:
        return None
    hazard = _HAZARD.search(reply, found.end())
    return found[1].lower(), hazard[0] if hazard else ""


def _qwen3guard(reply: str) -> tuple[str, str] | None:
    safety, named = _SAFETY.search(reply), _CATEGORIES.search(reply)
    if safety is None:
        return None
    return safety[1].lower(), re.sub(r"\W+", "-", named[1]) if named else ""


def _shieldgemma(reply: str) -> tuple[str, str] | None:
    found = _YES_NO.match(reply)
    return None if found is None else ("unsafe" if found[1].lower() == "yes" else "safe", "")


_READERS: dict[str, Callable[[str], tuple[str, str] | None]] = {
    "llama_guard": _llama_guard,
    "qwen3guard": _qwen3guard,
    "shieldgemma": _shieldgemma,
}
