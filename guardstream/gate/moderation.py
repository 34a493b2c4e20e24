"""A check with OpenAI's moderation endpoint, or a compatible one.

https://platform.openai.com/docs/api-reference/moderations
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from guardstream.gate.endpoint import Endpoint
from guardstream.gate.judging import GateError
from guardstream.gate.verdict import ALLOW, Context, Verdict


class OpenAIModeration:
    """Blocks a text that the endpoint flags; the finding names the category with the top score."""

    def __init__(
        self,
        url: str = "https://api.openai.com/v1/moderations",
        model: str = "omni-moderation-latest",
        key_env: str | None = "OPENAI_API_KEY",
        categories: Collection[str] | None = None,
        threshold: float | None = None,
    ) -> None:
        """`categories` are the ones that count, by default all; with a `threshold` their scores
        decide."""
        if threshold is not None and not 0 <= threshold <= 1:
            raise GateError(f"'threshold' needs a score from 0 to 1, not {threshold}")
        self._endpoint = Endpoint(url, key_env)
        self._model = model
        self._categories = None if categories is None else frozenset(categories)
        self._threshold = threshold

    async def __call__(self, text: str, context: Context) -> Verdict:
        """Judge a text and the text before it; GateError for an answer that is not a moderation
        result."""
        body = {"model": self._model, "input": context.before + text}
        answer = await self._endpoint.ask(body)
        try:
            result = answer["results"][0]
            flags, scores = dict(result["categories"]), dict(result["category_scores"])
            found = self._found(flags, scores)
            flagged = self._threshold is None and self._categories is None and result["flagged"]
            name = max(found, key=lambda each: float(scores.get(each, 0)), default="gate")
        except (KeyError, IndexError, TypeError, ValueError):
            raise GateError("the answer is not a moderation result") from None
        return Verdict("block", rule=name) if found or flagged else ALLOW

    def _found(self, flags: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
        if self._categories is not None and not self._categories <= flags.keys():
            raise ValueError("a category that counts is not in the answer")
        counted = [name for name in flags if self._categories is None or name in self._categories]
        if self._threshold is None:
            return [name for name in counted if flags[name]]
        values = {name: float(scores[name]) for name in counted}
        if not all(math.isfinite(value) for value in values.values()):
            raise ValueError("a score is not a number")
        return [name for name, value in values.items() if value >= self._threshold]
