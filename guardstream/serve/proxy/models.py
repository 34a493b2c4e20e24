"""The merged model list of several upstreams: of each, the models whose requests it gets.

OpenAI's and Anthropic's lists have the same form:
https://platform.openai.com/docs/api-reference/models/list,
https://docs.anthropic.com/en/api/models-list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.serve.proxy.endpoints import Endpoint
from guardstream.serve.proxy.settings import DEFAULT
from guardstream.serve.proxy.upstreams import Choice

MODELS = "/v1/models"


def is_list(endpoint: Endpoint) -> bool:
    """Return whether an endpoint lists models."""
    return endpoint.method == "GET" and endpoint.documented_path == MODELS


def merged(answers: Mapping[str, dict[str, Any]], choice: Choice) -> dict[str, Any]:
    """Merge the lists of upstreams, given by name: each model is listed once, by the upstream that
    gets its requests."""
    found: dict[str, Any] = {}
    for name, answer in answers.items():
        listed = answer.get("data")
        for each in listed if isinstance(listed, list) else ():
            model = each.get("id") if isinstance(each, dict) else None
            if isinstance(model, str) and choice.of((), model, DEFAULT) == name:
                found[model] = each
    whole = {**next(iter(answers.values())), "data": [*found.values()]}
    if "has_more" in whole:
        whole["has_more"] = any(answer.get("has_more") is True for answer in answers.values())
        whole |= {"first_id": next(iter(found), None), "last_id": next(reversed(found), None)}
    return whole
