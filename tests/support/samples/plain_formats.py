"""Streams of formats that are plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def piece(said: str) -> dict[str, Any]:
    return {"value": said}


def spelled(said: str, whole: str | None = None) -> dict[str, Any]:
    """A token of TGI's, with those that were as likely; the last with all of them."""
    own = 7 if said in ("sec", "ret") else 5
    made = {"id": own, "text": said, "logprob": -0.5, "special": False}
    details = {"finish_reason": "eos_token", "generated_tokens": 2, "seed": None}
    if whole is not None:
        details |= {"prefill": [], "tokens": [{**made, "text": whole, "id": 7}]}
    ends = {"generated_text": whole, "details": details if whole else None}
    return {"index": 1, "token": made, "top_tokens": [made], **ends}


def llama_cpp(pieces: Sequence[str], index: int = 0, **ends: Any) -> list[dict[str, Any]]:
    """An answer of llama.cpp's `/completion`, with token ids and probabilities."""

    def made(piece: str) -> dict[str, Any]:
        own = 77 if piece in ("sec", "ret") else 5
        spelled = {"id": own, "token": piece, "bytes": [*piece.encode()], "logprob": -0.5}
        probable = [{**spelled, "top_logprobs": [spelled]}]
        counted = {"tokens_predicted": 1, "tokens_evaluated": 2, "id_slot": 0}
        place = {"index": index, "content": piece, "tokens": [own], "stop": False}
        return {**place, **counted, "completion_probabilities": probable}

    asked = {"prompt": "<s>hi", "generation_settings": {"seed": 1, "stop": ["###"]}}
    last = {"index": index, "content": "", "tokens": [], "stop": True, "id_slot": 0, "model": "m-1"}
    last |= {"stop_type": "eos", "stopping_word": "", "timings": {"prompt_n": 1}, **asked, **ends}
    return [*map(made, pieces), last]


def workers_ai(pieces: Sequence[str]) -> list[dict[str, Any]]:
    """What a model of Workers AI streams: padded texts, and what they cost."""
    told = [{"response": piece, "p": "abdefghij"[: 9 - len(piece)]} for piece in pieces]
    counted = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return [*told, {"response": "", "usage": counted, "p": "ab"}]
