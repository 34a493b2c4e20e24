"""The JSON Schema of policy files, for editors."""

from __future__ import annotations

import json
from typing import Any

from guardstream.policy.model import PolicyFile


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a policy file."""
    made = PolicyFile.model_json_schema(by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guardstream policy",
    }
    return {**head, **{key: value for key, value in made.items() if key != "title"}}


def text() -> str:
    """Return the schema as the text of the committed file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
